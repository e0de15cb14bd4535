// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Disputes} from "./Disputes.sol";
import {IMaskedDisputes} from "./interfaces/IMasked.sol";
import {Masks} from "./libraries/Masks.sol";
import {Seats} from "./libraries/Seats.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";
import {MaskedRounds} from "./MaskedRounds.sol";
import {Rounds} from "./Rounds.sol";

/// @title MaskedDisputes: announcements, and proofs about a sum of masked updates
contract MaskedDisputes is IMaskedDisputes, Disputes, MaskedRounds {
    using Seats for uint128;

    function announceMany(uint256 round, SignedCommitment[] calldata entries) external returns (uint256 done) {
        _in(Phase.Announce);
        uint256 number = _named(round);
        _checkCount(entries.length);
        Round storage r = _round;
        uint128 active = r.active;
        uint128 invited = r.revealed & _eligible & ~active;
        bytes32 domain = Signatures.domain(address(this));
        for (uint256 i = 0; i < entries.length; ++i) {
            SignedCommitment calldata entry = entries[i];
            uint256 seat = entry.seat;
            if (!invited.contains(seat) || active.contains(seat)) continue;
            if (!_isSigned(domain, Signatures.ANNOUNCE_TYPEHASH, number, entry)) continue;
            active = active.add(seat);
            emit Announced(number, seat, entry.value, entry.r, entry.vs);
            done |= 1 << i;
        }
        r.active = active;
    }

    // ---- what differs from Disputes

    function _updateBytes() internal pure override returns (uint256) {
        return Masks.LEAF_BYTES;
    }

    function _valueIn(bytes calldata content, uint256 coordinate, uint256) internal pure override returns (int256) {
        return Masks.valueIn(content, coordinate);
    }

    function _next(int256 previous, int256[] memory values) internal view override returns (int256) {
        return Masks.next(previous, values, T.word(T.MAX_EXPONENT));
    }

    /// @dev Without one of them, the masks of the others do not cancel.
    function _without(uint128, uint128) internal pure override returns (uint128) {
        return 0;
    }

    function _read() internal view override(Rounds, MaskedRounds) returns (Phase current, uint256 end) {
        return MaskedRounds._read();
    }

    function _scoreBytes() internal pure override(Rounds, MaskedRounds) returns (uint256) {
        return MaskedRounds._scoreBytes();
    }
}
