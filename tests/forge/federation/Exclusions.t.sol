// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExclusions} from "../../../contracts/interfaces/IExclusions.sol";
import {IRoundFacts} from "../../../contracts/interfaces/IFederation.sol";
import {IRelays} from "../../../contracts/interfaces/IRelays.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {System} from "../base/System.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";
import {NaiveSignatures} from "../reference/NaiveSignatures.sol";

/// @dev Accepted updates that a majority of all who revealed cannot fetch.
contract ExclusionsTest is System {
    uint256 private constant N = 7;

    function setUp() public {
        _create(_toyTerms());
        _join(N + 1); // the last never takes part
        _fund(10 * _cost(N + 1));
    }

    function _report(uint256 seat, uint128 missing) private {
        vm.prank(_operator(seat));
        federation.reportMissing(1, seat, missing);
    }

    function _signed(uint256 round, uint256 seat, bytes32 value) private view returns (IRelays.SignedCommitment memory) {
        bytes32 digest = NaiveSignatures.missing(address(federation), round, seat, value);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_operatorKey(seat), digest);
        return IRelays.SignedCommitment(seat, value, r, NaiveSignatures.packed(v, s));
    }

    // ---- the phase

    function test_show_isBetweenSettlementAndProposals() public {
        _toShow(N, 200);
        _assertPhase(IRoundFacts.Phase.Show);
        assertEq(federation.phaseEnd(), _round().settledAt + t.showWindow, "its end");
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Propose, IRoundFacts.Phase.Show));
        vm.prank(_operator(0));
        federation.propose(1, 1, 0, "root", "");
        vm.warp(time() + t.showWindow - 1);
        _report(0, 2);
        vm.warp(time() + 1);
        _assertPhase(IRoundFacts.Phase.Propose);
        assertEq(federation.phaseEnd(), time() + t.proposeWindow, "the whole of the next");
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Show, IRoundFacts.Phase.Propose));
        _report(1, 2);
    }

    function test_show_comesOnceARound() public {
        _toChallenge(N, 1);
        federation.challenge(0, 0, _proof(0));
        _assertPhase(IRoundFacts.Phase.Propose);
    }

    // ---- reports

    /// @dev Any votes in any order: each seat once for each update, and out is whom more than half of seven reported.
    function test_report_isCountedByUpdate(uint128[10] memory sets, uint256 seed) public {
        _toShow(N, 200);
        uint256[N] memory told;
        uint256 accepted = 2 ** N - 1;
        for (uint256 i = 0; i < sets.length; ++i) {
            uint256 seat = random(seed, i) % N;
            uint256 news = sets[i] & accepted & ~told[seat];
            vm.prank(_operator(seat));
            if (news == 0) vm.expectRevert(abi.encodeWithSelector(IExclusions.ReportUnchanged.selector, 1, seat));
            else vm.expectEmit(address(federation));
            if (news != 0) emit IExclusions.MissingReported(1, seat, uint128(news));
            federation.reportMissing(1, seat, sets[i]);
            told[seat] += news;
            for (uint256 author = 0; author < N; ++author) {
                uint256 votes;
                for (uint256 other = 0; other < N; ++other) votes += told[other] >> author & 1;
                (uint128 missing, uint256 reporters) = federation.reportInfo(author);
                assertEq(reporters, votes, "votes");
                assertEq(missing, told[author], "own report");
                if (votes >= 4) accepted &= ~(1 << author);
            }
            assertEq(_round().accepted, accepted, "accepted");
        }
    }

    function test_exclusion_isToldOnce_andCostsNobodyAnything() public {
        _toShow(N, 200);
        uint256 before = _slashed() + _kept() + _pool() + federation.seatInfo(2).earned + _stake(2);
        for (uint256 seat = 0; seat < 3; ++seat) _report(seat, 4);
        assertEq(_round().accepted, 127, "three of seven");
        vm.expectEmit(address(federation));
        emit IExclusions.MissingReported(1, 3, 4);
        vm.expectEmit(address(federation));
        emit IExclusions.Excluded(1, 123);
        _report(3, 4);
        assertEq(_slashed() + _kept() + _pool() + federation.seatInfo(2).earned + _stake(2), before, "money");
        vm.recordLogs();
        _report(4, 2);
        assertEq(vm.getRecordedLogs().length, 1, "nothing more left");
        _skip();
        _propose(0, _aggregate());
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotAccepted.selector, 2));
        federation.demand(1, 1, IRoundFacts.Artifact.Update, 2, 0);
        _skip();
        federation.finalize();
        assertEq(federation.model(), _round().proposal, "adopted");
        (uint128 missing, uint256 reporters) = federation.reportInfo(2);
        assertEq(missing + reporters, 0, "nothing once the round is over");
    }

    function test_report_refusals(uint256 beyond) public {
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Show, IRoundFacts.Phase.Idle));
        _report(0, 2);
        _toShow(N, 200);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, 2, 1));
        vm.prank(_operator(0));
        federation.reportMissing(2, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotOperator.selector, 0, _operator(0), _operator(1)));
        vm.prank(_operator(1));
        federation.reportMissing(1, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IExclusions.NotRevealed.selector, 1, N));
        _report(N, 2);
        vm.expectRevert(abi.encodeWithSelector(IExclusions.ReportUnchanged.selector, 1, 0));
        _report(0, 0);
        beyond = within(beyond, N + 1, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotOperator.selector, beyond, address(0), STRANGER));
        vm.prank(STRANGER);
        federation.reportMissing(1, beyond, 2);
        (uint128 missing, uint256 reporters) = federation.reportInfo(beyond);
        assertEq(missing + reporters, 0, "nobody's");
    }

    // ---- by others

    function test_reportMany_skipsWhatIsAtFault(uint256 fault) public {
        _toShow(N, 200);
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](3);
        bytes32 set = bytes32(uint256(12));
        (entries[0], entries[1], entries[2]) = (_signed(1, 0, set), _signed(1, 1, set), _signed(1, 6, set));
        fault = fault % 10;
        if (fault == 0) entries[1] = _signed(2, 1, set);
        if (fault == 1) entries[1].value = bytes32(uint256(4));
        if (fault == 2) entries[1].seat = 2;
        if (fault == 3) entries[1].seat = type(uint256).max;
        if (fault == 4) entries[1].vs ^= bytes32(uint256(1) << 255);
        if (fault == 5) entries[1] = entries[0];
        if (fault == 6) entries[1] = _signed(1, 1, 0);
        if (fault == 7) entries[1] = _signed(1, 1, bytes32(uint256(12) | 1 << 128));
        if (fault == 8) entries[1] = _signed(1, N, set);
        if (fault == 9) entries[1] = _signed(1, 1, bytes32(uint256(128)));
        vm.expectEmit(address(federation));
        emit IExclusions.MissingReported(1, 0, 12);
        vm.expectEmit(address(federation));
        emit IExclusions.MissingReported(1, 6, 12);
        assertEq(federation.reportMissingMany(1, entries), 5, "first and last");
        (uint128 missing,) = federation.reportInfo(1);
        assertEq(missing, 0, "nothing by the one between");
        (, uint256 reporters) = federation.reportInfo(3);
        assertEq(reporters, 2, "two votes");
    }

    function test_reportMany_excludesOnTheWay() public {
        _toShow(N, 200);
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](6);
        for (uint256 i = 0; i < 6; ++i) entries[i] = _signed(1, i, bytes32(uint256(i < 5 ? 8 : 24)));
        assertEq(federation.reportMissingMany(1, entries), 47, "the fifth adds nothing, the sixth another update");
        assertEq(_round().accepted, 127 - 8, "out");
        assertEq(NaiveSeats.list(_round().accepted).length, 6, "the rest");
    }

    function test_reportMany_refusals() public {
        IRelays.SignedCommitment[] memory entries = new IRelays.SignedCommitment[](129);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Show, IRoundFacts.Phase.Idle));
        federation.reportMissingMany(0, entries);
        _toShow(N, 200);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, 0, 1));
        federation.reportMissingMany(0, entries);
        vm.expectRevert(abi.encodeWithSelector(IRelays.TooManyEntries.selector, 129, 128));
        federation.reportMissingMany(1, entries);
    }
}
