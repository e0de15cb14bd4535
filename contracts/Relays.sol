// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRelays} from "./interfaces/IRelays.sol";
import {Commitments} from "./libraries/Commitments.sol";
import {Committee} from "./libraries/Committee.sol";
import {Record, Records} from "./libraries/Records.sol";
import {Seats} from "./libraries/Seats.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";
import {Rounds} from "./Rounds.sol";

/// @title Relays: acts that anybody sends for others, in batches that one bad entry does not take down
/// @dev A signature has no nonce and no deadline: its round is one, and it fills only a record that is empty in that round.
abstract contract Relays is IRelays, Rounds {
    using Committee for uint120;
    using Records for Record;
    using Seats for uint128;

    uint256 private constant MAX_CALLS = 256; // as many as a word has bits

    function commitMany(uint256 round, SignedCommitment[] calldata entries) external returns (uint256 done) {
        _in(Phase.Commit);
        uint256 number = _named(round);
        _checkCount(entries.length);
        uint128 active = _round.active;
        bytes32 domain = Signatures.domain(address(this));
        for (uint256 i = 0; i < entries.length; ++i) {
            SignedCommitment calldata entry = entries[i];
            uint256 seat = entry.seat;
            if (!active.contains(seat) || _records[seat].state(number) != Records.NOTHING) continue;
            if (!_isSigned(domain, Signatures.COMMIT_TYPEHASH, number, entry)) continue;
            _records[seat] = Records.make(number, Records.COMMITTED, entry.value);
            emit Committed(number, seat, entry.value);
            done |= 1 << i;
        }
    }

    function commitScoresMany(uint256 round, SignedCommitment[] calldata entries) external returns (uint256 done) {
        _in(Phase.ScoreCommit);
        uint256 number = _named(round);
        _checkCount(entries.length);
        (uint120 committee, uint256 size) = (_round.committee, _round.committeeSize);
        bytes32 domain = Signatures.domain(address(this));
        for (uint256 i = 0; i < entries.length; ++i) {
            SignedCommitment calldata entry = entries[i];
            uint256 seat = entry.seat;
            uint256 position = committee.positionOf(size, seat);
            if (position == size || _scoreRecords[position].state(number) != Records.NOTHING) continue;
            if (!_isSigned(domain, Signatures.COMMIT_SCORES_TYPEHASH, number, entry)) continue;
            _scoreRecords[position] = Records.make(number, Records.COMMITTED, entry.value);
            emit ScoresCommitted(number, seat, entry.value);
            done |= 1 << i;
        }
    }

    function revealMany(Opening[] calldata entries) external returns (uint256 done) {
        _in(Phase.Reveal);
        _checkCount(entries.length);
        uint256 number = _round.number;
        for (uint256 i = 0; i < entries.length; ++i) {
            Opening calldata entry = entries[i];
            (uint256 seat, bytes32 root, bytes calldata locator) = (entry.seat, entry.root, entry.locator);
            if (root == 0 || seat >= _records.length || locator.length > MAX_LOCATOR) continue;
            Record record = _records[seat];
            if (record.state(number) != Records.COMMITTED) continue;
            bytes32 place = Commitments.hashOf(locator);
            if (!record.matches(Commitments.update(address(this), number, seat, root, entry.salt, place))) continue;
            _records[seat] = Records.make(number, Records.REVEALED, root);
            emit Revealed(number, seat, root, entry.salt, locator);
            done |= 1 << i;
        }
    }

    function revealScoresMany(ScoreOpening[] calldata entries) external returns (uint256 done) {
        _in(Phase.ScoreReveal);
        _checkCount(entries.length);
        uint256 number = _round.number;
        uint256 expected = _scoreBytes();
        (uint120 committee, uint256 size) = (_round.committee, _round.committeeSize);
        for (uint256 i = 0; i < entries.length; ++i) {
            ScoreOpening calldata entry = entries[i];
            (uint256 seat, bytes calldata scores) = (entry.seat, entry.scores);
            uint256 position = committee.positionOf(size, seat);
            if (position == size || scores.length != expected) continue;
            Record record = _scoreRecords[position];
            if (record.state(number) != Records.COMMITTED) continue;
            bytes32 digest = keccak256(scores);
            if (!record.matches(Commitments.scores(address(this), number, seat, digest, entry.salt))) continue;
            _scoreRecords[position] = Records.make(number, Records.REVEALED, digest);
            emit ScoresRevealed(number, seat, scores, entry.salt);
            done |= 1 << i;
        }
    }

    function attempt(uint256 gasEach, bytes[] calldata calls) external returns (uint256 done) {
        if (calls.length > MAX_CALLS) revert TooManyEntries(calls.length, MAX_CALLS);
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes calldata data = calls[i];
            bool worked;
            assembly ("memory-safe") {
                // In memory that the next call uses again. Nothing that a call returns is copied.
                let place := mload(0x40)
                calldatacopy(place, data.offset, data.length)
            }
            // A call is given at most 63 parts of 64 of what is left, silently.
            if (gasleft() / 64 * 63 < gasEach) revert GasTooLow(gasEach);
            assembly ("memory-safe") {
                worked := delegatecall(gasEach, address(), mload(0x40), data.length, 0, 0)
            }
            if (worked) done |= 1 << i;
        }
    }

    // ---- what every batch of signatures asks

    function _checkCount(uint256 given) internal view {
        uint256 maximum = T.word(T.MAX_SEATS);
        if (given > maximum) revert TooManyEntries(given, maximum);
    }

    /// @dev Whether the operator of the entry's seat signed it. What a wallet does meanwhile changes nothing: it is a static call.
    function _isSigned(bytes32 domain, bytes32 typeHash, uint256 number, SignedCommitment calldata entry)
        internal
        view
        returns (bool)
    {
        address operator = _seats[entry.seat].operator;
        bytes32 digest = Signatures.act(domain, typeHash, number, entry.seat, entry.value);
        if (Signatures.byKey(operator, digest, entry.r, entry.vs)) return true;
        if (operator.code.length == 0) return false;
        bytes memory signature = Signatures.whole(entry.r, entry.vs);
        if (gasleft() < Signatures.WALLET_RESERVE) revert GasTooLow(Signatures.WALLET_RESERVE);
        return Signatures.byWallet(operator, digest, signature, Signatures.WALLET_GAS);
    }
}
