// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IAdmission: who may take a seat
interface IAdmission {
    /// @notice Says whether `owner` may take a seat of the calling federation. A federation asks once, during `join`.
    /// @dev Anybody can call `join` with any owner and any operator, and evidence can be copied from the mempool. Check the
    /// operator too: otherwise a stranger can act under a name that you admitted.
    /// @param owner The account that would own the seat.
    /// @param operator The account that would act for the seat in rounds.
    /// @param evidence What the caller of `join` passed on. The federation does not read it.
    /// @return admitted True if the owner may take the seat.
    function admits(address owner, address operator, bytes calldata evidence) external view returns (bool admitted);
}
