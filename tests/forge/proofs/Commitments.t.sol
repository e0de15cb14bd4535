// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Commitments} from "../../../contracts/libraries/Commitments.sol";
import {Prover} from "./Prover.sol";

/// @dev Keccak is taken to have no collisions. What opens a commitment is then fixed whole.
contract CommitmentsProofs is Prover {
    struct Opening {
        address federation;
        uint256 round;
        uint256 seat;
        bytes32 root;
        bytes32 salt;
        bytes32 locator; // its hash; updates only
    }

    function check_update_opensInOnePlaceOnly(Opening memory a, Opening memory b, uint64 chainA, uint64 chainB) external {
        vm.chainId(chainA);
        bytes32 first = Commitments.update(a.federation, a.round, a.seat, a.root, a.salt, a.locator);
        vm.chainId(chainB);
        bytes32 second = Commitments.update(b.federation, b.round, b.seat, b.root, b.salt, b.locator);
        if (first != second) return;
        _same(a, b, chainA, chainB);
        assert(a.locator == b.locator);
    }

    function check_scores_openInOnePlaceOnly(Opening memory a, Opening memory b, uint64 chainA, uint64 chainB) external {
        vm.chainId(chainA);
        bytes32 first = Commitments.scores(a.federation, a.round, a.seat, a.root, a.salt);
        vm.chainId(chainB);
        bytes32 second = Commitments.scores(b.federation, b.round, b.seat, b.root, b.salt);
        if (first == second) _same(a, b, chainA, chainB);
    }

    function check_anUpdateIsNoScores(Opening memory a, Opening memory b) external view {
        bytes32 first = Commitments.update(a.federation, a.round, a.seat, a.root, a.salt, a.locator);
        assert(first != Commitments.scores(b.federation, b.round, b.seat, b.root, b.salt));
    }

    function _same(Opening memory a, Opening memory b, uint64 chainA, uint64 chainB) private pure {
        assert(a.federation == b.federation && a.round == b.round && a.seat == b.seat);
        assert(a.root == b.root && a.salt == b.salt && chainA == chainB);
    }
}
