// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExclusions} from "./IExclusions.sol";
import {IHandovers} from "./IHandovers.sol";
import {IRelays} from "./IRelays.sol";
import {IStakes} from "./IStakes.sol";

/// @notice The terms of a federation. They never change: new terms mean a new federation.
/// @dev Every field is one static word. The terms are the clone's immutable arguments: field i lies at offset 32 * i (see
/// libraries/TermsReader). Times are in seconds, amounts in token units.
/// @param token The ERC-20 token of stakes and pay.
/// @param sponsor The account that may stop new rounds, and is refunded what is left in the pool afterwards.
/// @param admission A contract that implements IAdmission, or zero.
/// @param allowlist The Merkle root of the owners that may join, each with one seat at a time, or zero.
/// @param manifest The SHA-256 of the manifest, which fixes the task, the model, the numeric terms, the gate and the score.
/// @param genesis The root of the first model.
/// @param depth The depth of the leaf tree, which has 2^depth leaves of 256 parameters.
/// @param maxExponent The largest exponent E of a block: an update moves a parameter by at most 127 * 2^E steps of 2^-24.
/// @param trim How many of the lowest and of the highest values are dropped; 0 gives the mean, 64 the median.
/// @param maxSeats How many seats there are, at most 128.
/// @param minReveals The number of revealed updates below which a round is void; at least the size of the committee.
/// @param committee How many validators are drawn; odd, 3 to 15.
/// @param maxAttempts How many proposals a round may try.
/// @param commitWindow The length of the phase Commit.
/// @param revealWindow The length of the phase Reveal.
/// @param drawWindow The time in which the committee must be drawn.
/// @param scoreCommitWindow The length of the phase ScoreCommit.
/// @param scoreRevealWindow The length of the phase ScoreReveal.
/// @param settleWindow The time in which the scores must be settled.
/// @param showWindow The time after settlement in which accepted updates that cannot be fetched are reported, before anybody proposes.
/// @param proposeWindow The time in which somebody must propose the new model.
/// @param challengeWindow The time in which a proposal can be disproved.
/// @param answerWindow The time in which a demand must be answered.
/// @param minStake The stake that a seat needs to be eligible.
/// @param noRevealSlash What a seat that committed and did not reveal loses.
/// @param noScoresSlash What a validator that did not reveal scores loses.
/// @param fraudSlash What a seat whose proposal fell loses.
/// @param challengeFee The part of fraudSlash that is paid to whoever proved the fraud.
/// @param demandDeposit What a demand costs; it is paid to whoever answers.
/// @param trainerRate What a score of 255 earns.
/// @param validatorRate What a validator whose every score equals the median earns.
/// @param strictness How fast a validator's pay shrinks with its distance from the medians.
/// @param proposerFee What the proposer of the adopted model earns.
/// @param drawDelay The number of blocks from `close` to the block whose randomness seeds the draw.
/// @param label Any word; it tells federations apart whose other terms are equal.
struct Terms {
    address token;
    address sponsor;
    address admission;
    bytes32 allowlist;
    bytes32 manifest;
    bytes32 genesis;
    uint256 depth;
    uint256 maxExponent;
    uint256 trim;
    uint256 maxSeats;
    uint256 minReveals;
    uint256 committee;
    uint256 maxAttempts;
    uint256 commitWindow;
    uint256 revealWindow;
    uint256 drawWindow;
    uint256 scoreCommitWindow;
    uint256 scoreRevealWindow;
    uint256 settleWindow;
    uint256 showWindow;
    uint256 proposeWindow;
    uint256 challengeWindow;
    uint256 answerWindow;
    uint256 minStake;
    uint256 noRevealSlash;
    uint256 noScoresSlash;
    uint256 fraudSlash;
    uint256 challengeFee;
    uint256 demandDeposit;
    uint256 trainerRate;
    uint256 validatorRate;
    uint256 strictness;
    uint256 proposerFee;
    uint256 drawDelay;
    bytes32 label;
}

