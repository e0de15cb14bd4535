// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFederation} from "./IFederation.sol";
import {IRelays} from "./IRelays.sol";

/// @title IAnnounced: what a masked round has and an open one has not
/// @notice Types, events and errors.
interface IAnnounced {
    /// @notice A seat announced the key that its masks of this round come from. Whoever masks for it checks the signature against
    /// the operator that it knows, and not against the chain.
    /// @param round The round's number.
    /// @param seat The seat's index.
    /// @param key The first coordinate of a point of secp256k1. Nothing here checks that it is one.
    /// @param r The first half of the operator's signature.
    /// @param vs Its second half, with the parity in the highest bit (ERC-2098).
    event Announced(uint256 indexed round, uint256 indexed seat, bytes32 key, bytes32 r, bytes32 vs);
}

/// @title IMaskedDisputes: announcing keys
/// @notice Implemented by the contract MaskedDisputes.
interface IMaskedDisputes is IAnnounced {
    /// @notice Announce keys for operators that signed: EIP-712, type Announce(uint256 round, uint256 seat, bytes32 value), whose
    /// value is the key. Anybody may call, in Announce. Whoever was eligible when the round opened and still is may announce, once.
    /// An entry that cannot be done is skipped, and the others are done.
    /// @dev An operator that is a contract is asked (ERC-1271) with 100,000 gas, if the signature is not its own key's.
    /// @param round The round that the signatures name.
    /// @param entries At most one for each seat that the terms allow.
    /// @return done Bit i says that entry i was done.
    function announceMany(uint256 round, IRelays.SignedCommitment[] calldata entries) external returns (uint256 done);
}

/// @title IMaskedFederation: a federation whose updates are masked, so that their sum alone is known
/// @notice A sibling of IFederation with the same functions. What differs:
///
/// A round begins with Announce, which takes the first half of commitWindow: seats announce keys. Those who did are the company,
/// `active` in `roundInfo`, and they alone may commit in the second half. Not to commit costs nothing, so that a company that is
/// not one's own can be refused. The round is void unless every seat of the company reveals.
///
/// A leaf of an update holds 256 masked numbers of 16 bits, the low byte first. maxExponent is the exponent of all of them, and
/// trim means nothing.
///
/// Validators reveal one byte: 0 refuses the candidate, which anybody computes from the files, and any other accepts it. It is
/// adopted, and every seat of the company earns the whole rate, if more than two thirds of the committee accept it. A validator's
/// pay shrinks if it was against the majority of the votes cast. An update that a majority reports missing in Show leaves no sum:
/// the accepted set is then empty.
interface IMaskedFederation is IFederation, IMaskedDisputes {
    /// @notice How long Announce lasts.
    /// @return length Half of commitWindow, in seconds.
    function announceWindow() external view returns (uint256 length);
}
