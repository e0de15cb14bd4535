// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts} from "../interfaces/IFederation.sol";

/// @title Headers: the hash of a past block, and one field of its header, which is an RLP list of byte strings
library Headers {
    uint256 private constant PREV_RANDAO = 13;
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935; // of EIP-2935

    /// @notice The hash of a block before the present one; 0 if the chain does not tell it any more. The history contract knows
    /// 8,191 blocks; the opcode, where there is no such contract, 256.
    /// @dev The address follows from the contract's code, so that no other code can be there.
    function hashOf(uint256 height) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, height)
            let known := staticcall(gas(), HISTORY, 0, 0x20, 0, 0x20)
            if and(known, eq(returndatasize(), 0x20)) { hash := mload(0) }
            if iszero(hash) { hash := blockhash(height) }
        }
    }

    /// @notice The beacon's randomness in a header that is known by its hash. What follows the field is not read, so that
    /// fields which later forks append change nothing.
    /// @dev Positions only grow and a length is below 2^64, so that one look at the end of the field bounds them all; until
    /// then calldata beyond the header may be read, which costs nothing and decides nothing.
    function prevRandao(bytes calldata header) internal pure returns (bytes32 value) {
        bool whole;
        assembly ("memory-safe") {
            let at := header.offset
            let end := add(at, header.length)
            let first := byte(0, calldataload(at))
            whole := gt(first, 0xf7) // a list of more than 55 bytes, after one byte and the bytes of its length
            at := add(at, sub(first, 0xf6))
            for { let i := PREV_RANDAO } i { i := sub(i, 1) } {
                let kind := byte(0, calldataload(at))
                switch gt(kind, 0xb7)
                case 0 { at := add(at, add(1, mul(gt(kind, 0x7f), sub(kind, 0x80)))) } // a byte below 0x80 stands for itself
                default {
                    let size := sub(kind, 0xb7) // of the length
                    at := add(at, 1)
                    at := add(at, add(size, shr(sub(256, shl(3, size)), calldataload(at))))
                    if gt(kind, 0xbf) { whole := 0 } // a list
                }
            }
            whole := and(whole, and(eq(byte(0, calldataload(at)), 0xa0), iszero(gt(add(at, 33), end))))
            value := calldataload(add(at, 1))
        }
        if (!whole) revert IRoundFacts.MalformedHeader(header.length);
    }
}
