// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The contract's terms. They never change: new terms are a new federation.
/// @dev Static words only; they are the clone's immutable arguments, word i at offset 32 * i (see libraries/TermsReader).
/// Times in seconds, amounts in token units.
struct Terms {
    address token; // ERC-20 of stakes and pay
    address sponsor; // may give notice, and gets back what is left in the pool afterwards
    address sink; // where slashed money goes; nobody in the federation should own it
    address admission; // IAdmission, or zero
    bytes32 allowlist; // Merkle root of admitted owners, one seat each, or zero
    bytes32 manifest; // sha256 of the manifest: task, model, numeric terms, gate, yardstick
    bytes32 genesis; // root of the first model
    uint256 depth; // of the leaf tree: 2^depth leaves of 256 parameters
    uint256 maxExponent; // E: an update moves a parameter by at most 127 * 2^E units
    uint256 trim; // k lowest and k highest dropped; 0 = mean, 64 = median
    uint256 maxSeats;
    uint256 minReveals; // fewer void the round; at least the committee
    uint256 committee; // validators drawn; odd, 3 to 15
    uint256 maxAttempts; // proposals a round may try
    uint256 commitWindow;
    uint256 revealWindow;
    uint256 drawWindow;
    uint256 scoreCommitWindow;
    uint256 scoreRevealWindow;
    uint256 settleWindow;
    uint256 proposeWindow;
    uint256 challengeWindow;
    uint256 answerWindow; // T: time to answer one demand
    uint256 minStake;
    uint256 noRevealSlash;
    uint256 noScoresSlash;
    uint256 fraudSlash;
    uint256 challengeFee; // part of fraudSlash that pays who proved the fraud for its costs
    uint256 demandDeposit; // pays who answers
    uint256 trainerRate; // pay of a score of 255
    uint256 validatorRate; // pay of a validator that hits every median
    uint256 strictness; // how fast distance from the medians eats a validator's pay
    uint256 proposerFee;
}

/// @title IFederation: one learning task under fixed terms, in rounds
/// @notice A round: active seats commit, then reveal updates; a drawn committee scores them; settlement pays; a proposer
/// posts the aggregate's root; anyone may disprove it with one transaction; what survives is the model.
///
/// Safety assumes one honest checker online within a challenge window, who has the accepted updates. Fair pay assumes an
/// honest majority of the drawn committee. Liveness assumes that the chain includes a transaction within a window. The token
/// and an admission contract are trusted by those who join.
interface IFederation {
    /// @notice Where a round stands. Derived from stored facts and the clock, never advanced.
    enum Phase {
        Idle, // no round is open
        Commit,
        Reveal,
        Draw, // close, then draw
        ScoreCommit,
        ScoreReveal,
        Settle,
        Propose,
        Challenge,
        Final, // over; `finalize` books it
        Void // over, nobody is paid; `finalize` books it
    }

    /// @notice What a demand asks to see one leaf of.
    enum Artifact {
        Proposed, // the proposed model
        Previous, // the model the round began with
        Update // an accepted seat's update
    }

    /// @notice The facts of the present round (or the last one, if none is open). Five words of storage.
    /// @dev Words are not cleared for a new round, so that no slot goes through zero: what a later act writes means nothing
    /// before that act. `roundInfo` shows such fields as zero.
    /// @param number Counts from 1; 0 = no round was ever opened.
    /// @param active Seats that may commit.
    /// @param closeBlock Block whose successor's hash seeds the draw; 0 = not closed.
    /// @param revealed Fixed by `close`.
    /// @param accepted Fixed by `settle`.
    /// @param committee Seats drawn, one byte each, first drawn in the highest byte; `committeeSize` of them.
    /// @param voided The round ended without pay.
    /// @param live Opened and not yet finalized.
    /// @param attempts Proposals made so far.
    /// @param fallen Seats whose proposal fell this round.
    struct Round {
        uint24 number;
        uint128 active;
        uint40 openedAt;
        uint40 closeBlock;
        uint128 revealed;
        uint120 committee;
        uint8 committeeSize;
        uint40 drawnAt;
        uint128 accepted;
        uint40 settledAt;
        bool voided;
        bool live;
        uint8 attempts;
        uint128 fallen;
        uint8 proposer;
        uint40 proposeFrom;
        uint40 proposedAt;
        uint24 openDemands;
        bytes32 proposal;
    }

