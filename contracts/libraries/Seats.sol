// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Seats: sets of seats as bitmaps, bit i = seat i
library Seats {
    function contains(uint128 set, uint256 seat) internal pure returns (bool) {
        return seat < 128 && (set >> seat) & 1 == 1;
    }

    function add(uint128 set, uint256 seat) internal pure returns (uint128) {
        return set | bit(seat);
    }

    function remove(uint128 set, uint256 seat) internal pure returns (uint128) {
        return set & ~bit(seat);
    }

    function bit(uint256 seat) internal pure returns (uint128) {
        assert(seat < 128);
        return uint128(1) << uint8(seat);
    }

    /// @notice How many seats the set holds.
    function count(uint128 set) internal pure returns (uint256 n) {
        unchecked {
            // Clear the lowest bit until none is left.
            for (; set != 0; set &= set - 1) ++n;
        }
    }

    /// @notice The lowest seat of a set that is not empty.
    function lowest(uint128 set) internal pure returns (uint256 seat) {
        assert(set != 0);
        unchecked {
            uint256 x = set;
            if (x & 0xFFFFFFFFFFFFFFFF == 0) (seat, x) = (64, x >> 64);
            if (x & 0xFFFFFFFF == 0) (seat, x) = (seat + 32, x >> 32);
            if (x & 0xFFFF == 0) (seat, x) = (seat + 16, x >> 16);
            if (x & 0xFF == 0) (seat, x) = (seat + 8, x >> 8);
            if (x & 0xF == 0) (seat, x) = (seat + 4, x >> 4);
            if (x & 0x3 == 0) (seat, x) = (seat + 2, x >> 2);
            if (x & 0x1 == 0) ++seat;
        }
    }

    /// @notice The set as a list, ascending.
    function list(uint128 set) internal pure returns (uint256[] memory seats) {
        uint256 n = count(set);
        seats = new uint256[](n);
        unchecked {
            for (uint256 i = 0; i < n; ++i) {
                seats[i] = lowest(set);
                set &= set - 1;
            }
        }
    }
}
