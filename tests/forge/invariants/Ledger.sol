// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts} from "../../../contracts/interfaces/IFederation.sol";
import {IStakesFacts} from "../../../contracts/interfaces/IStakes.sol";
import {Commitments} from "../../../contracts/libraries/Commitments.sol";
import {Files} from "../base/Files.sol";
import {System} from "../base/System.sol";
import {NaiveNumbers} from "../reference/NaiveNumbers.sol";
import {NaivePhases} from "../reference/NaivePhases.sol";
import {NaiveTree} from "../reference/NaiveTree.sol";

/// @title Ledger: what the federation should say, kept beside it by other means; and the claims that it says so
abstract contract Ledger is System {
    uint256 internal constant PEOPLE = 8; // one more than there are seats
    uint256 internal constant HONEST = 4; // the first of them
    uint256 internal constant NOBODY = type(uint256).max;

    struct Person {
        bool seated;
        bool leaving;
        uint256 seat;
        address operator;
        uint256 stake;
        uint256 earned;
        uint256 put; // paid in as stake since it sat down
    }

    /// @dev An update of one constant a leaf, and how far it got.
    struct Draft {
        uint256 state; // 0 nothing, 1 committed, 2 revealed
        uint8[2] e;
        int8[2] q;
        bool withheld; // nobody else can open it
        bytes32 root;
        bytes32 salt;
    }

    struct Vote {
        uint256 state;
        bytes scores;
        bytes32 salt;
    }

    struct Proposal {
        int256[2] values; // a constant a leaf
        bool wrong; // but for one number
        uint256 leaf;
        uint256 coordinate;
        int256 off;
        bool hidden; // nobody can open it
        bytes32 root;
    }

    struct Demand {
        uint256 round;
        uint256 attempt;
        IRoundFacts.Artifact artifact;
        uint256 seat;
        uint256 leaf;
        address demander;
        uint256 deadline;
    }

    Person[PEOPLE] internal people;
    mapping(uint256 seat => uint256) internal personAt;
    address[] internal accounts; // all that may ever have credit

    IRoundFacts.Round internal round;
    mapping(uint256 number => mapping(uint256 seat => Draft)) internal drafts;
    mapping(uint256 number => mapping(uint256 position => Vote)) internal votes;
    mapping(uint256 number => mapping(uint256 seat => uint256)) internal reported; // by who reported: whose updates
    Proposal internal proposed;
    Demand[] internal demands;
    int256[2] internal values; // of the model
    bytes32 internal rightRoot; // of the model that honest aggregation leads to
    bool internal concluded;

    // ---- the accounting

    mapping(address account => uint256) internal credits;
    uint256 internal slashed;
    uint256 internal pool;
    uint256 internal kept; // what rounds did not pay although somebody trained
    uint256 internal pot;
    uint256 internal donated;
    uint256 internal lastProgress;
    bool internal wentBack;

    // ---- what follows from the facts

    function _now() internal view returns (IRoundFacts.Phase phase, uint256 end) {
        return NaivePhases.read(round, t, time());
    }

    function _stands() internal view returns (bool) {
        return round.live && round.settledAt != 0 && round.proposedAt != 0;
    }

    function _has(uint256 set, uint256 seat) internal pure returns (bool) {
        return (set >> seat) % 2 == 1;
    }

    function _sets() internal view returns (uint256 taken, uint256 eligible, uint256 leaving) {
        for (uint256 p = 0; p < PEOPLE; ++p) {
            if (!people[p].seated) continue;
            uint256 bit = 2 ** people[p].seat;
            taken += bit;
            if (people[p].leaving) leaving += bit;
            else if (people[p].stake >= t.minStake) eligible += bit;
        }
    }

    function _deposits() internal view returns (uint256) {
        return demands.length * t.demandDeposit;
    }

    function _updateLeaves(Draft storage d) internal view returns (bytes[] memory leaves) {
        leaves = new bytes[](1 << t.depth);
        for (uint256 i = 0; i < leaves.length; ++i) leaves[i] = Files.updateLeaf(d.e[i], d.q[i]);
    }

    function _modelLeaves(int256[2] memory constants) internal view returns (bytes[] memory leaves) {
        leaves = new bytes[](1 << t.depth);
        for (uint256 i = 0; i < leaves.length; ++i) leaves[i] = Files.modelLeaf(constants[i]);
    }

    function _proposedLeaves(Proposal memory p) internal view returns (bytes[] memory leaves) {
        leaves = _modelLeaves(p.values);
        if (p.wrong) Files.put(leaves[p.leaf], p.coordinate, p.values[p.leaf] + p.off);
    }

    /// @dev The constants of the right next model.
    function _next() internal view returns (int256[2] memory next) {
        for (uint256 leaf = 0; leaf < 1 << t.depth; ++leaf) {
            int256[] memory given = new int256[](PEOPLE);
            uint256 n;
            for (uint256 seat = 0; seat < PEOPLE; ++seat) {
                if (!_has(round.accepted, seat)) continue;
                Draft storage d = drafts[round.number][seat];
                bool sound = d.e[leaf] <= t.maxExponent && d.q[leaf] != -128;
                given[n++] = sound ? int256(d.q[leaf]) * int256(2 ** uint256(d.e[leaf])) : int256(0);
            }
            assembly ("memory-safe") {
                mstore(given, n)
            }
            next[leaf] = NaiveNumbers.aggregate(values[leaf], given, t.trim);
        }
    }

    // ---- what the acts do to the accounting

    function _bookCredit(address account, uint256 amount) internal {
        credits[account] += amount;
    }

    function _bookSlash(uint256 seat, uint256 amount, uint256 fee, address feeTo) internal {
        Person storage p = people[personAt[seat]];
        uint256 taken = amount < p.stake ? amount : p.stake;
        p.stake -= taken;
        if (feeTo != address(0)) {
            uint256 paid = fee < taken ? fee : taken;
            _bookCredit(feeTo, paid);
            taken -= paid;
        }
        slashed += taken;
    }

    function _bookPay(uint256 seat, uint256 amount) internal {
        people[personAt[seat]].earned += amount;
        pot -= amount;
    }

    /// @dev What the contract keeps of a seat's part in the round, as bytes.
    function _word(uint256 seat, Draft storage d) private view returns (bytes memory) {
        bytes32 sealed_ = Commitments.update(address(federation), round.number, seat, d.root, d.salt, keccak256(""));
        return abi.encodePacked(uint24(round.number), uint8(d.state), bytes28(d.state == 2 ? d.root : sealed_));
    }

    function _bookClose() internal {
        uint256 n;
        bytes memory words;
        for (uint256 seat = 0; seat < PEOPLE; ++seat) {
            uint256 state = drafts[round.number][seat].state;
            if (state != 0) words = bytes.concat(words, _word(seat, drafts[round.number][seat]));
            if (state == 2) {
                round.revealed += uint128(2 ** seat);
                ++n;
            } else if (state == 1) {
                _bookSlash(seat, t.noRevealSlash, 0, address(0));
            }
        }
        round.closeBlock = uint40(vm.getBlockNumber());
        round.mix = keccak256(words);
        if (n < t.minReveals) round.voided = true;
    }

    function _bookReport(uint256 seat, uint256 missing) internal {
        reported[round.number][seat] |= missing;
        for (uint256 author = 0; author < PEOPLE; ++author) {
            uint256 votes_;
            uint256 voters;
            for (uint256 other = 0; other < PEOPLE; ++other) {
                if (_has(round.revealed, other)) ++voters;
                if (_has(reported[round.number][other], author)) ++votes_;
            }
            if (_has(round.accepted, author) && votes_ > voters / 2) round.accepted -= uint128(2 ** author);
        }
    }

    function _bookSilence() internal {
        for (uint256 i = 0; i < round.committeeSize; ++i) {
            if (votes[round.number][i].state != 2) _bookSlash(_seatAt(i), t.noScoresSlash, 0, address(0));
        }
    }

    function _seatAt(uint256 position) internal view returns (uint256) {
        return uint8(round.committee >> (8 * (14 - position)));
    }

    function _bookFall(uint256 from, address feeTo) internal {
        uint256 seat = round.proposer;
        round.fallen += uint128(2 ** seat);
        round.proposeFrom = uint40(from);
        (round.proposedAt, round.openDemands, round.proposer, round.proposal) = (0, 0, 0, 0);
        _bookSlash(seat, t.fraudSlash, t.challengeFee, feeTo);
    }

    /// @dev The proposal fell when its window closed; nobody had said so.
    function _bookFallByClock() internal {
        _bookFall(round.proposedAt + t.challengeWindow, address(0));
    }

    function _bookEnd() internal {
        (IRoundFacts.Phase phase,) = _now();
        if (phase == IRoundFacts.Phase.Void) {
            if (round.closeBlock == 0) _bookClose();
            if (round.drawnAt != 0 && !round.voided) _bookSilence();
            round.voided = true;
        } else if (round.openDemands > 0) {
            _bookFallByClock();
        } else if (round.proposedAt != 0) {
            values = _next();
            rightRoot = NaiveTree.rootOf(_modelLeaves(values));
            _bookPay(round.proposer, t.proposerFee);
        }
        round.live = false;
        if (round.revealed == 0) pool += pot;
        else kept += pot;
        pot = 0;
    }

    /// @dev A number that never falls: rounds, and the stages of each.
    function _progress() internal view returns (uint256) {
        IRoundFacts.Round memory r = federation.roundInfo();
        uint256 stage = uint256(federation.phase());
        if (stage == 0) stage = 63;
        else if (stage == uint256(IRoundFacts.Phase.Propose)) stage += 2 * r.attempts;
        else if (stage == uint256(IRoundFacts.Phase.Challenge)) stage += 2 * r.attempts - 2;
        else if (stage >= uint256(IRoundFacts.Phase.Final)) stage = 62;
        return 64 * uint256(r.number) + stage;
    }

    function _watch() internal {
        uint256 progress = _progress();
        if (progress < lastProgress) wentBack = true;
        lastProgress = progress;
    }

    struct Accounting {
        uint256 stakes;
        uint256 earned;
        uint256 credit;
        uint256 slashed;
        uint256 deposits;
        uint256 pool;
        uint256 kept;
        uint256 pot;
    }

    function _accounting() internal view returns (Accounting memory a) {
        (a.stakes, a.earned, a.credit, a.slashed, a.deposits, a.pool, a.kept, a.pot) = federation.accounting();
    }

    function _sum(Accounting memory a) internal pure returns (uint256) {
        return a.stakes + a.earned + a.credit + a.slashed + a.deposits + a.pool + a.kept + a.pot;
    }

    // ---- the claims

    /// @notice Every part of the accounting says what the ledger says, and their sum is what the federation holds.
    function claimBooks() external view {
        Accounting memory a = _accounting();
        (uint256 allStakes, uint256 allEarned, uint256 allCredit) = (0, 0, 0);
        for (uint256 p = 0; p < PEOPLE; ++p) {
            allStakes += people[p].stake;
            allEarned += people[p].earned;
        }
        for (uint256 i = 0; i < accounts.length; ++i) allCredit += credits[accounts[i]];
        assertEq(a.stakes, allStakes, "stakes");
        assertEq(a.earned, allEarned, "earned");
        assertEq(a.credit, allCredit, "credit");
        assertEq(a.slashed, slashed, "slashed");
        assertEq(a.deposits, _deposits(), "deposits");
        assertEq(a.pool, pool, "pool");
        assertEq(a.kept, kept, "kept");
        assertEq(a.pot, pot, "pot");
        assertLe(a.kept, _cost(PEOPLE), "never more kept than one round costs");
    }

    /// @notice Token held == the sum of the accounting, to the wei (what was given away by plain transfer aside).
    function claimSolvent() external view {
        Accounting memory a = _accounting();
        assertEq(token.balanceOf(address(federation)), _sum(a) + donated, "held");
    }

    /// @notice Every seat and every account has what the acts listed left it; the three sets follow.
    function claimSeats() external view {
        for (uint256 p = 0; p < PEOPLE; ++p) {
            Person storage person = people[p];
            if (!person.seated) continue;
            IStakesFacts.Seat memory seat = federation.seatInfo(person.seat);
            assertEq(seat.owner, _owner(p), "owner");
            assertEq(seat.operator, person.operator, "operator");
            assertEq(seat.stake, person.stake, "stake");
            assertEq(seat.earned, person.earned, "earned");
        }
        for (uint256 i = 0; i < accounts.length; ++i) {
            assertEq(federation.credits(accounts[i]), credits[accounts[i]], "credit");
        }
        (uint256 taken, uint256 eligible, uint256 leaving) = _sets();
        (uint128 taken_, uint128 eligible_, uint128 leaving_) = federation.seatSets();
        assertEq(taken_, taken, "taken");
        assertEq(eligible_, eligible, "eligible");
        assertEq(leaving_, leaving, "leaving");
    }

    /// @notice Who follows the protocol is never slashed.
    function claimHonestKeepTheirStakes() external view {
        for (uint256 p = 0; p < HONEST; ++p) {
            if (people[p].seated) assertEq(federation.seatInfo(people[p].seat).stake, people[p].put, "an honest stake");
        }
    }

    /// @notice The round's facts are those that the acts made, and the phase is the one of the table.
    function claimRound() external view {
        (IRoundFacts.Phase phase, uint256 end) = _now();
        assertEq(uint256(federation.phase()), uint256(phase), "phase");
        assertEq(federation.phaseEnd(), end, "phase's end");
        assertEq(keccak256(abi.encode(federation.roundInfo())), keccak256(abi.encode(round)), "facts");
        for (uint256 seat = 0; seat < PEOPLE; ++seat) {
            (uint256 state,) = federation.recordOf(seat);
            assertEq(state, drafts[round.number][seat].state, "record");
            (uint128 missing,) = federation.reportInfo(seat);
            assertEq(missing, round.live ? reported[round.number][seat] : 0, "report");
        }
        for (uint256 i = 0; i < t.committee; ++i) {
            (uint256 state,) = federation.scoreRecordOf(i);
            assertEq(state, votes[round.number][i].state, "score record");
        }
    }

    /// @notice Neither the round's number nor its phase goes back, but for a new attempt.
    function claimOnward() external view {
        assertTrue(!wentBack, "went back");
        assertTrue(_progress() >= lastProgress, "goes back");
    }

    /// @notice While one person checks, the model is the one that everybody can recompute.
    function claimModel() external view {
        assertEq(federation.model(), rightRoot, "model");
    }
}
