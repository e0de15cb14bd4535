// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title NaiveNumbers: aggregation and decoding, as one would explain them
library NaiveNumbers {
    /// @notice The trimmed mean by rank: a value stays if enough others come before it and after it.
    function aggregate(int256 previous, int256[] memory values, uint256 trim) internal pure returns (int256) {
        uint256 n = values.length;
        if (n == 0) return previous;
        while (2 * trim >= n) --trim;
        int256 sum;
        int256 kept;
        for (uint256 i = 0; i < n; ++i) {
            uint256 rank = rankOf(values, i);
            if (rank < trim || rank >= n - trim) continue;
            sum += values[i];
            ++kept;
        }
        int256 step = sum < 0 ? -(-sum / kept) : sum / kept;
        int256 next = previous + step;
        if (next > 2147483647) return 2147483647;
        if (next < -2147483648) return -2147483648;
        return next;
    }

    /// @notice How many values come before the one at `i`; of equals, the earlier comes first.
    function rankOf(int256[] memory values, uint256 i) internal pure returns (uint256 rank) {
        for (uint256 j = 0; j < values.length; ++j) {
            if (values[j] < values[i] || (values[j] == values[i] && j < i)) ++rank;
        }
    }

    /// @notice Big-endian two's complement, byte by byte.
    function modelValue(bytes memory leaf, uint256 coordinate) internal pure returns (int256 value) {
        for (uint256 i = 0; i < 4; ++i) value = value * 256 + int256(uint256(uint8(leaf[4 * coordinate + i])));
        if (value >= 2 ** 31) value -= 2 ** 32;
    }

    /// @notice Every value of an update's leaf: q * 2^e, or zero in a malformed block of 32.
    function updateValues(bytes memory leaf, uint256 maxExponent) internal pure returns (int256[256] memory values) {
        for (uint256 b = 0; b < 8; ++b) {
            uint256 exponent = uint8(leaf[b]);
            bool sound = exponent <= maxExponent;
            for (uint256 i = 32 * b; i < 32 * b + 32; ++i) {
                if (leaf[8 + i] == 0x80) sound = false;
            }
            for (uint256 i = 32 * b; sound && i < 32 * b + 32; ++i) {
                values[i] = int256(int8(uint8(leaf[8 + i]))) * int256(2 ** exponent);
            }
        }
    }

    function hasMinimum(bytes32 word) internal pure returns (bool) {
        for (uint256 i = 0; i < 32; ++i) {
            if (word[i] == 0x80) return true;
        }
        return false;
    }
}
