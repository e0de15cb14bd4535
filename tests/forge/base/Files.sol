// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Files: leaves of updates and models
library Files {
    /// @notice A leaf in which every block has exponent `e` and every value is `q`.
    function updateLeaf(uint8 e, int8 q) internal pure returns (bytes memory) {
        return bytes.concat(_repeat(bytes1(e), 8), _repeat(bytes1(uint8(q)), 256));
    }

    /// @notice A leaf in which every parameter is `value`.
    function modelLeaf(int256 value) internal pure returns (bytes memory) {
        return _repeat(abi.encodePacked(int32(value)), 1024);
    }

    function _repeat(bytes1 unit, uint256 size) private pure returns (bytes memory) {
        return _repeat(abi.encodePacked(unit), size);
    }

    function _repeat(bytes memory unit, uint256 size) private pure returns (bytes memory data) {
        data = unit;
        while (data.length < size) data = bytes.concat(data, data);
    }

    function put(bytes memory leaf, uint256 coordinate, int256 value) internal pure {
        for (uint256 i = 0; i < 4; ++i) leaf[4 * coordinate + i] = bytes1(uint8(uint256(value) >> (24 - 8 * i)));
    }

    function noise(uint256 seed, uint256 size) internal pure returns (bytes memory data) {
        while (data.length < size) data = abi.encodePacked(data, keccak256(abi.encode(seed, data.length)));
        assembly ("memory-safe") {
            mstore(data, size)
        }
    }
}
