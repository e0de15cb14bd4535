// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {Files} from "../base/Files.sol";
import {System} from "../base/System.sol";
import {NaiveNumbers} from "../reference/NaiveNumbers.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";

/// @dev From a proposal to the model.
contract FraudTest is System {
    uint256 private constant N = 4;
    IRoundFacts.Artifact private constant PROPOSED = IRoundFacts.Artifact.Proposed;
    IRoundFacts.Artifact private constant PREVIOUS = IRoundFacts.Artifact.Previous;
    IRoundFacts.Artifact private constant UPDATE = IRoundFacts.Artifact.Update;

    function setUp() public {
        Terms memory terms = _toyTerms();
        terms.depth = 1;
        _start(terms);
    }

    function _start(Terms memory terms) private {
        _create(terms);
        _join(N);
        _fund(10 * _cost(N));
        _rich(CHECKER, 1e9);
    }

    function _demand(IRoundFacts.Artifact artifact, uint256 seat, uint256 leaf) private {
        vm.prank(CHECKER);
        federation.demand(1, 1, artifact, seat, leaf);
    }

    function _answer(IRoundFacts.Artifact artifact, uint256 seat, uint256 leaf, bytes[] memory file) private {
        (, bytes memory path) = NaiveTree.open(file, leaf);
        vm.prank(STRANGER);
        federation.answer(artifact, seat, leaf, file[leaf], path);
    }

    // ---- propose

    function test_propose_refusals() public {
        _toPropose(N, 200);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotOperator.selector, 0, _operator(0), STRANGER));
        vm.prank(STRANGER);
        federation.propose(1, 1, 0, "root", "");
        vm.expectRevert(IRoundFacts.ZeroRoot.selector);
        vm.prank(_operator(0));
        federation.propose(1, 1, 0, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.LocatorTooLong.selector, 65, 64));
        vm.prank(_operator(0));
        federation.propose(1, 1, 0, "root", new bytes(65));
        vm.prank(_owner(0));
        federation.exit(0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotEligible.selector, 0));
        vm.prank(_operator(0));
        federation.propose(1, 1, 0, "root", "");
        vm.prank(_operator(1));
        federation.propose(1, 1, 1, "root", new bytes(64));
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Propose, IRoundFacts.Phase.Challenge));
        vm.prank(_operator(2));
        federation.propose(1, 1, 2, "root", "");
    }

    /// @dev What waited in a mempool counts in no other round, for no other attempt and against no other proposal.
    function test_propose_andDemand_onlyWhereTheyBelong(uint256 other) public {
        vm.assume(other != 1);
        _toPropose(N, 200);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, other, 1));
        vm.prank(_operator(0));
        federation.propose(other, 1, 0, "root", "");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongAttempt.selector, other, 1));
        vm.prank(_operator(0));
        federation.propose(1, other, 0, "root", "");
        vm.prank(_operator(0));
        federation.propose(1, 1, 0, "root", "");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, other, 1));
        vm.prank(CHECKER);
        federation.demand(other, 1, IRoundFacts.Artifact.Proposed, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongAttempt.selector, other, 1));
        vm.prank(CHECKER);
        federation.demand(1, other, IRoundFacts.Artifact.Proposed, 0, 0);
    }

    /// @dev A seat that joined while the round was open has nothing to do with its model.
    function test_propose_notByASeatThatJoinedLater() public {
        _toPropose(N, 200);
        _joinWith(t.minStake);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotActive.selector, 1, N));
        vm.prank(_operator(N));
        federation.propose(1, 1, N, "root", "");
    }

    function test_propose_nobodyInTimeLeavesTheModel() public {
        bytes32 before = federation.model();
        _toPropose(N, 200);
        _skip();
        _assertPhase(IRoundFacts.Phase.Final);
        federation.finalize();
        assertEq(federation.model(), before, "model");
        _assertPhase(IRoundFacts.Phase.Idle);
    }

    function test_propose_attemptsRunOut() public {
        _toPropose(N, 200);
        for (uint256 seat = 0; seat < 3; ++seat) {
            bytes[] memory wrong = _aggregate();
            Files.put(wrong[1], 9, 1_000_000);
            _propose(seat, wrong);
            bytes memory proof = _proof(1);
            vm.prank(CHECKER);
            federation.challenge(1, 9, proof);
            if (seat < 2) {
                vm.expectRevert(abi.encodeWithSelector(IRoundFacts.ProposerFell.selector, seat));
                vm.prank(_operator(seat));
                federation.propose(1, seat + 2, seat, "root", "");
            }
        }
        _assertPhase(IRoundFacts.Phase.Final);
        bytes32 before = federation.model();
        federation.finalize();
        assertEq(federation.model(), before, "model");
        assertEq(federation.credits(CHECKER), 3 * t.challengeFee, "costs");
        assertEq(_slashed(), 3 * (t.fraudSlash - t.challengeFee), "the rest is burnt");
    }

    // ---- challenge

    /// @dev Random files, some of them malformed: every right number stands, every wrong one falls.
    /// forge-config: default.fuzz.runs = 32
    function test_challenge_judgesEveryCoordinate(uint256 seed) public {
        Terms memory terms = _toyTerms();
        (terms.depth, terms.trim) = (seed % 3, (seed >> 8) % 3);
        _start(terms);
        for (uint256 seat = 0; seat < N; ++seat) {
            delete updates[seat];
            for (uint256 leaf = 0; leaf < 1 << t.depth; ++leaf) {
                bytes memory content = Files.noise(random(random(seed, seat), leaf), 264);
                for (uint256 i = 0; i < 8; ++i) content[i] = bytes1(uint8(content[i]) % 18); // 17 is too large
                for (uint256 i = 8; i < 232; ++i) {
                    if (content[i] == 0x80) content[i] = 0x81; // the last block may keep its -128
                }
                updates[seat].push(content);
            }
        }
        _toPropose(N, 200);
        bytes[] memory next = _aggregate();
        uint256 wrongLeaf = (seed >> 16) % next.length;
        uint256 wrongAt = (seed >> 32) % 256;
        int256 right = NaiveNumbers.modelValue(next[wrongLeaf], wrongAt);
        int256 wrong = int32(int256(seed >> 40));
        if (wrong == right) return;
        Files.put(next[wrongLeaf], wrongAt, wrong);
        _propose(0, next);

        for (uint256 i = 0; i < 6; ++i) {
            uint256 leaf = random(seed, i) % next.length;
            uint256 coordinate = random(seed, i + 100) % 256;
            if (leaf == wrongLeaf && coordinate == wrongAt) continue;
            int256 value = NaiveNumbers.modelValue(next[leaf], coordinate);
            bytes memory sound = _proof(leaf);
            vm.expectRevert(abi.encodeWithSelector(IRoundFacts.CoordinateCorrect.selector, value));
            federation.challenge(leaf, coordinate, sound);
        }
        bytes memory proof = _proof(wrongLeaf);
        vm.expectEmit(address(federation));
        emit IRoundFacts.ProposalFell(1, 1, 0, CHECKER);
        vm.expectEmit(address(federation));
        emit IStakesFacts.Slashed(0, IStakesFacts.Offence.Fraud, t.fraudSlash, t.minStake - t.fraudSlash);
        vm.prank(CHECKER);
        federation.challenge(wrongLeaf, wrongAt, proof);
        assertEq(federation.credits(CHECKER), t.challengeFee, "fee");
        _assertPhase(IRoundFacts.Phase.Propose);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_challenge_refusals(uint256 where) public {
        _toPropose(N, 200);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Challenge, IRoundFacts.Phase.Propose));
        federation.challenge(0, 0, "");
        _propose(0, _aggregate());
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.CoordinateOutOfRange.selector, 256));
        federation.challenge(0, 256, "");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.LeafOutOfRange.selector, 2, 2));
        federation.challenge(2, 0, "");
        bytes memory proof = _proof(1);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongProofLength.selector, proof.length, 0));
        federation.challenge(1, 0, "");
        vm.expectPartialRevert(IRoundFacts.WrongProofLength.selector);
        federation.challenge(1, 0, bytes.concat(proof, "x"));
        // One bit flipped anywhere names the file it is in.
        where %= proof.length;
        proof[where] ^= bytes1(uint8(1 << (where % 8)));
        uint256 part = where / 296;
        bytes memory reason = part < N
            ? abi.encodeWithSelector(IRoundFacts.WrongLeaf.selector, UPDATE, part)
            : abi.encodeWithSelector(IRoundFacts.WrongLeaf.selector, where < N * 296 + 1056 ? PREVIOUS : PROPOSED, 0);
        vm.expectRevert(reason);
        federation.challenge(1, 0, proof);
    }

    function test_challenge_notAfterTheWindow() public {
        _toChallenge(N, 1);
        bytes memory proof = _proof(0);
        _skip();
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Challenge, IRoundFacts.Phase.Final));
        federation.challenge(0, 0, proof);
    }

    // ---- finalize

    function test_finalize_adoptsAndPays() public {
        _toChallenge(N, 0);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Final, IRoundFacts.Phase.Challenge));
        federation.finalize();
        _skip();
        uint256 earned = federation.seatInfo(0).earned;
        bytes32 root = _round().proposal;
        vm.expectEmit(address(federation));
        emit IRoundFacts.Finalized(1, root, true);
        federation.finalize();
        assertEq(federation.model(), root, "adopted");
        assertEq(federation.seatInfo(0).earned, earned + t.proposerFee, "fee");
        (,,,,,,, uint256 pot) = federation.accounting();
        assertEq(pot, 0, "pot");
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Final, IRoundFacts.Phase.Idle));
        federation.finalize();
    }

    // ---- demand and answer

    function test_demand_refusals() public {
        _toPropose(N, 200);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Challenge, IRoundFacts.Phase.Propose));
        _demand(PROPOSED, 0, 0);
        _propose(0, _aggregate());
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.LeafOutOfRange.selector, 2, 2));
        _demand(PROPOSED, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotAccepted.selector, 1));
        _demand(PROPOSED, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotAccepted.selector, N));
        _demand(UPDATE, N, 0);
        _demand(UPDATE, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.DemandOpen.selector, UPDATE, 1, 0));
        _demand(UPDATE, 1, 0);
        uint256 last = federation.phaseEnd() - 2 * t.answerWindow;
        vm.warp(last - 1);
        _demand(UPDATE, 2, 0);
        vm.warp(last);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.DemandTooLate.selector, last, last));
        _demand(UPDATE, 3, 0);
    }

    function test_answer_earnsTheDeposit() public {
        _toChallenge(N, 0);
        _demand(UPDATE, 2, 1);
        _demand(PREVIOUS, 0, 0);
        _demand(PROPOSED, 0, 1);
        (address by, uint256 deadline) = federation.demandInfo(UPDATE, 2, 1);
        assertEq(by, CHECKER, "demander");
        assertEq(deadline, time() + t.answerWindow, "deadline");
        (,,,, uint256 deposits,,,) = federation.accounting();
        assertEq(deposits, 3 * t.demandDeposit, "held");
        vm.warp(deadline - 1);
        _answer(UPDATE, 2, 1, updates[2]);
        _answer(PREVIOUS, 0, 0, model);
        _answer(PROPOSED, 0, 1, proposal);
        assertEq(federation.credits(STRANGER), 3 * t.demandDeposit, "earned");
        (by,) = federation.demandInfo(UPDATE, 2, 1);
        assertEq(by, address(0), "done");
        _skip();
        _assertPhase(IRoundFacts.Phase.Final);
        federation.finalize();
        assertEq(federation.model(), NaiveTree.rootOf(proposal), "adopted");
    }

    function test_demand_takesCreditFirst(uint16 credit) public {
        _toChallenge(N, 0);
        if (credit > 0) {
            _rich(SPONSOR, credit);
            vm.prank(SPONSOR);
            federation.give(CHECKER, credit);
        }
        uint256 before = token.balanceOf(CHECKER);
        uint256 used = credit < t.demandDeposit ? credit : t.demandDeposit;
        _demand(PROPOSED, 0, 0);
        assertEq(federation.credits(CHECKER), credit - used, "what is left of it");
        assertEq(token.balanceOf(CHECKER), before - (t.demandDeposit - used), "the rest");
    }

    function test_answer_refusals() public {
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Challenge, IRoundFacts.Phase.Idle));
        federation.answer(PROPOSED, 0, 0, "", "");
        _toChallenge(N, 0);
        (, bytes memory path) = NaiveTree.open(proposal, 0);
        bytes memory leaf = proposal[0];
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NoDemand.selector, PROPOSED, 0, 0));
        federation.answer(PROPOSED, 0, 0, leaf, path);
        _demand(PROPOSED, 0, 0);
        _demand(UPDATE, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongProofLength.selector, 1024, 264));
        federation.answer(PROPOSED, 0, 0, new bytes(264), path);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongProofLength.selector, 264, 1024));
        federation.answer(UPDATE, 1, 0, leaf, path);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongProofLength.selector, 32, 64));
        federation.answer(PROPOSED, 0, 0, leaf, bytes.concat(path, path));
        leaf[7] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongLeaf.selector, PROPOSED, 0));
        federation.answer(PROPOSED, 0, 0, leaf, path);
        leaf[7] ^= 0x01;
        uint256 deadline = time() + t.answerWindow;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.AnswerTooLate.selector, deadline, deadline));
        federation.answer(PROPOSED, 0, 0, leaf, path);
    }

    // ---- a demand without an answer

    function test_expire_topplesTheProposal() public {
        _toChallenge(N, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NoDemand.selector, PROPOSED, 0, 0));
        federation.expire(PROPOSED, 0, 0);
        _demand(PROPOSED, 0, 0);
        uint256 deadline = time() + t.answerWindow;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.AnswerPending.selector, deadline - 1, deadline));
        federation.expire(PROPOSED, 0, 0);
        vm.warp(deadline);
        vm.prank(STRANGER);
        federation.expire(PROPOSED, 0, 0);
        assertEq(federation.credits(CHECKER), t.challengeFee + t.demandDeposit, "the demander is paid");
        assertEq(_stake(0), t.minStake - t.fraudSlash, "slashed");
        _assertPhase(IRoundFacts.Phase.Propose);
        assertEq(federation.phaseEnd(), deadline + t.proposeWindow, "from now on");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NoDemand.selector, PROPOSED, 0, 0));
        federation.expire(PROPOSED, 0, 0);
    }

    /// @dev Nobody calls: the clock topples it, and the next proposal records that.
    function test_demand_unansweredFallsByTheClock() public {
        _toChallenge(N, 0);
        _demand(PROPOSED, 0, 0);
        uint256 end = federation.phaseEnd();
        vm.warp(end);
        _assertPhase(IRoundFacts.Phase.Propose);
        assertEq(federation.phaseEnd(), end + t.proposeWindow, "since the window closed");
        _propose(1, _aggregate());
        assertEq(_stake(0), t.minStake - t.fraudSlash, "booked");
        assertEq(federation.credits(CHECKER), 0, "nobody proved it");
        vm.prank(STRANGER);
        federation.reclaim(1, 1, PROPOSED, 0, 0);
        assertEq(federation.credits(CHECKER), t.demandDeposit, "the deposit is back");
        _skip();
        federation.finalize();
        assertEq(federation.model(), NaiveTree.rootOf(proposal), "the second");
    }

    function test_demand_unansweredFallsAtTheEnd() public {
        bytes32 before = federation.model();
        _toChallenge(N, 0);
        _demand(PROPOSED, 0, 0);
        vm.warp(federation.phaseEnd() + t.proposeWindow);
        _assertPhase(IRoundFacts.Phase.Final);
        vm.expectEmit(address(federation));
        emit IRoundFacts.Finalized(1, before, false);
        federation.finalize();
        assertEq(_stake(0), t.minStake - t.fraudSlash, "booked");
        assertEq(federation.model(), before, "model");
    }

    function test_reclaim_refusals() public {
        _toChallenge(N, 1);
        _demand(UPDATE, 3, 0);
        _demand(PREVIOUS, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.ProposalStands.selector, 1, 1));
        federation.reclaim(1, 1, UPDATE, 3, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NoDemand.selector, UPDATE, 3, 0));
        federation.reclaim(1, 2, UPDATE, 3, 0);
        bytes memory proof = _proof(0);
        vm.prank(STRANGER);
        federation.challenge(0, 0, proof);
        (address by,) = federation.demandInfo(UPDATE, 3, 0);
        assertEq(by, address(0), "no proposal, no demand");
        federation.reclaim(1, 1, UPDATE, 3, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NoDemand.selector, UPDATE, 3, 0));
        federation.reclaim(1, 1, UPDATE, 3, 0);
        bytes[] memory right = _aggregate();
        _propose(1, right);
        federation.reclaim(1, 1, PREVIOUS, 0, 1); // the first attempt fell; that the second stands is no matter
        assertEq(federation.credits(CHECKER), 2 * t.demandDeposit, "both");
        _skip();
        federation.finalize();
        (,,,, uint256 deposits,,,) = federation.accounting();
        assertEq(deposits, 0, "none held");
    }

    function test_demand_withoutADeposit() public {
        Terms memory terms = _toyTerms();
        terms.depth = 1;
        terms.demandDeposit = 0;
        _start(terms);
        _toChallenge(N, 0);
        _demand(UPDATE, 2, 1);
        _demand(UPDATE, 3, 1);
        _answer(UPDATE, 2, 1, updates[2]);
        assertEq(federation.credits(STRANGER), 0, "for nothing");
        vm.warp(time() + t.answerWindow);
        federation.expire(UPDATE, 3, 1);
        assertEq(federation.credits(CHECKER), t.challengeFee, "the fee alone");
    }

    // ---- a slash takes what is there

    function test_slash_neverTakesMoreThanTheStake() public {
        _toPropose(N, 200);
        bytes[] memory wrong = _aggregate();
        Files.put(wrong[0], 0, 1_000_000);
        _propose(0, wrong);
        // No run of slashes gets here under terms that were checked: a smaller stake is planted.
        bytes32 slot = keccak256(abi.encode(0, 0));
        vm.store(address(federation), slot, bytes32((uint256(5_000) << 160) | uint160(_owner(0))));
        bytes memory proof = _proof(0);
        vm.prank(CHECKER);
        federation.challenge(0, 0, proof);
        assertEq(_stake(0), 0, "all");
        assertEq(federation.credits(CHECKER), 5_000, "the fee is no more than was there");
        assertEq(_slashed(), 0, "nothing is left to burn");
    }
}
