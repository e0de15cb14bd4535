// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";

import {IRounds, Terms} from "./interfaces/IFederation.sol";
import {Commitments} from "./libraries/Commitments.sol";
import {Committee} from "./libraries/Committee.sol";
import {Headers} from "./libraries/Headers.sol";
import {Record, Records} from "./libraries/Records.sol";
import {Scores} from "./libraries/Scores.sol";
import {Seats} from "./libraries/Seats.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";
import {Rounds} from "./Rounds.sol";
import {Stakes} from "./Stakes.sol";

/// @title Federation: the round
/// @dev Runs as a clone whose terms are immutable arguments; there is nothing to initialise. The interface is the manual.
contract Federation is IRounds, Rounds, Stakes, Multicall {
    using Committee for uint120;
    using Records for Record;
    using Seats for uint128;

    address public immutable disputes;

    constructor(address disputes_) {
        if (disputes_.code.length == 0) revert NoDisputes(disputes_);
        disputes = disputes_;
    }

    /// @dev Whatever this part has no function for, `Disputes` answers on the same storage and for the same caller.
    fallback() external {
        address part = disputes;
        assembly ("memory-safe") {
            let size := calldatasize()
            let at := mload(0x40)
            calldatacopy(at, 0, size)
            let done := delegatecall(gas(), part, at, size, 0, 0)
            returndatacopy(at, 0, returndatasize())
            if iszero(done) { revert(at, returndatasize()) }
            return(at, returndatasize())
        }
    }

    // ---- open, commit, reveal

    function openRound() external {
        _in(Phase.Idle);
        if (_concluded) revert AlreadyConcluded();
        uint128 active = _eligible;
        uint256 n = active.count();
        uint256 minimum = T.word(T.MIN_REVEALS);
        if (n < minimum) revert TooFewSeats(n, minimum);
        uint256 cost =
            n * T.word(T.TRAINER_RATE) + T.word(T.COMMITTEE) * T.word(T.VALIDATOR_RATE) + T.word(T.PROPOSER_FEE);
        _setAside(cost);

        Round storage r = _round;
        r.number += 1;
        _begin(r, active);
        r.openedAt = uint40(block.timestamp);
        r.closeBlock = 0;
        // One word: the round is live, and the word's other fields are cleared.
        r.drawnAt = 0;
        r.accepted = 0;
        r.settledAt = 0;
        r.voided = false;
        r.attempts = 0;
        r.live = true;
        emit RoundOpened(r.number, active, _present(), cost, block.timestamp);
    }

    function commit(uint256 round, uint256 seat, bytes32 commitment) external {
        _inCommit();
        uint256 number = _named(round);
        _onlyOperator(seat);
        if (!_round.active.contains(seat)) revert NotActive(number, seat);
        _records[seat] = _changed(_records[seat], number, seat, commitment);
        emit Committed(number, seat, commitment);
    }

    function reveal(uint256 seat, bytes32 root, bytes32 salt, bytes calldata locator) external {
        _inReveal();
        if (root == 0) revert ZeroRoot();
        if (locator.length > MAX_LOCATOR) revert LocatorTooLong(locator.length, MAX_LOCATOR);
        uint256 number = _round.number;
        Record record = _records[seat];
        uint256 state = record.state(number);
        if (state == Records.NOTHING) revert NothingCommitted(number, seat);
        if (state == Records.REVEALED) revert AlreadyRevealed(number, seat);
        bytes32 commitment = Commitments.update(address(this), number, seat, root, salt, Commitments.hashOf(locator));
        if (!record.matches(commitment)) revert WrongOpening(record.digestOf(), commitment);
        _records[seat] = Records.make(number, Records.REVEALED, root);
        emit Revealed(number, seat, root, salt, locator);
    }

    // ---- draw

    function close() external {
        _in(Phase.Draw);
        if (_round.closeBlock != 0) revert AlreadyClosed(_round.number);
        _close();
    }

    function draw(bytes calldata header) external {
        _in(Phase.Draw);
        Round storage r = _round;
        uint256 closeBlock = r.closeBlock;
        uint256 number = r.number;
        if (closeBlock == 0) revert NotClosed(number);
        uint256 seeding = closeBlock + T.word(T.DRAW_DELAY);
        if (block.number <= seeding) revert DrawTooEarly(block.number, seeding + 1);
        bytes32 expected = Headers.hashOf(seeding);
        if (expected == 0 && block.number > seeding + 256) {
            r.closeBlock = uint40(block.number);
            emit DrawPostponed(number, block.number);
            return;
        }
        bytes32 actual = keccak256(header);
        if (actual != expected) revert WrongHeader(seeding, expected, actual);
        bytes32 prevRandao = Headers.prevRandao(header);
        bytes32 seed = keccak256(abi.encode(prevRandao, r.mix, block.chainid, address(this), number));
        uint256 size = T.word(T.COMMITTEE);
        r.committee = Committee.draw(seed, r.revealed.list(), size);
        r.committeeSize = uint8(size);
        r.drawnAt = uint40(block.timestamp);
        emit Drawn(number, prevRandao, seed, r.committee);
    }

    // ---- scores

    function commitScores(uint256 round, uint256 seat, bytes32 commitment) external {
        _in(Phase.ScoreCommit);
        uint256 number = _named(round);
        _onlyOperator(seat);
        uint256 position = _positionOf(seat);
        _scoreRecords[position] = _changed(_scoreRecords[position], number, seat, commitment);
        emit ScoresCommitted(number, seat, commitment);
    }

    function revealScores(uint256 seat, bytes calldata scores, bytes32 salt) external {
        _in(Phase.ScoreReveal);
        uint256 number = _round.number;
        uint256 position = _positionOf(seat);
        uint256 expected = _scoreBytes();
        if (scores.length != expected) revert WrongScoresLength(expected, scores.length);
        Record record = _scoreRecords[position];
        uint256 state = record.state(number);
        if (state == Records.NOTHING) revert NothingCommitted(number, seat);
        if (state == Records.REVEALED) revert AlreadyRevealed(number, seat);
        bytes32 digest = keccak256(scores);
        bytes32 commitment = Commitments.scores(address(this), number, seat, digest, salt);
        if (!record.matches(commitment)) revert WrongOpening(record.digestOf(), commitment);
        _scoreRecords[position] = Records.make(number, Records.REVEALED, digest);
        emit ScoresRevealed(number, seat, scores, salt);
    }

    function settle(bytes[] calldata scores) external {
        _in(Phase.Settle);
        Round storage r = _round;
        uint256 number = r.number;
        uint256[] memory validators = _matchScores(scores);
        if (2 * validators.length <= r.committeeSize) {
            _slashSilentValidators();
            r.voided = true;
            emit Voided(number);
            return;
        }
        uint256[] memory seats = r.revealed.list();
        (bytes memory medians, uint256[] memory distances) = _medians(seats, validators, scores);
        (uint128 accepted, uint256 paid) = _payTrainers(seats, medians);
        uint256[] memory validatorPay = _payValidators(validators, distances, seats.length - 1);
        for (uint256 i = 0; i < validatorPay.length; ++i) paid += validatorPay[i];
        _payFromPot(paid);
        _slashSilentValidators();

        r.accepted = accepted;
        r.settledAt = uint40(block.timestamp);
        r.fallen = 0;
        r.proposer = 0;
        r.proposeFrom = uint40(block.timestamp + T.word(T.SHOW_WINDOW));
        r.proposedAt = 0;
        r.openDemands = 0;
        emit Settled(number, accepted, medians, validatorPay, paid);
    }

    // ---- the new model

    function propose(uint256 round, uint256 attempt, uint256 seat, bytes32 root, bytes calldata locator) external {
        _in(Phase.Propose);
        _named(round);
        _onlyOperator(seat);
        if (root == 0) revert ZeroRoot();
        if (locator.length > MAX_LOCATOR) revert LocatorTooLong(locator.length, MAX_LOCATOR);
        Round storage r = _round;
        if (r.proposedAt != 0) _fall(address(0), address(0)); // it fell by the clock, and no call has recorded that yet
        if (r.fallen.contains(seat)) revert ProposerFell(seat);
        if (!r.active.contains(seat)) revert NotActive(round, seat);
        if (!_eligible.contains(seat)) revert NotEligible(seat);
        uint256 next = r.attempts + 1;
        if (attempt != next) revert WrongAttempt(attempt, next);
        r.attempts = uint8(next);
        r.proposer = uint8(seat);
        r.proposedAt = uint40(block.timestamp);
        r.proposal = root;
        emit Proposed(round, attempt, seat, root, locator);
    }

    function finalize() external {
        (Phase actual,) = _read();
        if (actual != Phase.Final && actual != Phase.Void) revert WrongPhase(Phase.Final, actual);
        _finalize(actual);
    }

    // ---- the sponsor

    function conclude() external {
        address sponsor = T.toAddress(T.SPONSOR);
        if (msg.sender != sponsor) revert NotSponsor(sponsor, msg.sender);
        if (_concluded) revert AlreadyConcluded();
        _concluded = true;
        emit Concluded();
    }

    function refund() external {
        _in(Phase.Idle);
        if (!_concluded) revert NotConcluded();
        _refund(T.toAddress(T.SPONSOR));
    }

    // ---- views

    function terms() external view returns (Terms memory) {
        return T.all();
    }

    function roundInfo() external view returns (Round memory r) {
        r = _round;
        if (r.closeBlock == 0) (r.revealed, r.mix) = (0, 0);
        if (r.drawnAt == 0) (r.committee, r.committeeSize) = (0, 0);
        if (r.settledAt == 0) (r.fallen, r.proposer, r.proposeFrom, r.proposedAt, r.openDemands) = (0, 0, 0, 0, 0);
        if (r.proposedAt == 0) (r.proposal, r.proposer) = (0, 0);
    }

    function phase() external view returns (Phase current) {
        (current,) = _read();
    }

    function phaseEnd() external view returns (uint256 end) {
        (, end) = _read();
    }

    function model() external view returns (bytes32) {
        return _present();
    }

    function concluded() external view returns (bool) {
        return _concluded;
    }

    function recordOf(uint256 seat) external view returns (uint256 state, bytes28 digest) {
        return _shown(_records[seat]);
    }

    function scoreRecordOf(uint256 position) external view returns (uint256 state, bytes28 digest) {
        return _shown(_scoreRecords[position]);
    }

    // ---- what a sibling does otherwise

    /// @dev Who may commit in the round that opens.
    function _begin(Round storage r, uint128 eligible) internal virtual {
        r.active = eligible;
    }

    /// @dev `_in(Phase.Commit)` from the round's first word alone: the second costs a slot read in every commit.
    function _inCommit() internal view virtual {
        if (block.timestamp >= _round.openedAt + T.word(T.COMMIT_WINDOW)) _in(Phase.Commit);
    }

    // ---- private: who and when

    /// @dev `_in(Phase.Reveal)` from the round's first word alone: the second costs a slot read in every reveal.
    function _inReveal() private view {
        uint256 begin = _round.openedAt + T.word(T.COMMIT_WINDOW);
        if (block.timestamp < begin || block.timestamp >= begin + T.word(T.REVEAL_WINDOW)) _in(Phase.Reveal);
    }

    /// @dev The record of a commitment. The same one again would write an event and change nothing.
    function _changed(Record before, uint256 number, uint256 seat, bytes32 commitment) private pure returns (Record record) {
        record = Records.make(number, Records.COMMITTED, commitment);
        if (Record.unwrap(record) == Record.unwrap(before)) revert CommitmentUnchanged(number, seat);
    }

    function _positionOf(uint256 seat) private view returns (uint256 position) {
        Round storage r = _round;
        position = r.committee.positionOf(r.committeeSize, seat);
        if (position == r.committeeSize) revert NotDrawn(r.number, seat);
    }

    function _release(uint256 seat) internal override {
        Round storage r = _round;
        (Phase actual,) = _read();
        if (actual == Phase.Final || actual == Phase.Void) _finalize(actual);
        if (r.live && r.active.contains(seat)) revert StillEngaged(seat, r.number);
    }

    function _mayFund() internal view override {
        if (_concluded) revert AlreadyConcluded();
    }

    // ---- private: ends

    function _close() internal virtual {
        Round storage r = _round;
        uint256 number = r.number;
        uint256 revealed;
        uint128 rest = r.active;
        Record[] memory records = new Record[](rest.count());
        uint256 n = 0;
        for (uint256 seat = 0; rest != 0; ++seat) {
            if (rest & 1 == 1) {
                Record record = _records[seat];
                uint256 state = record.state(number);
                if (state != Records.NOTHING) records[n++] = record;
                if (state == Records.REVEALED) revealed |= 1 << seat;
                else if (state == Records.COMMITTED) _slash(seat, Offence.NoReveal, T.word(T.NO_REVEAL_SLASH), 0, address(0));
            }
            rest >>= 1;
        }
        r.mix = Records.mix(records, n);
        r.revealed = uint128(revealed);
        r.closeBlock = uint40(block.number);
        emit Closed(number, uint128(revealed), block.number);
        if (uint128(revealed).count() < T.word(T.MIN_REVEALS)) {
            r.voided = true;
            emit Voided(number);
        }
    }

    function _slashSilentValidators() private {
        Round storage r = _round;
        uint256 size = r.committeeSize;
        for (uint256 position = 0; position < size; ++position) {
            if (_scoreRecords[position].state(r.number) == Records.REVEALED) continue;
            _slash(r.committee.seatAt(position), Offence.NoScores, T.word(T.NO_SCORES_SLASH), 0, address(0));
        }
    }

    function _finalize(Phase ending) private {
        Round storage r = _round;
        bool adopted;
        if (ending == Phase.Void) {
            // What the clock ended before anybody called is recorded here, slashes included: waiting saves nobody.
            if (r.closeBlock == 0) _close();
            if (r.drawnAt != 0 && !r.voided) _slashSilentValidators();
            if (!r.voided) {
                r.voided = true;
                emit Voided(r.number);
            }
        } else if (r.proposedAt != 0) {
            if (r.openDemands > 0) {
                _fall(address(0), address(0));
            } else {
                adopted = true;
                _model = r.proposal;
                uint256 fee = T.word(T.PROPOSER_FEE);
                _payFromPot(fee);
                _pay(r.proposer, fee);
            }
        }
        r.live = false;
        // Where somebody trained, what was not earned stays with the training: no sponsor profits from low scores or a void round.
        _giveBack(ending == Phase.Void && r.revealed == 0);
        emit Finalized(r.number, _present(), adopted);
    }

    // ---- private: scores to money

    /// @dev Checks that `scores` are the revealed vectors in committee order. @return validators The seats they belong to.
    function _matchScores(bytes[] calldata scores) private view returns (uint256[] memory validators) {
        Round storage r = _round;
        uint256 size = r.committeeSize;
        validators = new uint256[](size);
        uint256 n;
        for (uint256 position = 0; position < size; ++position) {
            Record record = _scoreRecords[position];
            if (record.state(r.number) != Records.REVEALED) continue;
            if (n == scores.length || !record.matches(keccak256(scores[n]))) revert WrongScores(position);
            validators[n++] = r.committee.seatAt(position);
        }
        if (n != scores.length) revert WrongScores(size);
        assembly ("memory-safe") {
            mstore(validators, n)
        }
    }

    /// @dev Per revealed seat the median vote; per validator the sum of its distances from those medians.
    function _medians(uint256[] memory seats, uint256[] memory validators, bytes[] calldata scores)
        internal
        view
        virtual
        returns (bytes memory medians, uint256[] memory distances)
    {
        uint256 size = validators.length;
        medians = new bytes(seats.length);
        distances = new uint256[](size);
        bytes[] memory vectors = scores; // a byte read from memory costs a fraction of one from nested calldata
        uint256[] memory sorted = new uint256[](size);
        for (uint256 i = 0; i < seats.length; ++i) {
            medians[i] = bytes1(uint8(Scores.judge(vectors, validators, seats[i], i, sorted, distances)));
        }
    }

    function _payTrainers(uint256[] memory seats, bytes memory medians) private returns (uint128 accepted, uint256 paid) {
        uint256 rate = T.word(T.TRAINER_RATE);
        for (uint256 i = 0; i < seats.length; ++i) {
            uint256 median = uint8(medians[i]);
            if (median == 0) continue;
            accepted = accepted.add(seats[i]);
            paid += _pay(seats[i], Scores.trainerPayDown(rate, median));
        }
    }

    function _payValidators(uint256[] memory validators, uint256[] memory distances, uint256 judged)
        private
        returns (uint256[] memory amounts)
    {
        uint256 rate = T.word(T.VALIDATOR_RATE);
        uint256 strictness = T.word(T.STRICTNESS);
        amounts = new uint256[](validators.length);
        for (uint256 v = 0; v < validators.length; ++v) {
            amounts[v] = Scores.validatorPayDown(rate, strictness, distances[v], judged);
            _pay(validators[v], amounts[v]);
        }
    }

    function _shown(Record record) private view returns (uint256 state, bytes28 digest) {
        state = record.state(_round.number);
        if (state != Records.NOTHING) digest = record.digestOf();
    }
}
