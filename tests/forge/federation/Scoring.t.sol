// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {System} from "../base/System.sol";
import {NaiveScores} from "../reference/NaiveScores.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";

/// @dev From the draw to the pay.
contract ScoringTest is System {
    uint256 private constant N = 5;

    function setUp() public {
        _create(_toyTerms());
        _join(N);
        _fund(10 * _cost(N));
    }

    // ---- commit and reveal

    function test_commitScores_onlyDrawnSeats() public {
        _toScores(N);
        uint256[] memory committee = _committee();
        uint256 outsider;
        while (outsider == committee[0] || outsider == committee[1] || outsider == committee[2]) ++outsider;
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotDrawn.selector, 1, outsider));
        vm.prank(_operator(outsider));
        federation.commitScores(1, outsider, "x");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, 2, 1));
        vm.prank(_operator(committee[0]));
        federation.commitScores(2, committee[0], "x");
        vm.expectRevert(
            abi.encodeWithSelector(IStakesFacts.NotOperator.selector, committee[0], _operator(committee[0]), STRANGER)
        );
        vm.prank(STRANGER);
        federation.commitScores(1, committee[0], "x");
        _commitScores(committee[0], new bytes(N));
        (uint256 state,) = federation.scoreRecordOf(0);
        assertEq(state, 1, "committed");
        _skip();
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.ScoreCommit, IRoundFacts.Phase.ScoreReveal));
        vm.prank(_operator(committee[0]));
        federation.commitScores(1, committee[0], "x");
    }

    function test_revealScores_refusals() public {
        _toScores(N);
        uint256[] memory committee = _committee();
        uint256 seat = committee[0];
        bytes memory scores = hex"0102030405";
        _commitScores(seat, scores);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.ScoreReveal, IRoundFacts.Phase.ScoreCommit));
        federation.revealScores(seat, scores, _salt(seat));
        _skip();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongScoresLength.selector, N, N - 1));
        federation.revealScores(seat, new bytes(N - 1), _salt(seat));
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NothingCommitted.selector, 1, committee[1]));
        federation.revealScores(committee[1], scores, _salt(committee[1]));
        bytes32 held = _scoresCommitment(seat, scores);
        bytes32 other = _scoresCommitment(seat, hex"0102030406");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongOpening.selector, bytes28(held), other));
        federation.revealScores(seat, hex"0102030406", _salt(seat));
        federation.revealScores(seat, scores, _salt(seat));
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.AlreadyRevealed.selector, 1, seat));
        federation.revealScores(seat, scores, _salt(seat));
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotDrawn.selector, 1, 77));
        federation.revealScores(77, scores, _salt(77));
    }

    // ---- settle

    /// @dev Random scores: medians, accepted set, every pay and the pot are as the naive rules say.
    function test_settle_paysByTheNaiveRules(uint256 seed) public {
        _toScores(N);
        uint256[] memory committee = _committee();
        bytes[] memory scores = new bytes[](3);
        for (uint256 v = 0; v < 3; ++v) {
            scores[v] = new bytes(N);
            for (uint256 i = 0; i < N; ++i) {
                uint256 value = random(random(seed, v), i);
                scores[v][i] = bytes1(uint8(value % 3 == 0 ? 0 : seed % 2 == 0 ? value >> 8 : 100 + (value >> 8) % 9));
            }
            _commitScores(committee[v], scores[v]);
        }
        _skip();
        for (uint256 v = 0; v < 3; ++v) _revealScores(committee[v]);
        _skip();
        federation.settle(scores);

        uint256[] memory seats = NaiveSeats.list(31);
        uint256[] memory medians = new uint256[](N);
        uint256[] memory expected = new uint256[](N);
        uint256 accepted;
        uint256 paid;
        for (uint256 i = 0; i < N; ++i) {
            medians[i] = NaiveScores.median(scores, committee, i, i);
            if (medians[i] > 0) accepted += 2 ** i;
            expected[i] = NaiveScores.trainerPay(t.trainerRate, medians[i]);
        }
        for (uint256 v = 0; v < 3; ++v) {
            uint256 distance = NaiveScores.distance(scores, committee, v, seats);
            expected[committee[v]] += NaiveScores.validatorPay(t.validatorRate, t.strictness, distance, N - 1);
        }
        for (uint256 i = 0; i < N; ++i) {
            assertEq(federation.seatInfo(i).earned, expected[i], "earned");
            paid += expected[i];
        }
        assertEq(_round().accepted, accepted, "accepted");
        (, uint256 earned,,,,,, uint256 pot) = federation.accounting();
        assertEq(earned, paid, "earned");
        assertEq(pot, _cost(N) - paid, "pot");
    }

    function test_settle_wantsTheVeryVectors() public {
        _toSettle(N, 200);
        bytes[] memory shown = _shown();
        bytes[] memory fewer = new bytes[](2);
        (fewer[0], fewer[1]) = (shown[0], shown[1]);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongScores.selector, 2));
        federation.settle(fewer);
        bytes[] memory more = new bytes[](4);
        (more[0], more[1], more[2], more[3]) = (shown[0], shown[1], shown[2], shown[2]);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongScores.selector, 3));
        federation.settle(more);
        shown[1] = hex"0102030405";
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongScores.selector, 1));
        federation.settle(shown);
    }

    function test_settle_slashesTheSilent() public {
        _toScoreReveal(N, 200);
        uint256[] memory committee = _committee();
        _revealScores(committee[0]);
        _revealScores(committee[2]);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Settle, IRoundFacts.Phase.ScoreReveal));
        federation.settle(new bytes[](0));
        _skip();
        federation.settle(_shown());
        for (uint256 seat = 0; seat < N; ++seat) {
            assertEq(_stake(seat), seat == committee[1] ? t.minStake - t.noScoresSlash : t.minStake, "stake");
        }
        _assertPhase(IRoundFacts.Phase.Show);
    }

    function test_settle_voidsWithoutAMajority() public {
        _toScoreReveal(N, 200);
        uint256[] memory committee = _committee();
        _revealScores(committee[1]);
        _skip();
        bytes[] memory shown = _shown();
        vm.expectEmit(address(federation));
        emit IRoundFacts.Voided(1);
        federation.settle(shown);
        _assertPhase(IRoundFacts.Phase.Void);
        assertEq(_slashed(), 2 * t.noScoresSlash, "two silent");
        federation.finalize();
        assertEq(_slashed(), 2 * t.noScoresSlash, "once");
        assertEq(_kept(), _cost(N), "nobody paid");
    }

    function test_settle_neverCalledVoids() public {
        _toSettle(N, 200);
        _skip();
        _assertPhase(IRoundFacts.Phase.Void);
        federation.finalize();
        assertEq(_slashed(), 0, "they did reveal");
    }

    function test_scores_neverRevealedVoids() public {
        _toScoreReveal(N, 200);
        vm.warp(time() + t.scoreRevealWindow + t.settleWindow);
        federation.finalize();
        assertEq(_slashed(), 3 * t.noScoresSlash, "the clock saw them");
    }

    function test_settle_nobodyAccepted() public {
        _toPropose(N, 0);
        assertEq(_round().accepted, 0, "all left out");
        _propose(0, model);
        bytes memory proof = _proof(0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.CoordinateCorrect.selector, 0));
        federation.challenge(0, 3, proof); // of nobody: the model stays
        _skip();
        federation.finalize();
    }

    // ---- a full field

    function test_pay_beyondAPurseGoesToTheOwnersCredit() public {
        Terms memory terms = _toyTerms();
        terms.trainerRate = 2 ** 88;
        terms.validatorRate = 0;
        _create(terms);
        _join(3);
        _fund(type(uint128).max);
        uint256 rounds;
        while (federation.credits(_owner(0)) == 0) {
            // The field holds 2^96 / 2^88 rounds: start it nearly full.
            if (++rounds == 2) _fill(type(uint96).max - 1);
            _toPropose(3, 255);
            vm.warp(time() + t.proposeWindow);
            federation.finalize();
            assertLe(rounds, 3, "soon");
        }
        assertEq(federation.seatInfo(0).earned, type(uint96).max - 1, "earned stays");
        assertEq(federation.credits(_owner(0)), 2 ** 88, "credit");
        (, uint256 earned, uint256 credit,,,,,) = federation.accounting();
        assertEq(credit, 2 ** 88, "booked as credit");
        assertEq(earned, uint256(type(uint96).max) - 1 + 2 * 2 * 2 ** 88, "and not as pay");
    }

    /// @dev Puts money into what seat 0 earned, as many rounds would: the seat's second word, the accounting, and the token.
    function _fill(uint96 earned) private {
        uint96 more = earned - federation.seatInfo(0).earned;
        bytes32 slot = bytes32(uint256(keccak256(abi.encode(0, 0))) + 1);
        vm.store(address(federation), slot, bytes32((uint256(earned) << 160) | uint160(_operator(0))));
        bytes32 packed = vm.load(address(federation), bytes32(uint256(4)));
        vm.store(address(federation), bytes32(uint256(4)), bytes32(uint256(packed) + more));
        token.mint(address(federation), more);
        assertEq(federation.seatInfo(0).earned, earned, "filled");
    }
}