/// @title IRoundFacts: what both parts of a federation say of a round
/// @notice Types, events and errors. The functions are in IRounds and IDisputes.
interface IRoundFacts {
    /// @notice Where a round stands. It is derived from stored facts and the clock, and never advanced by a call.
    enum Phase {
        /// No round is open.
        Idle,
        /// Active seats commit to their updates.
        Commit,
        /// Committed updates are revealed.
        Reveal,
        /// The revealed set is closed, and then the committee is drawn.
        Draw,
        /// Validators commit to their scores.
        ScoreCommit,
        /// Validators reveal their scores.
        ScoreReveal,
        /// The scores are turned into the accepted set and into pay.
        Settle,
        /// Accepted updates that nobody can fetch are reported, and leave the accepted set by a majority of all who revealed.
        Show,
        /// A seat that is active and still eligible may propose the new model.
        Propose,
        /// The proposal can be disproved.
        Challenge,
        /// The round is over, and `finalize` records its result.
        Final,
        /// The round is over and pays nobody; `finalize` records that.
        Void,
        /// Seats announce keys, before they commit; in a masked federation only.
        Announce
    }

    /// @notice The artifact that a demand asks to see one leaf of.
    enum Artifact {
        /// The proposed model.
        Proposed,
        /// The model that the round began with.
        Previous,
        /// The update of an accepted seat.
        Update
    }

