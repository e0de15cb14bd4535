// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Masks} from "../../../contracts/libraries/Masks.sol";
import {Prover} from "./Prover.sol";

/// @dev What a sum modulo 2^16 is read as; the division that follows is proved in arithmetic.py.
contract SumsProofs is Prover {
    int256 private constant CAP = 255;

    /// @dev What honest seats add up to is found again, whatever multiple of 2^16 the masks left.
    function check_lift_findsTheHonestSum(int16 sum, uint8 seats, int32 turns) external pure {
        vm.assume(seats >= 1 && seats <= 128);
        int256 bound = CAP * int256(uint256(seats));
        vm.assume(sum >= -bound && sum <= bound);
        assert(Masks.lift(int256(sum) + (int256(turns) << 16), int256(uint256(seats))) == sum);
    }

    function check_lift_staysWithinTheCap(int256 sum, uint8 seats) external pure {
        vm.assume(seats >= 1 && seats <= 128);
        int256 bound = CAP * int256(uint256(seats));
        int256 lifted = Masks.lift(sum, int256(uint256(seats)));
        assert(lifted >= -bound && lifted <= bound);
    }

    function check_nobodyRevealed_changesNothing(int32 previous, uint8 exponent) external pure {
        assert(Masks.next(previous, new int256[](0), exponent) == previous);
    }

    function valueIn(bytes calldata content, uint256 coordinate) external pure returns (int256) {
        return Masks.valueIn(content, coordinate);
    }

    function check_valueIn_ofTheFirst() external view {
        _isTwoBytes(0);
    }

    function check_valueIn_ofTheLast() external view {
        _isTwoBytes(255);
    }

    /// @dev The low byte first, whatever the content.
    function _isTwoBytes(uint256 coordinate) private view {
        bytes memory content = svm.createBytes(512, "content");
        uint256 low = uint8(content[2 * coordinate]);
        uint256 high = uint8(content[2 * coordinate + 1]);
        assert(this.valueIn(content, coordinate) == int256(low + 256 * high));
    }
}
