// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "./IFederation.sol";

/// @title IFederationFactory: creates and lists federations
interface IFederationFactory {
    /// @notice Check the terms and deploy a federation under them. Anybody may; the sponsor is a term.
    function create(Terms calldata terms) external returns (address federation);

    /// @notice Whether this factory made `federation`, so that its terms were checked and its code is known.
    function isFederation(address federation) external view returns (bool);

    /// @notice How many it made, and each by index.
    function count() external view returns (uint256);
    function federations(uint256 index) external view returns (address);

    /// @notice The code that every clone runs.
    function implementation() external view returns (address);

    event Created(address indexed federation, address indexed sponsor, bytes32 indexed manifest);

    /// @notice The numbered rule of libraries/TermsRules that the terms break.
    error BadTerms(uint256 rule);
    /// @notice A factory needs code to clone: calls to a clone of nothing would seem to succeed.
    error NoCode(address implementation);
}
