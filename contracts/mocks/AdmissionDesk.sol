// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAdmission} from "../interfaces/IAdmission.sol";

/// @title AdmissionDesk: admits every account that gives the password
contract AdmissionDesk is IAdmission {
    function admits(address, address, bytes calldata evidence) external pure returns (bool) {
        return keccak256(evidence) == keccak256("password");
    }
}
