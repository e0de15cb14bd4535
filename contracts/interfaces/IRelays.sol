// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IRelays: acts that anybody sends for others, many in one call
/// @notice An entry that cannot be done is skipped, without an event, and the others are done: the result says which were. Only a
/// phase or a round that is wrong for all of them makes a call revert. The events are those of the direct calls, which stay open
/// to everybody.
interface IRelays {
    /// @notice An act and its operator's signature: EIP-712, type Commit, CommitScores or Missing (uint256 round, uint256 seat, bytes32
    /// value), domain name "Treaty", version "1", the chain's id and the federation's address.
    /// @param seat The seat's index.
    /// @param value The commitment; for Missing, the set of seats as a number.
    /// @param r The signature's first half.
    /// @param vs Its second half, with the parity in the highest bit (ERC-2098).
    struct SignedCommitment {
        uint256 seat;
        bytes32 value;
        bytes32 r;
        bytes32 vs;
    }

    /// @notice What opens the commitment to an update, as in `reveal`.
    /// @param seat The seat's index.
    /// @param root The root of the update.
    /// @param salt The random word that hid it in the commitment.
    /// @param locator Where to fetch the file, as committed to.
    struct Opening {
        uint256 seat;
        bytes32 root;
        bytes32 salt;
        bytes locator;
    }

    /// @notice What opens the commitment to scores, as in `revealScores`.
    /// @param seat The validator's seat.
    /// @param scores One byte per revealed seat, ascending.
    /// @param salt The random word that hid the scores in the commitment.
    struct ScoreOpening {
        uint256 seat;
        bytes scores;
        bytes32 salt;
    }

    /// @notice Commit to updates for operators that signed. Anybody may call. An entry counts only where its seat has committed to
    /// nothing in this round, so that whoever sends signatures cannot choose between two; `commit` always replaces.
    /// @dev An operator that is a contract is asked (ERC-1271) with 100,000 gas, if the signature is not its own key's.
    /// @param round The round that the signatures name.
    /// @param entries At most one for each seat that the terms allow.
    /// @return done Bit i says that entry i was done.
    function commitMany(uint256 round, SignedCommitment[] calldata entries) external returns (uint256 done);

    /// @notice Commit to scores for operators that signed, on the same conditions. Anybody may call.
    /// @param round The round that the signatures name.
    /// @param entries At most one for each seat that the terms allow.
    /// @return done Bit i says that entry i was done.
    function commitScoresMany(uint256 round, SignedCommitment[] calldata entries) external returns (uint256 done);

    /// @notice Reveal committed updates. Anybody who knows them may call.
    /// @param entries At most one for each seat that the terms allow.
    /// @return done Bit i says that entry i was done.
    function revealMany(Opening[] calldata entries) external returns (uint256 done);

    /// @notice Reveal committed scores. Anybody who knows them may call.
    /// @param entries At most one for each seat that the terms allow.
    /// @return done Bit i says that entry i was done.
    function revealScoresMany(ScoreOpening[] calldata entries) external returns (uint256 done);

    /// @notice Make several calls of this federation, each done or not by itself; meant for answers, whose demands somebody else may
    /// meet first. Each acts for the caller, as in `multicall`.
    /// @param gasEach The gas that each call may use. None can take what the others need.
    /// @param calls The calls, encoded; at most 256.
    /// @return done Bit i says that call i was done.
    function attempt(uint256 gasEach, bytes[] calldata calls) external returns (uint256 done);

    /// @notice A batch has more entries than it may.
    /// @param given How many it has.
    /// @param maximum How many it may have.
    error TooManyEntries(uint256 given, uint256 maximum);

    /// @notice Too little gas is left for a part of the batch. Going on would let whoever pays for the gas decide which parts fail.
    /// @param needed What must be left, of which a call is given 63 parts of 64.
    error GasTooLow(uint256 needed);
}
