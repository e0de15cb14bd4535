// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Committee} from "../../../contracts/libraries/Committee.sol";
import {Seats} from "../../../contracts/libraries/Seats.sol";
import {Test} from "../base/Test.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";

contract CommitteeTest is Test {
    using Committee for uint120;

    function _size(uint256 seed, uint256 n) private pure returns (uint256) {
        return within(seed, 0, n < Committee.MAXIMUM ? n : Committee.MAXIMUM);
    }

    function test_draw_isNamesOutOfAHat(bytes32 seed, uint128 set, uint256 size) public pure {
        uint256[] memory seats = NaiveSeats.list(set);
        size = _size(size, seats.length);
        uint120 packed = Committee.draw(seed, Seats.list(set), size);
        uint256[] memory drawn = NaiveSeats.draw(seed, seats, size);
        for (uint256 j = 0; j < size; ++j) assertEq(packed.seatAt(j), drawn[j], "drawn");
        assertEq(uint256(packed) & (2 ** (8 * (15 - size)) - 1), 0, "nothing after the last");
    }

    function test_draw_takesMembersWithoutRepetition(bytes32 seed, uint128 set, uint256 size) public pure {
        size = _size(size, Seats.count(set));
        uint120 packed = Committee.draw(seed, Seats.list(set), size);
        for (uint256 j = 0; j < size; ++j) {
            assertTrue(Seats.contains(set, packed.seatAt(j)), "a member");
            set = Seats.remove(set, packed.seatAt(j)); // drawn again, it would be no member
        }
    }

    function test_draw_leavesTheSameSeatsBehind(bytes32 seed, uint128 set, uint256 size) public pure {
        uint256[] memory seats = Seats.list(set);
        Committee.draw(seed, seats, _size(size, seats.length));
        uint128 left;
        for (uint256 i = 0; i < seats.length; ++i) left = Seats.add(left, seats[i]);
        assertEq(left, set, "a shuffle");
    }

    function test_positionOf_findsEachSeatAndNoOther(bytes32 seed, uint128 set, uint256 size, uint8 seat) public pure {
        size = _size(size, Seats.count(set));
        uint120 packed = Committee.draw(seed, Seats.list(set), size);
        uint256 found = size;
        for (uint256 j = 0; j < size; ++j) {
            assertEq(packed.positionOf(size, packed.seatAt(j)), j, "its own place");
            if (packed.seatAt(j) == seat) found = j;
        }
        assertEq(packed.positionOf(size, seat), found, "any seat");
    }

    /// @dev Each of 8 seats is drawn first in one of 8 draws, and sits among the 3 drawn in three of 8.
    function test_draw_favoursNobody() public pure {
        uint256[8] memory first;
        uint256[8] memory among;
        for (uint256 i = 0; i < 4000; ++i) {
            uint120 packed = Committee.draw(bytes32(i), Seats.list(0xFF), 3);
            ++first[packed.seatAt(0)];
            for (uint256 j = 0; j < 3; ++j) ++among[packed.seatAt(j)];
        }
        for (uint256 seat = 0; seat < 8; ++seat) {
            assertTrue(first[seat] > 400 && first[seat] < 600, "500 expected");
            assertTrue(among[seat] > 1380 && among[seat] < 1620, "1500 expected");
        }
    }
}
