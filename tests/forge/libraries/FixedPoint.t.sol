// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPoint} from "../../../contracts/libraries/FixedPoint.sol";
import {Test} from "../base/Test.sol";
import {NaiveNumbers} from "../reference/NaiveNumbers.sol";

contract FixedPointTest is Test {
    int256 private constant MOST = 127 * 2 ** 23; // of one update

    /// @dev Ties, small numbers and the whole range all occur.
    function _values(uint256 seed, uint256 n) private pure returns (int256[] memory values) {
        values = new int256[](n);
        int256 span = seed % 3 == 0 ? int256(2) : seed % 3 == 1 ? int256(1000) : MOST;
        for (uint256 i = 0; i < n; ++i) values[i] = int256(random(seed, i) % uint256(2 * span + 1)) - span;
    }

    function _copy(int256[] memory values) private pure returns (int256[] memory copied) {
        copied = new int256[](values.length);
        for (uint256 i = 0; i < values.length; ++i) copied[i] = values[i];
    }

    function test_aggregate_isTheNaiveTrimmedMean(int32 previous, uint256 seed, uint8 n, uint8 trim) public pure {
        int256[] memory values = _values(seed, n % 129);
        int256 expected = NaiveNumbers.aggregate(previous, values, trim % 66);
        assertEq(FixedPoint.aggregate(previous, _copy(values), trim % 66), expected, "trimmed mean");
    }

    function test_aggregate_doesNotSeeTheOrder(int32 previous, uint256 seed, uint8 n, uint8 trim) public pure {
        int256[] memory values = _values(seed, n % 40);
        int256[] memory turned = new int256[](values.length);
        for (uint256 i = 0; i < values.length; ++i) turned[i] = values[values.length - 1 - i];
        int256 forth = FixedPoint.aggregate(previous, values, trim);
        assertEq(FixedPoint.aggregate(previous, turned, trim), forth, "order");
    }

    function test_aggregate_staysBetweenTheExtremes(int32 previous, uint256 seed, uint8 n, uint8 trim) public pure {
        int256[] memory values = _values(seed, 1 + n % 128);
        (int256 low, int256 high) = (values[0], values[0]);
        for (uint256 i = 0; i < values.length; ++i) {
            if (values[i] < low) low = values[i];
            if (values[i] > high) high = values[i];
        }
        int256 next = FixedPoint.aggregate(previous, values, trim);
        assertTrue(next >= type(int32).min && next <= type(int32).max, "int32");
        assertTrue(next >= previous + low || next == type(int32).max, "below the least step");
        assertTrue(next <= previous + high || next == type(int32).min, "above the greatest step");
    }

    function test_aggregate_largestTrimIsTheMedian(int32 previous, uint256 seed, uint8 half) public pure {
        uint256 k = half % 64;
        int256[] memory values = _values(seed, 2 * k + 1);
        int256 middle;
        for (uint256 i = 0; i < values.length; ++i) {
            if (NaiveNumbers.rankOf(values, i) == k) middle = values[i];
        }
        assertEq(FixedPoint.aggregate(previous, values, 64), FixedPoint.clamp(previous + middle), "median");
    }

    function test_aggregate_truncatesTowardZero() public pure {
        int256[] memory values = new int256[](2);
        (values[0], values[1]) = (-3, 0);
        assertEq(FixedPoint.aggregate(10, values, 0), 9, "-3 / 2 = -1");
        (values[0], values[1]) = (3, 0);
        assertEq(FixedPoint.aggregate(10, values, 0), 11, "3 / 2 = 1");
    }

    function test_aggregate_corners() public pure {
        assertEq(FixedPoint.aggregate(-7, new int256[](0), 5), -7, "nobody: the model stays");
        int256[] memory one = new int256[](1);
        one[0] = 1;
        assertEq(FixedPoint.aggregate(type(int32).max, one, 64), type(int32).max, "clamped above");
        one[0] = -1;
        assertEq(FixedPoint.aggregate(type(int32).min, one, 64), type(int32).min, "clamped below");
    }

    function test_trimOf_leavesOneOrTwo(uint256 trim, uint8 n) public pure {
        uint256 k = FixedPoint.trimOf(trim, n);
        if (n == 0) return assertEq(k, 0, "of none");
        assertTrue(2 * k < n, "something is left");
        assertTrue(k == trim || (k < trim && n - 2 * k <= 2), "as much as asked, or as possible");
    }

    function test_clamp(int256 value) public pure {
        int256 clamped = FixedPoint.clamp(value);
        if (value > 2147483647) assertEq(clamped, 2147483647, "above");
        else if (value < -2147483648) assertEq(clamped, -2147483648, "below");
        else assertEq(clamped, value, "inside");
    }

    function test_sort_putsEachValueAtItsRank(uint256 seed, uint8 n) public pure {
        int256[] memory values = _values(seed, n % 129);
        int256[] memory sorted = _copy(values);
        FixedPoint.sort(sorted);
        for (uint256 i = 0; i < values.length; ++i) {
            assertEq(sorted[NaiveNumbers.rankOf(values, i)], values[i], "rank");
        }
    }
}
