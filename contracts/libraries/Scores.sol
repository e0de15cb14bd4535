// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Scores: from bytes to medians to pay
/// @notice A byte of 0 leaves an update out; 1..255 accepts it and says how much of the rate it earns.
library Scores {
    uint256 internal constant BEST = 255;

    /// @notice The upper of two middles; 0 if there is no byte. Sorts the first `n` of `bytes_` in place.
    function median(uint256[] memory bytes_, uint256 n) internal pure returns (uint256) {
        if (n == 0) return 0;
        unchecked {
            for (uint256 i = 1; i < n; ++i) {
                uint256 value = bytes_[i];
                uint256 j = i;
                for (; j > 0 && bytes_[j - 1] > value; --j) bytes_[j] = bytes_[j - 1];
                bytes_[j] = value;
            }
        }
        return bytes_[n / 2];
    }

    /// @notice A trainer's pay, rounded down: never above the rate.
    function trainerPayDown(uint256 rate, uint256 median_) internal pure returns (uint256) {
        return rate * median_ / BEST;
    }

    /// @notice A validator's pay, rounded down: the whole rate on every median, less by `strictness` times the mean
    /// distance, so that a constant guess does not pay.
    /// @param distance Sum of distances from the medians. @param judged How many seats it judged besides itself.
    function validatorPayDown(uint256 rate, uint256 strictness, uint256 distance, uint256 judged)
        internal
        pure
        returns (uint256)
    {
        uint256 whole = BEST * judged;
        uint256 lost = strictness * distance;
        return lost >= whole ? 0 : rate * (whole - lost) / whole;
    }
}