    // ---- the round, in order

    /// @notice Open the next round over the eligible seats, funded for its maximum from the pool.
    function openRound() external;

    /// @notice Commit to an update. Only the seat's operator; again within the window replaces the commitment.
    /// @param commitment keccak256(abi.encode(TYPEHASH, chainid, this, round, seat, root, salt, keccak256(locator))).
    function commit(uint256 seat, bytes32 commitment) external;

    /// @notice Reveal a committed update. Anybody who knows root and salt may.
    /// @param locator Where to fetch it, at most 64 bytes, as committed to; empty where the store is keyed by root.
    function reveal(uint256 seat, bytes32 root, bytes32 salt, bytes calldata locator) external;

    /// @notice Fix the revealed set, slash who committed and did not reveal, choose the block that seeds the draw.
    function close() external;

    /// @notice Draw the committee, at least two blocks after `close`. Records the block anew if its hash is out of reach.
    function draw() external;

    /// @notice Commit to scores. Only the operator of a drawn seat.
    function commitScores(uint256 seat, bytes32 commitment) external;

    /// @notice Reveal scores: one byte per revealed seat, ascending; 0 = left out, 1..255 = accepted.
    function revealScores(uint256 seat, bytes calldata scores, bytes32 salt) external;

    /// @notice Take medians, fix the accepted set, pay trainers and validators.
    /// @param scores The revealed vectors of those who revealed, in committee order, as in the events.
    function settle(bytes[] calldata scores) external;

    /// @notice Propose the new model. Only the operator of an eligible seat that has not fallen this round.
    function propose(uint256 seat, bytes32 root, bytes calldata locator) external;

    /// @notice Disprove the proposal at one coordinate; reverts if the number is right.
    /// @param leaf Which leaf, below 2^depth.
    /// @param coordinate Which of its 256 parameters.
    /// @param proof For every accepted seat ascending: its leaf (264 bytes) and path (32 * depth); then the previous model's
    /// leaf (1024 bytes) and path; then the proposed model's.
    function challenge(uint256 leaf, uint256 coordinate, bytes calldata proof) external;

    /// @notice Demand that somebody shows one leaf, against a deposit that pays who answers.
    /// @param seat The accepted seat, for an update; else 0.
    function demand(Artifact artifact, uint256 seat, uint256 leaf) external;

    /// @notice Show a demanded leaf and earn the deposit.
    function answer(Artifact artifact, uint256 seat, uint256 leaf, bytes calldata content, bytes calldata path) external;

    /// @notice Topple the proposal over a demand that nobody answered in time. The demander is paid as a challenger is.
    function expire(Artifact artifact, uint256 seat, uint256 leaf) external;

    /// @notice Get back the deposit of a demand whose proposal fell by another's hand.
    function reclaim(uint256 round, uint256 attempt, Artifact artifact, uint256 seat, uint256 leaf) external;

    /// @notice Book a round that is Final or Void; the next one may then open.
    function finalize() external;

    /// @notice The sponsor's notice: no further round opens.
    function conclude() external;

    /// @notice After notice, once no round is open: credit the sponsor with what is left in the pool. Anybody may call.
    function refund() external;

    // ---- views

    function terms() external view returns (Terms memory);

    /// @notice The round's facts.
    function roundInfo() external view returns (Round memory);

    function phase() external view returns (Phase);

    /// @notice When the present phase ends by the clock; 0 if it does not.
    function phaseEnd() external view returns (uint256);

    /// @notice Root of the model as of the last finalized round.
    function model() external view returns (bytes32);

    /// @notice A seat's record this round: 0 = nothing, 1 = committed, 2 = revealed; with the commitment's or root's high 28 bytes.
    function recordOf(uint256 seat) external view returns (uint256 state, bytes28 digest);

    /// @notice A committee position's record this round: 0 = nothing, 1 = committed, 2 = revealed.
    function scoreRecordOf(uint256 position) external view returns (uint256 state, bytes28 digest);

