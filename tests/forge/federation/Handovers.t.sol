// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IHandovers} from "../../../contracts/interfaces/IHandovers.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {OddWallet} from "../../../contracts/mocks/Wallets.sol";
import {System} from "../base/System.sol";
import {NaiveSignatures} from "../reference/NaiveSignatures.sol";

/// @dev A seat goes to an owner that signed for it.
contract HandoversTest is System {
    uint256 private constant NEW = 9; // has no seat

    struct Deal {
        uint256 seat;
        address to;
        address operator;
        uint256 stake;
        uint256 deadline;
        bytes evidence;
    }

    function setUp() public {
        _create(_toyTerms());
        _join(2);
    }

    function _deal() private view returns (Deal memory) {
        return Deal(0, _owner(NEW), _operator(NEW), t.minStake, time() + 100, "");
    }

    function _digest(Deal memory d) private view returns (bytes32) {
        address[3] memory who = [_owner(d.seat), d.to, d.operator];
        return NaiveSignatures.handover(address(federation), d.seat, who, d.stake, d.deadline);
    }

    function _sign(Deal memory d, uint256 key) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(d));
        return abi.encodePacked(r, s, v);
    }

    function _call(address by, Deal memory d, bytes memory signature) private {
        vm.prank(by);
        federation.handover(d.seat, d.to, d.operator, d.stake, d.deadline, signature, d.evidence);
    }

    function _refused(Deal memory d, bytes memory reason) private {
        bytes memory signature = _sign(d, _ownerKey(NEW));
        vm.expectRevert(reason);
        _call(_owner(d.seat), d, signature);
    }

    function test_handover_givesTheSeatAsItIs(uint32 more) public {
        if (more >= t.minStake / 100) {
            _rich(SPONSOR, more);
            vm.prank(SPONSOR);
            federation.topUp(0, more);
        }
        uint256 stake = _stake(0);
        Deal memory d = _deal();
        bytes memory signature = _sign(d, _ownerKey(NEW));
        vm.expectEmit(address(federation));
        emit IHandovers.HandedOver(0, _owner(0), d.to, d.operator);
        _call(_owner(0), d, signature);
        IStakesFacts.Seat memory seat = federation.seatInfo(0);
        assertEq(seat.owner, d.to, "owner");
        assertEq(seat.operator, d.operator, "operator");
        assertEq(seat.stake, stake, "stake");
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotOwner.selector, 0, d.to, _owner(0)));
        vm.prank(_owner(0));
        federation.exit(0);
        vm.prank(d.to);
        federation.exit(0);
        vm.prank(d.to);
        federation.withdraw(0, d.to);
        assertEq(token.balanceOf(d.to), stake, "all of it");
    }

    /// @dev Whatever differs from what was signed, the new owner's consent among it.
    function test_handover_isWhatWasSigned(uint256 which) public {
        Deal memory d = _deal();
        bytes memory signature = _sign(d, which % 7 == 0 ? _ownerKey(8) : _ownerKey(NEW));
        which = which % 7;
        if (which == 1) d.seat = 1;
        if (which == 2) d.to = _owner(8);
        if (which == 3) d.operator = STRANGER;
        if (which == 4) d.stake -= 1;
        if (which == 5) d.deadline += 1;
        if (which == 6) signature = bytes.concat(signature, hex"00");
        vm.expectRevert(abi.encodeWithSelector(IHandovers.WrongSignature.selector, d.to, _digest(d)));
        _call(_owner(d.seat), d, signature);
    }

    function test_handover_refusals() public {
        Deal memory d = _deal();
        bytes memory signature = _sign(d, _ownerKey(NEW));
        vm.expectRevert(abi.encodeWithSelector(IStakesFacts.NotOwner.selector, 0, _owner(0), STRANGER));
        _call(STRANGER, d, signature);
        d.to = address(0);
        _refused(d, abi.encodeWithSelector(IStakesFacts.ZeroAddress.selector));
        d = _deal();
        d.operator = address(0);
        _refused(d, abi.encodeWithSelector(IStakesFacts.ZeroAddress.selector));
        d = _deal();
        d.to = _owner(0);
        _refused(d, abi.encodeWithSelector(IHandovers.OwnerUnchanged.selector, 0, _owner(0)));
        d = _deal();
        d.stake += 1;
        _refused(d, abi.encodeWithSelector(IStakesFacts.StakeTooSmall.selector, t.minStake, t.minStake + 1));
        d = _deal();
        vm.warp(d.deadline + 1);
        _refused(d, abi.encodeWithSelector(IHandovers.SignatureExpired.selector, d.deadline + 1, d.deadline));
        d.deadline = time(); // its last second
        vm.prank(_owner(0));
        federation.exit(0);
        _refused(d, abi.encodeWithSelector(IStakesFacts.AlreadyLeaving.selector, 0));
    }

    /// @dev Back and forth: what was used once is not used again, though all that it says holds again.
    function test_handover_onceForEachSignature() public {
        Deal memory there = _deal();
        bytes memory signature = _sign(there, _ownerKey(NEW));
        _call(_owner(0), there, signature);
        address[3] memory who = [_owner(NEW), _owner(0), _operator(0)];
        bytes32 back = NaiveSignatures.handover(address(federation), 0, who, there.stake, there.deadline);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_ownerKey(0), back);
        vm.prank(_owner(NEW));
        federation.handover(0, who[1], who[2], there.stake, there.deadline, abi.encodePacked(r, s, v), "");
        vm.expectRevert(abi.encodeWithSelector(IHandovers.SignatureUsed.selector, _digest(there)));
        _call(_owner(0), there, signature);
        there.deadline += 1;
        _call(_owner(0), there, _sign(there, _ownerKey(NEW)));
        assertEq(federation.seatInfo(0).owner, _owner(NEW), "with a new one");
    }

    function test_handover_toAContract() public {
        Deal memory d = _deal();
        OddWallet wallet = new OddWallet();
        d.to = address(wallet);
        wallet.set(OddWallet.Manner.Refuses, address(0), "");
        vm.expectRevert(abi.encodeWithSelector(IHandovers.WrongSignature.selector, d.to, _digest(d)));
        _call(_owner(0), d, "");
        wallet.set(OddWallet.Manner.Agrees, address(0), "");
        _call(_owner(0), d, "");
        assertEq(federation.seatInfo(0).owner, d.to, "the contract's");
    }

    /// @dev Admitted as if it joined, on its own account: the present owner sends.
    function test_handover_needsAdmission() public {
        Terms memory terms = t;
        (address one, address two) = (_owner(0), _owner(NEW));
        bytes32[2] memory leaves = [_leaf(one), _leaf(two)];
        terms.allowlist = leaves[0] < leaves[1]
            ? keccak256(abi.encode(leaves[0], leaves[1]))
            : keccak256(abi.encode(leaves[1], leaves[0]));
        _create(terms);
        _rich(one, t.minStake);
        vm.prank(one);
        federation.join(one, _operator(0), t.minStake, abi.encode(leaves[1]));
        Deal memory d = _deal();
        d.evidence = abi.encode(leaves[1]); // another's
        _refused(d, abi.encodeWithSelector(IStakesFacts.NotAdmitted.selector, two));
        d.evidence = abi.encode(leaves[0]);
        _call(one, d, _sign(d, _ownerKey(NEW)));
        assertEq(federation.seatInfo(0).owner, two, "admitted");
    }

    function _leaf(address owner) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(owner))));
    }
}
