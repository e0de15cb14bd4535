// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";
import {Phases} from "../../../contracts/libraries/Phases.sol";
import {TermsReader} from "../../../contracts/libraries/TermsReader.sol";
import {System} from "../base/System.sol";
import {NaivePhases} from "../reference/NaivePhases.sol";

/// @dev A clone with terms and facts, and nothing else.
contract Clock {
    IRoundFacts.Round private _round;

    function set(IRoundFacts.Round calldata r) external {
        _round = r;
    }

    function read(uint256 time) external view returns (IRoundFacts.Phase, uint256) {
        return Phases.read(_round, time);
    }

    function terms() external view returns (Terms memory) {
        return TermsReader.all();
    }

    function word(uint256 index) external view returns (uint256) {
        return TermsReader.word(index);
    }

    function toAddress(uint256 index) external view returns (address) {
        return TermsReader.toAddress(index);
    }
}

contract PhasesTest is System {
    uint256 private constant OPENED = 1_000_000;
    address private immutable code = address(new Clock());

    function _clock(Terms memory terms) private returns (Clock) {
        return Clock(Clones.cloneWithImmutableArgs(code, abi.encode(terms)));
    }

    function _someTerms(uint256 seed) private returns (Terms memory terms) {
        terms = _toyTerms();
        terms.commitWindow = within(random(seed, 0), 10, 50);
        terms.revealWindow = within(random(seed, 1), 10, 50);
        terms.drawWindow = within(random(seed, 2), 10, 50);
        terms.scoreCommitWindow = within(random(seed, 3), 10, 50);
        terms.scoreRevealWindow = within(random(seed, 4), 10, 50);
        terms.settleWindow = within(random(seed, 5), 10, 50);
        terms.showWindow = within(random(seed, 10), 10, 50);
        terms.proposeWindow = within(random(seed, 6), 10, 50);
        terms.challengeWindow = within(random(seed, 7), 30, 90);
        terms.maxAttempts = within(random(seed, 8), 1, 3);
    }

    /// @dev Facts in any combination, likely and unlikely ones.
    function _someFacts(uint256 seed) private pure returns (IRoundFacts.Round memory r) {
        r.live = seed % 16 != 0;
        r.openedAt = uint40(OPENED);
        r.voided = seed % 7 == 0;
        if (seed % 5 != 0) r.drawnAt = uint40(OPENED + random(seed, 20) % 150);
        if (seed % 3 != 0) r.settledAt = uint40(OPENED + random(seed, 21) % 300);
        r.proposeFrom = uint40(OPENED + random(seed, 22) % 300);
        if (seed % 2 != 0) r.proposedAt = uint40(OPENED + random(seed, 23) % 350);
        r.openDemands = uint24(random(seed, 24) % 3);
        r.attempts = uint8(random(seed, 25) % 4);
    }

    function test_read_isTheTable(uint256 seed, uint256 time) public {
        Terms memory terms = _someTerms(seed);
        IRoundFacts.Round memory r = _someFacts(random(seed, 9));
        Clock clock = _clock(terms);
        clock.set(r);
        time = within(time, OPENED, OPENED + 500);
        for (uint256 i = 0; i < 3; ++i) {
            (IRoundFacts.Phase phase, uint256 end) = clock.read(time);
            (IRoundFacts.Phase expected, uint256 expectedEnd) = NaivePhases.read(r, terms, time);
            assertEq(uint256(phase), uint256(expected), "phase");
            assertEq(end, expectedEnd, "end");
            if (end == 0) return;
            time = i == 0 ? end - 1 : end; // the last second of this phase, then the first of the next
        }
    }

    function test_words_areTheTerms(uint256 seed) public {
        bytes memory words;
        for (uint256 i = 0; i < TermsReader.WORDS; ++i) {
            words = abi.encodePacked(words, i < 4 ? uint256(uint160(random(seed, i))) : random(seed, i));
        }
        Clock clock = _clock(abi.decode(words, (Terms)));
        assertEq(keccak256(abi.encode(clock.terms())), keccak256(words), "all");
        for (uint256 i = 0; i < TermsReader.WORDS; ++i) {
            assertEq(clock.word(i), i < 4 ? uint160(random(seed, i)) : random(seed, i), "word");
            if (i < 4) assertEq(clock.toAddress(i), address(uint160(random(seed, i))), "address");
        }
    }

    function test_words_areWhereTheFieldsAre() public {
        Terms memory terms = _toyTerms();
        terms.commitWindow = 1;
        terms.revealWindow = 2;
        terms.drawWindow = 3;
        terms.scoreCommitWindow = 4;
        terms.scoreRevealWindow = 5;
        terms.settleWindow = 6;
        terms.showWindow = 7;
        terms.proposeWindow = 8;
        terms.challengeWindow = 9;
        terms.answerWindow = 10;
        Clock clock = _clock(terms);
        for (uint256 i = 0; i < 10; ++i) assertEq(clock.word(TermsReader.COMMIT_WINDOW + i), i + 1, "window");
        assertEq(clock.toAddress(TermsReader.TOKEN), terms.token, "token");
        assertEq(clock.toAddress(TermsReader.SPONSOR), terms.sponsor, "sponsor");
        assertEq(clock.word(TermsReader.GENESIS), uint256(terms.genesis), "genesis");
        assertEq(clock.word(TermsReader.MIN_STAKE), terms.minStake, "minStake");
        assertEq(clock.word(TermsReader.NO_REVEAL_SLASH), terms.noRevealSlash, "noRevealSlash");
        assertEq(clock.word(TermsReader.NO_SCORES_SLASH), terms.noScoresSlash, "noScoresSlash");
        assertEq(clock.word(TermsReader.FRAUD_SLASH), terms.fraudSlash, "fraudSlash");
        assertEq(clock.word(TermsReader.CHALLENGE_FEE), terms.challengeFee, "challengeFee");
        assertEq(clock.word(TermsReader.DEMAND_DEPOSIT), terms.demandDeposit, "demandDeposit");
        assertEq(clock.word(TermsReader.TRAINER_RATE), terms.trainerRate, "trainerRate");
        assertEq(clock.word(TermsReader.VALIDATOR_RATE), terms.validatorRate, "validatorRate");
        assertEq(clock.word(TermsReader.PROPOSER_FEE), terms.proposerFee, "proposerFee");
        assertEq(clock.word(TermsReader.DRAW_DELAY), terms.drawDelay, "drawDelay");
        assertEq(clock.word(TermsReader.MAX_SEATS), terms.maxSeats, "maxSeats");
        assertEq(clock.word(TermsReader.MAX_EXPONENT), terms.maxExponent, "maxExponent");
    }
}