    /// @notice An open demand against the present proposal; zero if there is none.
    function demandInfo(Artifact artifact, uint256 seat, uint256 leaf) external view returns (address demander, uint256 deadline);

    /// @notice The notice was given.
    function concluded() external view returns (bool);

    // ---- events

    event RoundOpened(uint256 indexed round, uint128 active, bytes32 base, uint256 pot, uint256 openedAt);
    event Committed(uint256 indexed round, uint256 indexed seat, bytes32 commitment);
    event Revealed(uint256 indexed round, uint256 indexed seat, bytes32 root, bytes32 salt, bytes locator);
    event Closed(uint256 indexed round, uint128 revealed, uint256 closeBlock);
    event DrawPostponed(uint256 indexed round, uint256 closeBlock);
    event Drawn(uint256 indexed round, bytes32 seed, uint120 committee);
    event ScoresCommitted(uint256 indexed round, uint256 indexed seat, bytes32 commitment);
    event ScoresRevealed(uint256 indexed round, uint256 indexed seat, bytes scores, bytes32 salt);
    /// @notice `medians`: one byte per revealed seat; `validatorPay`: one amount per committee position.
    event Settled(uint256 indexed round, uint128 accepted, bytes medians, uint256[] validatorPay, uint256 paid);
    event Proposed(uint256 indexed round, uint256 indexed attempt, uint256 indexed seat, bytes32 root, bytes locator);
    event ProposalFell(uint256 indexed round, uint256 indexed attempt, uint256 indexed seat, address by);
    event Demanded(
        uint256 indexed round, uint256 indexed attempt, address indexed by, Artifact artifact, uint256 seat, uint256 leaf, uint256 deadline
    );
    event Answered(
        uint256 indexed round, uint256 indexed attempt, address indexed by, Artifact artifact, uint256 seat, uint256 leaf, bytes content, bytes path
    );
    event DepositReclaimed(uint256 indexed round, uint256 indexed attempt, address indexed by, Artifact artifact, uint256 seat, uint256 leaf);
    event Voided(uint256 indexed round);
    /// @notice `adopted`: the model changed to a surviving proposal.
    event Finalized(uint256 indexed round, bytes32 model, bool adopted);
    event Concluded();
    event Refunded(address sponsor, uint256 amount);

    // ---- errors

    error WrongPhase(Phase expected, Phase actual);
    error NotActive(uint256 round, uint256 seat);
    error NothingCommitted(uint256 round, uint256 seat);
    error AlreadyRevealed(uint256 round, uint256 seat);
    error WrongOpening(bytes28 expected, bytes32 actual);
    error ZeroRoot();
    error LocatorTooLong(uint256 length, uint256 maximum);
    error AlreadyClosed(uint256 round);
    error NotClosed(uint256 round);
    error DrawTooEarly(uint256 blockNumber, uint256 earliest);
    error NotDrawn(uint256 round, uint256 seat);
    error WrongScoresLength(uint256 expected, uint256 actual);
    error WrongScores(uint256 position);
    error NotEligible(uint256 seat);
    error ProposerFell(uint256 seat);
    error LeafOutOfRange(uint256 leaf, uint256 leaves);
    error CoordinateOutOfRange(uint256 coordinate);
    error WrongProofLength(uint256 expected, uint256 actual);
    error WrongLeaf(Artifact artifact, uint256 seat);
    error CoordinateCorrect(int256 value);
    error DemandTooLate(uint256 time, uint256 last);
    error DemandOpen(Artifact artifact, uint256 seat, uint256 leaf);
    error NoDemand(Artifact artifact, uint256 seat, uint256 leaf);
    error AnswerTooLate(uint256 time, uint256 deadline);
    error AnswerPending(uint256 time, uint256 deadline);
    error NotAccepted(uint256 seat);
    error ProposalStands(uint256 round, uint256 attempt);
    error NotSponsor(address sponsor, address caller);
    error AlreadyConcluded();
    error NotConcluded();
    error TooFewSeats(uint256 eligible, uint256 minimum);
    error PoolTooSmall(uint256 pool, uint256 cost);
}
