// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {NaiveNumbers} from "./NaiveNumbers.sol";

/// @title NaiveScores: medians and pay, as one would explain them
library NaiveScores {
    /// @notice What the validators but `seat` itself gave the seat's byte `i`: the median, the upper of two middles; 0 of none.
    function median(bytes[] memory vectors, uint256[] memory validators, uint256 seat, uint256 i)
        internal
        pure
        returns (uint256)
    {
        uint256 n;
        for (uint256 v = 0; v < validators.length; ++v) {
            if (validators[v] != seat) ++n;
        }
        int256[] memory given = new int256[](n);
        n = 0;
        for (uint256 v = 0; v < validators.length; ++v) {
            if (validators[v] != seat) given[n++] = int256(uint256(uint8(vectors[v][i])));
        }
        for (uint256 j = 0; j < n; ++j) {
            if (NaiveNumbers.rankOf(given, j) == n / 2) return uint256(given[j]);
        }
        return 0;
    }

    /// @notice How far a validator is from the medians of all seats but its own.
    function distance(bytes memory vector, uint256 validator, uint256[] memory seats, uint256[] memory medians)
        internal
        pure
        returns (uint256 sum)
    {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i] == validator) continue;
            uint256 given = uint8(vector[i]);
            sum += given > medians[i] ? given - medians[i] : medians[i] - given;
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
