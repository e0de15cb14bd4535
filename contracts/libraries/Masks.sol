// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPoint} from "./FixedPoint.sol";

/// @title Masks: what the sum of masked updates does to a parameter
/// @notice A masked number has 16 bits. The masks of all seats of a round cancel in the sum modulo 2^16, which then stands for one
/// signed number: what honest seats, who add at most 255 each, can have added up to. A cheat can write any 16 bits; the clamp
/// bounds what comes of it.
library Masks {
    uint256 internal constant LEAF_BYTES = 512; // 256 numbers, the low byte first
    int256 internal constant CAP = 255; // what one seat adds at most, in steps

    uint256 private constant PARAMETERS = 256;

    /// @notice A number of a leaf, as written.
    function valueIn(bytes calldata content, uint256 coordinate) internal pure returns (int256 value) {
        assert(content.length == LEAF_BYTES && coordinate < PARAMETERS);
        assembly ("memory-safe") {
            let word := calldataload(add(content.offset, shl(1, coordinate)))
            value := or(byte(0, word), shl(8, byte(1, word)))
        }
    }

    /// @notice The parameter that follows: the clamped mean of the steps that were sent, truncated toward zero, is added.
    /// @param previous The parameter before. @param values The masked numbers of all seats. @param exponent A step is 2^exponent
    /// units, at most 2^23.
    function next(int256 previous, int256[] memory values, uint256 exponent) internal pure returns (int256) {
        int256 n = int256(values.length);
        if (n == 0) return previous;
        int256 sum;
        unchecked {
            for (uint256 i = 0; i < values.length; ++i) sum += values[i];
            return FixedPoint.clamp(previous + lift(sum, n) * int256(1 << exponent) / n);
        }
    }

    /// @notice The sum that `sum` modulo 2^16 stands for, at most 255 for each of the seats.
    function lift(int256 sum, int256 seats) internal pure returns (int256 lifted) {
        assembly ("memory-safe") {
            lifted := signextend(1, sum)
        }
        int256 bound = CAP * seats;
        if (lifted > bound) return bound;
        if (lifted < -bound) return -bound;
    }
}
