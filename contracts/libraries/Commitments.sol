// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Commitments: bound to chain, contract, round and seat, so that a copy is worthless elsewhere
library Commitments {
    bytes32 internal constant UPDATE_TYPEHASH = keccak256(
        "TreatyUpdate(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 root,bytes32 salt,bytes locator)"
    );
    bytes32 internal constant SCORES_TYPEHASH = keccak256(
        "TreatyScores(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 scoresHash,bytes32 salt)"
    );

    /// @dev The locator is bound too: anybody may reveal, and the first to do so must not be able to point to another place.
    function update(address federation, uint256 round, uint256 seat, bytes32 root, bytes32 salt, bytes32 locatorHash)
        internal
        view
        returns (bytes32 digest)
    {
        bytes32 typeHash = UPDATE_TYPEHASH;
        assembly ("memory-safe") {
            // keccak256(abi.encode(...)), in memory that nobody has taken: every reveal pays for this.
            let words := mload(0x40)
            mstore(words, typeHash)
            mstore(add(words, 0x20), chainid())
            mstore(add(words, 0x40), federation)
            mstore(add(words, 0x60), round)
            mstore(add(words, 0x80), seat)
            mstore(add(words, 0xa0), root)
            mstore(add(words, 0xc0), salt)
            mstore(add(words, 0xe0), locatorHash)
            digest := keccak256(words, 0x100)
        }
    }

    /// @dev keccak256 of calldata, which the compiler would first make room for.
    function hashOf(bytes calldata locator) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let place := mload(0x40)
            calldatacopy(place, locator.offset, locator.length)
            digest := keccak256(place, locator.length)
        }
    }

    function scores(address federation, uint256 round, uint256 seat, bytes32 scoresHash, bytes32 salt)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(SCORES_TYPEHASH, block.chainid, federation, round, seat, scoresHash, salt));
    }
}
