// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPoint} from "../../../contracts/libraries/FixedPoint.sol";
import {Prover} from "./Prover.sol";

/// @dev Sorting, trimming and clamping; what multiplies or divides is proved in arithmetic.py.
contract NumbersProofs is Prover {
    function _three(int32 a, int32 b, int32 c) private pure returns (int256[] memory values) {
        values = new int256[](3);
        (values[0], values[1], values[2]) = (a, b, c);
    }

    function check_clamp_isTheNearestInt32(int256 value) external pure {
        int256 clamped = FixedPoint.clamp(value);
        assert(clamped >= type(int32).min && clamped <= type(int32).max);
        if (value >= type(int32).min && value <= type(int32).max) assert(clamped == value);
        else assert(clamped == (value < 0 ? type(int32).min : type(int32).max));
    }

    function check_trimOf_leavesOne(uint256 trim, uint256 n) external pure {
        vm.assume(n <= 128);
        uint256 k = FixedPoint.trimOf(trim, n);
        assert(k <= trim && (n == 0 ? k == 0 : 2 * k < n));
        if (2 * trim < n) assert(k == trim);
    }

    function check_sort_ordersWhatItWasGiven(int32 a, int32 b, int32 c) external pure {
        int256[] memory values = _three(a, b, c);
        FixedPoint.sort(values);
        assert(values[0] <= values[1] && values[1] <= values[2]);
        assert(values[0] == a || values[0] == b || values[0] == c);
        assert(values[0] + values[1] + values[2] == int256(a) + b + c);
        assert(values[0] ^ values[1] ^ values[2] == int256(a) ^ b ^ c);
    }

    function check_nobodyAccepted_changesNothing(int32 previous, uint256 trim) external pure {
        assert(FixedPoint.aggregate(previous, new int256[](0), trim) == previous);
    }

    /// @dev The largest trim is the median: one liar of three moves nothing past an honest value.
    function check_theMedianOfThree_isBetweenTheOthers(int32 previous, int32 a, int32 b, int32 c, uint256 trim) external pure {
        vm.assume(trim >= 1);
        int256 d = FixedPoint.aggregate(0, _three(a, b, c), trim);
        vm.assume(a <= b);
        assert(d == (c < a ? int256(a) : c > b ? int256(b) : int256(c)));
        assert(FixedPoint.aggregate(previous, _three(a, b, c), trim) == FixedPoint.clamp(int256(previous) + d));
    }

    function check_aggregate_staysInInt32(int32 previous, int32 a, int32 b) external pure {
        int256[] memory values = new int256[](2);
        (values[0], values[1]) = (a, b);
        int256 next = FixedPoint.aggregate(previous, values, 0);
        assert(next >= type(int32).min && next <= type(int32).max);
    }
}
