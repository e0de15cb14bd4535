// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFederation, IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IFederationFactory} from "../../../contracts/interfaces/IFederationFactory.sol";
import {IAnnounced, IMaskedFederation} from "../../../contracts/interfaces/IMasked.sol";
import {IRelays} from "../../../contracts/interfaces/IRelays.sol";
import {Files} from "../base/Files.sol";
import {System} from "../base/System.sol";
import {NaiveMasks} from "../reference/NaiveMasks.sol";
import {NaiveNumbers} from "../reference/NaiveNumbers.sol";
import {NaiveSignatures} from "../reference/NaiveSignatures.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";

/// @dev A masked round: announcing, the company, the vote, the sum.
contract MaskedTest is System {
    uint256 private constant N = 4;
    IMaskedFederation private masked;

    function setUp() public {
        _create(_toyTerms());
        address disputes = vm.deployCode("MaskedDisputes.sol");
        address implementation = vm.deployCode("MaskedFederation.sol", abi.encode(disputes));
        factory = IFederationFactory(vm.deployCode("FederationFactory.sol", abi.encode(implementation)));
        federation = IFederation(factory.create(t));
        masked = IMaskedFederation(address(federation));
        _join(N);
        _fund(10 * _cost(N));
    }

    function _key(uint256 seat) private pure returns (bytes32) {
        return keccak256(abi.encode("key", seat));
    }

    function _entry(uint256 round, uint256 seat, uint256 signer) private view returns (IRelays.SignedCommitment memory) {
        bytes memory fields = abi.encode(round, seat, _key(seat));
        string memory kind = "Announce(uint256 round,uint256 seat,bytes32 value)";
        bytes32 digest = NaiveSignatures.typed(address(federation), kind, fields);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(signer, digest);
        return IRelays.SignedCommitment(seat, _key(seat), r, NaiveSignatures.packed(v, s));
    }

    /// @dev The first n seats announce.
    function _announce(uint256 n) private returns (uint256 done) {
        uint256 round = _round().number;
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](n);
        for (uint256 seat = 0; seat < n; ++seat) entries[seat] = _entry(round, seat, _operatorKey(seat));
        return masked.announceMany(round, entries);
    }

    function _toCommit(uint256 n) private {
        federation.openRound();
        _announce(n);
        _skip();
    }

    /// @dev The first n seats commit to noise, of which the first m reveal.
    function _toClose(uint256 n, uint256 m) private {
        _toCommit(n);
        for (uint256 seat = 0; seat < n; ++seat) {
            delete updates[seat];
            updates[seat].push(Files.noise(seat, 512));
            _commit(seat);
        }
        _skip();
        for (uint256 seat = 0; seat < m; ++seat) _reveal(seat);
        _skip();
    }

    /// @dev Of the committee of three, the first ones accept, and the last ones say nothing.
    function _vote(uint256 accepting, uint256 refusing) private {
        _toClose(N, N);
        _draw();
        uint256[] memory committee = _committee();
        for (uint256 i = 0; i < accepting; ++i) _commitScores(committee[i], hex"01");
        for (uint256 i = accepting; i < accepting + refusing; ++i) _commitScores(committee[i], hex"00");
        _skip();
        for (uint256 i = 0; i < accepting + refusing; ++i) _revealScores(committee[i]);
        _skip();
        federation.settle(_shown());
    }

    function _earned(uint256 seat) private view returns (uint256) {
        return federation.seatInfo(seat).earned;
    }

    function _next() private view returns (bytes[] memory next) {
        uint256[] memory seats = _accepted();
        next = new bytes[](1);
        next[0] = new bytes(1024);
        int256[] memory numbers = new int256[](seats.length);
        for (uint256 c = 0; c < 256; ++c) {
            for (uint256 i = 0; i < seats.length; ++i) numbers[i] = NaiveMasks.valueIn(updates[seats[i]][0], c);
            Files.put(next[0], c, NaiveMasks.next(NaiveNumbers.modelValue(model[0], c), numbers, t.maxExponent));
        }
    }

    // ---- Announce

    function test_announcing_takesTheFirstHalfOfTheCommitWindow() public {
        federation.openRound();
        assertEq(masked.announceWindow(), t.commitWindow / 2, "half");
        _assertPhase(IRoundFacts.Phase.Announce);
        assertEq(federation.phaseEnd(), time() + t.commitWindow / 2, "end");
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Commit, IRoundFacts.Phase.Announce));
        vm.prank(_operator(0));
        federation.commit(1, 0, "value");
        _skip();
        _assertPhase(IRoundFacts.Phase.Commit);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Announce, IRoundFacts.Phase.Commit));
        masked.announceMany(1, new IRelays.SignedCommitment[](0));
    }

    function test_announceMany_isToldAndMakesTheCompany() public {
        federation.openRound();
        IRelays.SignedCommitment memory entry = _entry(1, 2, _operatorKey(2));
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](1);
        entries[0] = entry;
        vm.expectEmit(address(federation));
        emit IAnnounced.Announced(1, 2, entry.value, entry.r, entry.vs);
        assertEq(masked.announceMany(1, entries), 1, "done");
        assertEq(_round().active, 4, "the company");
        assertEq(masked.announceMany(1, entries), 0, "once");
    }

    /// @dev One entry at fault, in one of many ways, between two that are sound.
    function test_announceMany_skipsWhatIsAtFault(uint256 fault) public {
        federation.openRound();
        fault = fault % 6;
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](3);
        (entries[0], entries[2]) = (_entry(1, 0, _operatorKey(0)), _entry(1, 3, _operatorKey(3)));
        entries[1] = _entry(1, 1, _operatorKey(1));
        if (fault == 0) entries[1] = _entry(2, 1, _operatorKey(1));
        if (fault == 1) entries[1] = _entry(1, 1, _operatorKey(2));
        if (fault == 2) entries[1].value = ~entries[1].value;
        if (fault == 3) entries[1].seat = 200;
        if (fault == 4) entries[1].seat = type(uint256).max;
        if (fault == 5) entries[1] = entries[0];
        assertEq(masked.announceMany(1, entries), 5, "first and last");
        assertEq(_round().active, 9, "the company");
    }

    function test_announceMany_refusals() public {
        federation.openRound();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, 2, 1));
        masked.announceMany(2, new IRelays.SignedCommitment[](0));
        vm.expectRevert(abi.encodeWithSelector(IRelays.TooManyEntries.selector, 129, 128));
        masked.announceMany(1, new IRelays.SignedCommitment[](129));
    }

    function test_announceMany_onlyWhoWasInvitedAndStays() public {
        federation.openRound();
        _joinWith(t.minStake);
        vm.prank(_owner(1));
        federation.exit(1);
        assertEq(_announce(N + 1), 13, "neither the leaver nor who came late");
    }

    // ---- the company

    function test_commit_onlyOfTheCompany() public {
        _toCommit(3);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotActive.selector, 1, 3));
        vm.prank(_operator(3));
        federation.commit(1, 3, "value");
    }

    function test_close_voidsUnlessAllRevealed() public {
        _toClose(N, N - 1);
        vm.expectEmit(address(federation));
        emit IRoundFacts.Voided(1);
        federation.close();
        _assertPhase(IRoundFacts.Phase.Void);
        assertEq(_stake(N - 1), t.minStake - t.noRevealSlash, "who did not reveal");
        assertEq(_stake(0), t.minStake, "who did");
    }

    function test_close_goesOnWithAll() public {
        _toClose(3, 3);
        federation.close();
        assertEq(_round().revealed, 7, "all who announced");
        _assertPhase(IRoundFacts.Phase.Draw);
    }

    // ---- the vote

    function test_revealScores_wantsOneByte() public {
        _toClose(N, N);
        _draw();
        uint256 seat = _committee()[0];
        _commitScores(seat, new bytes(N));
        _skip();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongScoresLength.selector, 1, N));
        _revealScores(seat);
    }

    function test_revealScoresMany_skipsWhatIsNoVote() public {
        _toClose(N, N);
        _draw();
        uint256[] memory committee = _committee();
        _commitScores(committee[0], hex"ff");
        _commitScores(committee[1], hex"ffff");
        _skip();
        IRelays.ScoreOpening[] memory entries = new IRelays.ScoreOpening[](2);
        for (uint256 i = 0; i < 2; ++i) {
            entries[i] = IRelays.ScoreOpening(committee[i], vectors[committee[i]], _salt(committee[i]));
        }
        assertEq(federation.revealScoresMany(entries), 1, "one byte");
    }

    function test_vote_ofAll_paysAllAlike() public {
        _vote(3, 0);
        assertEq(_round().accepted, 15, "all");
        uint256[] memory committee = _committee();
        for (uint256 seat = 0; seat < N; ++seat) {
            bool drawn = committee[0] == seat || committee[1] == seat || committee[2] == seat;
            assertEq(_earned(seat), t.trainerRate + (drawn ? t.validatorRate : 0), "pay");
        }
    }

    /// @dev Two of three are not more than two thirds; whoever was against them, and who was silent, is worse off.
    function test_vote_ofTwo_paysNobodyForAnUpdate(bool silent) public {
        _vote(2, silent ? 0 : 1);
        assertEq(_round().accepted, 0, "nobody");
        uint256[] memory committee = _committee();
        assertEq(_earned(committee[0]), t.validatorRate, "of the majority");
        assertEq(_earned(committee[2]), 0, "against it, or silent");
        assertEq(_stake(committee[2]), t.minStake - (silent ? t.noScoresSlash : 0), "silence is slashed");
        _skip();
        _propose(committee[0], model);
        _skip();
        federation.finalize();
        assertEq(federation.model(), NaiveTree.rootOf(model), "the model stays");
    }

    // ---- the sum

    function test_challenge_ofTheSum() public {
        _vote(3, 0);
        _skip();
        bytes[] memory right = _next();
        bytes[] memory wrong = new bytes[](1);
        wrong[0] = bytes.concat(right[0]);
        Files.put(wrong[0], 9, NaiveNumbers.modelValue(right[0], 9) - 1);
        _propose(1, wrong);
        bytes memory proof = _proof(0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.CoordinateCorrect.selector, NaiveNumbers.modelValue(right[0], 8)));
        federation.challenge(0, 8, proof);
        vm.prank(CHECKER);
        federation.challenge(0, 9, proof);
        assertEq(_stake(1), t.minStake - t.fraudSlash, "the liar");
        _propose(2, right);
        proof = _proof(0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.CoordinateCorrect.selector, NaiveNumbers.modelValue(right[0], 9)));
        federation.challenge(0, 9, proof);
        _skip();
        federation.finalize();
        assertEq(federation.model(), NaiveTree.rootOf(right), "the sum's model");
    }

    function test_show_oneMissingFileLeavesNoSum() public {
        _vote(3, 0);
        for (uint256 seat = 0; seat < 3; ++seat) {
            assertEq(_round().accepted, 15, "no majority yet");
            vm.prank(_operator(seat));
            federation.reportMissing(1, seat, 8);
        }
        assertEq(_round().accepted, 0, "nobody");
    }
}