    /// @notice The facts of the live round, or of the last one if none is live. They take five words of storage.
    /// @dev The words are not cleared for a new round, so that no slot passes through zero. A field has a meaning only after the
    /// call that sets it; `roundInfo` shows it as zero before.
    /// @param number The round's number, from 1; 0 means that no round was ever opened.
    /// @param active The seats that may commit.
    /// @param openedAt The time at which the round was opened.
    /// @param closeBlock The block from which drawDelay counts to the block that seeds the draw; 0 means not closed.
    /// @param revealed The seats that revealed an update, as fixed by `close`.
    /// @param committee The seats drawn, one byte each, the first in the highest byte.
    /// @param committeeSize How many seats were drawn.
    /// @param drawnAt The time at which the committee was drawn.
    /// @param accepted The seats whose updates enter the model: what `settle` accepted, less what was reported missing.
    /// @param settledAt The time at which the scores were settled.
    /// @param voided The round ended without pay.
    /// @param live The round was opened and is not finalized.
    /// @param attempts How many proposals were made so far.
    /// @param fallen The seats whose proposals fell in this round.
    /// @param proposer The seat of the present proposal.
    /// @param proposeFrom The time at which the present attempt began, or will begin after Show.
    /// @param proposedAt The time of the present proposal; 0 means that there is none.
    /// @param openDemands How many demands against the present proposal wait for an answer.
    /// @param proposal The root of the proposed model.
    /// @param mix The hash of the round's records when it was closed, seats ascending: part of the seed of the draw.
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
        bytes32 mix;
    }

    // ---- events

    /// @notice A round was opened.
    /// @param round The round's number.
    /// @param active The seats that may commit, as a bitmap.
    /// @param base The root of the model that updates are trained from.
    /// @param pot What was set aside for the round.
    /// @param openedAt The time at which it was opened.
    event RoundOpened(uint256 indexed round, uint128 active, bytes32 base, uint256 pot, uint256 openedAt);

    /// @notice A seat committed to an update, or replaced its commitment.
    /// @param round The round's number.
    /// @param seat The seat's index.
    /// @param commitment The commitment.
    event Committed(uint256 indexed round, uint256 indexed seat, bytes32 commitment);

    /// @notice A seat's update was revealed.
    /// @param round The round's number.
    /// @param seat The seat's index.
    /// @param root The root of the update.
    /// @param salt The random word that hid it in the commitment.
    /// @param locator Where to fetch the file; may be empty.
    event Revealed(uint256 indexed round, uint256 indexed seat, bytes32 root, bytes32 salt, bytes locator);

    /// @notice The revealed set was fixed.
    /// @param round The round's number.
    /// @param revealed The seats that revealed an update, as a bitmap.
    /// @param closeBlock The present block, from which drawDelay counts to the block that seeds the draw.
    event Closed(uint256 indexed round, uint128 revealed, uint256 closeBlock);

    /// @notice The hash of the block that should have seeded the draw was no longer available, and a new block was chosen.
    /// @param round The round's number.
    /// @param closeBlock The present block, from which drawDelay now counts.
    event DrawPostponed(uint256 indexed round, uint256 closeBlock);

    /// @notice The committee was drawn.
    /// @param round The round's number.
    /// @param prevRandao The randomness of the block that lies drawDelay after the last closeBlock.
    /// @param seed keccak256(abi.encode(prevRandao, mix, chainid, this, round)).
    /// @param committee The seats drawn, one byte each, the first in the highest byte.
    event Drawn(uint256 indexed round, bytes32 prevRandao, bytes32 seed, uint120 committee);

    /// @notice A validator committed to scores, or replaced its commitment.
    /// @param round The round's number.
    /// @param seat The validator's seat.
    /// @param commitment The commitment.
    event ScoresCommitted(uint256 indexed round, uint256 indexed seat, bytes32 commitment);

    /// @notice A validator's scores were revealed.
    /// @param round The round's number.
    /// @param seat The validator's seat.
    /// @param scores One byte per revealed seat, ascending.
    /// @param salt The random word that hid the scores in the commitment.
    event ScoresRevealed(uint256 indexed round, uint256 indexed seat, bytes scores, bytes32 salt);

    /// @notice The scores were settled; trainers and validators were paid.
    /// @param round The round's number.
    /// @param accepted The seats whose updates were accepted, as a bitmap. They enter the model unless Show excludes them.
    /// @param medians The median score of each revealed seat, one byte per revealed seat, ascending.
    /// @param validatorPay One amount per validator that revealed its scores, in committee order.
    /// @param paid What trainers and validators were paid together.
    event Settled(uint256 indexed round, uint128 accepted, bytes medians, uint256[] validatorPay, uint256 paid);

    /// @notice A model was proposed.
    /// @param round The round's number.
    /// @param attempt The number of the proposal in its round, from 1.
    /// @param seat The proposer's seat.
    /// @param root The root of the proposed model.
    /// @param locator Where to fetch the file; may be empty.
    event Proposed(uint256 indexed round, uint256 indexed attempt, uint256 indexed seat, bytes32 root, bytes locator);

    /// @notice A proposal fell: it was disproved, or a demand was not answered in time.
    /// @param round The round's number.
    /// @param attempt The number of the proposal in its round.
    /// @param seat The proposer's seat.
    /// @param by The account that brought it down; zero if it fell by the clock.
    event ProposalFell(uint256 indexed round, uint256 indexed attempt, uint256 indexed seat, address by);

    /// @notice A leaf was demanded.
    /// @param round The round's number.
    /// @param attempt The number of the proposal in its round.
    /// @param by The account that made the demand.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    /// @param deadline The time before which it must be answered.
    event Demanded(
        uint256 indexed round, uint256 indexed attempt, address indexed by, Artifact artifact, uint256 seat, uint256 leaf, uint256 deadline
    );

    /// @notice A demanded leaf was shown.
    /// @param round The round's number.
    /// @param attempt The number of the proposal in its round.
    /// @param by The account that answered, and receives the deposit.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    /// @param content The leaf.
    /// @param path The siblings on the way to the root, bottom up.
    event Answered(
        uint256 indexed round, uint256 indexed attempt, address indexed by, Artifact artifact, uint256 seat, uint256 leaf, bytes content, bytes path
    );

    /// @notice A deposit was returned, because the proposal fell.
    /// @param round The round's number.
    /// @param attempt The number of the proposal in its round.
    /// @param by The account that made the demand, and receives its deposit.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    event DepositReclaimed(uint256 indexed round, uint256 indexed attempt, address indexed by, Artifact artifact, uint256 seat, uint256 leaf);

    /// @notice The round is void: it pays nobody, and the model stays.
    /// @param round The round's number.
    event Voided(uint256 indexed round);

    /// @notice The end of a round was recorded.
    /// @param round The round's number.
    /// @param model The root of the model afterwards.
    /// @param adopted True if the model changed to a proposal that survived.
    event Finalized(uint256 indexed round, bytes32 model, bool adopted);

    /// @notice The sponsor gave notice: no further round opens.
    event Concluded();

    // ---- errors

    /// @notice The call belongs to another phase.
    /// @param expected The phase that the call needs.
    /// @param actual The present phase.
    error WrongPhase(Phase expected, Phase actual);

    /// @notice The call names another round than the live one, so it has no effect.
    /// @param given The round that the call names.
    /// @param actual The live round.
    error WrongRound(uint256 given, uint256 actual);

    /// @notice The call names another attempt than the present one, so it has no effect.
    /// @param given The attempt that the call names.
    /// @param actual The attempt that the call could name now.
    error WrongAttempt(uint256 given, uint256 actual);

    /// @notice The seat is not active in this round.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error NotActive(uint256 round, uint256 seat);

    /// @notice The seat has already made this very commitment in this round.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error CommitmentUnchanged(uint256 round, uint256 seat);

    /// @notice The seat committed to nothing in this round.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error NothingCommitted(uint256 round, uint256 seat);

    /// @notice The seat has already revealed in this round.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error AlreadyRevealed(uint256 round, uint256 seat);

    /// @notice What was revealed does not match the commitment.
    /// @param expected The high 28 bytes of the commitment on record.
    /// @param actual The commitment that follows from what was revealed.
    error WrongOpening(bytes28 expected, bytes32 actual);

    /// @notice A root must not be zero.
    error ZeroRoot();

    /// @notice The locator is too long.
    /// @param length Its length in bytes.
    /// @param maximum The largest length.
    error LocatorTooLong(uint256 length, uint256 maximum);

    /// @notice The round's revealed set is already fixed.
    /// @param round The round's number.
    error AlreadyClosed(uint256 round);

    /// @notice The round's revealed set is not fixed yet; call `close` first.
    /// @param round The round's number.
    error NotClosed(uint256 round);

    /// @notice The block that seeds the draw is too recent.
    /// @param blockNumber The present block.
    /// @param earliest The first block in which the committee can be drawn.
    error DrawTooEarly(uint256 blockNumber, uint256 earliest);

    /// @notice The header is not that of the block that seeds the draw.
    /// @param blockNumber The block.
    /// @param expected Its hash; 0 if the chain does not tell it.
    /// @param actual The hash of the bytes given.
    error WrongHeader(uint256 blockNumber, bytes32 expected, bytes32 actual);

    /// @notice The header has the right hash, but no 32 bytes as its field 13: this chain writes its headers in another form.
    /// @param length How many bytes were given.
    error MalformedHeader(uint256 length);

    /// @notice The seat is not in the committee.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error NotDrawn(uint256 round, uint256 seat);

    /// @notice There must be one score byte per revealed seat.
    /// @param expected The number of revealed seats.
    /// @param actual The number of bytes given.
    error WrongScoresLength(uint256 expected, uint256 actual);

    /// @notice The vectors are not those that the validators revealed, in committee order.
    /// @param position The committee position where they differ; the size of the committee if there are too many vectors.
    error WrongScores(uint256 position);

    /// @notice The seat is not eligible: it is leaving, or its stake is below the minimum.
    /// @param seat The seat's index.
    error NotEligible(uint256 seat);

    /// @notice A proposal of this seat fell in this round, so it cannot propose again before the next.
    /// @param seat The seat's index.
    error ProposerFell(uint256 seat);

    /// @notice The tree has no such leaf.
    /// @param leaf The index given.
    /// @param leaves How many leaves there are.
    error LeafOutOfRange(uint256 leaf, uint256 leaves);

    /// @notice A leaf has 256 parameters, and the index given lies beyond them.
    /// @param coordinate The index given.
    error CoordinateOutOfRange(uint256 coordinate);

    /// @notice A proof, a leaf or a path has the wrong length.
    /// @param expected The right length in bytes.
    /// @param actual The length given.
    error WrongProofLength(uint256 expected, uint256 actual);

    /// @notice A leaf and its path do not lead to the root on record.
    /// @param artifact The artifact that the leaf should belong to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    error WrongLeaf(Artifact artifact, uint256 seat);

    /// @notice The proposed value is right, so the proposal stands.
    /// @param value The value that the contract computed.
    error CoordinateCorrect(int256 value);

    /// @notice The challenge window is too near its end for a new demand to be answered.
    /// @param time The time of this block.
    /// @param last The time from which demands are not accepted.
    error DemandTooLate(uint256 time, uint256 last);

    /// @notice Somebody already demanded this leaf.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    error DemandOpen(Artifact artifact, uint256 seat, uint256 leaf);

    /// @notice There is no such open demand.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    error NoDemand(Artifact artifact, uint256 seat, uint256 leaf);

    /// @notice The time to answer the demand is over.
    /// @param time The time of this block.
    /// @param deadline The time before which it had to be answered.
    error AnswerTooLate(uint256 time, uint256 deadline);

    /// @notice The demand can still be answered, so it has not expired.
    /// @param time The time of this block.
    /// @param deadline The time before which it must be answered.
    error AnswerPending(uint256 time, uint256 deadline);

    /// @notice No leaf of this seat can be demanded: its update was not accepted, or a seat was given for a model.
    /// @param seat The seat's index.
    error NotAccepted(uint256 seat);

    /// @notice The proposal still stands, so the deposits of its demands are not returned.
    /// @param round The round's number.
    /// @param attempt The number of the proposal in its round.
    error ProposalStands(uint256 round, uint256 attempt);

    /// @notice Only the sponsor may make this call.
    /// @param sponsor The sponsor.
    /// @param caller The account that called.
    error NotSponsor(address sponsor, address caller);

    /// @notice The sponsor has given notice, so the call is no longer possible.
    error AlreadyConcluded();

    /// @notice The sponsor has not given notice, so nothing can be refunded.
    error NotConcluded();

    /// @notice Too few seats are eligible to open a round.
    /// @param eligible How many are.
    /// @param minimum How many updates a round needs.
    error TooFewSeats(uint256 eligible, uint256 minimum);

    /// @notice The contract for disputes has no code. Calls to an empty account would appear to succeed.
    /// @param disputes The address without code.
    error NoDisputes(address disputes);
}

