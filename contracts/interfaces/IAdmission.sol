// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IAdmission: who may take a seat
interface IAdmission {
    /// @notice Whether `owner` may take a seat of the calling federation. Asked once, at `join`.
    /// @param evidence What the joiner handed over, unread by the federation.
    function admits(address owner, address operator, bytes calldata evidence) external view returns (bool);
}
