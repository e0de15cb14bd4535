// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Signatures: what a key or a contract wallet signed, as EIP-712 typed data
/// @notice The domain holds the chain and the federation, and each kind of act has its own type: a signature is worth nothing on
/// another chain, in another federation, or as another act.
/// @dev There is no nonce. What a signature may still do is for the caller's state to decide.
library Signatures {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant COMMIT_TYPEHASH = keccak256("Commit(uint256 round,uint256 seat,bytes32 value)");
    bytes32 internal constant COMMIT_SCORES_TYPEHASH = keccak256("CommitScores(uint256 round,uint256 seat,bytes32 value)");
    bytes32 internal constant MISSING_TYPEHASH = keccak256("Missing(uint256 round,uint256 seat,bytes32 value)");
    bytes32 internal constant ANNOUNCE_TYPEHASH = keccak256("Announce(uint256 round,uint256 seat,bytes32 value)");
    bytes32 internal constant HANDOVER_TYPEHASH = keccak256(
        "Handover(uint256 seat,address owner,address newOwner,address newOperator,uint256 stake,uint256 deadline)"
    );

    bytes32 private constant NAME = keccak256("Treaty");
    bytes32 private constant VERSION = keccak256("1");

    /// @dev What a wallet may use to check one signature of a batch.
    uint256 internal constant WALLET_GAS = 100_000;
    /// @dev What must be left for a call to get all of WALLET_GAS: a call passes on at most 63 parts of 64.
    uint256 internal constant WALLET_RESERVE = WALLET_GAS * 64 / 63 + 1_000;

    function domain(address federation) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME, VERSION, block.chainid, federation));
    }

    /// @notice What a seat's operator signs for an act of a round.
    /// @param domain_ See `domain`. @param typeHash The kind of the act; its fields are the three that follow.
    function act(bytes32 domain_, bytes32 typeHash, uint256 round, uint256 seat, bytes32 value)
        internal
        pure
        returns (bytes32)
    {
        return _typed(domain_, keccak256(abi.encode(typeHash, round, seat, value)));
    }

    /// @notice What the new owner of a seat signs.
    function handover(
        bytes32 domain_,
        uint256 seat,
        address owner,
        address newOwner,
        address newOperator,
        uint256 stake,
        uint256 deadline
    ) internal pure returns (bytes32) {
        return _typed(
            domain_, keccak256(abi.encode(HANDOVER_TYPEHASH, seat, owner, newOwner, newOperator, stake, deadline))
        );
    }

    /// @notice Whether the account's own key signed the digest, also where the account has code.
    /// @param r The signature's first half. @param vs Its second half, with the parity in the highest bit (ERC-2098).
    function byKey(address account, bytes32 digest, bytes32 r, bytes32 vs) internal pure returns (bool) {
        (bytes32 s, uint8 v) = halves(vs);
        // ecrecover gives zero for garbage, and the account of a free seat is zero.
        return account != address(0) && ecrecover(digest, v, r, s) == account;
    }

    /// @notice Whether the account's code agrees that it signed the digest (ERC-1271).
    /// @param gas_ The most that it may use.
    /// @dev Copies one word of what the code returns, however much that is.
    function byWallet(address account, bytes32 digest, bytes memory signature, uint256 gas_)
        internal
        view
        returns (bool agrees)
    {
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes32 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            let done := staticcall(gas_, account, add(question, 0x20), mload(question), 0, 0x20)
            agrees := and(done, and(gt(returndatasize(), 0x1f), eq(mload(0), magic)))
        }
    }

    /// @notice Either of both, for a signature of any length, such as several owners' of a wallet; the check may take all gas.
    function byEither(address account, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (account == address(0)) return false;
        if (signature.length == 65) {
            (bytes32 r, bytes32 s, uint8 v) = (bytes32(signature[:32]), bytes32(signature[32:64]), uint8(signature[64]));
            if (ecrecover(digest, v, r, s) == account) return true;
        }
        return account.code.length != 0 && byWallet(account, digest, signature, gasleft());
    }

    /// @notice The 65 bytes that wallets expect, of the 64 that a batch carries.
    function whole(bytes32 r, bytes32 vs) internal pure returns (bytes memory) {
        (bytes32 s, uint8 v) = halves(vs);
        return abi.encodePacked(r, s, v);
    }

    function halves(bytes32 vs) internal pure returns (bytes32 s, uint8 v) {
        return (vs & bytes32(uint256(type(int256).max)), 27 + uint8(uint256(vs) >> 255));
    }

    function _typed(bytes32 domain_, bytes32 structHash) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let place := mload(0x40)
            mstore(place, hex"1901")
            mstore(add(place, 0x02), domain_)
            mstore(add(place, 0x22), structHash)
            digest := keccak256(place, 0x42)
        }
    }
}
