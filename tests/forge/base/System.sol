// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFederation, IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {IFederationFactory} from "../../../contracts/interfaces/IFederationFactory.sol";
import {Commitments} from "../../../contracts/libraries/Commitments.sol";
import {TestToken} from "../../../contracts/mocks/TestToken.sol";
import {NaiveNumbers} from "../reference/NaiveNumbers.sol";
import {NaiveSeats} from "../reference/NaiveSeats.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";
import {Files} from "./Files.sol";
import {Test} from "./Test.sol";

/// @title System: a federation with seats and files, and the acts of a round in one call each
abstract contract System is Test {
    address internal constant SPONSOR = address(0x5105);
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;
    address internal constant STRANGER = address(0x57AA);
    address internal constant CHECKER = address(0xC4EC);

    TestToken internal token;
    IFederationFactory internal factory;
    IFederation internal federation;
    Terms internal t;

    bytes[] internal model; // leaves of the present model
    bytes[] internal proposal; // and of what was proposed
    mapping(uint256 seat => bytes[]) internal updates;
    mapping(uint256 seat => bytes) internal vectors; // scores by validator

    // ---- building

    /// @dev Amounts share no factor, so that one never passes for another. What is not named is zero.
    function _toyTerms() internal returns (Terms memory terms) {
        if (address(token) == address(0)) token = TestToken(vm.deployCode("TestToken.sol"));
        terms.token = address(token);
        terms.sponsor = SPONSOR;
        terms.manifest = "manifest";
        terms.genesis = "genesis";
        terms.maxExponent = 16;
        terms.maxSeats = 128;
        terms.minReveals = 3;
        terms.committee = 3;
        terms.maxAttempts = 3;
        terms.commitWindow = 600;
        terms.revealWindow = 500;
        terms.drawWindow = 400;
        terms.scoreCommitWindow = 300;
        terms.scoreRevealWindow = 200;
        terms.settleWindow = 100;
        terms.showWindow = 150;
        terms.proposeWindow = 700;
        terms.challengeWindow = 1200;
        terms.answerWindow = 60;
        terms.minStake = 100_003;
        terms.noRevealSlash = 10_007;
        terms.noScoresSlash = 11_003;
        terms.fraudSlash = 50_021;
        terms.challengeFee = 5_003;
        terms.demandDeposit = 1_009;
        terms.trainerRate = 20_011;
        terms.validatorRate = 7_001;
        terms.strictness = 4;
        terms.proposerFee = 2_003;
        terms.drawDelay = 3;
    }

    /// @dev A federation whose first model is zero.
    function _create(Terms memory terms) internal {
        delete model;
        for (uint256 i = 0; i < 1 << terms.depth; ++i) model.push(Files.modelLeaf(0));
        terms.genesis = NaiveTree.rootOf(model);
        address disputes = vm.deployCode("Disputes.sol");
        address implementation = vm.deployCode(_implementation(), abi.encode(disputes));
        factory = IFederationFactory(vm.deployCode("FederationFactory.sol", abi.encode(implementation)));
        vm.prevrandao(keccak256("beacon"));
        federation = IFederation(factory.create(terms));
        t = terms;
    }

    /// @dev Deployed by name: `new` would compile it into every test anew.
    function _implementation() internal view virtual returns (string memory) {
        return "Federation.sol";
    }

    function _ownerKey(uint256 seat) internal pure returns (uint256) {
        return 0x0E0000 + seat;
    }

    function _operatorKey(uint256 seat) internal pure returns (uint256) {
        return 0x0F0000 + seat;
    }

    function _owner(uint256 seat) internal pure returns (address) {
        return vm.addr(_ownerKey(seat));
    }

    function _operator(uint256 seat) internal pure returns (address) {
        return vm.addr(_operatorKey(seat));
    }

    function _rich(address account, uint256 amount) internal returns (address) {
        token.mint(account, amount);
        vm.prank(account);
        token.approve(address(federation), type(uint256).max);
        return account;
    }

    /// @dev Seats so many owners, in order.
    function _join(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) _joinWith(t.minStake);
    }

    function _joinWith(uint256 stake) internal returns (uint256 seat) {
        (uint128 taken,,) = federation.seatSets();
        while ((taken >> seat) & 1 == 1) ++seat;
        _rich(_owner(seat), stake);
        vm.prank(_owner(seat));
        federation.join(_owner(seat), _operator(seat), stake, "");
    }

    function _fund(uint256 amount) internal {
        _rich(SPONSOR, amount);
        vm.prank(SPONSOR);
        federation.fund(amount);
    }

    function _cost(uint256 seats) internal view returns (uint256) {
        return seats * t.trainerRate + t.committee * t.validatorRate + t.proposerFee;
    }

    // ---- seeing

    function _round() internal view returns (IRoundFacts.Round memory) {
        return federation.roundInfo();
    }

    function _committee() internal view returns (uint256[] memory seats) {
        IRoundFacts.Round memory r = _round();
        seats = new uint256[](r.committeeSize);
        for (uint256 i = 0; i < seats.length; ++i) seats[i] = uint8(r.committee >> (8 * (14 - i)));
    }

    function _accepted() internal view returns (uint256[] memory) {
        return NaiveSeats.list(_round().accepted);
    }

    function _stake(uint256 seat) internal view returns (uint256) {
        return federation.seatInfo(seat).stake;
    }

    function _pool() internal view returns (uint256 pool) {
        (,,,,, pool,,) = federation.accounting();
    }

    function _kept() internal view returns (uint256 kept) {
        (,,,,,, kept,) = federation.accounting();
    }

    function _slashed() internal view returns (uint256 slashed) {
        (,,, slashed,,,,) = federation.accounting();
    }

    function _assertPhase(IRoundFacts.Phase expected) internal view {
        assertEq(uint256(federation.phase()), uint256(expected), "phase");
    }

    function _wrongPhase(IRoundFacts.Phase expected, IRoundFacts.Phase actual) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRoundFacts.WrongPhase.selector, expected, actual);
    }

    // ---- a round, act by act

    /// @dev To the second in which the next phase begins.
    function _skip() internal {
        vm.warp(federation.phaseEnd());
    }

    function _salt(uint256 seat) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", seat));
    }

    function _updateCommitment(uint256 seat, bytes32 root) internal view returns (bytes32) {
        return Commitments.update(address(federation), _round().number, seat, root, _salt(seat), keccak256(""));
    }

    /// @dev A constant update: every value q * 2^e.
    function _constant(uint256 seat, uint8 e, int8 q) internal {
        delete updates[seat];
        for (uint256 i = 0; i < 1 << t.depth; ++i) updates[seat].push(Files.updateLeaf(e, q));
    }

    function _commit(uint256 seat) internal {
        bytes32 commitment = _updateCommitment(seat, NaiveTree.rootOf(updates[seat]));
        uint256 number = _round().number;
        vm.prank(_operator(seat));
        federation.commit(number, seat, commitment);
    }

    function _reveal(uint256 seat) internal {
        federation.reveal(seat, NaiveTree.rootOf(updates[seat]), _salt(seat), "");
    }

    function _draw() internal {
        federation.close();
        mine(t.drawDelay + 1);
        federation.draw(_header(_seeding()));
    }

    function _seeding() internal view returns (uint256) {
        return _round().closeBlock + t.drawDelay;
    }

    function _randao(uint256 number) internal pure returns (bytes32) {
        return keccak256(abi.encode("randao", number));
    }

    /// @dev The shortest header that is one: thirteen empty fields, the randomness, and something more. The chain knows its hash.
    function _header(uint256 number) internal returns (bytes memory header) {
        header = abi.encodePacked(hex"f84f80808080808080808080808080a0", _randao(number), hex"a0", bytes32(number));
        vm.setBlockhash(number, keccak256(header));
    }

    function _scoresCommitment(uint256 seat, bytes memory scores) internal view returns (bytes32) {
        return Commitments.scores(address(federation), _round().number, seat, keccak256(scores), _salt(seat));
    }

    function _commitScores(uint256 seat, bytes memory scores) internal {
        vectors[seat] = scores;
        bytes32 commitment = _scoresCommitment(seat, scores);
        uint256 number = _round().number;
        vm.prank(_operator(seat));
        federation.commitScores(number, seat, commitment);
    }

    function _revealScores(uint256 seat) internal {
        federation.revealScores(seat, vectors[seat], _salt(seat));
    }

    /// @dev The vectors of those who revealed, in committee order.
    function _shown() internal view returns (bytes[] memory shown) {
        uint256[] memory committee = _committee();
        bytes[] memory all = new bytes[](committee.length);
        uint256 n;
        for (uint256 i = 0; i < committee.length; ++i) {
            (uint256 state,) = federation.scoreRecordOf(i);
            if (state == 2) all[n++] = vectors[committee[i]];
        }
        shown = new bytes[](n);
        for (uint256 i = 0; i < n; ++i) shown[i] = all[i];
    }

    /// @dev The right next model, by the naive rule.
    function _aggregate() internal view returns (bytes[] memory next) {
        uint256[] memory seats = _accepted();
        next = new bytes[](model.length);
        for (uint256 leaf = 0; leaf < model.length; ++leaf) {
            bytes memory previous = model[leaf];
            int256[256][] memory given = new int256[256][](seats.length);
            for (uint256 i = 0; i < seats.length; ++i) {
                given[i] = NaiveNumbers.updateValues(updates[seats[i]][leaf], t.maxExponent);
            }
            int256[] memory values = new int256[](seats.length);
            next[leaf] = new bytes(1024);
            for (uint256 c = 0; c < 256; ++c) {
                for (uint256 i = 0; i < seats.length; ++i) values[i] = given[i][c];
                Files.put(next[leaf], c, NaiveNumbers.aggregate(NaiveNumbers.modelValue(previous, c), values, t.trim));
            }
        }
    }

    function _propose(uint256 seat, bytes[] memory next) internal {
        delete proposal;
        for (uint256 i = 0; i < next.length; ++i) proposal.push(next[i]);
        bytes32 root = NaiveTree.rootOf(next); // calls a precompile, which would use up the prank
        IRoundFacts.Round memory r = _round();
        vm.prank(_operator(seat));
        federation.propose(r.number, r.attempts + 1, seat, root, "");
    }

    function _proof(uint256 leaf) internal view returns (bytes memory proof) {
        uint256[] memory seats = _accepted();
        for (uint256 i = 0; i < seats.length; ++i) proof = bytes.concat(proof, _opening(updates[seats[i]], leaf));
        return bytes.concat(proof, _opening(model, leaf), _opening(proposal, leaf));
    }

    function _opening(bytes[] memory leaves, uint256 leaf) internal pure returns (bytes memory) {
        (, bytes memory path) = NaiveTree.open(leaves, leaf);
        return bytes.concat(leaves[leaf], path);
    }

    // ---- a round, by stages; seats 0 to n - 1 take part, every validator gives everyone `score`

    function _toReveal(uint256 n) internal {
        federation.openRound();
        for (uint256 seat = 0; seat < n; ++seat) {
            if (updates[seat].length == 0) _constant(seat, 4, int8(int256(seat)) - 1);
            _commit(seat);
        }
        _skip();
    }

    function _toDraw(uint256 n) internal {
        _toReveal(n);
        for (uint256 seat = 0; seat < n; ++seat) _reveal(seat);
        _skip();
    }

    function _toScores(uint256 n) internal {
        _toDraw(n);
        _draw();
    }

    function _toScoreReveal(uint256 n, uint8 score) internal {
        _toScores(n);
        bytes memory scores = new bytes(n);
        for (uint256 i = 0; i < n; ++i) scores[i] = bytes1(score);
        uint256[] memory committee = _committee();
        for (uint256 i = 0; i < committee.length; ++i) _commitScores(committee[i], scores);
        _skip();
    }

    function _toSettle(uint256 n, uint8 score) internal {
        _toScoreReveal(n, score);
        uint256[] memory committee = _committee();
        for (uint256 i = 0; i < committee.length; ++i) _revealScores(committee[i]);
        _skip();
    }

    function _toShow(uint256 n, uint8 score) internal {
        _toSettle(n, score);
        federation.settle(_shown());
    }

    function _toPropose(uint256 n, uint8 score) internal {
        _toShow(n, score);
        _skip();
    }

    /// @dev Seat 0 proposes the right model, or one whose first number is `off` from it.
    function _toChallenge(uint256 n, int256 off) internal {
        _toPropose(n, 200);
        bytes[] memory next = _aggregate();
        Files.put(next[0], 0, NaiveNumbers.modelValue(next[0], 0) + off);
        _propose(0, next);
    }
}