/// @title IRounds: a round, except for its disputes
/// @notice Implemented by the contract Federation.
interface IRounds is IRoundFacts {
    // ---- the round, in order

    /// @notice Open the next round over the eligible seats and set aside its largest possible cost: first from what earlier rounds
    /// did not pay, then from the pool. Anybody may call.
    function openRound() external;

    /// @notice Commit to an update. Only the operator of an active seat may call; another commitment replaces the first.
    /// @param round The round that the commitment is for. In any other round the call reverts.
    /// @param seat The seat's index.
    /// @param commitment keccak256(abi.encode(TYPEHASH, chainid, this, round, seat, root, salt, keccak256(locator))).
    function commit(uint256 round, uint256 seat, bytes32 commitment) external;

    /// @notice Reveal a committed update. Anybody who knows the root and the salt may call.
    /// @param seat The seat's index.
    /// @param root The root of the update.
    /// @param salt The random word that hid it in the commitment.
    /// @param locator Where to fetch the file, at most 64 bytes, as committed to; empty where the store finds files by root.
    function reveal(uint256 seat, bytes32 root, bytes32 salt, bytes calldata locator) external;

    /// @notice Fix the revealed set, slash the seats that committed and did not reveal, and choose the block that seeds the draw.
    /// Anybody may call.
    function close() external;

