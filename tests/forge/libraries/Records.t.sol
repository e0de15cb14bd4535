// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Record, Records} from "../../../contracts/libraries/Records.sol";
import {Test} from "../base/Test.sol";

contract RecordsTest is Test {
    function test_make_isRoundStateDigest(uint24 round, uint8 state, bytes32 digest) public pure {
        Record record = Records.make(round, state, digest);
        bytes32 expected = bytes32(abi.encodePacked(round, state, bytes28(digest)));
        assertEq(bytes32(Record.unwrap(record)), expected, "layout");
        assertEq(Records.state(record, round), state, "state");
        assertEq(bytes32(Records.digestOf(record)), bytes32(bytes28(digest)), "digest");
        assertTrue(Records.matches(record, digest), "its own digest");
    }

    function test_state_ofAnotherRoundIsNothing(uint256 word, uint256 round) public pure {
        if (round == word >> 232) ++round;
        assertEq(Records.state(Record.wrap(word), round), Records.NOTHING, "stale");
    }

    function test_matches_fallsWithAnyOfTheHigh28Bytes(uint24 round, uint8 state, bytes32 digest, uint8 bit) public pure {
        Record record = Records.make(round, state, digest);
        bytes32 other = bytes32(uint256(digest) ^ (uint256(1) << bit));
        assertTrue(Records.matches(record, other) == (bit < 32), "the low 4 bytes are not kept");
    }
}
