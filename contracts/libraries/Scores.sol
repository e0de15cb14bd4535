// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Scores: from bytes to medians to pay
/// @notice A byte of 0 leaves an update out; 1 to 255 accepts it and says how much of the rate it earns. The median of all votes
/// cast decides, the author's own counting as 255 whatever it wrote; of two middles it is the lower, so that a tie rejects.
/// With an honest majority of the votes cast, no honest update is left out and no other gets in.
library Scores {
    uint256 internal constant BEST = 255;

    /// @notice The median vote for a seat; adds each validator's distance from it to `distances`. A validator's vote for itself
    /// adds nothing, and neither does a tie that rejects, since nobody can know which of its halves was right.
    /// @param vectors Score bytes by validator. @param validators Their seats. @param seat Who is judged, byte `i` in each vector.
    /// @param sorted Memory to sort in, at least as long as `validators`. @param distances Sums by validator, added to.
    /// @dev In assembly, since a settlement of 128 seats by 15 validators goes through here 1,920 times. Wants
    /// i < vectors[v].length for every v, which `revealScores` has checked.
    function judge(
        bytes[] memory vectors,
        uint256[] memory validators,
        uint256 seat,
        uint256 i,
        uint256[] memory sorted,
        uint256[] memory distances
    ) internal pure returns (uint256 middle) {
        assembly ("memory-safe") {
            let first := add(sorted, 0x20)
            let next := first
            let end := shl(5, add(mload(validators), 1))
            for { let v := 0x20 } lt(v, end) { v := add(v, 0x20) } {
                let value := 255
                if xor(mload(add(validators, v)), seat) { value := byte(0, mload(add(mload(add(vectors, v)), add(i, 0x20)))) }
                let place := next
                for {} gt(place, first) {} {
                    let before := mload(sub(place, 0x20))
                    if iszero(gt(before, value)) { break }
                    mstore(place, before)
                    place := sub(place, 0x20)
                }
                mstore(place, value)
                next := add(next, 0x20)
            }
            let n := shr(5, sub(next, first))
            let tie := 0
            if n {
                // The lower and the upper middle, which are one where n is odd.
                middle := mload(add(first, shl(5, shr(1, sub(n, 1)))))
                tie := and(iszero(middle), lt(0, mload(add(first, shl(5, shr(1, n))))))
            }
            if tie { end := 0 }
            for { let v := 0x20 } lt(v, end) { v := add(v, 0x20) } {
                if eq(mload(add(validators, v)), seat) { continue }
                let value := byte(0, mload(add(mload(add(vectors, v)), add(i, 0x20))))
                let far := sub(value, middle)
                if lt(value, middle) { far := sub(middle, value) }
                mstore(add(distances, v), add(mload(add(distances, v)), far))
            }
        }
    }

    /// @notice A trainer's pay, rounded down: never above the rate.
    function trainerPayDown(uint256 rate, uint256 median_) internal pure returns (uint256) {
        return rate * median_ / BEST;
    }

    /// @notice A validator's pay, rounded down: the whole rate on every median, less by `strictness` times the mean
    /// distance, so that a constant guess does not pay.
    /// @param distance_ Sum of its distances from the medians. @param judged How many seats it judged besides itself.
    function validatorPayDown(uint256 rate, uint256 strictness, uint256 distance_, uint256 judged)
        internal
        pure
        returns (uint256)
    {
        uint256 whole = BEST * judged;
        uint256 lost = strictness * distance_;
        return lost >= whole ? 0 : rate * (whole - lost) / whole;
    }
}
