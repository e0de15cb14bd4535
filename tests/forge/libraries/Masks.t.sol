// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Masks} from "../../../contracts/libraries/Masks.sol";
import {Files} from "../base/Files.sol";
import {Test} from "../base/Test.sol";
import {NaiveMasks} from "../reference/NaiveMasks.sol";

contract MasksTest is Test {
    int256 private constant CAP = 255;

    function _numbers(uint256 seed, uint256 n) private pure returns (int256[] memory numbers) {
        numbers = new int256[](n);
        for (uint256 i = 0; i < n; ++i) numbers[i] = int256(random(seed, i) % 65536);
    }

    /// @dev The library reads calldata.
    function valueIn(bytes calldata content, uint256 coordinate) external pure returns (int256) {
        return Masks.valueIn(content, coordinate);
    }

    function test_valueIn_isTheNaiveNumber(uint256 seed, uint8 coordinate) public view {
        bytes memory leaf = Files.noise(seed, 512);
        assertEq(this.valueIn(leaf, coordinate), NaiveMasks.valueIn(leaf, coordinate), "number");
    }

    function test_valueIn_wantsAWholeLeaf() public {
        vm.expectRevert(panic(0x01));
        this.valueIn(new bytes(511), 0);
        vm.expectRevert(panic(0x01));
        this.valueIn(new bytes(512), 256);
    }

    function test_next_isTheNaiveRule(int32 previous, uint256 seed, uint8 n, uint8 exponent) public pure {
        int256[] memory numbers = _numbers(seed, n % 129);
        int256 expected = NaiveMasks.next(previous, numbers, exponent % 24);
        assertEq(Masks.next(previous, numbers, exponent % 24), expected, "next");
    }

    /// @dev Streams that pairs share fall out of the sum: what is left is the mean of what was masked.
    function test_next_doesNotSeeTheMasks(int32 previous, uint256 seed, uint8 n, uint8 exponent) public pure {
        uint256 count = 3 + n % 126;
        exponent = exponent % 24;
        int256[] memory plain = new int256[](count);
        int256[] memory masked = new int256[](count);
        int256 sum;
        for (uint256 i = 0; i < count; ++i) {
            plain[i] = int256(random(seed, i) % 511) - CAP;
            sum += plain[i];
            masked[i] = plain[i];
        }
        for (uint256 i = 0; i + 1 < count; ++i) {
            int256 pad = int256(random(seed, 1000 + i) % 65536);
            (masked[i], masked[i + 1]) = (masked[i] + pad, masked[i + 1] - pad);
        }
        for (uint256 i = 0; i < count; ++i) masked[i] = int256(uint256(uint16(uint256(masked[i]))));
        int256 mean = sum * int256(2 ** exponent) / int256(count);
        int256 expected = int256(previous) + mean;
        if (expected > type(int32).max) expected = type(int32).max;
        if (expected < type(int32).min) expected = type(int32).min;
        assertEq(Masks.next(previous, masked, exponent), expected, "mean");
    }

    function test_next_neverMovesFurtherThanTheCap(int32 previous, uint256 seed, uint8 n, uint8 exponent) public pure {
        int256[] memory numbers = _numbers(seed, 1 + n % 128);
        int256 step = int256(2 ** (exponent % 24)) * CAP;
        int256 moved = Masks.next(previous, numbers, exponent % 24) - previous;
        assertTrue(moved <= step && moved >= -step, "further than 255 steps");
    }

    function test_next_ofNobody_isThePrevious(int32 previous, uint8 exponent) public pure {
        assertEq(Masks.next(previous, new int256[](0), exponent), previous, "previous");
    }

    function test_lift_atItsBounds() public pure {
        assertEq(Masks.lift(3 * 255, 3), 765, "the most that three can add");
        assertEq(Masks.lift(3 * 255 + 1, 3), 765, "one more");
        assertEq(Masks.lift(65536 - 765, 3), -765, "the least");
        assertEq(Masks.lift(65536 - 766, 3), -765, "one less");
        assertEq(Masks.lift(32640, 128), 32640, "the most that 128 can add");
        assertEq(Masks.lift(32768, 128), -32640, "the first negative number");
        assertEq(Masks.lift(65536 + 7, 3), 7, "modulo 2^16");
    }
}
