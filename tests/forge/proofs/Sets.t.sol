// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Committee} from "../../../contracts/libraries/Committee.sol";
import {Record, Records} from "../../../contracts/libraries/Records.sol";
import {Seats} from "../../../contracts/libraries/Seats.sol";
import {Prover} from "./Prover.sol";

/// @dev Bitmaps, the packed committee, and the word that knows its round.
contract SetsProofs is Prover {
    function check_contains_isTheBit(uint128 set, uint256 seat) external pure {
        bool has = Seats.contains(set, seat);
        assert(has == ((uint256(set) >> seat) & 1 == 1));
    }

    function check_addAndRemove_touchOneSeat(uint128 set, uint256 seat, uint256 other) external pure {
        vm.assume(seat < 128 && other < 128 && other != seat);
        assert(Seats.contains(Seats.add(set, seat), seat));
        assert(!Seats.contains(Seats.remove(set, seat), seat));
        assert(Seats.contains(Seats.add(set, seat), other) == Seats.contains(set, other));
        assert(Seats.contains(Seats.remove(set, seat), other) == Seats.contains(set, other));
    }

    function check_lowest_isInTheSetWithNoneBelow(uint128 set) external pure {
        vm.assume(set != 0);
        uint256 seat = Seats.lowest(set);
        assert(Seats.contains(set, seat));
        assert(uint256(set) & ((1 << seat) - 1) == 0);
    }

    /// @dev The step of `list` and of `count`: the lowest seat goes, all others stay. With the proof before it, what `list`
    /// returns is ascending and whole.
    function check_clearingTheLowest_removesThatSeatOnly(uint128 set) external pure {
        vm.assume(set != 0);
        assert(set & (set - 1) == Seats.remove(set, Seats.lowest(set)));
    }

    /// @dev What was packed at a position is read there, and the first place of a seat is found.
    function check_committee_packsByteByByte(uint8[15] memory drawn, uint8 seat) external pure {
        uint120 packed;
        for (uint256 j = 0; j < 15; ++j) packed |= uint120(uint256(drawn[j]) << (8 * (14 - j)));
        for (uint256 j = 0; j < 15; ++j) assert(Committee.seatAt(packed, j) == drawn[j]);
        uint256 position = Committee.positionOf(packed, 3, seat);
        uint256 expected = drawn[0] == seat ? 0 : drawn[1] == seat ? 1 : drawn[2] == seat ? 2 : 3;
        assert(position == expected);
    }

    /// @dev A word says nothing of any round but its own, and keeps 28 bytes of the digest.
    function check_record_knowsItsRound(uint24 number, uint256 asked, uint8 state, bytes32 digest, bytes32 value) external pure {
        Record record = Records.make(number, state, digest);
        assert(Records.state(record, asked) == (asked == number ? state : 0));
        assert(Records.digestOf(record) == bytes28(digest));
        assert(Records.matches(record, value) == (uint256(value) >> 32 == uint256(digest) >> 32));
    }
}
