// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title NaiveTree: a whole Merkle tree, level by level
library NaiveTree {
    function leafHash(bytes memory content) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), content));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice Root and path of the leaf at `index`, of a tree over so many leaves as a power of two has.
    function open(bytes[] memory leaves, uint256 index) internal pure returns (bytes32 root, bytes memory path) {
        bytes32[] memory level = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) level[i] = leafHash(leaves[i]);
        while (level.length > 1) {
            path = abi.encodePacked(path, level[index % 2 == 0 ? index + 1 : index - 1]);
            bytes32[] memory above = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < above.length; ++i) above[i] = nodeHash(level[2 * i], level[2 * i + 1]);
            (level, index) = (above, index / 2);
        }
        root = level[0];
    }

    function rootOf(bytes[] memory leaves) internal pure returns (bytes32 root) {
        (root,) = open(leaves, 0);
    }
}
