// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Commitments} from "../libraries/Commitments.sol";
import {Committee} from "../libraries/Committee.sol";
import {FixedPoint} from "../libraries/FixedPoint.sol";
import {Headers} from "../libraries/Headers.sol";
import {Leaves} from "../libraries/Leaves.sol";
import {Masks} from "../libraries/Masks.sol";
import {Record, Records} from "../libraries/Records.sol";
import {Scores} from "../libraries/Scores.sol";
import {Seats} from "../libraries/Seats.sol";
import {Signatures} from "../libraries/Signatures.sol";

/// @title LibraryHarness: the pure libraries, opened for their Python twins
contract LibraryHarness {
    function rootOf(bytes calldata content, uint256 index, bytes calldata path) external view returns (bytes32) {
        return Leaves.rootOf(content, index, path);
    }

    function modelValue(bytes calldata content, uint256 coordinate) external pure returns (int256) {
        return Leaves.modelValue(content, coordinate);
    }

    function updateValue(bytes calldata content, uint256 coordinate, uint256 maxExponent) external pure returns (int256) {
        return Leaves.updateValue(content, coordinate, maxExponent);
    }

    function hasMinimum(uint256 word) external pure returns (bool) {
        return Leaves.hasMinimum(word);
    }

    function aggregate(int256 previous, int256[] memory values, uint256 trim) external pure returns (int256) {
        return FixedPoint.aggregate(previous, values, trim);
    }

    function maskedValue(bytes calldata content, uint256 coordinate) external pure returns (int256) {
        return Masks.valueIn(content, coordinate);
    }

    function maskedLift(int256 sum, int256 seats) external pure returns (int256) {
        return Masks.lift(sum, seats);
    }

    function maskedNext(int256 previous, int256[] memory values, uint256 exponent) external pure returns (int256) {
        return Masks.next(previous, values, exponent);
    }

    function drawCommittee(bytes32 seed, uint128 set, uint256 size) external pure returns (uint120) {
        return Committee.draw(seed, Seats.list(set), size);
    }

    function positionOf(uint120 packed, uint256 size, uint256 seat) external pure returns (uint256) {
        return Committee.positionOf(packed, size, seat);
    }

    function judge(bytes[] memory vectors, uint256[] memory validators, uint256[] memory seats)
        external
        pure
        returns (bytes memory medians, uint256[] memory distances)
    {
        uint256[] memory sorted = new uint256[](validators.length);
        distances = new uint256[](validators.length);
        medians = new bytes(seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            medians[i] = bytes1(uint8(Scores.judge(vectors, validators, seats[i], i, sorted, distances)));
        }
    }

    function trainerPay(uint256 rate, uint256 median_) external pure returns (uint256) {
        return Scores.trainerPayDown(rate, median_);
    }

    function validatorPay(uint256 rate, uint256 strictness, uint256 distance, uint256 judged) external pure returns (uint256) {
        return Scores.validatorPayDown(rate, strictness, distance, judged);
    }

    function updateCommitment(address federation, uint256 round, uint256 seat, bytes32 root, bytes32 salt, bytes calldata locator)
        external
        view
        returns (bytes32)
    {
        return Commitments.update(federation, round, seat, root, salt, Commitments.hashOf(locator));
    }

    function scoreCommitment(address federation, uint256 round, uint256 seat, bytes32 scores, bytes32 salt)
        external
        view
        returns (bytes32)
    {
        return Commitments.scores(federation, round, seat, scores, salt);
    }

    function seatList(uint128 set) external pure returns (uint256[] memory, uint256) {
        return (Seats.list(set), Seats.count(set));
    }

    function seatSet(uint128 set, uint256 seat) external pure returns (bool has, uint128 with, uint128 without) {
        return (Seats.contains(set, seat), Seats.add(set, seat), Seats.remove(set, seat));
    }

    function record(uint256 word, uint256 round, bytes32 value) external pure returns (uint256 state, bytes28 digest, bool same) {
        Record r = Record.wrap(word);
        return (Records.state(r, round), Records.digestOf(r), Records.matches(r, value));
    }

    function makeRecord(uint256 round, uint256 state, bytes32 digest) external pure returns (uint256) {
        return Record.unwrap(Records.make(round, state, digest));
    }

    function actDigests(address federation, uint256 round, uint256 seat, bytes32 value)
        external
        view
        returns (bytes32 update, bytes32 scores, bytes32 missing, bytes32 announce)
    {
        bytes32 domain = Signatures.domain(federation);
        return (
            Signatures.act(domain, Signatures.COMMIT_TYPEHASH, round, seat, value),
            Signatures.act(domain, Signatures.COMMIT_SCORES_TYPEHASH, round, seat, value),
            Signatures.act(domain, Signatures.MISSING_TYPEHASH, round, seat, value),
            Signatures.act(domain, Signatures.ANNOUNCE_TYPEHASH, round, seat, value)
        );
    }

    function handoverDigest(
        address federation,
        uint256 seat,
        address owner,
        address newOwner,
        address newOperator,
        uint256 stake,
        uint256 deadline
    ) external view returns (bytes32) {
        return Signatures.handover(Signatures.domain(federation), seat, owner, newOwner, newOperator, stake, deadline);
    }

    function signedByKey(address account, bytes32 digest, bytes32 r, bytes32 vs) external pure returns (bool) {
        return Signatures.byKey(account, digest, r, vs);
    }

    function signedByWallet(address account, bytes32 digest, bytes32 r, bytes32 vs) external view returns (bool) {
        return Signatures.byWallet(account, digest, Signatures.whole(r, vs), Signatures.WALLET_GAS);
    }

    function signedByEither(address account, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.byEither(account, digest, signature);
    }

    function prevRandao(bytes calldata header) external pure returns (bytes32) {
        return Headers.prevRandao(header);
    }
}