    /// @notice Draw the committee, once the block that lies drawDelay after `close` has been built. Its randomness, which its
    /// header proves, is the seed, with the records of the round. If the block's hash is no longer available, the call chooses a
    /// new block instead. Anybody may call.
    /// @param header The RLP of the block's header.
    function draw(bytes calldata header) external;

    /// @notice Commit to scores. Only the operator of a drawn seat may call; another commitment replaces the first.
    /// @param round The round that the commitment is for. In any other round the call reverts.
    /// @param seat The seat's index.
    /// @param commitment keccak256(abi.encode(TYPEHASH, chainid, this, round, seat, keccak256(scores), salt)).
    function commitScores(uint256 round, uint256 seat, bytes32 commitment) external;

    /// @notice Reveal committed scores. Anybody who knows the scores and the salt may call.
    /// @param seat The validator's seat.
    /// @param scores One byte per revealed seat, ascending: 0 leaves the update out, 1 to 255 accepts it.
    /// @param salt The random word that hid the scores in the commitment.
    function revealScores(uint256 seat, bytes calldata scores, bytes32 salt) external;

    /// @notice Take the medians, fix the accepted set, pay trainers and validators. Anybody may call.
    /// @dev An update is accepted if the median of the votes cast for it is positive; the median is also its pay. An author's own
    /// vote counts as 255. Of two middles the median is the lower, so that a tie rejects.
    /// @param scores The vectors of the validators that revealed, in committee order, as in the events.
    function settle(bytes[] calldata scores) external;

