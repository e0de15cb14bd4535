// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Seats} from "../../../contracts/libraries/Seats.sol";
import {Test} from "../base/Test.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";

contract SeatsTest is Test {
    function test_set_isItsMembers(uint128 set, uint8 seat) public pure {
        bool[] memory members = NaiveSeats.spread(set);
        assertTrue(Seats.contains(set, seat) == (seat < 128 && members[seat % 128]), "contains");
        if (seat >= 128) return;
        members[seat] = true;
        assertEq(Seats.add(set, seat), NaiveSeats.fold(members), "add");
        members[seat] = false;
        assertEq(Seats.remove(set, seat), NaiveSeats.fold(members), "remove");
    }

    function test_contains_nothingBeyondTheLast(uint128 set, uint256 seat) public pure {
        assertTrue(!Seats.contains(set, 128 + seat % (type(uint256).max - 127)), "beyond");
    }

    function test_list_isAscendingAndWhole(uint128 set, uint128 sparse) public pure {
        _checkList(set);
        _checkList(set & sparse & (sparse >> 1));
    }

    function test_list_corners() public pure {
        _checkList(0);
        _checkList(type(uint128).max);
        for (uint256 seat = 0; seat < 128; ++seat) _checkList(Seats.bit(seat));
    }

    function _checkList(uint128 set) private pure {
        uint256[] memory expected = NaiveSeats.list(set);
        uint256[] memory seats = Seats.list(set);
        assertEq(Seats.count(set), expected.length, "count");
        assertEq(keccak256(abi.encode(seats)), keccak256(abi.encode(expected)), "list");
        if (set != 0) assertEq(Seats.lowest(set), expected[0], "lowest");
    }

    // ---- what nobody may ask

    function lowest(uint128 set) external pure returns (uint256) {
        return Seats.lowest(set);
    }

    function bit(uint256 seat) external pure returns (uint128) {
        return Seats.bit(seat);
    }

    function test_lowest_ofNothingPanics() public {
        vm.expectRevert(panic(1));
        this.lowest(0);
    }

    function test_bit_beyondTheLastPanics(uint256 seat) public {
        seat = within(seat, 128, type(uint256).max);
        vm.expectRevert(panic(1));
        this.bit(seat);
    }
}
