// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @title Test: claims that revert when they do not hold, and the clock
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Differs(string claim, uint256 actual, uint256 expected);
    error DiffersSigned(string claim, int256 actual, int256 expected);
    error DoesNotHold(string claim);

    function assertTrue(bool condition, string memory claim) internal pure {
        if (!condition) revert DoesNotHold(claim);
    }

    function assertEq(uint256 actual, uint256 expected, string memory claim) internal pure {
        if (actual != expected) revert Differs(claim, actual, expected);
    }

    function assertEq(int256 actual, int256 expected, string memory claim) internal pure {
        if (actual != expected) revert DiffersSigned(claim, actual, expected);
    }

    function assertEq(address actual, address expected, string memory claim) internal pure {
        assertEq(uint160(actual), uint160(expected), claim);
    }

    function assertEq(bytes32 actual, bytes32 expected, string memory claim) internal pure {
        assertEq(uint256(actual), uint256(expected), claim);
    }

    function assertLe(uint256 actual, uint256 most, string memory claim) internal pure {
        if (actual > most) revert Differs(claim, actual, most);
    }

    /// @dev A number from `low` to `high`, both possible.
    function within(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        return high - low == type(uint256).max ? seed : low + seed % (high - low + 1);
    }

    function random(uint256 seed, uint256 index) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, index)));
    }

    /// @dev Never `block.timestamp`: the optimizer takes it for constant within a call, and `vm.warp` changes it.
    function time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function mine(uint256 blocks) internal {
        vm.roll(vm.getBlockNumber() + blocks);
    }

    function panic(uint256 code) internal pure returns (bytes memory) {
        return abi.encodeWithSignature("Panic(uint256)", code);
    }
}
