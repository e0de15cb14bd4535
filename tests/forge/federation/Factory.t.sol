// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFederation, IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IFederationFactory} from "../../../contracts/interfaces/IFederationFactory.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {Files} from "../base/Files.sol";
import {System} from "../base/System.sol";

/// @dev Birth and end of a federation.
contract FactoryTest is System {
    uint256 private constant FIRST_WINDOW = 13; // of ten, among the words of terms

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

    function test_implementation_mustHaveDisputes() public {
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.NoDisputes.selector, STRANGER));
        vm.deployCode("Federation.sol", abi.encode(STRANGER));
    }

    // ---- what terms can cost

    /// @dev By hand, from the toy terms: 11,003 is the greater of both silences, and fraud is 50,021; the windows before the first
    /// proposal are 600 + 500 + 400 + 300 + 200 + 100 + 150 = 2,250 seconds, and each of three attempts takes 700 + 1,200.
    function test_worst_ofTheToyTerms() public {
        (uint256 loss, uint256 lock) = factory.worst(_toyTerms());
        assertEq(loss, 61_024, "loss");
        assertEq(lock, 7_950, "lock");
    }

    function test_worst_countsTheDearerSilence() public {
        Terms memory terms = t;
        terms.noRevealSlash = 24_001;
        (uint256 loss,) = factory.worst(terms);
        assertEq(loss, 74_022, "silence in reveal");
        terms.noScoresSlash = 24_007;
        (loss,) = factory.worst(terms);
        assertEq(loss, 74_028, "silence in scores");
    }

    /// @dev A seat can really lose that much: it is drawn and stays silent, and then proposes a wrong model.
    function test_worst_isWhatASeatLoses() public {
        for (uint256 i = 0; i < 3; ++i) _joinWith(t.minStake + t.noScoresSlash);
        _fund(_cost(3));
        _toScoreReveal(3, 200);
        _revealScores(1);
        _revealScores(2);
        _skip();
        federation.settle(_shown());
        _skip();
        uint256 stake = t.minStake + t.noScoresSlash;
        bytes[] memory next = _aggregate();
        Files.put(next[0], 0, 7);
        _propose(0, next);
        federation.challenge(0, 0, _proof(0));
        (uint256 loss,) = factory.worst(t);
        assertEq(stake - _stake(0), loss, "lost");
    }

    /// @dev A second more of a window is a second more of the lock, or one an attempt.
    function test_worst_everyWindowIsInTheLock() public {
        (, uint256 before) = factory.worst(t);
        bytes memory words = abi.encode(t);
        for (uint256 i = FIRST_WINDOW; i < FIRST_WINDOW + 10; ++i) {
            bytes memory longer = abi.encodePacked(words);
            assembly ("memory-safe") {
                let place := add(add(longer, 0x20), mul(i, 0x20))
                mstore(place, add(mload(place), 1))
            }
            (, uint256 lock) = factory.worst(abi.decode(longer, (Terms)));
            uint256 times = i < FIRST_WINDOW + 7 ? 1 : i < FIRST_WINDOW + 9 ? t.maxAttempts : 0; // an answer ends with its challenge
            assertEq(lock - before, times, vm.toString(i));
        }
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

    function test_conclude_endsFunding() public {
        _fund(7);
        vm.prank(SPONSOR);
        federation.conclude();
        _rich(SPONSOR, 7);
        vm.expectRevert(IRoundFacts.AlreadyConcluded.selector);
        vm.prank(SPONSOR);
        federation.fund(7);
        _rich(STRANGER, 7);
        vm.expectRevert(IRoundFacts.AlreadyConcluded.selector);
        vm.prank(STRANGER);
        federation.fund(7);
        assertEq(_pool(), 7, "what came before stays");
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
