// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Leaves: the SHA-256 tree over an artifact, and the numbers in a leaf
/// @notice leaf hash = sha256(0x00 ++ content), node = sha256(0x01 ++ left ++ right). The position decides left and right,
/// the depth is fixed by the terms, so an inner node can not pass for a leaf nor a leaf move.
/// Decoding is total: no content makes it revert.
library Leaves {
    uint256 internal constant PARAMETERS = 256; // in a leaf
    uint256 internal constant BLOCKS = 8; // in an update's leaf, of 32 parameters
    uint256 internal constant UPDATE_BYTES = 264; // 8 exponents, 256 int8
    uint256 internal constant MODEL_BYTES = 1024; // 256 big-endian int32

    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant HIGHS = 0x8080808080808080808080808080808080808080808080808080808080808080;

    /// @notice The root that a leaf and its path lead to.
    /// @param content The leaf. @param index Its position. @param path Siblings, bottom up, 32 bytes each.
    /// @dev Whoever calls checks the sizes of content and path, and the range of index.
    function rootOf(bytes calldata content, uint256 index, bytes calldata path) internal view returns (bytes32 root) {
        assembly ("memory-safe") {
            let memoryStart := mload(0x40)
            mstore8(memoryStart, 0)
            calldatacopy(add(memoryStart, 1), content.offset, content.length)
            // 0x00..0x3f is scratch; 2 is the SHA-256 precompile, which fails only for lack of gas.
            if iszero(staticcall(gas(), 2, memoryStart, add(content.length, 1), 0, 0x20)) { revert(0, 0) }
            let node := mload(0)
            mstore8(memoryStart, 1)
            let left := add(memoryStart, 1)
            let right := add(memoryStart, 33)
            let end := add(path.offset, path.length)
            for { let sibling := path.offset } lt(sibling, end) { sibling := add(sibling, 32) } {
                switch and(index, 1)
                case 0 {
                    mstore(left, node)
                    mstore(right, calldataload(sibling))
                }
                default {
                    mstore(left, calldataload(sibling))
                    mstore(right, node)
                }
                if iszero(staticcall(gas(), 2, memoryStart, 65, 0, 0x20)) { revert(0, 0) }
                node := mload(0)
                index := shr(1, index)
            }
            root := node
        }
    }

    /// @notice A model's parameter, in units.
    function modelValue(bytes calldata content, uint256 coordinate) internal pure returns (int256 value) {
        assert(content.length == MODEL_BYTES && coordinate < PARAMETERS);
        assembly ("memory-safe") {
            value := sar(224, calldataload(add(content.offset, mul(coordinate, 4))))
        }
    }

    /// @notice What an update adds to a parameter, in units: q * 2^e, or 0 if its block is malformed.
    function updateValue(bytes calldata content, uint256 coordinate, uint256 maxExponent)
        internal
        pure
        returns (int256 value)
    {
        assert(content.length == UPDATE_BYTES && coordinate < PARAMETERS);
        uint256 exponent;
        uint256 quantised; // the block's 32 values
        assembly ("memory-safe") {
            let index := shr(5, coordinate)
            exponent := byte(0, calldataload(add(content.offset, index)))
            quantised := calldataload(add(add(content.offset, BLOCKS), shl(5, index)))
        }
        if (exponent > maxExponent || hasMinimum(quantised)) return 0;
        assembly ("memory-safe") {
            value := shl(exponent, signextend(0, byte(and(coordinate, 31), quantised)))
        }
    }

    /// @notice Whether any of 32 bytes is -128: the format's q is symmetric, in [-127, 127].
    function hasMinimum(uint256 bytes32Word) internal pure returns (bool) {
        // x is zero exactly in the bytes that are 0x80; the classic test finds whether any byte of a word is zero.
        uint256 x = bytes32Word ^ HIGHS;
        unchecked {
            return (x - ONES) & ~x & HIGHS != 0;
        }
    }
}