    /// @notice Propose the new model. Only the operator of a seat that is active in this round, is still eligible, and has had
    /// no proposal fall in this round may call.
    /// @dev A proposal that is mined late would be wrong, and would be slashed: it reverts in any other round or attempt.
    /// @param round The round whose updates the model aggregates.
    /// @param attempt The number that the proposal takes in its round: one more than the proposals made before.
    /// @param seat The seat's index.
    /// @param root The root of the proposed model.
    /// @param locator Where to fetch the file, at most 64 bytes; empty where the store finds files by root.
    function propose(uint256 round, uint256 attempt, uint256 seat, bytes32 root, bytes calldata locator) external;

    /// @notice Record the end of a round that is Final or Void, so that the next one can open. Anybody may call.
    function finalize() external;

    /// @notice Give notice: no further round opens, and the live one finishes normally. Only the sponsor may call.
    function conclude() external;

    /// @notice Credit the sponsor with what is left in the pool, after notice and once no round is live. What earlier rounds did not
    /// pay is burnt instead. Anybody may call.
    function refund() external;

    // ---- views

    /// @notice The terms of this federation.
    /// @return fixedTerms All fields, as given at creation.
    function terms() external view returns (Terms memory fixedTerms);

    /// @notice The facts of the live round, or of the last one. Fields that no call has set yet are zero.
    /// @return info The round.
    function roundInfo() external view returns (Round memory info);

    /// @notice The present phase.
    /// @return current The phase at the time of this block.
    function phase() external view returns (Phase current);

    /// @notice The time at which the present phase ends by the clock.
    /// @return end That time; 0 if only a call ends the phase.
    function phaseEnd() external view returns (uint256 end);

    /// @notice The model as of the last finalized round.
    /// @return root The root of the model.
    function model() external view returns (bytes32 root);

    /// @notice What a seat did with its update in this round.
    /// @param seat The seat's index.
    /// @return state 0 means nothing, 1 committed, 2 revealed.
    /// @return digest The high 28 bytes of the commitment, or of the root once it is revealed.
    function recordOf(uint256 seat) external view returns (uint256 state, bytes28 digest);

