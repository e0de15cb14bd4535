// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "../../../contracts/interfaces/IFederation.sol";
import {Test} from "../base/Test.sol";
import {Crowd} from "./Crowd.sol";

/// @dev After every act of a crowd, every claim; after the last, everybody leaves.
abstract contract Invariants is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Crowd internal crowd;

    /// @dev Fields that differ between federations: depth, trim, demandDeposit, challengeFee, maxAttempts.
    function _changes() internal pure virtual returns (Terms memory);

    function setUp() public {
        crowd = new Crowd(_changes(), "Federation.sol");
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(crowd);
    }

    /// @dev Five acts for one refusal.
    function targetSelectors() external view returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](1);
        selectors[0] = FuzzSelector(address(crowd), new bytes4[](6));
        for (uint256 i = 0; i < 6; ++i) selectors[0].selectors[i] = i == 0 ? Crowd.refuse.selector : Crowd.step.selector;
    }

    function invariant_everyClaimHolds() public view {
        crowd.claimSolvent();
        crowd.claimBooks();
        crowd.claimSeats();
        crowd.claimHonestKeepTheirStakes();
        crowd.claimRound();
        crowd.claimOnward();
        crowd.claimModel();
    }

    function afterInvariant() public {
        crowd.drain();
        invariant_everyClaimHolds();
    }

    /// @dev Some long walks, and more of them while something rare is missing, which must come by every act and every outcome:
    /// else the claims would hold of nothing.
    function test_theCrowdDoesEverything() public {
        uint256[] memory done = new uint256[](crowd.CALLS());
        uint256[] memory seen = new uint256[](crowd.OUTCOMES());
        uint256 rounds;
        for (uint256 walk = 0; walk < 12 || (walk < 40 && (_missing(done) || _missing(seen))); ++walk) {
            setUp();
            for (uint256 i = 0; i < 500; ++i) {
                crowd.step(random(walk, i));
                if (i % 4 == 0) crowd.refuse(random(walk, i + 1000));
                if (i % 25 == 0) invariant_everyClaimHolds();
            }
            afterInvariant();
            for (uint256 i = 0; i < done.length; ++i) done[i] += crowd.done(i);
            for (uint256 i = 0; i < seen.length; ++i) seen[i] += crowd.seen(i);
            rounds += crowd.rounds();
        }
        emit Walked(rounds, done, seen);
        for (uint256 i = 0; i < done.length; ++i) assertTrue(done[i] > 0, string.concat("act ", vm.toString(i)));
        for (uint256 i = 0; i < seen.length; ++i) assertTrue(seen[i] > 0, string.concat("outcome ", vm.toString(i)));
    }

    function _missing(uint256[] memory counts) private pure returns (bool) {
        for (uint256 i = 0; i < counts.length; ++i) if (counts[i] == 0) return true;
        return false;
    }

    event Walked(uint256 rounds, uint256[] done, uint256[] seen);
}

/// @dev Two leaves, a trimmed mean.
contract TrimmedInvariants is Invariants {
    function _changes() internal pure override returns (Terms memory terms) {
        (terms.depth, terms.trim, terms.demandDeposit, terms.challengeFee, terms.maxAttempts) = (1, 1, 1_009, 5_003, 2);
    }
}

/// @dev One leaf, the plain mean, nothing for those who demand or prove.
contract PlainInvariants is Invariants {
    function _changes() internal pure override returns (Terms memory terms) {
        terms.maxAttempts = 2;
    }
}
