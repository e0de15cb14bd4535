// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFederation} from "../../../contracts/interfaces/IFederation.sol";
import {IStakes} from "../../../contracts/interfaces/IStakes.sol";

/// @title IWhole: all functions of a federation, so that a test need not be compiled anew when the code behind them changes
interface IWhole is IFederation, IStakes {
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);
}
