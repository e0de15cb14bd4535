// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFederation, IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IFederationFactory} from "../../../contracts/interfaces/IFederationFactory.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {System} from "../base/System.sol";

/// @dev Birth and end of a federation.
contract FactoryTest is System {
    function setUp() public {
        _create(_toyTerms());
    }

    function test_create_listsWhatItMade() public {
        Terms memory terms = t;
        terms.label = "second";
        address second = factory.create(terms);
        assertEq(factory.count(), 2, "count");
        assertEq(factory.federations(0), address(federation), "first");
        assertEq(factory.federations(1), second, "second");
        assertEq(factory.bornAt(second), vm.getBlockNumber(), "known");
        assertEq(factory.bornAt(STRANGER), 0, "not known");
        assertTrue(factory.implementation().code.length > 0, "code");
        assertEq(keccak256(abi.encode(federation.terms())), keccak256(abi.encode(t)), "terms");
        assertEq(keccak256(abi.encode(IFederation(second).terms())), keccak256(abi.encode(terms)), "the second's terms");
    }

    /// @dev The same terms give the same federation to every caller, however often; another label makes another one.
    function test_create_ofTheSameTermsMakesOne(bytes32 label, address caller) public {
        Terms memory terms = t;
        mine(1);
        vm.prank(caller);
        assertEq(factory.create(terms), address(federation), "the first again");
        assertEq(factory.count(), 1, "listed once");
        assertEq(factory.bornAt(address(federation)), vm.getBlockNumber() - 1, "born once");
        terms.label = label;
        assertEq(uint256(factory.create(terms) == address(federation) ? 1 : 0), label == 0 ? 1 : 0, "another label");
        assertEq(factory.count(), label == 0 ? 1 : 2, "another one");
    }

    function test_create_refusesBadTerms() public {
        Terms memory terms = t;
        terms.committee = 4;
        vm.expectRevert(abi.encodeWithSelector(IFederationFactory.BadTerms.selector, 11));
        factory.create(terms);
    }

    /// @dev A beacon's value is below 2^64 once in 2^192 blocks; constants and difficulties always are.
    function test_create_wantsRandomness(uint256 given) public {
        Terms memory terms = t;
        terms.label = "second"; // what is there already is given again without looking at the beacon
        vm.prevrandao(bytes32(given % 2 ** 64));
        vm.expectRevert(abi.encodeWithSelector(IFederationFactory.NoRandomness.selector, given % 2 ** 64));
        factory.create(terms);
        vm.prevrandao(bytes32(given < 2 ** 64 ? given + 2 ** 64 : given));
        factory.create(terms);
    }

    function test_implementation_mustHaveCode() public {
        vm.expectRevert(abi.encodeWithSelector(IFederationFactory.NoCode.selector, STRANGER));
        vm.deployCode("FederationFactory.sol", abi.encode(STRANGER));
    }

    function test_birth() public view {
        _assertPhase(IRoundFacts.Phase.Idle);
        assertEq(federation.phaseEnd(), 0, "no end");
        assertEq(federation.model(), t.genesis, "genesis");
        assertEq(_round().number, 0, "no round");
        assertTrue(!federation.concluded(), "no notice");
    }

    // ---- notice and refund

    function test_conclude_onlyTheSponsorAndOnce(address caller) public {
        vm.assume(caller != SPONSOR);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NotSponsor.selector, SPONSOR, caller));
        vm.prank(caller);
        federation.conclude();
        vm.prank(SPONSOR);
        federation.conclude();
        assertTrue(federation.concluded(), "concluded");
        vm.expectRevert(IRoundFacts.AlreadyConcluded.selector);
        vm.prank(SPONSOR);
        federation.conclude();
    }

    function test_refund_waitsForTheRound() public {
        _join(3);
        _fund(_cost(3) + 5);
        vm.expectRevert(IRoundFacts.NotConcluded.selector);
        federation.refund();
        federation.openRound();
        vm.prank(SPONSOR);
        federation.conclude();
        vm.expectRevert(_wrongPhase(IRoundFacts.Phase.Idle, IRoundFacts.Phase.Commit));
        federation.refund();
        vm.warp(time() + 10_000);
        federation.finalize();
        vm.expectEmit(address(federation));
        emit IStakesFacts.Refunded(SPONSOR, _cost(3) + 5, 0);
        federation.refund();
        assertEq(federation.credits(SPONSOR), _cost(3) + 5, "all of it");
        vm.expectRevert(IStakesFacts.NothingToPay.selector);
        federation.refund();
    }

    /// @dev The code behind the clones has no terms; nothing of value can happen there.
    function test_implementation_isInert() public {
        IFederation code = IFederation(factory.implementation());
        vm.expectRevert();
        code.openRound();
        vm.expectRevert();
        code.fund(1);
    }
}
