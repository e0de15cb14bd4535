// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LibraryHarness} from "../../../contracts/mocks/LibraryHarness.sol";
import {Test} from "../base/Test.sol";
import {NaiveNumbers} from "../reference/NaiveNumbers.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";

contract LeavesTest is Test {
    LibraryHarness private immutable harness = new LibraryHarness();

    function _leaves(uint256 seed, uint256 depth, uint256 size) private pure returns (bytes[] memory leaves) {
        leaves = new bytes[](2 ** depth);
        for (uint256 i = 0; i < leaves.length; ++i) leaves[i] = _bytes(random(seed, i), size);
    }

    function _bytes(uint256 seed, uint256 size) private pure returns (bytes memory data) {
        data = new bytes(size);
        for (uint256 i = 0; i < size; ++i) data[i] = bytes1(uint8(random(seed, i / 32) >> (8 * (i % 32))));
    }

    // ---- the tree

    function test_rootOf_leadsEveryLeafToTheRoot(uint256 seed, uint8 depth, uint8 index) public view {
        bytes[] memory leaves = _leaves(seed, depth % 6, seed % 2 == 0 ? 264 : 1024);
        uint256 place = index % leaves.length;
        (bytes32 root, bytes memory path) = NaiveTree.open(leaves, place);
        assertEq(harness.rootOf(leaves[place], place, path), root, "root");
        assertEq(NaiveTree.rootOf(leaves), root, "the same from everywhere");
    }

    function test_rootOf_anyChangeMissesTheRoot(uint256 seed, uint8 depth, uint8 index, uint256 where) public view {
        bytes[] memory leaves = _leaves(seed, 1 + depth % 5, 264);
        uint256 place = index % leaves.length;
        (bytes32 root, bytes memory path) = NaiveTree.open(leaves, place);
        bytes memory leaf = leaves[place];
        assertTrue(harness.rootOf(leaf, place ^ (1 << (where % (1 + depth % 5))), path) != root, "another index");
        _flip(leaf, where);
        assertTrue(harness.rootOf(leaf, place, path) != root, "another leaf");
        _flip(leaf, where);
        _flip(path, where);
        assertTrue(harness.rootOf(leaf, place, path) != root, "another sibling");
    }

    function _flip(bytes memory data, uint256 where) private pure {
        data[where % data.length] ^= bytes1(uint8(1 << (where >> 250) % 8));
    }

    /// @dev Starved of gas it fails; it never leads to another root.
    function test_rootOf_withoutGasFails() public view {
        bytes[] memory leaves = _leaves(1, 2, 1024);
        (bytes32 root, bytes memory path) = NaiveTree.open(leaves, 2);
        uint256 failures;
        for (uint256 gas_ = 1000; gas_ < 8000; gas_ += 7) {
            try harness.rootOf{gas: gas_}(leaves[2], 2, path) returns (bytes32 found) {
                assertEq(found, root, "root");
            } catch {
                ++failures;
            }
        }
        assertTrue(failures > 100 && failures < 900, "too little, then enough");
    }

    function test_rootOf_aNodeIsNoLeaf(bytes32 left, bytes32 right) public view {
        bytes memory content = abi.encodePacked(left, right);
        assertTrue(harness.rootOf(content, 0, "") != NaiveTree.nodeHash(left, right), "domains");
    }

    // ---- the numbers

    function test_modelValue_isBigEndian(uint256 seed, uint8 coordinate) public view {
        bytes memory leaf = _bytes(seed, 1024);
        assertEq(harness.modelValue(leaf, coordinate), NaiveNumbers.modelValue(leaf, coordinate), "int32");
    }

    function test_updateValue_isQTimesTwoToTheE(uint256 seed, uint8 coordinate, uint8 exponent, bool clean) public view {
        bytes memory leaf = _bytes(seed, 264);
        leaf[coordinate / 32] = bytes1(exponent % 26);
        for (uint256 i = 8; clean && i < 264; ++i) {
            if (leaf[i] == 0x80) leaf[i] = 0x81;
        }
        for (uint256 most = seed % 3; most <= 23; most += 3) {
            int256 value = harness.updateValue(leaf, coordinate, most);
            assertEq(value, NaiveNumbers.updateValues(leaf, most)[coordinate], "value");
            assertTrue(value <= int256(127 << most) && value >= -int256(127 << most), "bound");
        }
    }

    function test_hasMinimum_findsTheByteAnywhere(bytes32 word, uint8 where) public view {
        assertTrue(harness.hasMinimum(uint256(word)) == NaiveNumbers.hasMinimum(word), "as it is");
        uint256 place = 8 * (where % 32);
        uint256 set = (uint256(word) & ~(uint256(0xFF) << place)) | (uint256(0x80) << place);
        assertTrue(harness.hasMinimum(set), "planted");
        for (uint256 i = 0; i < 32; ++i) {
            if (bytes32(set)[i] == 0x80) set ^= uint256(1) << (8 * (31 - i));
        }
        assertTrue(!harness.hasMinimum(set), "weeded");
    }

    // ---- what nobody may ask

    function test_values_ofAnotherSizePanic(uint256 seed, uint16 size) public {
        vm.assume(size != 264 && size != 1024 && size < 3000);
        bytes memory content = _bytes(seed, size);
        vm.expectRevert(panic(1));
        harness.modelValue(content, 0);
        vm.expectRevert(panic(1));
        harness.updateValue(content, 0, 23);
    }

    function test_values_beyondTheLeafPanic(uint256 coordinate) public {
        coordinate = within(coordinate, 256, type(uint256).max);
        vm.expectRevert(panic(1));
        harness.modelValue(new bytes(1024), coordinate);
        vm.expectRevert(panic(1));
        harness.updateValue(new bytes(264), coordinate, 23);
    }
}
