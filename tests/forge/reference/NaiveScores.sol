// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {NaiveNumbers} from "./NaiveNumbers.sol";

/// @title NaiveScores: medians and pay, as one would explain them
library NaiveScores {
    /// @notice The median of the votes for the seat's byte `i`, its own counting as 255: the lower of two middles; 0 of none.
    function median(bytes[] memory vectors, uint256[] memory validators, uint256 seat, uint256 i)
        internal
        pure
        returns (uint256)
    {
        return validators.length == 0 ? 0 : ranked(vectors, validators, seat, i, (validators.length - 1) / 2);
    }

    /// @notice The vote of this rank, 0 the lowest.
    function ranked(bytes[] memory vectors, uint256[] memory validators, uint256 seat, uint256 i, uint256 rank)
        internal
        pure
        returns (uint256)
    {
        int256[] memory given = new int256[](validators.length);
        for (uint256 v = 0; v < validators.length; ++v) {
            given[v] = validators[v] == seat ? int256(255) : int256(uint256(uint8(vectors[v][i])));
        }
        for (uint256 j = 0; j < given.length; ++j) {
            if (NaiveNumbers.rankOf(given, j) == rank) return uint256(given[j]);
        }
        revert("no such rank");
    }

    /// @notice Half of the votes are 0 and the others are not.
    function tied(bytes[] memory vectors, uint256[] memory validators, uint256 seat, uint256 i) internal pure returns (bool) {
        uint256 against;
        for (uint256 v = 0; v < validators.length; ++v) {
            if (validators[v] != seat && vectors[v][i] == 0) ++against;
        }
        return against > 0 && 2 * against == validators.length;
    }

    /// @notice How far the v-th validator is from the medians of all seats but its own, and but those that half rejected.
    function distance(bytes[] memory vectors, uint256[] memory validators, uint256 v, uint256[] memory seats)
        internal
        pure
        returns (uint256 sum)
    {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] == validators[v] || tied(vectors, validators, seats[i], i)) continue;
            uint256 given = uint8(vectors[v][i]);
            uint256 middle = median(vectors, validators, seats[i], i);
            sum += given > middle ? given - middle : middle - given;
        }
    }

    function trainerPay(uint256 rate, uint256 score) internal pure returns (uint256) {
        return (rate * score) / 255;
    }

    /// @notice rate * max(0, 255 - strictness * mean distance) / 255, as one exact fraction.
    function validatorPay(uint256 rate, uint256 strictness, uint256 distance_, uint256 judged)
        internal
        pure
        returns (uint256)
    {
        if (strictness * distance_ >= 255 * judged) return 0;
        return (rate * (255 * judged - strictness * distance_)) / (255 * judged);
    }
}
