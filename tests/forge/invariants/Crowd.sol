// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDisputes, IRoundFacts, IRounds, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IExclusions} from "../../../contracts/interfaces/IExclusions.sol";
import {IRelays} from "../../../contracts/interfaces/IRelays.sol";
import {IStakes} from "../../../contracts/interfaces/IStakes.sol";
import {Commitments} from "../../../contracts/libraries/Commitments.sol";
import {NaiveScores} from "../reference/NaiveScores.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";
import {NaiveSignatures} from "../reference/NaiveSignatures.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";
import {Ledger} from "./Ledger.sol";

/// @title Crowd: everybody around a federation
/// @notice `step` does one act that is legal now, chosen by weight; none may revert. `refuse` tries one that is not.
/// The first four people follow the protocol: time does not pass over what they owe. The others do as they please.
contract Crowd is Ledger {
    enum Act {
        Join,
        TopUp,
        SetOperator,
        Exit,
        Withdraw,
        Claim,
        ClaimCredit,
        Give,
        Sweep,
        Fund,
        Donate,
        OpenRound,
        Commit,
        Reveal,
        Close,
        Draw,
        CommitScores,
        RevealScores,
        Settle,
        Propose,
        Challenge,
        Demand,
        Answer,
        Expire,
        Reclaim,
        Finalize,
        Conclude,
        Refund,
        Mine,
        Pass,
        Report,
        Relay,
        Handover
    }
    uint256 public constant CALLS = 33;

    /// @dev What a run may come to, besides its acts.
    enum Outcome {
        Adopted,
        VoidTooFewReveals,
        VoidNotDrawn,
        VoidNoMajority,
        VoidNotSettled,
        DrawPostponed,
        FellByProof,
        FellByExpiry,
        FellByClock,
        OutOfAttempts,
        NobodyProposed,
        BookedByWithdrawal,
        WrongModelProposed,
        HiddenModelProposed,
        WithheldUpdateAccepted,
        SilentValidatorSlashed,
        SilentRevealerSlashed,
        AnsweredInTime,
        DepositBack,
        DepositFromCredit,
        Refused,
        UpdateExcluded
    }
    uint256 public constant OUTCOMES = 22;

    uint256[CALLS] public done;
    uint256[OUTCOMES] public seen;

    constructor(Terms memory changes, string memory implementation) {
        artifact = implementation;
        Terms memory terms = _toyTerms();
        terms.maxSeats = PEOPLE - 1;
        (terms.depth, terms.trim) = (changes.depth, changes.trim);
        (terms.demandDeposit, terms.challengeFee) = (changes.demandDeposit, changes.challengeFee);
        terms.maxAttempts = changes.maxAttempts;
        _create(terms);
        rightRoot = t.genesis;
        if (t.demandDeposit == 0) ++seen[uint256(Outcome.DepositFromCredit)]; // there is none to take
        for (uint256 p = 0; p < PEOPLE; ++p) accounts.push(_rich(_owner(p), 1e30));
        accounts.push(_rich(SPONSOR, 1e30));
        accounts.push(_rich(CHECKER, 1e30));
        accounts.push(_rich(STRANGER, 1e30));
        _watch();
    }

    string private artifact;

    function _implementation() internal view override returns (string memory) {
        return artifact;
    }

    uint256 private salts; // drawn so far

    // ---- one act

    function step(uint256 seed) external {
        uint256[CALLS] memory weights = _weights();
        uint256 sum;
        for (uint256 i = 0; i < CALLS; ++i) sum += weights[i];
        uint256 pick = random(seed, 0) % sum;
        uint256 act;
        while (pick >= weights[act]) pick -= weights[act++];
        ++done[act];
        _do(Act(act), random(seed, 1));
        _watch();
    }

    function _do(Act act, uint256 seed) private {
        if (act == Act.Join) _join(_pick(_standing(), seed), t.minStake + seed % 50_000);
        else if (act == Act.TopUp) _topUp(_pick(_sitting(false), seed), t.minStake / 100 + random(seed, 1) % 30_000);
        else if (act == Act.SetOperator) _setOperator(_pick(_sitting(true) | _sitting(false), seed));
        else if (act == Act.Exit) _exit(_pick(_sitting(false), seed));
        else if (act == Act.Withdraw) _withdraw(_pick(_free(), seed));
        else if (act == Act.Claim) _claim(_pick(_rewarded(), seed));
        else if (act == Act.ClaimCredit) _claimCredit(_pick(_credited(), seed));
        else if (act == Act.Give) _give(seed % accounts.length, 1 + random(seed, 1) % (3 * t.demandDeposit + 1));
        else if (act == Act.Sweep) _sweep();
        else if (act == Act.Fund) _fundBy(accounts[seed % accounts.length], 1 + random(seed, 1) % 300_000);
        else if (act == Act.Donate) _donate(1 + seed % 1000);
        else if (act == Act.OpenRound) _openRound();
        else if (act == Act.Commit) _commitBy(_pick(_uncommitted(seed % 8 == 0), seed), seed);
        else if (act == Act.Reveal) _revealBy(_pick(_drafted(1), seed));
        else if (act == Act.Close) _close();
        else if (act == Act.Draw) _drawNow();
        else if (act == Act.CommitScores) _commitVote(_pick(_voted(0), seed), seed);
        else if (act == Act.RevealScores) _revealVote(_pick(_voted(1), seed));
        else if (act == Act.Settle) _settle();
        else if (act == Act.Propose) _proposeBy(_pick(_proposers(), seed), seed);
        else if (act == Act.Challenge) _challengeBy(accounts[seed % accounts.length]);
        else if (act == Act.Demand) _demandBy(accounts[seed % accounts.length], random(seed, 1));
        else if (act == Act.Answer) _answer(_pick(_answerable(), seed), accounts[random(seed, 1) % accounts.length]);
        else if (act == Act.Expire) _expire(_pick(_expired(), seed));
        else if (act == Act.Reclaim) _reclaim(_pick(_reclaimable(), seed));
        else if (act == Act.Finalize) _finalize();
        else if (act == Act.Conclude) _conclude();
        else if (act == Act.Refund) _refund();
        else if (act == Act.Mine) mine(seed % 7 == 0 ? 300 : 1 + seed % 3);
        else if (act == Act.Report) _reportBy(_pick(_reporters(), seed), seed);
        else if (act == Act.Relay) _relay(seed);
        else if (act == Act.Handover) _handover(seed);
        else _pass(seed);
    }

    /// @dev Zero for what is not legal now; the rest so that rounds get somewhere and odd things happen on the way.
    function _weights() private view returns (uint256[CALLS] memory w) {
        (IRoundFacts.Phase phase,) = _now();
        uint256 seated = PEOPLE - _count(_standing());
        if (seated < t.maxSeats) w[uint256(Act.Join)] = seated < 5 ? 60 : 3;
        if (_sitting(false) != 0) w[uint256(Act.TopUp)] = w[uint256(Act.Exit)] = 2;
        if (seated > 0) w[uint256(Act.SetOperator)] = 1;
        if (_dealers() != 0) w[uint256(Act.Handover)] = 2;
        if (_free() != 0) w[uint256(Act.Withdraw)] = 8;
        if (_rewarded() != 0) w[uint256(Act.Claim)] = 3;
        if (_credited() != 0) w[uint256(Act.ClaimCredit)] = 2;
        w[uint256(Act.Give)] = 1;
        if (slashed > 0) w[uint256(Act.Sweep)] = 2;
        if (!concluded) w[uint256(Act.Fund)] = pool + kept < _cost(PEOPLE) ? 30 : 1;
        w[uint256(Act.Donate)] = 1;
        if (_openable()) w[uint256(Act.OpenRound)] = 50;
        if (!concluded && round.number > 4) w[uint256(Act.Conclude)] = 1;
        if (phase == IRoundFacts.Phase.Idle && concluded && pool + kept > 0) w[uint256(Act.Refund)] = 2;
        if (_reclaimable() != 0) w[uint256(Act.Reclaim)] = 5;
        if (_expired() != 0) w[uint256(Act.Expire)] = 10;
        w[uint256(Act.Mine)] = phase == IRoundFacts.Phase.Draw ? 20 : 2;
        w[uint256(Act.Pass)] = 10;
        _weighPhase(w, phase);
    }

    function _weighPhase(uint256[CALLS] memory w, IRoundFacts.Phase phase) private view {
        if (phase == IRoundFacts.Phase.Idle) w[uint256(Act.Pass)] = 1;
        if (phase == IRoundFacts.Phase.Draw) w[uint256(Act.Pass)] = 3;
        if (phase == IRoundFacts.Phase.Settle) w[uint256(Act.Pass)] = 12;
        if (phase == IRoundFacts.Phase.Commit) w[uint256(Act.Commit)] = _uncommitted(false) != 0 ? 50 : 2;
        if (phase == IRoundFacts.Phase.Reveal && _drafted(1) != 0) w[uint256(Act.Reveal)] = 50;
        if (phase == IRoundFacts.Phase.Draw) {
            if (round.closeBlock == 0) w[uint256(Act.Close)] = 60;
            else if (vm.getBlockNumber() > round.closeBlock + t.drawDelay) w[uint256(Act.Draw)] = 60;
        }
        if (phase == IRoundFacts.Phase.ScoreCommit && _voted(0) != 0) w[uint256(Act.CommitScores)] = 40;
        if (phase == IRoundFacts.Phase.ScoreReveal && _voted(1) != 0) w[uint256(Act.RevealScores)] = 40;
        if (phase == IRoundFacts.Phase.Settle) w[uint256(Act.Settle)] = 30;
        if (phase == IRoundFacts.Phase.Show && _reporters() != 0) w[uint256(Act.Report)] = 30;
        if (_relayable(phase) != 0) w[uint256(Act.Relay)] = 4;
        if (phase == IRoundFacts.Phase.Propose && _proposers() != 0) w[uint256(Act.Propose)] = 40;
        if (phase == IRoundFacts.Phase.Challenge) {
            if (proposed.wrong && !_anyWithheld()) w[uint256(Act.Challenge)] = 12;
            if (time() < _lastDemand()) w[uint256(Act.Demand)] = 12;
            if (_answerable() != 0) w[uint256(Act.Answer)] = 12;
        }
        if (phase == IRoundFacts.Phase.Final || phase == IRoundFacts.Phase.Void) w[uint256(Act.Finalize)] = 30;
    }

    // ---- who may; sets as bitmaps of people, seats, positions, accounts or demands

    function _count(uint256 set) private pure returns (uint256 n) {
        for (; set != 0; set >>= 1) n += set & 1;
    }

    /// @dev One of the set, any.
    function _pick(uint256 set, uint256 seed) private pure returns (uint256 i) {
        uint256 skip = random(seed, 77) % _count(set);
        for (;; ++i) {
            if (!_has(set, i)) continue;
            if (skip == 0) return i;
            --skip;
        }
    }

    function _standing() private view returns (uint256 set) {
        for (uint256 p = 0; p < PEOPLE; ++p) if (!people[p].seated) set |= 1 << p;
    }

    function _sitting(bool leaving) private view returns (uint256 set) {
        for (uint256 p = 0; p < PEOPLE; ++p) if (people[p].seated && people[p].leaving == leaving) set |= 1 << p;
    }

    /// @dev Who left and is engaged in no round that still lives.
    function _free() private view returns (uint256 set) {
        (IRoundFacts.Phase phase,) = _now();
        bool over = phase >= IRoundFacts.Phase.Final || phase == IRoundFacts.Phase.Idle;
        for (uint256 p = 0; p < PEOPLE; ++p) {
            if (!people[p].leaving) continue;
            if (over || !_has(round.active, people[p].seat)) set |= 1 << p;
        }
    }

    function _rewarded() private view returns (uint256 set) {
        for (uint256 p = 0; p < PEOPLE; ++p) if (people[p].earned > 0) set |= 1 << p;
    }

    function _credited() private view returns (uint256 set) {
        for (uint256 i = 0; i < accounts.length; ++i) if (credits[accounts[i]] > 0) set |= 1 << i;
    }

    function _openable() private view returns (bool) {
        (, uint256 eligible,) = _sets();
        uint256 n = _count(eligible);
        return !round.live && !concluded && n >= t.minReveals && pool + kept >= _cost(n);
    }

    function _uncommitted(bool again) private view returns (uint256 set) {
        set = again ? round.active : round.active & ~_drafted(1);
        if (set == 0) set = round.active;
    }

    function _drafted(uint256 state) private view returns (uint256 set) {
        for (uint256 seat = 0; seat < PEOPLE; ++seat) if (drafts[round.number][seat].state == state) set |= 1 << seat;
    }

    function _voted(uint256 state) private view returns (uint256 set) {
        for (uint256 i = 0; i < t.committee; ++i) if (votes[round.number][i].state == state) set |= 1 << i;
    }

    function _proposers() private view returns (uint256) {
        (, uint256 eligible,) = _sets();
        uint256 out = round.fallen;
        if (round.proposedAt != 0) out |= 1 << round.proposer; // fell by the clock
        return eligible & round.active & ~out;
    }

    function _anyWithheld() private view returns (bool) {
        if (proposed.hidden) return true;
        return _withheldUpdates() != 0;
    }

    function _withheldUpdates() private view returns (uint256 set) {
        for (uint256 seat = 0; seat < PEOPLE; ++seat) {
            if (_has(round.accepted, seat) && drafts[round.number][seat].withheld) set |= 1 << seat;
        }
    }

    /// @dev What a seat may still report: the honest what is withheld, the others whatever they like.
    function _reportable(uint256 seat) private view returns (uint256) {
        uint256 told = reported[round.number][seat];
        return (personAt[seat] < HONEST ? _withheldUpdates() : round.accepted) & ~told;
    }

    function _reporters() private view returns (uint256 set) {
        for (uint256 seat = 0; seat < PEOPLE; ++seat) {
            if (_has(round.revealed, seat) && _reportable(seat) != 0) set |= 1 << seat;
        }
    }

    /// @dev Seats or positions for which somebody else may do what the phase is for.
    function _relayable(IRoundFacts.Phase phase) private view returns (uint256) {
        if (phase == IRoundFacts.Phase.Commit) return round.active & ~_drafted(1);
        if (phase == IRoundFacts.Phase.Reveal) return _drafted(1);
        if (phase == IRoundFacts.Phase.ScoreCommit) return _voted(0);
        if (phase == IRoundFacts.Phase.ScoreReveal) return _voted(1);
        return phase == IRoundFacts.Phase.Show ? _reporters() : 0;
    }

    /// @dev Who may hand a seat over to somebody of its own kind, so that what the honest owe stays theirs.
    function _dealers() private view returns (uint256 set) {
        for (uint256 p = 0; p < PEOPLE; ++p) {
            if (people[p].seated && !people[p].leaving && _buyer(p) != NOBODY) set |= 1 << p;
        }
    }

    function _buyer(uint256 p) private view returns (uint256) {
        for (uint256 q = 0; q < PEOPLE; ++q) {
            if (!people[q].seated && (q < HONEST) == (p < HONEST)) return q;
        }
        return NOBODY;
    }

    function _lastDemand() private view returns (uint256) {
        return round.proposedAt + t.challengeWindow - 2 * t.answerWindow;
    }

    function _standingDemand(uint256 i) private view returns (bool) {
        return demands[i].round == round.number && demands[i].attempt == round.attempts && _stands();
    }

    function _canOpen(Demand storage d) private view returns (bool) {
        if (d.artifact == IRoundFacts.Artifact.Previous) return true;
        if (d.artifact == IRoundFacts.Artifact.Proposed) return !proposed.hidden;
        return !drafts[d.round][d.seat].withheld;
    }

    function _answerable() private view returns (uint256 set) {
        for (uint256 i = 0; i < demands.length; ++i) {
            if (_standingDemand(i) && _canOpen(demands[i]) && time() < demands[i].deadline) set |= 1 << i;
        }
    }

    function _expired() private view returns (uint256 set) {
        for (uint256 i = 0; i < demands.length; ++i) {
            if (_standingDemand(i) && time() >= demands[i].deadline) set |= 1 << i;
        }
    }

    function _reclaimable() private view returns (uint256 set) {
        for (uint256 i = 0; i < demands.length; ++i) if (!_standingDemand(i)) set |= 1 << i;
    }

    // ---- seats and money

    function _join(uint256 p, uint256 stake) private {
        (uint256 taken,,) = _sets();
        uint256 seat;
        while (_has(taken, seat)) ++seat;
        vm.prank(_owner(p));
        assertEq(federation.join(_owner(p), _operator(p), stake, ""), seat, "the lowest free seat");
        people[p] = Person(true, false, seat, _operator(p), stake, 0, stake);
        personAt[seat] = p;
    }

    function _topUp(uint256 p, uint256 amount) private {
        vm.prank(STRANGER);
        federation.topUp(people[p].seat, amount);
        people[p].stake += amount;
        people[p].put += amount;
    }

    function _setOperator(uint256 p) private {
        address other = people[p].operator == _operator(p) ? _owner(p) : _operator(p);
        vm.prank(_owner(p));
        federation.setOperator(people[p].seat, other);
        people[p].operator = other;
    }

    function _handover(uint256 seed) private {
        uint256 p = _pick(_dealers(), seed);
        uint256 q = _buyer(p);
        uint256 seat = people[p].seat;
        uint256 deadline = time() + ++salts; // each is signed once
        address[3] memory who = [_owner(p), _owner(q), _operator(q)];
        bytes32 digest = NaiveSignatures.handover(address(federation), seat, who, 0, deadline);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_ownerKey(q), digest);
        vm.prank(who[0]);
        federation.handover(seat, who[1], who[2], 0, deadline, abi.encodePacked(r, s, v), "");
        (people[q], personAt[seat]) = (people[p], q);
        people[q].operator = who[2];
        delete people[p];
    }

    function _exit(uint256 p) private {
        vm.prank(_owner(p));
        federation.exit(people[p].seat);
        people[p].leaving = true;
    }

    function _withdraw(uint256 p) private {
        (IRoundFacts.Phase phase,) = _now();
        if (phase >= IRoundFacts.Phase.Final) {
            ++seen[uint256(Outcome.BookedByWithdrawal)];
            _bookedEnd();
        }
        uint256 before = token.balanceOf(_owner(p));
        vm.prank(_owner(p));
        federation.withdraw(people[p].seat, _owner(p));
        assertEq(token.balanceOf(_owner(p)), before + people[p].stake + people[p].earned, "all of it");
        delete people[p];
    }

    function _claim(uint256 p) private {
        vm.prank(_owner(p));
        federation.claim(people[p].seat, _owner(p));
        people[p].earned = 0;
    }

    function _claimCredit(uint256 i) private {
        uint256 before = token.balanceOf(STRANGER);
        vm.prank(accounts[i]);
        federation.claimCredit(STRANGER);
        assertEq(token.balanceOf(STRANGER), before + credits[accounts[i]], "the credit");
        credits[accounts[i]] = 0;
    }

    function _give(uint256 i, uint256 amount) private {
        vm.prank(SPONSOR);
        federation.give(accounts[i], amount);
        _bookCredit(accounts[i], amount);
    }

    function _sweep() private {
        uint256 before = token.balanceOf(BURN);
        federation.sweep();
        assertEq(token.balanceOf(BURN), before + slashed, "burnt");
        slashed = 0;
    }

    function _fundBy(address by, uint256 amount) private {
        vm.prank(by);
        federation.fund(amount);
        pool += amount;
    }

    function _donate(uint256 amount) private {
        token.mint(address(federation), amount);
        donated += amount;
    }

    function _conclude() private {
        vm.prank(SPONSOR);
        federation.conclude();
        concluded = true;
    }

    function _refund() private {
        federation.refund();
        _bookCredit(SPONSOR, pool);
        slashed += kept;
        (pool, kept) = (0, 0);
    }

    // ---- the round

    function _openRound() private {
        (, uint256 eligible,) = _sets();
        federation.openRound();
        uint24 number = round.number + 1;
        delete round;
        (round.number, round.active, round.openedAt, round.live) = (number, uint128(eligible), uint40(time()), true);
        pot = _cost(_count(eligible));
        uint256 first = pot < kept ? pot : kept;
        kept -= first;
        pool -= pot - first;
    }

    function _commitBy(uint256 seat, uint256 seed) private {
        bytes32 commitment = _draft(seat, seed);
        vm.prank(people[personAt[seat]].operator);
        federation.commit(round.number, seat, commitment);
    }

    function _draft(uint256 seat, uint256 seed) private returns (bytes32) {
        uint256 p = personAt[seat];
        Draft storage d = drafts[round.number][seat];
        d.withheld = p >= HONEST && random(seed, 1) % 4 == 0;
        for (uint256 leaf = 0; leaf < 1 << t.depth; ++leaf) {
            uint256 r = random(seed, 2 + leaf);
            bool odd = p >= HONEST && r % 4 == 0;
            d.e[leaf] = uint8((r >> 8) % (t.maxExponent + (odd ? 3 : 1)));
            d.q[leaf] = odd && r % 8 == 0 ? int8(-128) : int8(int256((r >> 16) % 255) - 127);
        }
        d.salt = bytes32(random(seed, ++salts)); // seeds come again, and the same commitment twice is an error
        d.root = NaiveTree.rootOf(_updateLeaves(d));
        d.state = 1;
        return Commitments.update(address(federation), round.number, seat, d.root, d.salt, keccak256(""));
    }

    function _revealBy(uint256 seat) private {
        Draft storage d = drafts[round.number][seat];
        federation.reveal(seat, d.root, d.salt, "");
        d.state = 2;
    }

    function _close() private {
        federation.close();
        _bookClose();
        if (_drafted(1) != 0) ++seen[uint256(Outcome.SilentRevealerSlashed)];
    }

    function _drawNow() private {
        uint256 seeding = round.closeBlock + t.drawDelay;
        bool gone = vm.getBlockNumber() - seeding > 256;
        federation.draw(_header(seeding));
        if (gone) {
            round.closeBlock = uint40(vm.getBlockNumber());
            ++seen[uint256(Outcome.DrawPostponed)];
            return;
        }
        bytes32 seed = keccak256(abi.encode(_randao(seeding), round.mix, block.chainid, address(federation), round.number));
        uint256[] memory drawn = NaiveSeats.draw(seed, NaiveSeats.list(round.revealed), t.committee);
        for (uint256 i = 0; i < drawn.length; ++i) round.committee += uint120(drawn[i] << (8 * (14 - i)));
        (round.committeeSize, round.drawnAt) = (uint8(t.committee), uint40(time()));
    }

    /// @dev The honest leave out what they cannot open, and agree on the rest but for a little.
    function _commitVote(uint256 position, uint256 seed) private {
        bytes32 commitment = _ballot(position, seed);
        uint256 seat = _seatAt(position);
        vm.prank(people[personAt[seat]].operator);
        federation.commitScores(round.number, seat, commitment);
    }

    function _ballot(uint256 position, uint256 seed) private returns (bytes32) {
        uint256 seat = _seatAt(position);
        bool honest = personAt[seat] < HONEST;
        uint256[] memory seats = NaiveSeats.list(round.revealed);
        bytes memory scores = new bytes(seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            uint256 r = random(seed, i);
            bool out = honest && drafts[round.number][seats[i]].withheld;
            scores[i] = bytes1(uint8(out ? 0 : honest ? 150 + r % 9 : seed % 2 == 0 ? 255 : r));
        }
        Vote storage vote = votes[round.number][position];
        (vote.state, vote.scores, vote.salt) = (1, scores, bytes32(random(seed, ++salts)));
        bytes32 digest = keccak256(scores);
        return Commitments.scores(address(federation), round.number, seat, digest, vote.salt);
    }

    function _revealVote(uint256 position) private {
        Vote storage vote = votes[round.number][position];
        federation.revealScores(_seatAt(position), vote.scores, vote.salt);
        vote.state = 2;
    }

    function _settle() private {
        uint256 shown = _voted(2);
        uint256 n = _count(shown);
        bytes[] memory scores = new bytes[](n);
        uint256[] memory validators = new uint256[](n);
        n = 0;
        for (uint256 i = 0; i < t.committee; ++i) {
            if (!_has(shown, i)) continue;
            scores[n] = votes[round.number][i].scores;
            validators[n++] = _seatAt(i);
        }
        federation.settle(scores);
        if (n < t.committee) ++seen[uint256(Outcome.SilentValidatorSlashed)];
        _bookSilence();
        if (2 * n <= t.committee) {
            round.voided = true;
            return;
        }
        _bookPayDay(scores, validators);
        (round.settledAt, round.proposeFrom) = (uint40(time()), uint40(time() + t.showWindow));
        if (_withheldUpdates() != 0) ++seen[uint256(Outcome.WithheldUpdateAccepted)];
    }

    function _bookPayDay(bytes[] memory scores, uint256[] memory validators) private {
        uint256[] memory seats = NaiveSeats.list(round.revealed);
        uint256[] memory medians = new uint256[](seats.length);
        for (uint256 i = 0; i < seats.length; ++i) {
            medians[i] = NaiveScores.median(scores, validators, seats[i], i);
            if (medians[i] == 0) continue;
            round.accepted += uint128(2 ** seats[i]);
            _bookPay(seats[i], NaiveScores.trainerPay(t.trainerRate, medians[i]));
        }
        for (uint256 v = 0; v < validators.length; ++v) {
            uint256 distance = NaiveScores.distance(scores, validators, v, seats);
            uint256 pay = NaiveScores.validatorPay(t.validatorRate, t.strictness, distance, seats.length - 1);
            _bookPay(validators[v], pay);
        }
    }

    /// @dev All of what it may report, or for the others one of it and perhaps more.
    function _report(uint256 seat, uint256 seed) private view returns (uint256 missing) {
        missing = _reportable(seat);
        if (personAt[seat] >= HONEST) missing &= random(seed, 5) | 1 << _pick(missing, seed);
    }

    function _reportBy(uint256 seat, uint256 seed) private {
        uint256 missing = _report(seat, seed);
        vm.prank(people[personAt[seat]].operator);
        federation.reportMissing(round.number, seat, uint128(missing | 1 << 127)); // nobody's update: changes nothing
        _bookedReport(seat, missing);
    }

    function _bookedReport(uint256 seat, uint256 missing) private {
        uint256 before = round.accepted;
        _bookReport(seat, missing);
        if (round.accepted != before) ++seen[uint256(Outcome.UpdateExcluded)];
    }

    // ---- the same by others, many at once

    /// @dev Everybody's who is due, and the first one's again, which then has no effect, where a batch may hold one more.
    function _relay(uint256 seed) private {
        (IRoundFacts.Phase phase,) = _now();
        uint256[] memory due = NaiveSeats.list(uint128(_relayable(phase)));
        uint256 all = 2 ** due.length - 1;
        vm.prank(STRANGER);
        if (phase == IRoundFacts.Phase.Reveal) assertEq(federation.revealMany(_openings(due)), all, "openings");
        else if (phase == IRoundFacts.Phase.ScoreReveal) assertEq(federation.revealScoresMany(_ballots(due)), all, "ballots");
        else _relaySigned(phase, due, seed, all);
    }

    function _openings(uint256[] memory seats) private returns (IRelays.Opening[] memory entries) {
        entries = new IRelays.Opening[](_andOneAgain(seats));
        for (uint256 i = 0; i < seats.length; ++i) {
            Draft storage d = drafts[round.number][seats[i]];
            entries[i] = IRelays.Opening(seats[i], d.root, d.salt, "");
            d.state = 2;
        }
        if (entries.length > seats.length) entries[seats.length] = entries[0];
    }

    function _andOneAgain(uint256[] memory due) private view returns (uint256) {
        return due.length < t.maxSeats ? due.length + 1 : due.length;
    }

    function _ballots(uint256[] memory positions) private returns (IRelays.ScoreOpening[] memory entries) {
        entries = new IRelays.ScoreOpening[](_andOneAgain(positions));
        for (uint256 i = 0; i < positions.length; ++i) {
            Vote storage vote = votes[round.number][positions[i]];
            entries[i] = IRelays.ScoreOpening(_seatAt(positions[i]), vote.scores, vote.salt);
            vote.state = 2;
        }
        if (entries.length > positions.length) entries[positions.length] = entries[0];
    }

    function _relaySigned(IRoundFacts.Phase phase, uint256[] memory due, uint256 seed, uint256 all) private {
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](_andOneAgain(due));
        uint256 number = round.number;
        for (uint256 i = 0; i < due.length; ++i) {
            if (phase == IRoundFacts.Phase.Commit) entries[i] = _sign(phase, due[i], _draft(due[i], random(seed, i)));
            if (phase == IRoundFacts.Phase.Show) entries[i] = _sign(phase, due[i], bytes32(_report(due[i], random(seed, i))));
            if (phase == IRoundFacts.Phase.ScoreCommit) {
                entries[i] = _sign(phase, _seatAt(due[i]), _ballot(due[i], random(seed, i)));
            }
        }
        if (entries.length > due.length) entries[due.length] = entries[0];
        if (phase == IRoundFacts.Phase.Commit) assertEq(federation.commitMany(number, entries), all, "commitments");
        if (phase == IRoundFacts.Phase.ScoreCommit) assertEq(federation.commitScoresMany(number, entries), all, "votes");
        if (phase == IRoundFacts.Phase.Show) _relayReports(entries);
    }

    /// @dev What one report excludes, the next one no longer adds: those that come too late are skipped.
    function _relayReports(IRelays.SignedCommitment[] memory entries) private {
        uint256 all;
        for (uint256 i = 0; i < entries.length; ++i) {
            uint256 news = uint256(entries[i].value) & round.accepted & ~reported[round.number][entries[i].seat];
            if (news == 0) continue;
            all |= 1 << i;
            _bookedReport(entries[i].seat, news);
        }
        assertEq(federation.reportMissingMany(round.number, entries), all, "reports");
    }

    function _sign(IRoundFacts.Phase phase, uint256 seat, bytes32 value)
        private
        view
        returns (IRelays.SignedCommitment memory)
    {
        address place = address(federation);
        bytes32 digest = phase == IRoundFacts.Phase.Commit
            ? NaiveSignatures.commit(place, round.number, seat, value)
            : phase == IRoundFacts.Phase.Show
                ? NaiveSignatures.missing(place, round.number, seat, value)
                : NaiveSignatures.commitScores(place, round.number, seat, value);
        uint256 p = personAt[seat];
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(people[p].operator == _operator(p) ? _operatorKey(p) : _ownerKey(p), digest);
        return IRelays.SignedCommitment(seat, value, r, NaiveSignatures.packed(v, s));
    }

    /// @dev An honest seat proposes what everybody can recompute, and nothing if somebody's update cannot be opened.
    function _proposeBy(uint256 seat, uint256 seed) private {
        bool honest = personAt[seat] < HONEST;
        if (honest && _withheldUpdates() != 0) return;
        if (round.proposedAt != 0) {
            ++seen[uint256(Outcome.FellByClock)];
            _bookFallByClock();
        }
        Proposal memory p;
        p.values = _next();
        p.hidden = !honest && seed % 4 == 0;
        p.wrong = !honest && seed % 4 >= 2;
        (p.leaf, p.coordinate) = (random(seed, 1) % (1 << t.depth), random(seed, 2) % 256);
        p.off = int256(1 + random(seed, 3) % 1000);
        if (p.values[p.leaf] > 0) p.off = -p.off;
        p.root = p.hidden ? bytes32(random(seed, 4)) : NaiveTree.rootOf(_proposedLeaves(p));
        proposed = p;
        if (p.hidden) ++seen[uint256(Outcome.HiddenModelProposed)];
        if (p.wrong) ++seen[uint256(Outcome.WrongModelProposed)];
        vm.prank(people[personAt[seat]].operator);
        federation.propose(round.number, round.attempts + 1, seat, p.root, "");
        round.attempts += 1;
        (round.proposer, round.proposedAt, round.proposal) = (uint8(seat), uint40(time()), p.root);
    }

    function _proofOf(uint256 leaf) private view returns (bytes memory proof) {
        for (uint256 seat = 0; seat < PEOPLE; ++seat) {
            if (!_has(round.accepted, seat)) continue;
            proof = bytes.concat(proof, _opening(_updateLeaves(drafts[round.number][seat]), leaf));
        }
        return bytes.concat(proof, _opening(_modelLeaves(values), leaf), _opening(_proposedLeaves(proposed), leaf));
    }

    function _challengeBy(address by) private {
        bytes memory proof = _proofOf(proposed.leaf);
        vm.prank(by);
        federation.challenge(proposed.leaf, proposed.coordinate, proof);
        ++seen[uint256(Outcome.FellByProof)];
        _bookFall(time(), by);
    }

    function _demandBy(address by, uint256 seed) private {
        uint256 leaf = random(seed, 1) % (1 << t.depth);
        IRoundFacts.Artifact artifact_ = IRoundFacts.Artifact(seed % 3);
        bool update = artifact_ == IRoundFacts.Artifact.Update;
        if (update && round.accepted == 0) return;
        _demandOf(by, artifact_, update ? _pick(round.accepted, seed) : 0, leaf);
    }

    function _demandOf(address by, IRoundFacts.Artifact artifact_, uint256 seat, uint256 leaf) private {
        for (uint256 i = 0; i < demands.length; ++i) {
            Demand storage d = demands[i];
            bool same = d.artifact == artifact_ && d.seat == seat && d.leaf == leaf;
            if (same && _standingDemand(i)) return;
        }
        vm.prank(by);
        federation.demand(round.number, round.attempts, artifact_, seat, leaf);
        if (credits[by] > 0 && t.demandDeposit > 0) ++seen[uint256(Outcome.DepositFromCredit)];
        credits[by] -= credits[by] < t.demandDeposit ? credits[by] : t.demandDeposit;
        round.openDemands += 1;
        demands.push(Demand(round.number, round.attempts, artifact_, seat, leaf, by, time() + t.answerWindow));
    }

    function _answer(uint256 i, address by) private {
        Demand memory d = demands[i];
        bytes[] memory leaves = d.artifact == IRoundFacts.Artifact.Update
            ? _updateLeaves(drafts[d.round][d.seat])
            : d.artifact == IRoundFacts.Artifact.Previous ? _modelLeaves(values) : _proposedLeaves(proposed);
        (, bytes memory path) = NaiveTree.open(leaves, d.leaf);
        vm.prank(by);
        federation.answer(d.artifact, d.seat, d.leaf, leaves[d.leaf], path);
        ++seen[uint256(Outcome.AnsweredInTime)];
        round.openDemands -= 1;
        _drop(i);
        _bookCredit(by, t.demandDeposit);
    }

    function _drop(uint256 i) private {
        demands[i] = demands[demands.length - 1];
        demands.pop();
    }

    function _expire(uint256 i) private {
        Demand memory d = demands[i];
        federation.expire(d.artifact, d.seat, d.leaf);
        uint256 end = round.proposedAt + t.challengeWindow;
        ++seen[uint256(Outcome.FellByExpiry)];
        _drop(i);
        _bookFall(time() < end ? time() : end, d.demander);
        _bookCredit(d.demander, t.demandDeposit);
    }

    function _reclaim(uint256 i) private {
        Demand memory d = demands[i];
        federation.reclaim(d.round, d.attempt, d.artifact, d.seat, d.leaf);
        ++seen[uint256(Outcome.DepositBack)];
        _drop(i);
        _bookCredit(d.demander, t.demandDeposit);
    }

    function _finalize() private {
        _bookedEnd();
        federation.finalize();
    }

    function _bookedEnd() private {
        (IRoundFacts.Phase phase,) = _now();
        Outcome outcome = Outcome.NobodyProposed;
        if (phase == IRoundFacts.Phase.Void) {
            if (round.drawnAt == 0) outcome = round.voided ? Outcome.VoidTooFewReveals : Outcome.VoidNotDrawn;
            else outcome = round.voided ? Outcome.VoidNoMajority : Outcome.VoidNotSettled;
        } else if (round.proposedAt != 0) {
            outcome = round.openDemands == 0 ? Outcome.Adopted : Outcome.FellByClock;
        } else if (round.attempts == t.maxAttempts) {
            outcome = Outcome.OutOfAttempts;
        }
        ++seen[uint256(outcome)];
        _bookEnd();
    }

    // ---- time

    /// @dev A little, to a demand's deadline, to the last second of the phase, or to the first of the next; never over what
    /// an honest person owes.
    function _pass(uint256 seed) private {
        (, uint256 end) = _now();
        uint256 target = time() + 1 + random(seed, 1) % 40;
        if (seed % 6 == 0 && end > time() + 1) target = end - 1;
        if (seed % 6 >= 4 && end != 0) target = end;
        if (seed % 2 == 1 && demands.length > 0 && demands[0].deadline > time()) target = demands[0].deadline;
        if (end != 0 && target > end) target = end;
        _passTo(target);
    }

    function _passTo(uint256 target) private {
        _duties(target);
        (, uint256 end) = _now();
        if (end != 0 && target > end) target = end;
        mine(1);
        vm.warp(target);
    }

    /// @dev What the honest do before `target`, if they have not done it yet.
    function _duties(uint256 target) private {
        (IRoundFacts.Phase phase, uint256 end) = _now();
        if (phase == IRoundFacts.Phase.Challenge) return _checkerDuties(target, end);
        if (end == 0 || target < end) return;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (phase == IRoundFacts.Phase.Commit && _honestSeat(i) && _has(_uncommitted(false) & ~_drafted(1), i)) {
                _commitBy(i, random(target, i));
            }
            if (phase == IRoundFacts.Phase.Reveal && _honestSeat(i) && _has(_drafted(1), i)) _revealBy(i);
            if (phase == IRoundFacts.Phase.Show && _honestSeat(i) && _has(_reporters(), i)) _reportBy(i, target);
            if (i >= t.committee || round.drawnAt == 0 || !_honestSeat(_seatAt(i))) continue;
            if (phase == IRoundFacts.Phase.ScoreCommit && _has(_voted(0), i)) _commitVote(i, random(target, i));
            if (phase == IRoundFacts.Phase.ScoreReveal && _has(_voted(1), i)) _revealVote(i);
        }
    }

    function _honestSeat(uint256 seat) private view returns (bool) {
        (uint256 taken,,) = _sets();
        return _has(taken, seat) && personAt[seat] < HONEST;
    }

    /// @dev One checker suffices: it demands what nobody shows, and disproves what is wrong. The honest answer.
    function _checkerDuties(uint256 target, uint256 end) private {
        for (uint256 i = 0; i < demands.length;) {
            if (target >= demands[i].deadline && _has(_answerable(), i)) _answer(i, CHECKER); // another takes its place
            else ++i;
        }
        if (_anyWithheld()) {
            if (target < _lastDemand() || time() >= _lastDemand()) return;
            if (proposed.hidden) _demandOf(CHECKER, IRoundFacts.Artifact.Proposed, 0, 0);
            else _demandOf(CHECKER, IRoundFacts.Artifact.Update, _pick(_withheldUpdates(), 0), 0);
        } else if (proposed.wrong && target >= end) {
            _challengeBy(CHECKER);
        }
    }

    // ---- what must not work

    /// @notice Tries something that the rules forbid now; that it is refused is the claim.
    function refuse(uint256 seed) external {
        uint256[CALLS] memory w = _weights();
        (IRoundFacts.Phase phase,) = _now();
        uint256 seat = random(seed, 1) % PEOPLE;
        (uint256 taken,,) = _sets();
        address operator = _has(taken, seat) ? people[personAt[seat]].operator : STRANGER;
        Draft storage d = drafts[round.number][seat];
        uint256 kind = seed % 17;
        if (kind == 0 && w[uint256(Act.OpenRound)] == 0) _refused(STRANGER, abi.encodeCall(IRounds.openRound, ()));
        uint256 number = round.number;
        if (kind == 1) {
            bool legal = phase == IRoundFacts.Phase.Commit && _has(round.active, seat);
            _refused(operator, abi.encodeCall(IRounds.commit, (legal ? number + 1 : number, seat, d.root)));
        }
        if (kind == 2 && !(phase == IRoundFacts.Phase.Reveal && d.state == 1)) {
            _refused(STRANGER, abi.encodeCall(IRounds.reveal, (seat, d.root, d.salt, "")));
        }
        if (kind == 3 && w[uint256(Act.Close)] == 0) _refused(STRANGER, abi.encodeCall(IRounds.close, ()));
        if (kind == 4 && w[uint256(Act.Draw)] == 0) _refused(STRANGER, abi.encodeCall(IRounds.draw, (_header(vm.getBlockNumber() - 1))));
        if (kind == 5 && phase != IRoundFacts.Phase.ScoreCommit) {
            _refused(operator, abi.encodeCall(IRounds.commitScores, (number, seat, d.root)));
        }
        if (kind == 6 && phase != IRoundFacts.Phase.Settle) {
            _refused(STRANGER, abi.encodeCall(IRounds.settle, (new bytes[](0))));
        }
        if (kind == 7) {
            uint256 late = phase == IRoundFacts.Phase.Propose && _has(_proposers(), seat) ? 1 + seed / 16 % 2 : 0;
            uint256 attempt = late == 1 ? round.attempts : round.attempts + 1;
            bytes memory call = abi.encodeCall(IRounds.propose, (late == 2 ? number - 1 : number, attempt, seat, "root", ""));
            _refused(operator, call);
        }
        if (kind == 8) _refuseChallenge(phase, seed);
        if (kind == 9 && phase < IRoundFacts.Phase.Final) _refused(STRANGER, abi.encodeCall(IRounds.finalize, ()));
        if (kind == 10 && w[uint256(Act.Refund)] == 0) _refused(STRANGER, abi.encodeCall(IRounds.refund, ()));
        if (kind == 11) _refused(seat == 0 ? CHECKER : _owner(seat), abi.encodeCall(IRounds.conclude, ()));
        if (kind == 12) _refuseDemand(phase, seed);
        if (kind == 13 && demands.length > 0) _refuseHaste(seed % demands.length);
        if (kind == 16 && (phase != IRoundFacts.Phase.Show || !_has(round.revealed, seat))) {
            _refused(operator, abi.encodeCall(IExclusions.reportMissing, (number, seat, round.accepted)));
        }
        if ((kind == 14 || kind == 15) && people[seat].seated) _refuseOwner(seat, seed);
    }

    function _refused(address by, bytes memory data) private {
        ++seen[uint256(Outcome.Refused)];
        vm.prank(by);
        (bool ok,) = address(federation).call(data);
        assertTrue(!ok, "should be refused");
    }

    /// @dev A right number, or out of its time, or with a proof that shows something else.
    function _refuseChallenge(IRoundFacts.Phase phase, uint256 seed) private {
        uint256 leaf = random(seed, 2) % (1 << t.depth);
        uint256 coordinate = random(seed, 3) % 256;
        if (proposed.wrong && leaf == proposed.leaf && coordinate == proposed.coordinate) {
            if (phase == IRoundFacts.Phase.Challenge) return;
        }
        _refused(CHECKER, abi.encodeCall(IDisputes.challenge, (leaf, coordinate, _proofOf(leaf))));
    }

    function _refuseDemand(IRoundFacts.Phase phase, uint256 seed) private {
        bool inTime = phase == IRoundFacts.Phase.Challenge && time() < _lastDemand();
        (uint256 number, uint256 attempt) = (round.number, inTime ? round.attempts + 1 : round.attempts);
        _refused(CHECKER, abi.encodeCall(IDisputes.demand, (number, attempt, IRoundFacts.Artifact.Proposed, 0, 0)));
        uint256 seat = random(seed, 2) % 128;
        if (!_has(round.accepted, seat)) {
            bytes memory call = abi.encodeCall(IDisputes.demand, (number, round.attempts, IRoundFacts.Artifact.Update, seat, 0));
            _refused(CHECKER, call);
        }
    }

    /// @dev What would take the deposit or topple the proposal too early, or twice.
    function _refuseHaste(uint256 i) private {
        Demand memory d = demands[i];
        if (_standingDemand(i)) {
            bytes memory call = abi.encodeCall(IDisputes.reclaim, (d.round, d.attempt, d.artifact, d.seat, d.leaf));
            _refused(d.demander, call);
            bytes memory other = _shortLeaf(d.artifact);
            bytes memory path = new bytes(32 * t.depth);
            _refused(STRANGER, abi.encodeCall(IDisputes.answer, (d.artifact, d.seat, d.leaf, other, path)));
        }
        if (!_has(_expired(), i) && d.round == round.number && d.attempt == round.attempts) {
            _refused(d.demander, abi.encodeCall(IDisputes.expire, (d.artifact, d.seat, d.leaf)));
        }
    }

    function _shortLeaf(IRoundFacts.Artifact artifact_) private pure returns (bytes memory) {
        return new bytes(artifact_ == IRoundFacts.Artifact.Update ? 263 : 1023);
    }

    function _refuseOwner(uint256 p, uint256 seed) private {
        uint256 seat = people[p].seat;
        address other = _owner((p + 1) % PEOPLE);
        if (seed % 5 == 0) _refused(other, abi.encodeCall(IStakes.withdraw, (seat, other)));
        if (seed % 5 == 1) _refused(other, abi.encodeCall(IStakes.claim, (seat, other)));
        if (seed % 5 == 2) _refused(SPONSOR, abi.encodeCall(IStakes.setOperator, (seat, SPONSOR)));
        if (seed % 5 == 3) _refused(other, abi.encodeCall(IStakes.exit, (seat)));
        if (seed % 5 == 4 && !_has(_free(), p)) _refused(_owner(p), abi.encodeCall(IStakes.withdraw, (seat, other)));
    }

    // ---- the end of everything

    /// @notice Time passes, everybody leaves and takes what is theirs; nothing is left but what was given away.
    function drain() external {
        for (uint256 i = 0; round.live; ++i) {
            assertLe(i, 40, "every round ends");
            (IRoundFacts.Phase phase, uint256 end) = _now();
            if (phase >= IRoundFacts.Phase.Final) _finalize();
            else _passTo(end);
        }
        if (!concluded) _conclude();
        if (pool + kept > 0) _refund();
        while (demands.length > 0) _reclaim(0);
        for (uint256 p = 0; p < PEOPLE; ++p) {
            if (!people[p].seated) continue;
            if (!people[p].leaving) _exit(p);
            _withdraw(p);
        }
        for (uint256 i = 0; i < accounts.length; ++i) if (credits[accounts[i]] > 0) _claimCredit(i);
        if (slashed > 0) _sweep();
        _watch();
        assertEq(token.balanceOf(address(federation)), donated, "drained");
        assertEq(_sum(_accounting()), 0, "empty accounting");
    }

    function rounds() external view returns (uint256) {
        return round.number;
    }

    function seatOf(uint256 p) external view returns (uint256) {
        return people[p].seated ? people[p].seat : NOBODY;
    }

    function subject() external view returns (address) {
        return address(federation);
    }
}
