// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../interfaces/IFederation.sol";

/// @title TermsRules: what terms must satisfy, numbered; checked once, at creation
library TermsRules {
    uint256 internal constant MIN_WINDOW = 60 seconds; // some blocks fall into it on any chain
    uint256 internal constant MAX_WINDOW = 30 days;
    uint256 internal constant MAX_ROUND = 90 days; // a stake is never locked longer
    uint256 internal constant MIN_DRAW_DELAY = 2; // who builds the block that closes knows the randomness of the next one
    uint256 internal constant MAX_DRAW_DELAY = 7200; // a day of Ethereum's blocks
    uint256 internal constant MAX_AMOUNT = 2 ** 88; // 128 of them still fit the 96 bits of a seat

    /// @return rule The first rule broken, or 0.
    function firstBroken(Terms memory t) internal view returns (uint256 rule) {
        if (t.token.code.length == 0) return 1;
        if (t.sponsor == address(0)) return 2;
        // A key that is lost or a machine that is down for a round costs a quarter of the stake at most.
        if (t.noRevealSlash > t.minStake / 4 || t.noScoresSlash > t.minStake / 4) return 3;
        if (t.admission != address(0) && t.allowlist != 0) return 4;
        if (t.manifest == 0) return 5;
        if (t.genesis == 0) return 6;
        // 128 openings of 2^22 leaves still fit one public transaction of 128 KB with calldata to spare.
        if (t.depth > 22) return 7;
        if (t.maxExponent > 23) return 8;
        if (t.trim > 64) return 9;
        if (t.maxSeats == 0 || t.maxSeats > 128) return 10;
        if (t.committee % 2 == 0 || t.committee < 3 || t.committee > 15) return 11;
        if (t.minReveals < t.committee || t.minReveals > t.maxSeats) return 12;
        if (t.maxAttempts == 0 || t.maxAttempts > 8) return 13;
        if (_badWindows(t)) return 14;
        // A checker who knows the right tree walks down to the wrong leaf, one demand a level, inside one window.
        if (t.challengeWindow < (t.depth + 3) * t.answerWindow) return 15;
        if (_badAmounts(t)) return 16;
        // No run of slashes within a round asks for more than an eligible seat has.
        if (t.minStake < t.noRevealSlash + t.noScoresSlash + t.fraudSlash) return 17;
        if (t.noRevealSlash == 0 || t.noScoresSlash == 0 || t.fraudSlash == 0) return 17;
        // A cheat loses even if it answers every demand of a checker that walks to its wrong leaf, and proves the fraud itself.
        if (t.challengeFee + (t.depth + 1) * t.demandDeposit >= t.fraudSlash) return 18;
        if (t.strictness > type(uint16).max) return 19;
        (, uint256 lock) = worst(t);
        if (lock > MAX_ROUND) return 20;
        if (t.drawDelay < MIN_DRAW_DELAY || t.drawDelay > MAX_DRAW_DELAY) return 21;
        return 0;
    }

    /// @notice What the terms can cost a seat that keeps its key and makes mistakes.
    /// @return loss The most that it can lose in one round. A seat that does not reveal is not drawn, so that it is slashed for one
    /// kind of silence only.
    /// @return lock The most seconds for which a round can hold its stake.
    function worst(Terms memory t) internal pure returns (uint256 loss, uint256 lock) {
        uint256 silence = t.noRevealSlash > t.noScoresSlash ? t.noRevealSlash : t.noScoresSlash;
        loss = silence + t.fraudSlash;
        lock = t.commitWindow + t.revealWindow + t.drawWindow + t.scoreCommitWindow + t.scoreRevealWindow + t.settleWindow;
        lock += t.showWindow + t.maxAttempts * (t.proposeWindow + t.challengeWindow);
    }

    function _badWindows(Terms memory t) private pure returns (bool) {
        return _badWindow(t.commitWindow) || _badWindow(t.revealWindow) || _badWindow(t.drawWindow)
            || _badWindow(t.scoreCommitWindow) || _badWindow(t.scoreRevealWindow) || _badWindow(t.settleWindow)
            || _badWindow(t.showWindow) || _badWindow(t.proposeWindow) || _badWindow(t.challengeWindow) || _badWindow(t.answerWindow);
    }

    function _badWindow(uint256 window) private pure returns (bool) {
        return window < MIN_WINDOW || window > MAX_WINDOW;
    }

    function _badAmounts(Terms memory t) private pure returns (bool) {
        return t.minStake > MAX_AMOUNT || t.noRevealSlash > MAX_AMOUNT || t.noScoresSlash > MAX_AMOUNT
            || t.fraudSlash > MAX_AMOUNT || t.challengeFee > MAX_AMOUNT || t.demandDeposit > MAX_AMOUNT
            || t.trainerRate > MAX_AMOUNT || t.validatorRate > MAX_AMOUNT || t.proposerFee > MAX_AMOUNT;
    }
}
