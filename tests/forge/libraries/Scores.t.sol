// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Scores} from "../../../contracts/libraries/Scores.sol";
import {Seats} from "../../../contracts/libraries/Seats.sol";
import {Test} from "../base/Test.sol";
import {NaiveScores} from "../reference/NaiveScores.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";

contract ScoresTest is Test {
    uint256 private constant RATE = 2 ** 88;

    /// @dev Some of the seats as validators, each with a byte for every seat; few different bytes, or all 256.
    function _committee(uint256 seed, uint256[] memory seats)
        private
        pure
        returns (uint256[] memory validators, bytes[] memory vectors)
    {
        uint256 n = within(seed, 0, seats.length < 15 ? seats.length : 15);
        validators = NaiveSeats.draw(bytes32(seed), seats, n);
        vectors = new bytes[](n);
        for (uint256 v = 0; v < n; ++v) {
            vectors[v] = new bytes(seats.length);
            for (uint256 i = 0; i < seats.length; ++i) {
                vectors[v][i] = bytes1(uint8(random(random(seed, v), i) % (seed % 2 == 0 ? 256 : 3)));
            }
        }
    }

    function test_judge_isTheMedianOfTheVotes(uint256 seed, uint128 set, uint128 sparse) public pure {
        uint256[] memory seats = NaiveSeats.list(seed % 3 == 0 ? set : set & sparse & (sparse >> 1));
        (uint256[] memory validators, bytes[] memory vectors) = _committee(seed, Seats.list(NaiveSeats.fold(_spread(seats))));
        uint256[] memory sorted = new uint256[](validators.length);
        uint256[] memory distances = new uint256[](validators.length);
        uint256[] memory medians = new uint256[](seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            medians[i] = NaiveScores.median(vectors, validators, seats[i], i);
            uint256 judged = Scores.judge(vectors, validators, seats[i], i, sorted, distances);
            assertEq(judged, medians[i], "median");
        }
        for (uint256 v = 0; v < validators.length; ++v) {
            assertEq(distances[v], NaiveScores.distance(vectors, validators, v, seats), "distance");
        }
    }

    function _spread(uint256[] memory seats) private pure returns (bool[] memory members) {
        members = new bool[](128);
        for (uint256 i = 0; i < seats.length; ++i) members[seats[i]] = true;
    }

    function test_judge_nobodyMovesItsOwnMedian(uint256 seed, uint8 own) public pure {
        uint256[] memory seats = NaiveSeats.list(0x3FF);
        (uint256[] memory validators, bytes[] memory vectors) = _committee(seed | 3, Seats.list(0x3FF));
        if (validators.length == 0) return;
        uint256 seat = validators[0];
        uint256[] memory scratch = new uint256[](validators.length);
        uint256[] memory distances = new uint256[](validators.length);
        uint256 before = Scores.judge(vectors, validators, seat, seat, scratch, distances);
        vectors[0][seat] = bytes1(own);
        assertEq(Scores.judge(vectors, validators, seat, seat, scratch, distances), before, "own byte");
        assertEq(distances[0], 0, "own distance");
        assertEq(seats.length, 10, "of ten");
    }

    /// @dev Half of the votes cast do not accept, and nobody's pay hangs on them.
    function test_judge_aTieRejects(uint256 seed, uint8 half, bool author) public pure {
        half = uint8(within(half, 1, 7));
        uint256 n = 2 * uint256(half);
        uint256[] memory validators = new uint256[](n);
        bytes[] memory vectors = new bytes[](n);
        for (uint256 v = 0; v < n; ++v) {
            validators[v] = author ? v : v + 1;
            vectors[v] = new bytes(1);
            vectors[v][0] = bytes1(uint8(v < half ? 1 + random(seed, v) % 255 : 0));
        }
        uint256[] memory distances = new uint256[](n);
        assertEq(Scores.judge(vectors, validators, 0, 0, new uint256[](n), distances), 0, "rejected");
        for (uint256 v = 0; v < n; ++v) assertEq(distances[v], 0, "counts for nobody");
        vectors[half][0] = 0x01;
        assertTrue(Scores.judge(vectors, validators, 0, 0, new uint256[](n), distances) > 0, "one more accepts");
    }

    /// @dev What a majority agrees on is the median, whatever the rest says.
    function test_judge_majorityDecides(uint256 seed, uint8 truth) public pure {
        uint256 n = within(seed, 1, 14);
        uint256[] memory validators = new uint256[](n);
        bytes[] memory vectors = new bytes[](n);
        for (uint256 v = 0; v < n; ++v) {
            validators[v] = v + 1;
            vectors[v] = new bytes(1);
            vectors[v][0] = bytes1(v <= n / 2 ? truth : uint8(random(seed, v)));
        }
        uint256 middle = Scores.judge(vectors, validators, 0, 0, new uint256[](n), new uint256[](n));
        assertEq(middle, truth, "majority");
    }

    function test_trainerPay(uint256 rate, uint8 score) public pure {
        rate = within(rate, 0, RATE);
        uint256 pay = Scores.trainerPayDown(rate, score);
        assertEq(pay, NaiveScores.trainerPay(rate, score), "pay");
        assertLe(pay, rate, "never above the rate");
        if (score == 255) assertEq(pay, rate, "the best gets all");
        if (score == 0) assertEq(pay, 0, "left out");
    }

    function test_validatorPay(uint256 rate, uint16 strictness, uint256 distance, uint8 judged) public pure {
        rate = within(rate, 0, RATE);
        judged = judged % 128;
        distance = within(distance, 0, 255 * uint256(judged));
        uint256 pay = Scores.validatorPayDown(rate, strictness, distance, judged);
        assertEq(pay, NaiveScores.validatorPay(rate, strictness, distance, judged), "pay");
        assertLe(pay, rate, "never above the rate");
        assertLe(pay, Scores.validatorPayDown(rate, strictness, distance / 2, judged), "nearer is no worse");
        if (judged > 0) assertEq(Scores.validatorPayDown(rate, strictness, 0, judged), rate, "on every median");
        assertEq(Scores.validatorPayDown(rate, strictness, distance, 0), 0, "nobody judged");
    }
}
