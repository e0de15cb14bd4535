// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title NaiveSignatures: typed data as EIP-712 words it, piece by piece
library NaiveSignatures {
    /// @notice What is signed: two marks, the hash of the domain, the hash of the type and of its fields.
    function typed(address federation, string memory what, bytes memory fields) internal view returns (bytes32) {
        bytes memory domain = bytes.concat(
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak256("Treaty"),
            keccak256("1"),
            abi.encode(block.chainid, federation)
        );
        bytes memory content = bytes.concat(keccak256(bytes(what)), fields);
        return keccak256(bytes.concat(hex"1901", keccak256(domain), keccak256(content)));
    }

    function commit(address federation, uint256 round, uint256 seat, bytes32 value) internal view returns (bytes32) {
        return typed(federation, "Commit(uint256 round,uint256 seat,bytes32 value)", abi.encode(round, seat, value));
    }

    function commitScores(address federation, uint256 round, uint256 seat, bytes32 value) internal view returns (bytes32) {
        return typed(federation, "CommitScores(uint256 round,uint256 seat,bytes32 value)", abi.encode(round, seat, value));
    }

    function missing(address federation, uint256 round, uint256 seat, bytes32 value) internal view returns (bytes32) {
        return typed(federation, "Missing(uint256 round,uint256 seat,bytes32 value)", abi.encode(round, seat, value));
    }

    /// @param who The present owner, the new owner and the new operator.
    function handover(address federation, uint256 seat, address[3] memory who, uint256 stake, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        return typed(
            federation,
            "Handover(uint256 seat,address owner,address newOwner,address newOperator,uint256 stake,uint256 deadline)",
            abi.encode(seat, who, stake, deadline)
        );
    }

    /// @notice The second half of a signature with its parity in the highest bit.
    function packed(uint8 v, bytes32 s) internal pure returns (bytes32) {
        return v == 28 ? bytes32(uint256(s) + 2 ** 255) : s;
    }
}
