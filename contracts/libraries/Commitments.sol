// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Commitments: bound to chain, contract, round and seat, so that a copy is worthless elsewhere
library Commitments {
    bytes32 internal constant UPDATE_TYPEHASH =
        keccak256("TreatyUpdate(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 root,bytes32 salt)");
    bytes32 internal constant SCORES_TYPEHASH = keccak256(
        "TreatyScores(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 scoresHash,bytes32 salt)"
    );

    function update(address federation, uint256 round, uint256 seat, bytes32 root, bytes32 salt)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(UPDATE_TYPEHASH, block.chainid, federation, round, seat, root, salt));
    }

    function scores(address federation, uint256 round, uint256 seat, bytes32 scoresHash, bytes32 salt)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(SCORES_TYPEHASH, block.chainid, federation, round, seat, scoresHash, salt));
    }
}
