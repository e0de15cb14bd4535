// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExclusions} from "./interfaces/IExclusions.sol";
import {Seats} from "./libraries/Seats.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Relays} from "./Relays.sol";

/// @title Exclusions: accepted updates that a majority of all who revealed cannot fetch
/// @dev Reports only add, so that nothing is gained by choosing among a seat's signatures, or by sending one again. Counts are
/// packed: a report costs four slots at most besides its own, however many updates it names.
abstract contract Exclusions is IExclusions, Relays {
    using Seats for uint128;

    function reportMissing(uint256 round, uint256 seat, uint128 missing) external {
        _in(Phase.Show);
        uint256 number = _named(round);
        _onlyOperator(seat);
        if (!_round.revealed.contains(seat)) revert NotRevealed(number, seat);
        uint128 news = _news(number, seat, missing);
        if (news == 0) revert ReportUnchanged(number, seat);
        _report(number, seat, news);
    }

    function reportMissingMany(uint256 round, SignedCommitment[] calldata entries) external returns (uint256 done) {
        _in(Phase.Show);
        uint256 number = _named(round);
        _checkCount(entries.length);
        uint128 revealed = _round.revealed;
        bytes32 domain = Signatures.domain(address(this));
        for (uint256 i = 0; i < entries.length; ++i) {
            SignedCommitment calldata entry = entries[i];
            (uint256 seat, uint256 missing) = (entry.seat, uint256(entry.value));
            if (!revealed.contains(seat) || missing > type(uint128).max) continue;
            uint128 news = _news(number, seat, uint128(missing));
            if (news == 0 || !_isSigned(domain, Signatures.MISSING_TYPEHASH, number, entry)) continue;
            _report(number, seat, news);
            done |= 1 << i;
        }
    }

    function reportInfo(uint256 seat) external view returns (uint128 missing, uint256 reporters) {
        if (seat >= 128 || !_round.live) return (0, 0);
        uint256 number = _round.number;
        return (_missing[number][seat], _reporters[number][seat]);
    }

    /// @dev The updates that still enter the model where these do not.
    function _without(uint128 accepted, uint128 out) internal pure virtual returns (uint128 left) {
        return accepted & ~out;
    }

    // ---- private

    /// @dev What a report adds. Updates that left the accepted set meanwhile take nothing away from the rest of it.
    function _news(uint256 number, uint256 seat, uint128 missing) private view returns (uint128) {
        return missing & _round.accepted & ~_missing[number][seat];
    }

    function _report(uint256 number, uint256 seat, uint128 news) private {
        Round storage r = _round;
        _missing[number][seat] |= news;
        emit MissingReported(number, seat, news);
        uint8[128] storage reporters = _reporters[number];
        uint256 half = r.revealed.count() / 2;
        uint128 out = 0;
        for (uint128 rest = news; rest != 0; rest &= rest - 1) {
            uint256 author = rest.lowest();
            if (++reporters[author] > half) out = out.add(author);
        }
        if (out == 0) return;
        uint128 left = _without(r.accepted, out);
        r.accepted = left;
        emit Excluded(number, left);
    }
}
