// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoundFacts} from "../interfaces/IFederation.sol";
import {TermsReader as T} from "./TermsReader.sol";

/// @title Phases: where a round stands, read from its facts and the clock
/// @notice A phase holds while time < end; at `end` the next one has begun.
library Phases {
    /// @param time Block time, in seconds. @return end When the phase ends by the clock; 0 if it does not.
    function read(IRoundFacts.Round storage r, uint256 time) internal view returns (IRoundFacts.Phase phase, uint256 end) {
        if (!r.live) return (IRoundFacts.Phase.Idle, 0);
        end = r.openedAt + T.word(T.COMMIT_WINDOW);
        if (time < end) return (IRoundFacts.Phase.Commit, end);
        end += T.word(T.REVEAL_WINDOW);
        if (time < end) return (IRoundFacts.Phase.Reveal, end);
        if (r.voided) return (IRoundFacts.Phase.Void, 0);
        if (r.drawnAt == 0) {
            end += T.word(T.DRAW_WINDOW);
            return time < end ? (IRoundFacts.Phase.Draw, end) : (IRoundFacts.Phase.Void, 0);
        }
        if (r.settledAt == 0) {
            end = r.drawnAt + T.word(T.SCORE_COMMIT_WINDOW);
            if (time < end) return (IRoundFacts.Phase.ScoreCommit, end);
            end += T.word(T.SCORE_REVEAL_WINDOW);
            if (time < end) return (IRoundFacts.Phase.ScoreReveal, end);
            end += T.word(T.SETTLE_WINDOW);
            return time < end ? (IRoundFacts.Phase.Settle, end) : (IRoundFacts.Phase.Void, 0);
        }
        end = r.proposeFrom;
        if (r.proposedAt != 0) {
            end = challengeEnd(r);
            if (time < end) return (IRoundFacts.Phase.Challenge, end);
            if (r.openDemands == 0) return (IRoundFacts.Phase.Final, 0);
            // An unanswered demand is older than the window's end: the proposal fell, and the next attempt began then.
        } else if (time < end) {
            return (IRoundFacts.Phase.Show, end); // `settle` alone sets a later time than the present
        }
        end += T.word(T.PROPOSE_WINDOW);
        if (r.attempts < T.word(T.MAX_ATTEMPTS) && time < end) return (IRoundFacts.Phase.Propose, end);
        return (IRoundFacts.Phase.Final, 0);
    }

    function challengeEnd(IRoundFacts.Round storage r) internal view returns (uint256) {
        return r.proposedAt + T.word(T.CHALLENGE_WINDOW);
    }
}
