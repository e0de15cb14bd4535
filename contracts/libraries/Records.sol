// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice One word: round (24 bits), state (8 bits), digest (224 bits).
type Record is uint256;

/// @title Records: what a seat or a validator did, in one slot that knows its round
/// @notice A stale word is never taken for this round's. The digest keeps the high 28 bytes of a commitment, then of what
/// it opened to; a second opening would take 2^112 hashes to prepare.
library Records {
    uint256 internal constant NOTHING = 0;
    uint256 internal constant COMMITTED = 1;
    uint256 internal constant REVEALED = 2;

    function make(uint256 round, uint256 recordState, bytes32 digest) internal pure returns (Record) {
        return Record.wrap((round << 232) | (recordState << 224) | (uint256(digest) >> 32));
    }

    /// @notice The record's state in `round`; a word of another round says nothing.
    function state(Record record, uint256 round) internal pure returns (uint256) {
        uint256 word = Record.unwrap(record);
        return word >> 232 == round ? (word >> 224) & 0xFF : NOTHING;
    }

    /// @notice What the draw takes from a round: the hash of its first `count` records.
    function mix(Record[] memory records, uint256 count) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(add(records, 0x20), shl(5, count))
        }
    }

    function digestOf(Record record) internal pure returns (bytes28) {
        return bytes28(uint224(Record.unwrap(record)));
    }

    /// @notice Whether the record holds the high 28 bytes of `value`.
    function matches(Record record, bytes32 value) internal pure returns (bool) {
        return digestOf(record) == bytes28(value);
    }
}
