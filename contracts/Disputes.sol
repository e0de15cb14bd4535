// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Exclusions} from "./Exclusions.sol";
import {Handovers} from "./Handovers.sol";
import {IDisputes} from "./interfaces/IFederation.sol";
import {FixedPoint} from "./libraries/FixedPoint.sol";
import {Leaves} from "./libraries/Leaves.sol";
import {Phases} from "./libraries/Phases.sol";
import {Record, Records} from "./libraries/Records.sol";
import {Seats} from "./libraries/Seats.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";

/// @title Disputes: proofs and demands against a proposal
/// @dev The part of a federation that `Federation` has no room for. It acts on the storage of the clone that a call reaches it
/// through. Called at its own address it reads no terms and knows no round, and so refuses everything.
contract Disputes is IDisputes, Exclusions, Handovers {
    using Records for Record;
    using Seats for uint128;

    function challenge(uint256 leaf, uint256 coordinate, bytes calldata proof) external {
        _in(Phase.Challenge);
        if (coordinate >= Leaves.PARAMETERS) revert CoordinateOutOfRange(coordinate);
        uint256 pathBytes = 32 * _checkLeaf(leaf);
        uint256[] memory seats = _round.accepted.list();
        uint256 modelBytes = Leaves.MODEL_BYTES + pathBytes;
        uint256 split = seats.length * (_updateBytes() + pathBytes);
        if (proof.length != split + 2 * modelBytes) revert WrongProofLength(split + 2 * modelBytes, proof.length);

        int256[] memory values = _openUpdates(seats, leaf, coordinate, proof[:split]);
        int256 previous = _openModel(Artifact.Previous, leaf, coordinate, proof[split:split + modelBytes]);
        int256 proposed = _openModel(Artifact.Proposed, leaf, coordinate, proof[split + modelBytes:]);
        if (_next(previous, values) == proposed) revert CoordinateCorrect(proposed);
        _fall(msg.sender, msg.sender);
    }

    function demand(uint256 round, uint256 attempt, Artifact artifact, uint256 seat, uint256 leaf) external nonReentrant {
        _in(Phase.Challenge);
        _named(round);
        Round storage r = _round;
        if (attempt != r.attempts) revert WrongAttempt(attempt, r.attempts);
        _checkLeaf(leaf);
        if (artifact == Artifact.Update ? !r.accepted.contains(seat) : seat != 0) revert NotAccepted(seat);
        uint256 window = T.word(T.ANSWER_WINDOW);
        uint256 last = Phases.challengeEnd(r) - 2 * window;
        if (block.timestamp >= last) revert DemandTooLate(block.timestamp, last);
        Demand storage d = _demands[_key(round, attempt, artifact, seat, leaf)];
        if (d.demander != address(0)) revert DemandOpen(artifact, seat, leaf);
        (d.demander, d.deadline) = (msg.sender, uint40(block.timestamp + window));
        r.openDemands += 1;
        emit Demanded(round, attempt, msg.sender, artifact, seat, leaf, d.deadline);
        _takeDeposit(T.word(T.DEMAND_DEPOSIT));
    }

    function answer(Artifact artifact, uint256 seat, uint256 leaf, bytes calldata content, bytes calldata path) external {
        _in(Phase.Challenge);
        Round storage r = _round;
        bytes32 key = _key(r.number, r.attempts, artifact, seat, leaf);
        Demand memory d = _demands[key];
        if (d.demander == address(0)) revert NoDemand(artifact, seat, leaf);
        if (block.timestamp >= d.deadline) revert AnswerTooLate(block.timestamp, d.deadline);
        uint256 size = artifact == Artifact.Update ? _updateBytes() : Leaves.MODEL_BYTES;
        uint256 depth = T.word(T.DEPTH);
        if (content.length != size) revert WrongProofLength(size, content.length);
        if (path.length != 32 * depth) revert WrongProofLength(32 * depth, path.length);
        if (!_isRoot(artifact, seat, Leaves.rootOf(content, leaf, path))) revert WrongLeaf(artifact, seat);
        delete _demands[key];
        r.openDemands -= 1;
        emit Answered(r.number, r.attempts, msg.sender, artifact, seat, leaf, content, path);
        _returnDeposit(msg.sender, T.word(T.DEMAND_DEPOSIT));
    }

    function expire(Artifact artifact, uint256 seat, uint256 leaf) external {
        Round storage r = _round;
        bytes32 key = _key(r.number, r.attempts, artifact, seat, leaf);
        Demand memory d = _demands[key];
        if (!_proposalStands() || d.demander == address(0)) revert NoDemand(artifact, seat, leaf);
        if (block.timestamp < d.deadline) revert AnswerPending(block.timestamp, d.deadline);
        delete _demands[key];
        emit DepositReclaimed(r.number, r.attempts, d.demander, artifact, seat, leaf);
        _fall(msg.sender, d.demander);
        _returnDeposit(d.demander, T.word(T.DEMAND_DEPOSIT));
    }

    function reclaim(uint256 round, uint256 attempt, Artifact artifact, uint256 seat, uint256 leaf) external {
        bytes32 key = _key(round, attempt, artifact, seat, leaf);
        address demander = _demands[key].demander;
        if (demander == address(0)) revert NoDemand(artifact, seat, leaf);
        if (round == _round.number && attempt == _round.attempts && _proposalStands()) revert ProposalStands(round, attempt);
        delete _demands[key];
        emit DepositReclaimed(round, attempt, demander, artifact, seat, leaf);
        _returnDeposit(demander, T.word(T.DEMAND_DEPOSIT));
    }

    function demandInfo(Artifact artifact, uint256 seat, uint256 leaf)
        external
        view
        returns (address demander, uint256 deadline)
    {
        if (!_proposalStands()) return (address(0), 0);
        Demand memory d = _demands[_key(_round.number, _round.attempts, artifact, seat, leaf)];
        return (d.demander, d.deadline);
    }

    // ---- what a sibling does otherwise

    /// @dev How long a leaf of an update is.
    function _updateBytes() internal pure virtual returns (uint256) {
        return Leaves.UPDATE_BYTES;
    }

    /// @dev What an update's leaf says of a parameter.
    function _valueIn(bytes calldata content, uint256 coordinate, uint256 maxExponent) internal pure virtual returns (int256) {
        return Leaves.updateValue(content, coordinate, maxExponent);
    }

    /// @dev A parameter of the next model.
    function _next(int256 previous, int256[] memory values) internal view virtual returns (int256) {
        return FixedPoint.aggregate(previous, values, T.word(T.TRIM));
    }

    // ---- private

    function _proposalStands() private view returns (bool) {
        return _round.live && _round.settledAt != 0 && _round.proposedAt != 0;
    }

    function _checkLeaf(uint256 leaf) private view returns (uint256 depth) {
        depth = T.word(T.DEPTH);
        if (leaf >> depth != 0) revert LeafOutOfRange(leaf, 1 << depth);
    }

    /// @dev What each accepted update adds to the coordinate.
    function _openUpdates(uint256[] memory seats, uint256 leaf, uint256 coordinate, bytes calldata proof)
        private
        view
        returns (int256[] memory values)
    {
        uint256 n = seats.length;
        values = new int256[](n);
        uint256 size = _updateBytes();
        uint256 maxExponent = T.word(T.MAX_EXPONENT);
        for (uint256 i = 0; i < n; ++i) {
            uint256 part = proof.length / (n - i);
            bytes calldata content = proof[:size];
            bytes32 root = Leaves.rootOf(content, leaf, proof[size:part]);
            if (!_isRoot(Artifact.Update, seats[i], root)) revert WrongLeaf(Artifact.Update, seats[i]);
            values[i] = _valueIn(content, coordinate, maxExponent);
            proof = proof[part:];
        }
    }

    function _openModel(Artifact artifact, uint256 leaf, uint256 coordinate, bytes calldata proof)
        private
        view
        returns (int256)
    {
        bytes calldata content = proof[:Leaves.MODEL_BYTES];
        bytes32 root = Leaves.rootOf(content, leaf, proof[Leaves.MODEL_BYTES:]);
        if (!_isRoot(artifact, 0, root)) revert WrongLeaf(artifact, 0);
        return Leaves.modelValue(content, coordinate);
    }

    function _isRoot(Artifact artifact, uint256 seat, bytes32 root) private view returns (bool) {
        if (artifact == Artifact.Proposed) return root == _round.proposal;
        if (artifact == Artifact.Previous) return root == _present();
        return _records[seat].matches(root);
    }

    function _key(uint256 round, uint256 attempt, Artifact artifact, uint256 seat, uint256 leaf)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(round, attempt, artifact, seat, leaf));
    }
}
