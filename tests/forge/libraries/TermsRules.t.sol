// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../../../contracts/interfaces/IFederation.sol";
import {TermsReader} from "../../../contracts/libraries/TermsReader.sol";
import {TermsRules} from "../../../contracts/libraries/TermsRules.sol";
import {System} from "../base/System.sol";
import {NaiveRules} from "../reference/NaiveRules.sol";

contract TermsRulesTest is System {
    /// @dev Numbers at which some rule changes its mind, and any others.
    function _telling(uint256 seed) private view returns (uint256) {
        uint256[16] memory edges = [
            uint256(0), 1, 3, 8, 10, 15, 22, 23, 64, 128, 65_535, 30 days, 2 ** 88, t.minStake, t.fraudSlash, type(uint256).max
        ];
        uint256 kind = seed % 20;
        if (kind >= 16) return kind == 16 ? seed : random(seed, 1) % 300;
        uint256 edge = edges[kind];
        if (random(seed, 2) % 3 == 0 && edge < type(uint256).max) return edge + 1;
        return random(seed, 3) % 3 == 0 && edge > 0 ? edge - 1 : edge;
    }

    function _with(Terms memory terms, uint256 index, uint256 value) private pure returns (Terms memory) {
        bytes memory words = abi.encode(terms);
        if (index < 3) value = uint160(value);
        assembly ("memory-safe") {
            mstore(add(add(words, 0x20), mul(index, 0x20)), value)
        }
        return abi.decode(words, (Terms));
    }

    function test_toyTerms_breakNoRule() public {
        assertEq(TermsRules.firstBroken(_toyTerms()), 0, "toy");
    }

    function test_firstBroken_isTheNaiveOne(uint256 seed, uint8 changes) public {
        t = _toyTerms();
        Terms memory terms = t;
        for (uint256 i = 0; i <= changes % 3; ++i) {
            terms = _with(terms, random(seed, 2 * i) % TermsReader.WORDS, _telling(random(seed, 2 * i + 1)));
        }
        assertEq(TermsRules.firstBroken(terms), NaiveRules.firstBroken(terms), "rule");
    }

    /// @dev Every field at every edge and next to it.
    function test_firstBroken_atEveryEdge() public {
        t = _toyTerms();
        uint256[22] memory seen;
        for (uint256 field = 0; field < TermsReader.WORDS; ++field) {
            for (uint256 i = 0; i < 300; ++i) {
                Terms memory terms = _with(t, field, _telling(i));
                uint256 rule = TermsRules.firstBroken(terms);
                assertEq(rule, NaiveRules.firstBroken(terms), "rule");
                ++seen[rule];
            }
        }
        _checkTwoAdmissions();
        _checkLongRound();
        for (uint256 rule = 0; rule < 22; ++rule) assertTrue(rule == 4 || rule == 20 || seen[rule] > 0, vm.toString(rule));
    }

    function _checkLongRound() private view {
        Terms memory terms = t;
        (terms.maxAttempts, terms.challengeWindow) = (8, 12 days);
        assertEq(TermsRules.firstBroken(terms), 20, "a round of more than 90 days");
        terms.maxAttempts = 7;
        assertEq(TermsRules.firstBroken(terms), 0, "a round of less");
    }

    /// @dev The one rule that takes two fields to break.
    function _checkTwoAdmissions() private view {
        Terms memory terms = t;
        (terms.admission, terms.allowlist) = (address(1), "list");
        assertEq(TermsRules.firstBroken(terms), 4, "two ways in");
    }
}
