// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStakes, IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {TestToken} from "../../../contracts/mocks/TestToken.sol";
import {BlocklistToken, ReentrantToken} from "../../../contracts/mocks/NonStandardTokens.sol";
import {System} from "../base/System.sol";

/// @dev Seats, stakes and purses; nothing of rounds but whether one engages a seat.
contract CustodyTest is System {
    function setUp() public {
        _create(_toyTerms());
    }

    function _error(bytes4 selector, uint256 a) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a);
    }

    function _error(bytes4 selector, uint256 a, uint256 b) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }

    // ---- join

    function test_join_takesTheLowestFreeSeat() public {
        _join(3);
        vm.prank(_owner(1));
        federation.exit(1);
        vm.prank(_owner(1));
        federation.withdraw(1, _owner(1));
        assertEq(_joinWith(t.minStake), 1, "seat 1 again");
        (uint128 taken, uint128 eligible, uint128 leaving) = federation.seatSets();
        assertEq(taken, 7, "taken");
        assertEq(eligible, 7, "eligible");
        assertEq(leaving, 0, "leaving");
    }

    function test_join_writesTheSeat(address operator, uint96 stake) public {
        vm.assume(operator != address(0));
        stake = uint96(within(stake, t.minStake, type(uint96).max));
        _rich(STRANGER, stake);
        vm.expectEmit(address(federation));
        emit IStakesFacts.Joined(0, SPONSOR, operator, stake);
        vm.prank(STRANGER);
        federation.join(SPONSOR, operator, stake, "");
        IStakesFacts.Seat memory seat = federation.seatInfo(0);
        assertEq(seat.owner, SPONSOR, "owner");
        assertEq(seat.operator, operator, "operator");
        assertEq(seat.stake, stake, "stake");
        assertEq(seat.earned, 0, "earned");
        assertEq(token.balanceOf(address(federation)), stake, "held");
    }

    function test_join_refusals() public {
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        federation.join(address(0), STRANGER, t.minStake, "");
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        federation.join(STRANGER, address(0), t.minStake, "");
        vm.expectRevert(_error(IStakesFacts.StakeTooSmall.selector, t.minStake - 1, t.minStake));
        federation.join(STRANGER, STRANGER, t.minStake - 1, "");
        vm.expectRevert(_error(IStakesFacts.AmountTooLarge.selector, 2 ** 96, 2 ** 96 - 1));
        federation.join(STRANGER, STRANGER, 2 ** 96, "");
    }

    function test_join_refusesBeyondTheMaximum(uint8 maxSeats) public {
        Terms memory terms = _toyTerms();
        terms.maxSeats = within(maxSeats, 3, 128);
        _create(terms);
        _join(terms.maxSeats);
        vm.expectRevert(_error(IStakesFacts.SeatsFull.selector, terms.maxSeats));
        federation.join(STRANGER, STRANGER, t.minStake, "");
    }

    // ---- admission

    function test_admission_byAllowlist(uint256 seed) public {
        bytes32[4] memory words;
        for (uint256 i = 0; i < 4; ++i) words[i] = keccak256(bytes.concat(keccak256(abi.encode(_owner(i)))));
        (bytes32 left, bytes32 right) = (_pair(words[0], words[1]), _pair(words[2], words[3]));
        Terms memory terms = _toyTerms();
        terms.allowlist = _pair(left, right);
        _create(terms);
        uint256 who = seed % 4;
        bytes memory evidence = abi.encodePacked(words[who ^ 1], who < 2 ? right : left);
        (address owner, address other) = (_owner(who), _owner(who ^ 1));
        _rich(STRANGER, terms.minStake);
        _rich(owner, 2 * terms.minStake);
        _rich(other, terms.minStake);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotAdmitted.selector, other));
        vm.prank(other);
        federation.join(other, STRANGER, terms.minStake, evidence);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotAdmitted.selector, STRANGER));
        vm.prank(STRANGER);
        federation.join(owner, STRANGER, terms.minStake, evidence);
        vm.prank(owner);
        federation.join(owner, STRANGER, terms.minStake, evidence);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.AlreadySeated.selector, owner, 0));
        vm.prank(owner);
        federation.join(owner, STRANGER, terms.minStake, evidence);
        assertEq(federation.seatInfo(0).owner, _owner(who), "admitted");
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    function test_admission_byContract() public {
        Terms memory terms = _toyTerms();
        terms.admission = vm.deployCode("AdmissionDesk.sol");
        _create(terms);
        _rich(STRANGER, t.minStake);
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotAdmitted.selector, STRANGER));
        vm.prank(STRANGER);
        federation.join(STRANGER, STRANGER, terms.minStake, "sesame");
        vm.prank(STRANGER);
        federation.join(STRANGER, STRANGER, terms.minStake, "password");
    }

    // ---- topUp, setOperator

    function test_topUp_addsAndMakesWholeAgain(uint96 amount) public {
        _join(3);
        _fund(_cost(3));
        _toReveal(3); // and nobody reveals
        _skip();
        federation.close();
        assertEq(_stake(0), t.minStake - t.noRevealSlash, "slashed");
        (, uint128 eligible,) = federation.seatSets();
        assertEq(eligible, 0, "nobody whole");
        amount = uint96(within(amount, t.minStake / 100, type(uint96).max - _stake(0)));
        _rich(STRANGER, amount);
        vm.prank(STRANGER);
        federation.topUp(0, amount);
        assertEq(_stake(0), t.minStake - t.noRevealSlash + amount, "topped up");
        (, eligible,) = federation.seatSets();
        assertEq(eligible, amount >= t.noRevealSlash ? 1 : 0, "whole from the minimum on");
    }

    function test_topUp_refusals() public {
        _join(1);
        vm.expectRevert(IStakesFacts.ZeroAmount.selector);
        federation.topUp(0, 0);
        vm.expectRevert(_error(IStakesFacts.SeatNotTaken.selector, 1));
        federation.topUp(1, 1);
        uint256 least = t.minStake / 100;
        vm.expectRevert(_error(IStakesFacts.TopUpTooSmall.selector, least - 1, least));
        federation.topUp(0, least - 1);
        uint256 most = type(uint96).max - t.minStake;
        vm.expectRevert(_error(IStakesFacts.AmountTooLarge.selector, most + 1, most));
        federation.topUp(0, most + 1);
        vm.prank(_owner(0));
        federation.exit(0);
        vm.expectRevert(_error(IStakesFacts.AlreadyLeaving.selector, 0));
        federation.topUp(0, 1);
    }

    function test_setOperator(address operator) public {
        vm.assume(operator != address(0) && operator != _operator(0));
        _join(1);
        vm.prank(_owner(0));
        federation.setOperator(0, operator);
        assertEq(federation.seatInfo(0).operator, operator, "replaced");
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.OperatorUnchanged.selector, 0, operator));
        vm.prank(_owner(0));
        federation.setOperator(0, operator);
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        vm.prank(_owner(0));
        federation.setOperator(0, address(0));
    }

    // ---- only the owner

    function test_ownersDeeds_areNobodyElses(address caller) public {
        _join(1);
        vm.assume(caller != _owner(0));
        bytes memory reason = abi.encodeWithSelector(IStakesFacts.NotOwner.selector, 0, _owner(0), caller);
        vm.expectRevert(reason);
        vm.prank(caller);
        federation.setOperator(0, caller);
        vm.expectRevert(reason);
        vm.prank(caller);
        federation.exit(0);
        vm.expectRevert(reason);
        vm.prank(caller);
        federation.withdraw(0, caller);
        vm.expectRevert(reason);
        vm.prank(caller);
        federation.claim(0, caller);
    }

    // ---- exit, withdraw, claim

    function test_withdraw_returnsStakeAndPay() public {
        _join(3);
        _fund(_cost(3));
        _toChallenge(3, 0);
        _skip();
        vm.prank(_owner(0));
        federation.exit(0);
        vm.expectEmit(address(federation));
        emit IRoundFacts.Finalized(1, _round().proposal, true); // booked on the way
        vm.prank(_owner(0));
        federation.withdraw(0, STRANGER);
        assertTrue(token.balanceOf(STRANGER) > t.minStake + t.proposerFee, "stake, pay and fee");
        assertEq(federation.seatInfo(0).owner, address(0), "free");
        (uint128 taken,, uint128 leaving) = federation.seatSets();
        assertEq(taken, 6, "taken");
        assertEq(leaving, 0, "leaving");
    }

    function test_withdraw_waitsForTheRound() public {
        _join(4);
        _fund(_cost(4));
        _toPropose(3, 200);
        _propose(2, _aggregate());
        for (uint256 seat = 2; seat < 4; ++seat) {
            vm.prank(_owner(seat));
            federation.exit(seat);
            vm.expectRevert(_error(IStakesFacts.StillEngaged.selector, seat, 1));
            vm.prank(_owner(seat));
            federation.withdraw(seat, _owner(seat));
        }
        uint256 idle = _joinWith(t.minStake);
        vm.prank(_owner(idle));
        federation.exit(idle);
        vm.prank(_owner(idle));
        federation.withdraw(idle, _owner(idle)); // no part in the round
    }

    function test_withdraw_afterAVoidRound() public {
        _join(3);
        _fund(_cost(3));
        federation.openRound();
        vm.prank(_owner(0));
        federation.exit(0);
        vm.warp(time() + t.commitWindow + t.revealWindow + t.drawWindow);
        vm.prank(_owner(0));
        federation.withdraw(0, _owner(0));
        assertEq(token.balanceOf(_owner(0)), t.minStake, "whole");
        _assertPhase(IRoundFacts.Phase.Idle);
    }

    function test_exit_withdraw_refusals() public {
        _join(1);
        vm.expectRevert(_error(IStakesFacts.NotLeaving.selector, 0));
        vm.prank(_owner(0));
        federation.withdraw(0, STRANGER);
        vm.prank(_owner(0));
        federation.exit(0);
        vm.expectRevert(_error(IStakesFacts.AlreadyLeaving.selector, 0));
        vm.prank(_owner(0));
        federation.exit(0);
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        vm.prank(_owner(0));
        federation.withdraw(0, address(0));
    }

    function test_claim_paysOnce() public {
        _join(3);
        _fund(_cost(3));
        _toPropose(3, 255);
        uint256 earned = federation.seatInfo(1).earned;
        assertTrue(earned >= t.trainerRate, "earned");
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        vm.prank(_owner(1));
        federation.claim(1, address(0));
        vm.prank(_owner(1));
        federation.claim(1, STRANGER);
        assertEq(token.balanceOf(STRANGER), earned, "paid");
        vm.expectRevert(IStakesFacts.NothingToPay.selector);
        vm.prank(_owner(1));
        federation.claim(1, STRANGER);
        assertEq(_stake(1), t.minStake, "the stake stays");
    }

    // ---- credits, what is burnt, pool

    function test_claimCredit_refusals() public {
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        federation.claimCredit(address(0));
        vm.expectRevert(IStakesFacts.NothingToPay.selector);
        federation.claimCredit(STRANGER);
    }

    function test_claimCredit_paysOnce(uint64 amount) public {
        vm.assume(amount > 0);
        _fund(amount);
        vm.prank(SPONSOR);
        federation.conclude();
        federation.refund();
        assertEq(federation.credits(SPONSOR), amount, "credit");
        vm.prank(SPONSOR);
        federation.claimCredit(STRANGER);
        assertEq(token.balanceOf(STRANGER), amount, "paid");
        vm.expectRevert(IStakesFacts.NothingToPay.selector);
        vm.prank(SPONSOR);
        federation.claimCredit(STRANGER);
    }

    function test_sweep_burns() public {
        vm.expectRevert(IStakesFacts.NothingToPay.selector);
        federation.sweep();
        _join(3);
        _fund(_cost(3));
        _toReveal(3);
        _skip();
        federation.close();
        vm.prank(STRANGER);
        federation.sweep();
        assertEq(token.balanceOf(BURN), 3 * t.noRevealSlash, "burnt");
    }

    function test_fund_limits() public {
        vm.expectRevert(IStakesFacts.ZeroAmount.selector);
        federation.fund(0);
        _fund(type(uint128).max - 5);
        vm.expectRevert(_error(IStakesFacts.AmountTooLarge.selector, 6, 5));
        federation.fund(6);
        _fund(5);
        assertEq(_pool(), type(uint128).max, "full");
    }

    function test_fund_countsThePot() public {
        _join(3);
        _fund(type(uint128).max);
        federation.openRound();
        vm.expectRevert(_error(IStakesFacts.AmountTooLarge.selector, 1, 0));
        federation.fund(1);
    }

    function test_give_isTheirCredit(uint128 amount) public {
        vm.assume(amount > 0);
        _rich(STRANGER, amount);
        vm.prank(STRANGER);
        federation.give(CHECKER, amount);
        assertEq(federation.credits(CHECKER), amount, "credit");
        vm.prank(CHECKER);
        federation.claimCredit(SPONSOR);
        assertEq(token.balanceOf(SPONSOR), amount, "paid");
    }

    function test_give_refusals() public {
        vm.expectRevert(IStakesFacts.ZeroAddress.selector);
        federation.give(address(0), 1);
        vm.expectRevert(IStakesFacts.ZeroAmount.selector);
        federation.give(STRANGER, 0);
        vm.expectRevert(_error(IStakesFacts.AmountTooLarge.selector, 1 << 128, type(uint128).max));
        federation.give(STRANGER, 1 << 128);
    }

    // ---- permit

    function _signed(uint256 key, uint256 amount, uint256 deadline) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        address signer = vm.addr(key);
        bytes32 fields = keccak256(
            abi.encode(typeHash, signer, address(federation), amount, token.nonces(signer), deadline)
        );
        return vm.sign(key, keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), fields)));
    }

    function test_permit_isAnAllowance() public {
        uint256 amount = t.minStake;
        address signer = vm.addr(7);
        token.mint(signer, amount);
        (uint8 v, bytes32 r, bytes32 s) = _signed(7, amount, time());
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IStakes.permit, (amount, time(), v, r, s));
        calls[1] = abi.encodeCall(IStakes.join, (signer, signer, amount, ""));
        vm.prank(signer);
        federation.multicall(calls);
        assertEq(federation.seatInfo(0).owner, signer, "joined");
    }

    function test_permit_usedFirstByAnother() public {
        address signer = vm.addr(7);
        (uint8 v, bytes32 r, bytes32 s) = _signed(7, 50, time());
        token.permit(signer, address(federation), 50, time(), v, r, s);
        vm.prank(signer);
        federation.permit(50, time(), v, r, s); // the allowance stands
        vm.expectRevert(_error(IStakesFacts.PermitFailed.selector, 50, 51));
        vm.prank(signer);
        federation.permit(51, time(), v, r, s);
    }

    // ---- tokens with a vice

    function _createOver(address nonStandard) private {
        token = TestToken(nonStandard);
        _create(_toyTerms());
    }

    function test_token_withAFeeIsRefused() public {
        _createOver(vm.deployCode("NonStandardTokens.sol:FeeOnTransferToken"));
        _rich(STRANGER, t.minStake);
        vm.expectRevert(_error(IStakesFacts.WrongAmountReceived.selector, t.minStake, t.minStake - t.minStake / 100));
        vm.prank(STRANGER);
        federation.join(STRANGER, STRANGER, t.minStake, "");
    }

    function test_token_thatCallsBackIsKeptOut() public {
        ReentrantToken again = ReentrantToken(vm.deployCode("NonStandardTokens.sol:ReentrantToken"));
        _createOver(address(again));
        bytes[8] memory calls = [
            abi.encodeCall(IStakes.join, (STRANGER, STRANGER, t.minStake, "")),
            abi.encodeCall(IStakes.topUp, (0, 1)),
            abi.encodeCall(IStakes.fund, (1)),
            abi.encodeCall(IStakes.withdraw, (0, STRANGER)),
            abi.encodeCall(IStakes.claim, (0, STRANGER)),
            abi.encodeCall(IStakes.claimCredit, (STRANGER)),
            abi.encodeCall(IStakes.give, (STRANGER, 1)),
            abi.encodeCall(IStakes.sweep, ())
        ];
        for (uint256 i = 0; i < 8; ++i) {
            _rich(STRANGER, 1);
            again.setCall(address(federation), calls[i]);
            vm.prank(STRANGER);
            federation.fund(1);
            assertTrue(!again.succeeded(), "kept out");
            assertEq(bytes4(again.answer()), bytes4(keccak256("ReentrancyGuardReentrantCall()")), "by the guard");
        }
    }

    function test_token_thatBlocksOneHurtsNobodyElse() public {
        BlocklistToken block_ = BlocklistToken(vm.deployCode("NonStandardTokens.sol:BlocklistToken"));
        _createOver(address(block_));
        _join(2);
        block_.setBlocked(_owner(0), true);
        for (uint256 seat = 0; seat < 2; ++seat) {
            vm.prank(_owner(seat));
            federation.exit(seat);
        }
        vm.prank(_owner(1));
        federation.withdraw(1, _owner(1));
        vm.expectPartialRevert(BlocklistToken.Blocked.selector);
        vm.prank(_owner(0));
        federation.withdraw(0, _owner(0));
        vm.prank(_owner(0));
        federation.withdraw(0, STRANGER); // to where it can receive
    }
}
