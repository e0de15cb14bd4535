// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Accounting} from "./Accounting.sol";
import {IRoundFacts} from "./interfaces/IFederation.sol";
import {Phases} from "./libraries/Phases.sol";
import {Record} from "./libraries/Records.sol";
import {Seats} from "./libraries/Seats.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";

/// @title Rounds: what both parts of a federation know of a round
/// @dev Holds all storage that Accounting does not: `Federation` and `Disputes` add none, so that both find everything at the
/// same place.
abstract contract Rounds is IRoundFacts, Accounting {
    using Seats for uint128;

    uint256 internal constant MAX_LOCATOR = 64;

    struct Demand {
        address demander;
        uint40 deadline;
    }

    Round internal _round;
    bytes32 internal _model;
    bool internal _concluded;
    Record[128] internal _records; // by seat
    Record[15] internal _scoreRecords; // by position in the committee
    mapping(bytes32 key => Demand) internal _demands;
    mapping(uint256 round => uint128[128]) internal _missing; // by seat: the accepted updates that it reported
    mapping(uint256 round => uint8[128]) internal _reporters; // by seat: how many seats reported its update

    // ---- who and when

    function _read() internal view virtual returns (Phase current, uint256 end) {
        return Phases.read(_round, block.timestamp);
    }

    /// @dev How many bytes a validator reveals.
    function _scoreBytes() internal view virtual returns (uint256) {
        return _round.revealed.count();
    }

    function _in(Phase expected) internal view {
        (Phase actual,) = _read();
        if (actual != expected) revert WrongPhase(expected, actual);
    }

    /// @dev A call that waited in a mempool or a journal until a later round must not count there. Returns the live round.
    function _named(uint256 round) internal view returns (uint256 number) {
        number = _round.number;
        if (round != number) revert WrongRound(round, number);
    }

    function _onlyOperator(uint256 seat) internal view {
        address operator = _seats[seat].operator;
        if (operator != msg.sender) revert NotOperator(seat, operator, msg.sender);
    }

    // ---- the model and its proposal

    function _present() internal view returns (bytes32) {
        return _model == 0 ? bytes32(T.word(T.GENESIS)) : _model;
    }

    /// @dev The proposal falls; the next attempt begins now, or when the window closed over an unanswered demand.
    function _fall(address by, address feeTo) internal {
        Round storage r = _round;
        uint256 seat = r.proposer;
        uint256 end = Phases.challengeEnd(r);
        r.fallen = r.fallen.add(seat);
        r.proposeFrom = uint40(block.timestamp < end ? block.timestamp : end);
        r.proposedAt = 0;
        r.openDemands = 0;
        emit ProposalFell(r.number, r.attempts, seat, by);
        _slash(seat, Offence.Fraud, T.word(T.FRAUD_SLASH), T.word(T.CHALLENGE_FEE), feeTo);
    }
}
