// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Committee: the draw, without repetition, and its packed form
library Committee {
    uint256 internal constant MAXIMUM = 15;

    /// @notice The first `size` places of a Fisher-Yates shuffle of `seats`, which it reorders. Wants size <= seats.length.
    /// @return packed One byte a seat, first drawn in the highest byte.
    function draw(bytes32 seed, uint256[] memory seats, uint256 size) internal pure returns (uint120 packed) {
        uint256 n = seats.length;
        for (uint256 j = 0; j < size; ++j) {
            // The bias of the remainder is below 2^-248.
            uint256 r = j + uint256(keccak256(abi.encode(seed, j))) % (n - j);
            (seats[j], seats[r]) = (seats[r], seats[j]);
            packed |= uint120(seats[j] << (8 * (MAXIMUM - 1 - j)));
        }
    }

    function seatAt(uint120 packed, uint256 position) internal pure returns (uint256) {
        return (packed >> (8 * (MAXIMUM - 1 - position))) & 0xFF;
    }

    /// @notice The seat's place in a committee of `size`; `size` itself if it has none.
    function positionOf(uint120 packed, uint256 size, uint256 seat) internal pure returns (uint256 position) {
        while (position < size && seatAt(packed, position) != seat) ++position;
    }
}
