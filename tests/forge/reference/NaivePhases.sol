// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts, Terms} from "../../../contracts/interfaces/IFederation.sol";

/// @title NaivePhases: the table of phases as a list of what follows what, and until when
library NaivePhases {
    uint256 internal constant EVER = type(uint256).max;

    struct Plan {
        IRoundFacts.Phase[6] phases;
        uint256[6] untils;
        uint256 length;
    }

    /// @notice The first entry of the plan that still lasts. @return end 0 if it lasts for ever.
    function read(IRoundFacts.Round memory r, Terms memory t, uint256 time) internal pure returns (IRoundFacts.Phase, uint256) {
        Plan memory plan = planOf(r, t);
        uint256 i;
        while (plan.untils[i] <= time) ++i;
        return (plan.phases[i], plan.untils[i] == EVER ? 0 : plan.untils[i]);
    }

    function planOf(IRoundFacts.Round memory r, Terms memory t) internal pure returns (Plan memory plan) {
        if (!r.live) return _then(plan, IRoundFacts.Phase.Idle, EVER);
        uint256 end = r.openedAt + t.commitWindow;
        _then(plan, IRoundFacts.Phase.Commit, end);
        _then(plan, IRoundFacts.Phase.Reveal, end + t.revealWindow);
        if (r.voided) return _then(plan, IRoundFacts.Phase.Void, EVER);
        if (r.drawnAt == 0) {
            _then(plan, IRoundFacts.Phase.Draw, end + t.revealWindow + t.drawWindow);
            return _then(plan, IRoundFacts.Phase.Void, EVER);
        }
        if (r.settledAt == 0) {
            uint256 scored = r.drawnAt + t.scoreCommitWindow + t.scoreRevealWindow;
            _then(plan, IRoundFacts.Phase.ScoreCommit, r.drawnAt + t.scoreCommitWindow);
            _then(plan, IRoundFacts.Phase.ScoreReveal, scored);
            _then(plan, IRoundFacts.Phase.Settle, scored + t.settleWindow);
            return _then(plan, IRoundFacts.Phase.Void, EVER);
        }
        bool stands = r.proposedAt > 0;
        uint256 shown = r.proposedAt + t.challengeWindow;
        if (stands) _then(plan, IRoundFacts.Phase.Challenge, shown);
        else _then(plan, IRoundFacts.Phase.Show, r.proposeFrom);
        bool survives = stands && r.openDemands == 0;
        if (!survives && r.attempts < t.maxAttempts) {
            _then(plan, IRoundFacts.Phase.Propose, (stands ? shown : r.proposeFrom) + t.proposeWindow);
        }
        return _then(plan, IRoundFacts.Phase.Final, EVER);
    }

    function _then(Plan memory plan, IRoundFacts.Phase phase, uint256 until) private pure returns (Plan memory) {
        plan.phases[plan.length] = phase;
        plan.untils[plan.length++] = until;
        return plan;
    }
}
