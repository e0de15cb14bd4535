// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Leaves} from "../../../contracts/libraries/Leaves.sol";
import {Prover} from "./Prover.sol";

/// @dev A function without collisions stands for SHA-256, which halmos 0.3.3 cannot call: prove.py puts its address into
/// the library, and at that address is code that returns keccak256 of what it is sent.
contract LeavesProofs is Prover {
    address private constant HASH = address(0x5256);

    function setUp() public {
        // calldatacopy(0, 0, calldatasize()); mstore(0, keccak256(0, calldatasize())); return(0, 32)
        vm.etch(HASH, hex"365f5f37365f205f5260205ff3");
    }

    function rootOf(bytes calldata content, uint256 index, bytes calldata path) external view returns (bytes32) {
        return Leaves.rootOf(content, index, path);
    }

    function updateValue(bytes calldata content, uint256 coordinate, uint256 most) external pure returns (int256) {
        return Leaves.updateValue(content, coordinate, most);
    }

    function modelValue(bytes calldata content, uint256 coordinate) external pure returns (int256) {
        return Leaves.modelValue(content, coordinate);
    }

    function _word(bytes memory data, uint256 i) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), mul(32, i)))
        }
    }

    function _parent(bytes32 node, bytes32 sibling, bool right) private pure returns (bytes32) {
        return keccak256(right ? abi.encodePacked(hex"01", sibling, node) : abi.encodePacked(hex"01", node, sibling));
    }

    /// @dev The tree of the specification, for whatever leaf, index and path, at every depth up to 3.
    function check_rootOf_isTheSpecifiedTree(uint256 index) external view {
        bytes memory content = svm.createBytes(264, "content");
        bytes32 node = keccak256(abi.encodePacked(hex"00", content));
        for (uint256 depth = 0; depth <= 3; ++depth) {
            bytes memory path = svm.createBytes(32 * depth, "path");
            bytes32 expected = node;
            for (uint256 i = 0; i < depth; ++i) expected = _parent(expected, _word(path, i), (index >> i) & 1 == 1);
            assert(this.rootOf(content, index, path) == expected);
        }
    }

    /// @dev A root fixes the leaf at each place, and its whole path: nothing else opens there.
    function check_rootOf_oneLeafAtEachPlace(uint8 index) external view {
        vm.assume(index < 4);
        (bytes memory content, bytes memory other) = (svm.createBytes(264, "content"), svm.createBytes(264, "other"));
        (bytes memory path, bytes memory way) = (svm.createBytes(64, "path"), svm.createBytes(64, "way"));
        if (this.rootOf(content, index, path) != this.rootOf(other, index, way)) return;
        assert(keccak256(content) == keccak256(other) && keccak256(path) == keccak256(way));
    }

    /// @dev An inner node, shown as a leaf one level up, opens nothing; nor does a leaf one level down.
    function check_rootOf_aNodeIsNoLeaf(uint256 index, bytes32 left, bytes32 right) external view {
        bytes memory content = svm.createBytes(264, "content");
        (bytes memory path, bytes memory way) = (svm.createBytes(32, "path"), svm.createBytes(64, "way"));
        bytes32 root = this.rootOf(content, index, path);
        assert(root != keccak256(abi.encodePacked(hex"00", left, right)));
        bytes memory node = abi.encodePacked(_word(way, 0), _word(way, 1));
        assert(this.rootOf(node, index, "") != root);
    }

    /// @dev A leaf's preimage begins with 0 and a node's with 1, and they differ in length: none is the other's.
    function check_aNodeIsNoLeaf(bytes32 left, bytes32 right) external pure {
        bytes memory node = abi.encodePacked(hex"01", left, right);
        bytes memory update = abi.encodePacked(hex"00", svm.createBytes(264, "update"));
        bytes memory model = abi.encodePacked(hex"00", svm.createBytes(1024, "model"));
        assert(node.length != update.length && node.length != model.length);
        assert(node[0] != update[0] && node[0] != model[0]);
    }

    function check_hasMinimum_findsTheByteAnywhere(uint256 word) external pure {
        bool found;
        for (uint256 i = 0; i < 32; ++i) found = found || uint8(word >> (8 * i)) == 0x80;
        assert(Leaves.hasMinimum(word) == found);
    }

    /// @dev q * 2^e inside the bound, whatever the content and the limit; in the first number and the last.
    function check_updateValue_ofTheFirst(uint256 most) external view {
        _isQTimesTwoToTheE(0, most);
    }

    function check_updateValue_ofTheLast(uint256 most) external view {
        _isQTimesTwoToTheE(255, most);
    }

    function _isQTimesTwoToTheE(uint256 coordinate, uint256 most) private view {
        vm.assume(most <= 23);
        bytes memory content = svm.createBytes(264, "content");
        uint256 e = uint8(content[coordinate / 32]);
        int256 q = int8(uint8(content[8 + coordinate]));
        int256 value = this.updateValue(content, coordinate, most);
        bool sound = e <= most && !Leaves.hasMinimum(uint256(_wordAt(content, 8 + coordinate / 32 * 32)));
        assert(value == (sound ? q << e : int256(0)));
        assert(value <= int256(127 << most) && value >= -int256(127 << most));
    }

    function _wordAt(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), offset))
        }
    }

    function check_modelValue_isBigEndian() external view {
        bytes memory content = svm.createBytes(1024, "content");
        for (uint256 c = 0; c < 256; c += 17) {
            uint32 raw = uint32(bytes4(_wordAt(content, 4 * c)));
            assert(this.modelValue(content, c) == int256(int32(raw)));
        }
    }
}
