// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts} from "../../../contracts/interfaces/IFederation.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {Commitments} from "../../../contracts/libraries/Commitments.sol";
import {System} from "../base/System.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";

/// @dev From Idle to the draw.
contract RoundTest is System {
    bytes32 private constant ROOT = "root";

    function setUp() public {
        _create(_toyTerms());
        _join(5);
        _fund(10 * _cost(5));
    }

    // ---- openRound

    function test_openRound_takesItsCostFromThePool() public {
        uint256 pool = _pool();
        vm.expectEmit(address(federation));
        emit IRoundFacts.RoundOpened(1, 31, federation.model(), _cost(5), time());
        federation.openRound();
        assertEq(_pool(), pool - _cost(5), "pool");
        (,,,,,,, uint256 pot) = federation.accounting();
        assertEq(pot, _cost(5), "pot");
        _assertPhase(IRoundFacts.Phase.Commit);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Idle, IRoundFacts.Phase.Commit));
        federation.openRound();
    }

    function test_openRound_takesOnlyTheEligible() public {
        vm.prank(_owner(2));
        federation.exit(2);
        federation.openRound();
        assertEq(_round().active, 27, "without seat 2");
    }

    function test_openRound_wantsSeats() public {
        for (uint256 seat = 0; seat < 3; ++seat) {
            vm.prank(_owner(seat));
            federation.exit(seat);
        }
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.TooFewSeats.selector, 2, 3));
        federation.openRound();
    }

    function test_openRound_wantsMoney() public {
        _create(_toyTerms());
        _join(4);
        _fund(_cost(4) - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.PoolTooSmall.selector, _cost(4) - 1, _cost(4)));
        federation.openRound();
        _fund(1);
        federation.openRound();
    }

    function test_openRound_notAfterNotice() public {
        vm.prank(SPONSOR);
        federation.conclude();
        vm.expectRevert(IRoundFacts.AlreadyConcluded.selector);
        federation.openRound();
    }

    // ---- commit

    function test_commit_onlyTheOperatorOfAnActiveSeat() public {
        federation.openRound();
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotOperator.selector, 0, _operator(0), _owner(0)));
        vm.prank(_owner(0));
        federation.commit(1, 0, ROOT);
        _joinWith(t.minStake);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotActive.selector, 1, 5));
        vm.prank(_operator(5));
        federation.commit(1, 5, ROOT);
    }

    function test_commit_replacesWithinTheWindow(bytes32 first, bytes32 second) public {
        vm.assume(bytes28(first) != bytes28(second));
        federation.openRound();
        vm.warp(time() + t.commitWindow - 1);
        vm.prank(_operator(0));
        federation.commit(1, 0, first);
        vm.prank(_operator(0));
        federation.commit(1, 0, second);
        (uint256 state, bytes28 digest) = federation.recordOf(0);
        assertEq(state, 1, "committed");
        assertEq(bytes32(digest), bytes32(bytes28(second)), "the second");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.CommitmentUnchanged.selector, 1, 0));
        vm.prank(_operator(0));
        federation.commit(1, 0, second);
        vm.warp(time() + 1);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Commit, IRoundFacts.Phase.Reveal));
        vm.prank(_operator(0));
        federation.commit(1, 0, first);
    }

    function test_commit_notBeforeARound() public {
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Commit, IRoundFacts.Phase.Idle));
        vm.prank(_operator(0));
        federation.commit(1, 0, ROOT);
    }

    function test_commit_onlyInTheRoundItNames(uint256 round) public {
        federation.openRound();
        vm.assume(round != 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongRound.selector, round, 1));
        vm.prank(_operator(0));
        federation.commit(round, 0, ROOT);
    }

    // ---- reveal

    function _committed(bytes32 root) private {
        federation.openRound();
        bytes32 commitment = _updateCommitment(0, root);
        vm.prank(_operator(0));
        federation.commit(1, 0, commitment);
    }

    function test_reveal_byAnybodyWhoKnows(address anybody, bytes32 root, bytes calldata locator) public {
        vm.assume(root != 0 && locator.length <= 64);
        federation.openRound();
        bytes32 commitment = Commitments.update(address(federation), 1, 0, root, _salt(0), keccak256(locator));
        vm.prank(_operator(0));
        federation.commit(1, 0, commitment);
        _skip();
        vm.expectEmit(address(federation));
        emit IRoundFacts.Revealed(1, 0, root, _salt(0), locator);
        vm.prank(anybody);
        federation.reveal(0, root, _salt(0), locator);
        (uint256 state, bytes28 digest) = federation.recordOf(0);
        assertEq(state, 2, "revealed");
        assertEq(bytes32(digest), bytes32(bytes28(root)), "root");
    }

    function test_reveal_refusals() public {
        _committed(ROOT);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Reveal, IRoundFacts.Phase.Commit));
        federation.reveal(0, ROOT, _salt(0), "");
        _skip();
        vm.expectRevert(IRoundFacts.ZeroRoot.selector);
        federation.reveal(0, 0, _salt(0), "");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.LocatorTooLong.selector, 65, 64));
        federation.reveal(0, ROOT, _salt(0), new bytes(65));
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NothingCommitted.selector, 1, 1));
        federation.reveal(1, ROOT, _salt(0), "");
        bytes32 other = Commitments.update(address(federation), 1, 0, ROOT, "salt", keccak256(""));
        bytes32 held = _updateCommitment(0, ROOT);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongOpening.selector, bytes28(held), other));
        federation.reveal(0, ROOT, "salt", "");
        other = Commitments.update(address(federation), 1, 0, ROOT, _salt(0), keccak256("elsewhere"));
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongOpening.selector, bytes28(held), other));
        federation.reveal(0, ROOT, _salt(0), "elsewhere");
        federation.reveal(0, ROOT, _salt(0), "");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.AlreadyRevealed.selector, 1, 0));
        federation.reveal(0, ROOT, _salt(0), "");
        _skip();
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Reveal, IRoundFacts.Phase.Draw));
        federation.reveal(0, ROOT, _salt(0), "");
    }

    /// @dev Another's commitment, sent for one's own seat, opens to nothing.
    function test_reveal_aCopiedCommitmentIsWorthless(bytes32 root) public {
        vm.assume(root != 0);
        _committed(root);
        bytes32 copied = _updateCommitment(0, root);
        vm.prank(_operator(1));
        federation.commit(1, 1, copied);
        _skip();
        vm.expectPartialRevert(IRoundFacts.WrongOpening.selector);
        federation.reveal(1, root, _salt(0), "");
    }

    function test_reveal_staleRecordsAreNothing() public {
        _committed(ROOT);
        _skip();
        federation.reveal(0, ROOT, _salt(0), "");
        vm.warp(time() + 10_000);
        federation.finalize();
        federation.openRound();
        (uint256 state, bytes28 digest) = federation.recordOf(0);
        assertEq(state, 0, "nothing this round");
        assertEq(bytes32(digest), 0, "no digest");
        _skip();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NothingCommitted.selector, 2, 0));
        federation.reveal(0, ROOT, _salt(0), "");
    }

    // ---- close

    function test_close_slashesWhoDidNotReveal() public {
        _toReveal(4);
        for (uint256 seat = 0; seat < 3; ++seat) _reveal(seat);
        _skip();
        vm.expectEmit(address(federation));
        emit IStakesFacts.Slashed(3, IStakesFacts.Offence.NoReveal, t.noRevealSlash, t.minStake - t.noRevealSlash);
        vm.expectEmit(address(federation));
        emit IRoundFacts.Closed(1, 7, vm.getBlockNumber());
        federation.close();
        for (uint256 seat = 0; seat < 5; ++seat) {
            assertEq(_stake(seat), seat == 3 ? t.minStake - t.noRevealSlash : t.minStake, "stake");
        }
        assertEq(_slashed(), t.noRevealSlash, "waits to be burnt");
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.AlreadyClosed.selector, 1));
        federation.close();
    }

    function test_close_voidsWithTooFew() public {
        _toReveal(3);
        for (uint256 seat = 0; seat < 2; ++seat) _reveal(seat);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Draw, IRoundFacts.Phase.Reveal));
        federation.close();
        _skip();
        vm.expectEmit(address(federation));
        emit IRoundFacts.Voided(1);
        federation.close();
        _assertPhase(IRoundFacts.Phase.Void);
        assertEq(federation.phaseEnd(), 0, "for good");
        uint256 pool = _pool();
        vm.expectEmit(address(federation));
        emit IRoundFacts.Finalized(1, federation.model(), false);
        federation.finalize();
        assertEq(_pool(), pool, "the pot does not go back");
        assertEq(_kept(), _cost(5), "and pays for later rounds");
        assertEq(_slashed(), t.noRevealSlash, "slashed once");
    }

    // ---- draw

    /// @dev The words of a round's records, one behind the other.
    function _mix(uint256 committed) private view returns (bytes32) {
        bytes memory words;
        for (uint256 seat = 0; seat < committed; ++seat) {
            (uint256 state, bytes28 digest) = federation.recordOf(seat);
            words = bytes.concat(words, bytes3(uint24(_round().number)), bytes1(uint8(state)), digest);
        }
        return keccak256(words);
    }

    function test_draw_takesTheRandomnessOfTheBlockAfterTheDelay() public {
        _toReveal(5);
        for (uint256 seat = 0; seat < 4; ++seat) _reveal(seat);
        _skip();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotClosed.selector, 1));
        federation.draw("");
        federation.close();
        assertEq(_round().mix, _mix(5), "the silent one's record too");
        uint256 closed = vm.getBlockNumber();
        for (uint256 i = 0; i <= t.drawDelay; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRoundFacts.DrawTooEarly.selector, closed + i, closed + t.drawDelay + 1));
            federation.draw("");
            mine(1);
        }
        bytes memory header = _header(closed + t.drawDelay);
        bytes32 randao = _randao(closed + t.drawDelay);
        bytes32 seed = keccak256(abi.encode(randao, _mix(5), block.chainid, address(federation), 1));
        uint256[] memory drawn = NaiveSeats.draw(seed, NaiveSeats.list(15), 3);
        uint120 packed;
        for (uint256 i = 0; i < 3; ++i) packed += uint120(drawn[i] << (8 * (14 - i)));
        vm.expectEmit(address(federation));
        emit IRoundFacts.Drawn(1, randao, seed, packed);
        federation.draw(header);
        assertEq(keccak256(abi.encode(_committee())), keccak256(abi.encode(drawn)), "committee");
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Draw, IRoundFacts.Phase.ScoreCommit));
        federation.draw(header);
    }

    function test_draw_takesNoOtherHeader(bytes memory other, uint256 place, uint8 change) public {
        _toDraw(5);
        federation.close();
        mine(t.drawDelay + 1);
        bytes memory header = _header(_seeding());
        bytes32 hash = keccak256(header);
        vm.assume(keccak256(other) != hash);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongHeader.selector, _seeding(), hash, keccak256(other)));
        federation.draw(other);
        header[place % header.length] ^= bytes1(change == 0 ? 1 : change);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.WrongHeader.selector, _seeding(), hash, keccak256(header)));
        federation.draw(header);
    }

    function test_draw_refusesAHeaderOfAnotherForm(bytes memory other) public {
        vm.assume(other.length < 46); // too short for field 13
        _toDraw(5);
        federation.close();
        mine(t.drawDelay + 1);
        vm.setBlockhash(_seeding(), keccak256(other));
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.MalformedHeader.selector, other.length));
        federation.draw(other);
    }

    function test_draw_isPostponedWhenTheHashIsGone(uint16 blocks) public {
        _toDraw(5);
        federation.close();
        bytes memory header = _seen(within(blocks, 1, 1000));
        bool gone = vm.getBlockNumber() - _seeding() > 256;
        uint256 closed = _round().closeBlock;
        federation.draw(header);
        _assertPhase(gone ? IRoundFacts.Phase.Draw : IRoundFacts.Phase.ScoreCommit);
        assertEq(_round().closeBlock, gone ? vm.getBlockNumber() : closed, "anew");
        if (!gone) return;
        mine(t.drawDelay + 1);
        federation.draw(_header(_seeding()));
        _assertPhase(IRoundFacts.Phase.ScoreCommit);
    }

    /// @dev The header of the seeding block, so many blocks later.
    function _seen(uint256 blocks) private returns (bytes memory header) {
        mine(t.drawDelay + 1);
        header = _header(_seeding());
        mine(blocks - 1);
    }

    /// @dev EIP-2935: the contract tells the hashes of the last 8,191 blocks; block n begins by storing that of block n - 1.
    function test_draw_asksTheHistoryContract(uint16 blocks) public {
        address history = 0x0000F90827F1C53a10cb7A02335B175320002935;
        vm.etch(
            history,
            hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
        );
        _toDraw(5);
        federation.close();
        mine(t.drawDelay + 1);
        bytes memory header = _header(_seeding());
        vm.store(history, bytes32(_seeding() % 8191), keccak256(header));
        mine(within(blocks, 0, 9000));
        bool gone = vm.getBlockNumber() - _seeding() > 8191;
        federation.draw(header);
        _assertPhase(gone ? IRoundFacts.Phase.Draw : IRoundFacts.Phase.ScoreCommit);
    }

    function test_draw_notInTimeVoids() public {
        _toDraw(5);
        federation.close();
        _skip();
        _assertPhase(IRoundFacts.Phase.Void);
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Draw, IRoundFacts.Phase.Void));
        federation.draw("");
        vm.expectEmit(address(federation));
        emit IRoundFacts.Voided(1);
        federation.finalize();
        assertEq(_slashed(), 0, "nobody's fault");
    }

    // ---- what the facts show before their time

    function test_roundInfo_showsNothingOfTheLastRound() public {
        _toChallenge(5, 0);
        _skip();
        federation.finalize();
        federation.openRound();
        IRoundFacts.Round memory r = _round();
        assertEq(r.number, 2, "number");
        assertEq(r.revealed | r.accepted | r.fallen, 0, "sets");
        assertEq(uint256(r.committee) | r.committeeSize | r.proposer | r.attempts | r.openDemands, 0, "counts");
        assertEq(uint256(r.closeBlock) | r.drawnAt | r.settledAt | r.proposeFrom | r.proposedAt, 0, "times");
        assertEq(r.proposal | r.mix, 0, "hashes");
        assertTrue(r.live && !r.voided, "flags");
    }
}
