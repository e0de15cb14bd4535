// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IHandovers: a seat goes to another owner
interface IHandovers {
    /// @notice Hand a seat over, with its stake and its unclaimed pay, to an owner that signed for it. Only the present owner may
    /// call. The new owner must be admitted as if it joined.
    /// @dev The signature is EIP-712 by a key or ERC-1271 by a contract, type Handover (uint256 seat, address owner, address
    /// newOwner, address newOperator, uint256 stake, uint256 deadline), domain as in IRelays. It is used once. A live round goes on:
    /// what the old operator did in it can still cost the new owner slashes, and earn it pay.
    /// @param seat The seat's index; the seat is not leaving.
    /// @param newOwner The account that owns the seat afterwards.
    /// @param newOperator The account that acts for the seat in rounds afterwards.
    /// @param leastStake The stake that the seat must still have, as signed.
    /// @param deadline The last second in which the signature may be used, as signed.
    /// @param signature The new owner's: 65 bytes of a key, or whatever its contract reads.
    /// @param evidence The new owner's evidence of admission, as in `join`.
    function handover(
        uint256 seat,
        address newOwner,
        address newOperator,
        uint256 leastStake,
        uint256 deadline,
        bytes calldata signature,
        bytes calldata evidence
    ) external;

    /// @notice A seat has a new owner and a new operator.
    /// @param seat The seat's index.
    /// @param from The owner that handed it over.
    /// @param owner The owner from now on.
    /// @param operator The operator from now on.
    event HandedOver(uint256 indexed seat, address indexed from, address indexed owner, address operator);

    /// @notice The account already owns the seat.
    /// @param seat The seat's index.
    /// @param owner The owner.
    error OwnerUnchanged(uint256 seat, address owner);

    /// @notice The signature's time is over.
    /// @param time The time of this block.
    /// @param deadline The last second in which it could be used.
    error SignatureExpired(uint256 time, uint256 deadline);

    /// @notice The signature has been used.
    /// @param digest What was signed.
    error SignatureUsed(bytes32 digest);

    /// @notice The account did not sign this.
    /// @param account The account that should have signed.
    /// @param digest What it should have signed.
    error WrongSignature(address account, bytes32 digest);
}
