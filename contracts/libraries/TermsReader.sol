// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../interfaces/IFederation.sol";

/// @title TermsReader: terms live in the clone's own code, behind the 45 bytes of the proxy
/// @notice Reading a word costs about 130 gas, where a storage slot costs 2,100. Word i is field i of Terms.
library TermsReader {
    uint256 private constant PROXY_BYTES = 0x2d;
    uint256 internal constant WORDS = 35;

    uint256 internal constant TOKEN = 0;
    uint256 internal constant SPONSOR = 1;
    uint256 internal constant ADMISSION = 2;
    uint256 internal constant ALLOWLIST = 3;
    uint256 internal constant MANIFEST = 4;
    uint256 internal constant GENESIS = 5;
    uint256 internal constant DEPTH = 6;
    uint256 internal constant MAX_EXPONENT = 7;
    uint256 internal constant TRIM = 8;
    uint256 internal constant MAX_SEATS = 9;
    uint256 internal constant MIN_REVEALS = 10;
    uint256 internal constant COMMITTEE = 11;
    uint256 internal constant MAX_ATTEMPTS = 12;
    uint256 internal constant COMMIT_WINDOW = 13;
    uint256 internal constant REVEAL_WINDOW = 14;
    uint256 internal constant DRAW_WINDOW = 15;
    uint256 internal constant SCORE_COMMIT_WINDOW = 16;
    uint256 internal constant SCORE_REVEAL_WINDOW = 17;
    uint256 internal constant SETTLE_WINDOW = 18;
    uint256 internal constant SHOW_WINDOW = 19;
    uint256 internal constant PROPOSE_WINDOW = 20;
    uint256 internal constant CHALLENGE_WINDOW = 21;
    uint256 internal constant ANSWER_WINDOW = 22;
    uint256 internal constant MIN_STAKE = 23;
    uint256 internal constant NO_REVEAL_SLASH = 24;
    uint256 internal constant NO_SCORES_SLASH = 25;
    uint256 internal constant FRAUD_SLASH = 26;
    uint256 internal constant CHALLENGE_FEE = 27;
    uint256 internal constant DEMAND_DEPOSIT = 28;
    uint256 internal constant TRAINER_RATE = 29;
    uint256 internal constant VALIDATOR_RATE = 30;
    uint256 internal constant STRICTNESS = 31;
    uint256 internal constant PROPOSER_FEE = 32;
    uint256 internal constant DRAW_DELAY = 33;
    uint256 internal constant LABEL = 34;

    function word(uint256 index) internal view returns (uint256 value) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0, add(PROXY_BYTES, shl(5, index)), 0x20)
            value := mload(0)
        }
    }

    function toAddress(uint256 index) internal view returns (address) {
        return address(uint160(word(index)));
    }

    function all() internal view returns (Terms memory terms) {
        // A struct of static words lies in memory as abi.encode lays it out.
        assembly ("memory-safe") {
            extcodecopy(address(), terms, PROXY_BYTES, mul(WORDS, 0x20))
        }
    }
}
