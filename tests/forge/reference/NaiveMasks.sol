// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title NaiveMasks: masked numbers and their sum, as one would explain them
library NaiveMasks {
    /// @notice Two bytes, the low one first.
    function valueIn(bytes memory leaf, uint256 coordinate) internal pure returns (int256) {
        return int256(uint256(uint8(leaf[2 * coordinate])) + 256 * uint256(uint8(leaf[2 * coordinate + 1])));
    }

    /// @notice The sum modulo 2^16 is read as a signed number, and cut to what n seats with 255 steps each can add up to.
    function next(int256 previous, int256[] memory numbers, uint256 exponent) internal pure returns (int256) {
        int256 n = int256(numbers.length);
        if (n == 0) return previous;
        int256 sum;
        for (uint256 i = 0; i < numbers.length; ++i) sum = (sum + numbers[i]) % 65536;
        if (sum >= 32768) sum -= 65536;
        if (sum > 255 * n) sum = 255 * n;
        if (sum < -255 * n) sum = -255 * n;
        int256 moved = sum * int256(2 ** exponent);
        int256 result = previous + (moved < 0 ? -(-moved / n) : moved / n);
        if (result > 2147483647) return 2147483647;
        if (result < -2147483648) return -2147483648;
        return result;
    }
}
