// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../../../contracts/interfaces/IFederation.sol";

/// @title NaiveRules: every rule of the terms judged by itself, then the first broken one
library NaiveRules {
    function firstBroken(Terms memory t) internal view returns (uint256) {
        bool[22] memory broken;
        broken[1] = t.token.code.length == 0;
        broken[2] = t.sponsor == address(0);
        broken[3] = t.minStake / 4 < t.noRevealSlash || t.minStake / 4 < t.noScoresSlash;
        broken[4] = t.allowlist != 0 && t.admission != address(0);
        broken[5] = t.manifest == 0;
        broken[6] = t.genesis == 0;
        broken[7] = t.depth >= 23;
        broken[8] = t.maxExponent >= 24;
        broken[9] = t.trim >= 65;
        broken[10] = !_between(t.maxSeats, 1, 128);
        broken[11] = !_between(t.committee, 3, 15) || t.committee & 1 == 0;
        broken[12] = !_between(t.minReveals, t.committee, t.maxSeats);
        broken[13] = !_between(t.maxAttempts, 1, 8);
        uint256[10] memory windows = [
            t.commitWindow,
            t.revealWindow,
            t.drawWindow,
            t.scoreCommitWindow,
            t.scoreRevealWindow,
            t.settleWindow,
            t.showWindow,
            t.proposeWindow,
            t.challengeWindow,
            t.answerWindow
        ];
        for (uint256 i = 0; i < 10; ++i) {
            if (!_between(windows[i], 60, 2_592_000)) broken[14] = true;
        }
        broken[15] = !broken[7] && !broken[14] && t.challengeWindow < (3 + t.depth) * t.answerWindow;
        // Whatever stands behind the windows counts tokens, but for strictness, the delay and the label.
        bytes memory words = abi.encode(t);
        for (uint256 i = 23; i < words.length / 32; ++i) {
            uint256 amount;
            assembly ("memory-safe") {
                amount := mload(add(words, mul(32, add(1, i))))
            }
            if (i < 33 && i != 31 && amount > 309_485_009_821_345_068_724_781_056) broken[16] = true;
        }
        if (!broken[16]) {
            broken[17] = t.noRevealSlash == 0 || t.noScoresSlash == 0 || t.fraudSlash == 0
                || t.noRevealSlash + t.noScoresSlash + t.fraudSlash > t.minStake;
        }
        if (!broken[7] && !broken[16]) {
            broken[18] = !(t.fraudSlash > t.challengeFee + t.demandDeposit * (1 + t.depth));
        }
        broken[19] = t.strictness >= 65_536;
        if (!broken[13] && !broken[14]) {
            uint256 whole = t.maxAttempts * (windows[7] + windows[8]);
            for (uint256 i = 0; i < 7; ++i) whole += windows[i];
            broken[20] = whole > 7_776_000;
        }
        broken[21] = !_between(t.drawDelay, 2, 7200);
        for (uint256 rule = 1; rule < 22; ++rule) {
            if (broken[rule]) return rule;
        }
        return 0;
    }

    function _between(uint256 value, uint256 low, uint256 high) private pure returns (bool) {
        return value >= low && value <= high;
    }
}
