// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title FixedPoint: exact aggregation of one coordinate
/// @notice The trimmed mean: drop the k lowest and k highest, add the mean of the rest (truncated toward zero), clamp to
/// int32. k = 0 is the mean; the largest k is the median.
/// Bound: |value| <= 127 * 2^23 and at most 128 of them, so that sums stay below 2^38.
library FixedPoint {
    /// @param previous The model's parameter. @param values What the accepted updates add; sorted in place if k > 0.
    function aggregate(int256 previous, int256[] memory values, uint256 trim) internal pure returns (int256) {
        uint256 n = values.length;
        if (n == 0) return previous;
        uint256 k = trimOf(trim, n);
        if (k > 0) sort(values);
        int256 sum;
        unchecked {
            for (uint256 i = k; i < n - k; ++i) sum += values[i];
            return clamp(previous + sum / int256(n - 2 * k));
        }
    }

    /// @notice How many to drop on each side, so that one value is left at least.
    function trimOf(uint256 trim, uint256 n) internal pure returns (uint256) {
        uint256 most = n == 0 ? 0 : (n - 1) / 2;
        return trim < most ? trim : most;
    }

    function clamp(int256 value) internal pure returns (int256) {
        if (value > type(int32).max) return type(int32).max;
        if (value < type(int32).min) return type(int32).min;
        return value;
    }

    /// @dev Insertion sort: at most 128 values, often nearly sorted by nature of the data.
    function sort(int256[] memory values) internal pure {
        unchecked {
            for (uint256 i = 1; i < values.length; ++i) {
                int256 value = values[i];
                uint256 j = i;
                for (; j > 0 && values[j - 1] > value; --j) values[j] = values[j - 1];
                values[j] = value;
            }
        }
    }
}
