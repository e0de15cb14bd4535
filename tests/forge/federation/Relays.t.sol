// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts} from "../../../contracts/interfaces/IFederation.sol";
import {IRelays} from "../../../contracts/interfaces/IRelays.sol";
import {IRounds} from "../../../contracts/interfaces/IFederation.sol";
import {OddWallet} from "../../../contracts/mocks/Wallets.sol";
import {System} from "../base/System.sol";
import {NaiveSignatures} from "../reference/NaiveSignatures.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";

/// @dev Acts that others send, in batches; what is at fault is skipped.
contract RelaysTest is System {
    uint256 private constant N = 4;
    bytes32 private constant VALUE = "value";

    function setUp() public {
        _create(_toyTerms());
        _join(N);
        _fund(_cost(N));
    }

    function _signed(uint256 key, bytes32 digest, uint256 seat, bytes32 value)
        private
        pure
        returns (IRelays.SignedCommitment memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return IRelays.SignedCommitment(seat, value, r, NaiveSignatures.packed(v, s));
    }

    function _commitment(uint256 round, uint256 seat, bytes32 value) private view returns (IRelays.SignedCommitment memory) {
        return _signed(_operatorKey(seat), NaiveSignatures.commit(address(federation), round, seat, value), seat, value);
    }

    function _scores(uint256 round, uint256 seat, bytes32 value) private view returns (IRelays.SignedCommitment memory) {
        return _signed(_operatorKey(seat), NaiveSignatures.commitScores(address(federation), round, seat, value), seat, value);
    }

    function _tooMany(uint256 given, uint256 maximum) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRelays.TooManyEntries.selector, given, maximum);
    }

    // ---- commitMany

    /// @dev One entry at fault, in one of many ways, between two that are sound.
    function test_commitMany_skipsWhatIsAtFault(bytes32 value, uint256 fault) public {
        federation.openRound();
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](3);
        (entries[0], entries[2]) = (_commitment(1, 0, value), _commitment(1, 3, value));
        entries[1] = _commitment(1, 1, value);
        fault = fault % 9;
        if (fault == 0) entries[1] = _commitment(2, 1, value);
        if (fault == 1) entries[1] = _scores(1, 1, value);
        if (fault == 2) entries[1].value = ~value;
        if (fault == 3) entries[1].seat = 2;
        if (fault == 4) entries[1].seat = 128 + 1;
        if (fault == 5) entries[1].seat = type(uint256).max;
        if (fault == 6) entries[1].vs ^= bytes32(uint256(1) << 255);
        if (fault == 7) (entries[1].r, entries[1].vs) = (0, 0);
        if (fault == 8) entries[1] = entries[0];
        vm.expectEmit(address(federation));
        emit IRoundFacts.Committed(1, 0, value);
        vm.expectEmit(address(federation));
        emit IRoundFacts.Committed(1, 3, value);
        assertEq(federation.commitMany(1, entries), 5, "first and last");
        for (uint256 seat = 0; seat < N; ++seat) {
            (uint256 state, bytes28 digest) = federation.recordOf(seat);
            bool done = seat == 0 || seat == 3;
            assertEq(state, done ? 1 : 0, "state");
            assertEq(bytes32(digest), done ? bytes32(bytes28(value)) : bytes32(0), "digest");
        }
    }

    /// @dev The relay has no choice between two signatures; the operator has.
    function test_commitMany_neverReplaces(bytes32 first, bytes32 second) public {
        vm.assume(bytes28(first) != bytes28(second));
        federation.openRound();
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](1);
        entries[0] = _commitment(1, 0, second);
        vm.prank(_operator(0));
        federation.commit(1, 0, first);
        assertEq(federation.commitMany(1, entries), 0, "full");
        (, bytes28 digest) = federation.recordOf(0);
        assertEq(bytes32(digest), bytes32(bytes28(first)), "as it was");
    }

    function test_commitMany_refusals() public {
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](129);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Commit, IRoundFacts.Phase.Idle));
        federation.commitMany(0, entries);
        federation.openRound();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, 2, 1));
        federation.commitMany(2, entries);
        vm.expectRevert(_tooMany(129, 128));
        federation.commitMany(1, entries);
    }

    function test_commitMany_asksAWallet() public {
        OddWallet wallet = new OddWallet();
        vm.prank(_owner(1));
        federation.setOperator(1, address(wallet));
        federation.openRound();
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](2);
        entries[0] = IRelays.SignedCommitment(1, VALUE, 0, 0);
        entries[1] = _commitment(1, 2, VALUE);
        wallet.set(OddWallet.Manner.BurnsGas, address(0), "");
        vm.expectPartialRevert(IRelays.GasTooLow.selector);
        federation.commitMany{gas: 100_000}(1, entries);
        assertEq(federation.commitMany(1, entries), 2, "only the neighbour");
        wallet.set(OddWallet.Manner.Agrees, address(0), "");
        assertEq(federation.commitMany(1, entries), 1, "now it agrees");
    }

    // ---- revealMany

    function test_revealMany_skipsWhatIsAtFault(bytes32 root, uint256 fault) public {
        vm.assume(root != 0);
        federation.openRound();
        for (uint256 seat = 0; seat < 3; ++seat) {
            bytes32 commitment = _updateCommitment(seat, root);
            vm.prank(_operator(seat));
            federation.commit(1, seat, commitment);
        }
        _skip();
        IRelays.Opening[] memory entries = new IRelays.Opening[](3);
        for (uint256 i = 0; i < 3; ++i) entries[i] = IRelays.Opening(i, root, _salt(i), "");
        fault = fault % 7;
        if (fault == 0) entries[1].root = 0;
        if (fault == 1) entries[1].seat = 3; // committed to nothing
        if (fault == 2) entries[1].seat = type(uint256).max;
        if (fault == 3) entries[1].locator = new bytes(65);
        if (fault == 4) entries[1].locator = "elsewhere";
        if (fault == 5) entries[1].salt = "salt";
        if (fault == 6) entries[1] = entries[0];
        vm.expectEmit(address(federation));
        emit IRoundFacts.Revealed(1, 0, root, _salt(0), "");
        vm.expectEmit(address(federation));
        emit IRoundFacts.Revealed(1, 2, root, _salt(2), "");
        assertEq(federation.revealMany(entries), 5, "first and last");
        (uint256 state,) = federation.recordOf(1);
        assertEq(state, 1, "only committed");
    }

    function test_revealMany_refusals() public {
        federation.openRound();
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Reveal, IRoundFacts.Phase.Commit));
        federation.revealMany(new IRelays.Opening[](0));
        _skip();
        vm.expectRevert(_tooMany(129, 128));
        federation.revealMany(new IRelays.Opening[](129));
    }

    // ---- scores

    function test_scores_throughOthers(uint256 fault) public {
        _toScores(N);
        uint256[] memory drawn = _committee();
        bytes memory vector = hex"c8c8c8c8";
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](4);
        for (uint256 i = 0; i < 3; ++i) entries[i] = _scores(1, drawn[i], _scoresCommitment(drawn[i], vector));
        entries[3] = entries[0]; // its record is full by then
        uint256 kind = fault % 4;
        if (kind == 0) entries[1] = _commitment(1, drawn[1], entries[1].value);
        if (kind == 1) entries[1].seat = 6 - drawn[0] - drawn[1] - drawn[2]; // not drawn
        if (kind == 2) entries[1].value = ~entries[1].value;
        assertEq(federation.commitScoresMany(1, entries), kind == 3 ? 7 : 5, "commitments");
        _skip();
        IRelays.ScoreOpening[] memory openings = new IRelays.ScoreOpening[](4);
        for (uint256 i = 0; i < 3; ++i) openings[i] = IRelays.ScoreOpening(drawn[i], vector, _salt(drawn[i]));
        openings[3] = openings[2];
        kind = fault / 4 % 4;
        if (kind == 0) openings[0].scores = hex"c8c8c8";
        if (kind == 1) openings[0].salt = "salt";
        if (kind == 2) openings[0].seat = 6 - drawn[0] - drawn[1] - drawn[2];
        uint256 expected = (kind == 3 ? 1 : 0) + (fault % 4 == 3 ? 2 : 0) + 4;
        assertEq(federation.revealScoresMany(openings), expected, "openings");
        for (uint256 i = 0; i < 3; ++i) {
            (uint256 state, bytes28 digest) = federation.scoreRecordOf(i);
            if (expected >> i & 1 == 0) continue;
            assertEq(state, 2, "revealed");
            assertEq(bytes32(digest), bytes32(bytes28(keccak256(vector))), "vector");
        }
    }

    function test_scores_refusals() public {
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](129);
        _toDraw(N);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.ScoreCommit, IRoundFacts.Phase.Draw));
        federation.commitScoresMany(1, entries);
        _draw();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, 0, 1));
        federation.commitScoresMany(0, entries);
        vm.expectRevert(_tooMany(129, 128));
        federation.commitScoresMany(1, entries);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.ScoreReveal, IRoundFacts.Phase.ScoreCommit));
        federation.revealScoresMany(new IRelays.ScoreOpening[](0));
        _skip();
        vm.expectRevert(_tooMany(129, 128));
        federation.revealScoresMany(new IRelays.ScoreOpening[](129));
    }

    // ---- attempt

    function test_attempt_doesWhatCanBeDone() public {
        federation.openRound();
        bytes[] memory calls = new bytes[](4);
        calls[0] = abi.encodeCall(IRounds.openRound, ());
        calls[1] = abi.encodeCall(IRounds.commit, (1, 0, VALUE));
        calls[2] = abi.encodeCall(IRounds.commit, (1, 1, VALUE)); // another's seat
        calls[3] = hex"deadbeef";
        assertEq(federation.attempt(500_000, calls), 0, "for a stranger nothing");
        vm.prank(_operator(0));
        assertEq(federation.attempt(500_000, calls), 2, "for the caller what is its own");
        (uint256 state,) = federation.recordOf(0);
        assertEq(state, 1, "committed");
    }

    function test_attempt_refusals() public {
        vm.expectRevert(_tooMany(257, 256));
        federation.attempt(0, new bytes[](257));
        vm.expectRevert(abi.encodeWithSelector(IRelays.GasTooLow.selector, type(uint256).max));
        federation.attempt(type(uint256).max, new bytes[](1));
        assertEq(federation.attempt(0, new bytes[](256)), 0, "nothing done");
    }

    /// @dev A whole round in which no operator sends anything itself ends as any other.
    function test_aRound_throughOthersAlone() public {
        federation.openRound();
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](N);
        IRelays.Opening[] memory openings = new IRelays.Opening[](N);
        for (uint256 seat = 0; seat < N; ++seat) {
            _constant(seat, 4, 1);
            bytes32 root = NaiveTree.rootOf(updates[seat]);
            entries[seat] = _commitment(1, seat, _updateCommitment(seat, root));
            openings[seat] = IRelays.Opening(seat, root, _salt(seat), "");
        }
        assertEq(federation.commitMany(1, entries), 15, "commitments");
        _skip();
        assertEq(federation.revealMany(openings), 15, "openings");
        _skip();
        _draw();
        assertEq(_committee().length, 3, "drawn");
    }
}