    /// @notice What a validator did with its scores in this round.
    /// @param position The validator's position in the committee.
    /// @return state 0 means nothing, 1 committed, 2 revealed.
    /// @return digest The high 28 bytes of the commitment, or of the hash of the scores once they are revealed.
    function scoreRecordOf(uint256 position) external view returns (uint256 state, bytes28 digest);

    /// @notice Says whether the sponsor has given notice.
    /// @return given True if no further round opens.
    function concluded() external view returns (bool given);

    /// @notice The contract that this one hands every call to that it has no function for: those of IDisputes.
    /// @return part Its address, fixed in the code.
    function disputes() external view returns (address part);
}

/// @title IDisputes: proofs and demands against a proposal
/// @notice Implemented by the contract Disputes. A federation takes these calls like any other and hands them on.
interface IDisputes is IRoundFacts {
    /// @notice Disprove the proposal at one coordinate; the call reverts if the proposed value is right. Anybody may call.
    /// @param leaf The leaf's index, below 2^depth.
    /// @param coordinate The index of a parameter in the leaf, below 256.
    /// @param proof For every accepted seat, ascending: its leaf (264 bytes) and path (32 * depth bytes). Then the previous
    /// model's leaf (1,024 bytes) and path, then the proposed model's.
    function challenge(uint256 leaf, uint256 coordinate, bytes calldata proof) external;

    /// @notice Demand to be shown one leaf, against a deposit that is paid to whoever answers. Anybody may call.
    /// @param round The round of the proposal. In any other round the call reverts.
    /// @param attempt The number of the proposal in its round. Against any other proposal the call reverts.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index, below 2^depth.
    function demand(uint256 round, uint256 attempt, Artifact artifact, uint256 seat, uint256 leaf) external;

    /// @notice Show a demanded leaf and earn the deposit. Anybody may call.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index, below 2^depth.
    /// @param content The leaf: 264 bytes of an update, or 1,024 bytes of a model.
    /// @param path The siblings on the way to the root, bottom up, 32 bytes each.
    function answer(Artifact artifact, uint256 seat, uint256 leaf, bytes calldata content, bytes calldata path) external;

    /// @notice Bring the proposal down over a demand that nobody answered in time. The demander receives the challenge fee.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    function expire(Artifact artifact, uint256 seat, uint256 leaf) external;

    /// @notice Return the deposit of a demand whose proposal fell for another reason. Anybody may call.
    /// @param round The round of the demand.
    /// @param attempt The attempt of the demand.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    function reclaim(uint256 round, uint256 attempt, Artifact artifact, uint256 seat, uint256 leaf) external;

    /// @notice An open demand against the present proposal; zero if there is none.
    /// @param artifact The artifact that the leaf belongs to.
    /// @param seat The accepted seat, for an update; otherwise 0.
    /// @param leaf The leaf's index.
    /// @return demander The account that made the demand.
    /// @return deadline The time before which it must be answered.
    function demandInfo(Artifact artifact, uint256 seat, uint256 leaf) external view returns (address demander, uint256 deadline);
}

/// @title IFederation: one learning task under fixed terms, in rounds
/// @notice In a round, active seats commit to updates and then reveal them. A drawn committee scores the updates. Settlement
/// accepts updates and pays trainers and validators. Accepted updates that a majority cannot fetch are left out. A proposer posts the root of the aggregated model. Anybody can disprove it
/// with one transaction; a proposal that survives its challenge window becomes the model.
///
/// The model is safe if one honest checker who has the accepted updates is online in every challenge window. Pay is fair if the
/// majority of the drawn committee is honest. Rounds make progress if the chain includes a transaction within each window.
/// Participants must trust the token, and the admission contract if there is one.
///
/// This is what a caller sees. Two contracts implement it, because the code of one may not exceed 24,576 bytes: a federation is a
/// clone of Federation, which hands to Disputes what it has no function for.
interface IFederation is IStakes, IRounds, IDisputes, IRelays, IHandovers, IExclusions {
    /// @notice Make several calls in one transaction, all or none.
    /// @param data The calls, encoded.
    /// @return results What each returned.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);
}
