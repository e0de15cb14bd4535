// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IAdmission: who may take a seat
interface IAdmission {
    /// @notice Whether `owner` may take a seat of the calling federation. Asked once, at `join`.
    /// @dev Anybody may ask, in any owner's name and with any operator, and evidence can be copied from the mempool: look at the
    /// operator too, or strangers act under the names that you let in.
    /// @param evidence What the joiner handed over, unread by the federation.
    function admits(address owner, address operator, bytes calldata evidence) external view returns (bool);
}
