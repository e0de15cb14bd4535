// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IStakesFacts: types, events and errors of custody
/// @notice The functions are in IStakes.
interface IStakesFacts {
    /// @notice The offences that a seat is slashed for.
    enum Offence {
        /// The seat committed to an update and did not reveal it.
        NoReveal,
        /// The seat was drawn as a validator and did not reveal scores.
        NoScores,
        /// The seat proposed a wrong model, or one that could not be opened.
        Fraud
    }

    /// @notice A participant's place. It takes two words of storage.
    /// @param owner The cold key, which controls stake, pay and exit. Changed only by `handover`; zero if the seat is free.
    /// @param stake What the seat can lose.
    /// @param operator The hot key, which commits, reveals, scores and proposes. It may equal the owner.
    /// @param earned Pay that has not been claimed yet.
    struct Seat {
        address owner;
        uint96 stake;
        address operator;
        uint96 earned;
    }

    // ---- events

    /// @notice A seat was taken.
    /// @param seat The seat's index.
    /// @param owner Its owner.
    /// @param operator Its operator.
    /// @param stake Its stake.
    event Joined(uint256 indexed seat, address indexed owner, address operator, uint256 stake);

    /// @notice Stake was added to a seat.
    /// @param seat The seat's index.
    /// @param from The account that paid.
    /// @param amount What was added.
    /// @param stake The seat's stake afterwards.
    event ToppedUp(uint256 indexed seat, address indexed from, uint256 amount, uint256 stake);

    /// @notice A seat has a new operator.
    /// @param seat The seat's index.
    /// @param operator The new operator.
    event OperatorReplaced(uint256 indexed seat, address operator);

    /// @notice A seat's owner called `exit`; the seat takes part in no later round.
    /// @param seat The seat's index.
    event Leaving(uint256 indexed seat);

    /// @notice A seat's stake and pay were withdrawn, and the seat is free again.
    /// @param seat The seat's index.
    /// @param to The account that received the tokens.
    /// @param stake The stake withdrawn.
    /// @param earned The pay withdrawn.
    event Withdrawn(uint256 indexed seat, address to, uint256 stake, uint256 earned);

    /// @notice A seat's pay was withdrawn.
    /// @param seat The seat's index.
    /// @param to The account that received the tokens.
    /// @param amount The pay withdrawn.
    event Claimed(uint256 indexed seat, address to, uint256 amount);

    /// @notice An account's credit grew.
    /// @param account The account.
    /// @param amount What was added.
    event Credited(address indexed account, uint256 amount);

    /// @notice Somebody paid into an account's credit.
    /// @param from The account that paid.
    /// @param account The account whose credit grows.
    /// @param amount What was added.
    event Given(address indexed from, address indexed account, uint256 amount);

    /// @notice A demand took its deposit, or a part of it, from its sender's credit.
    /// @param account The account that demanded.
    /// @param amount What was taken.
    event CreditUsed(address indexed account, uint256 amount);

    /// @notice An account withdrew its credit.
    /// @param account The account.
    /// @param to The account that received the tokens.
    /// @param amount The credit withdrawn.
    event CreditClaimed(address indexed account, address to, uint256 amount);

    /// @notice A seat lost stake.
    /// @param seat The seat's index.
    /// @param offence What it is slashed for.
    /// @param amount What was taken: the amount in the terms, or all that was left.
    /// @param stake The seat's stake afterwards.
    event Slashed(uint256 indexed seat, Offence indexed offence, uint256 amount, uint256 stake);

    /// @notice Slashed money was burnt.
    /// @param amount What was sent to the burn address.
    event Swept(uint256 amount);

    /// @notice The pool was funded.
    /// @param from The account that paid.
    /// @param amount What was added.
    /// @param pool The pool afterwards.
    event Funded(address indexed from, uint256 amount, uint256 pool);

    /// @notice The money for rounds was given back after notice.
    /// @param sponsor The sponsor.
    /// @param amount What was left in the pool, now the sponsor's credit.
    /// @param burnt What earlier rounds did not pay, now waiting to be swept with what was slashed.
    event Refunded(address sponsor, uint256 amount, uint256 burnt);

    // ---- errors

    /// @notice Only the seat's owner may make this call.
    /// @param seat The seat's index.
    /// @param owner The seat's owner; zero if the seat is free.
    /// @param caller The account that called.
    error NotOwner(uint256 seat, address owner, address caller);

    /// @notice Only the seat's operator may make this call.
    /// @param seat The seat's index.
    /// @param operator The seat's operator; zero if the seat is free.
    /// @param caller The account that called.
    error NotOperator(uint256 seat, address operator, address caller);

    /// @notice Nobody owns the seat.
    /// @param seat The seat's index.
    error SeatNotTaken(uint256 seat);

    /// @notice Every seat is taken.
    /// @param maxSeats How many seats the terms allow.
    error SeatsFull(uint256 maxSeats);

    /// @notice The account is not on the allowlist, or the admission contract does not admit it.
    /// @param account The account that was checked.
    error NotAdmitted(address account);

    /// @notice With an allowlist an owner can hold one seat at a time, and this owner already has one.
    /// @param owner The owner.
    /// @param seat The seat that it holds.
    error AlreadySeated(address owner, uint256 seat);

    /// @notice The stake is below the minimum in the terms, or below what a new owner signed for.
    /// @param amount The stake offered.
    /// @param minimum The minimum.
    error StakeTooSmall(uint256 amount, uint256 minimum);

    /// @notice The amount is below a hundredth of the minimum stake, and does not bring the seat back to the minimum.
    /// @param amount The amount offered.
    /// @param minimum A hundredth of the minimum stake.
    error TopUpTooSmall(uint256 amount, uint256 minimum);

    /// @notice The account already is the seat's operator.
    /// @param seat The seat's index.
    /// @param operator The operator.
    error OperatorUnchanged(uint256 seat, address operator);

    /// @notice The amount is larger than the contract's accounting can hold.
    /// @param amount The amount offered.
    /// @param maximum The largest amount that fits.
    error AmountTooLarge(uint256 amount, uint256 maximum);

    /// @notice The seat is already leaving.
    /// @param seat The seat's index.
    error AlreadyLeaving(uint256 seat);

    /// @notice The seat is not leaving; its owner must call `exit` first.
    /// @param seat The seat's index.
    error NotLeaving(uint256 seat);

    /// @notice The seat is part of a round that has not ended, so its stake cannot be withdrawn yet.
    /// @param seat The seat's index.
    /// @param round The live round.
    error StillEngaged(uint256 seat, uint256 round);

    /// @notice The money for rounds does not cover the next one.
    /// @param pool What is available.
    /// @param cost The largest cost of the round.
    error PoolTooSmall(uint256 pool, uint256 cost);

    /// @notice There is nothing to pay out.
    error NothingToPay();

    /// @notice An address that must be given is zero.
    error ZeroAddress();

    /// @notice An amount that must be given is zero.
    error ZeroAmount();

    /// @notice The token delivered another amount than was sent, as tokens with a transfer fee do. They are not supported.
    /// @param expected The amount that was sent.
    /// @param received The amount that arrived.
    error WrongAmountReceived(uint256 expected, uint256 received);

    /// @notice The token did not accept the signature, and the caller's allowance is too small without it.
    /// @param allowance The caller's allowance.
    /// @param amount The amount that was signed for.
    error PermitFailed(uint256 allowance, uint256 amount);
}

/// @title IStakes: custody of stakes, pay and the pool
/// @notice The contract holds exactly stakes + earned + credits + slashed + deposits + pool + kept + pot of its token. Only the owner
/// of a seat can withdraw its stake. A stake is reduced only by a slash, and only for an offence the chain can verify.
/// Amounts are in token units everywhere.
interface IStakes is IStakesFacts {
    // ---- seats

    /// @notice Take the lowest free seat and deposit its stake. The seat becomes active in the next round.
    /// @param owner The only account that may leave, claim, withdraw and replace the operator.
    /// @param operator The account that acts for the seat in rounds.
    /// @param amount The stake, taken from the caller; at least the terms' minimum.
    /// @param evidence With an allowlist: the words of the Merkle proof, joined; the owner itself must call, and can hold one
    /// seat at a time. With an admission contract: whatever that contract reads. Otherwise empty.
    /// @return seat The index of the seat, 0 to 127.
    function join(address owner, address operator, uint256 amount, bytes calldata evidence) external returns (uint256 seat);

    /// @notice Add stake to a seat that is taken and not leaving. Anybody may pay for it.
    /// @param seat The seat's index.
    /// @param amount The stake to add, taken from the caller: at least a hundredth of the terms' minimum, or what the seat lacks of
    /// the minimum.
    function topUp(uint256 seat, uint256 amount) external;

    /// @notice Replace the seat's operator at once, even in the middle of a round. Only the owner may call.
    /// @param seat The seat's index.
    /// @param operator The new operator, another than the present one.
    function setOperator(uint256 seat, address operator) external;

    /// @notice Begin to leave: the seat takes part in no later round. Only the owner may call, and it cannot be undone.
    /// The seat can still be slashed until the last round it is active in has ended.
    /// @param seat The seat's index.
    function exit(uint256 seat) external;

    /// @notice Withdraw the stake and pay of a seat that is leaving, once no live round involves it. Only the owner may call.
    /// @dev Reads the clock: if the time of the live round is over, this call records its end first, so no other call is needed.
    /// @param seat The seat's index.
    /// @param to The account that receives the tokens.
    function withdraw(uint256 seat, address to) external;

    /// @notice Withdraw a seat's pay and keep the seat. Only the owner may call.
    /// @param seat The seat's index.
    /// @param to The account that receives the tokens.
    function claim(uint256 seat, address to) external;

    // ---- other money

    /// @notice Withdraw the caller's credit: what was given to it, fees for proofs, returned deposits, the sponsor's refund.
    /// @param to The account that receives the tokens.
    function claimCredit(address to) external;

    /// @notice Pay into an account's credit, from which its demands take their deposits. Anybody may call; the account may withdraw it.
    /// @param account The account that receives the credit, usually the operator of the caller's seat.
    /// @param amount The amount, taken from the caller.
    function give(address account, uint256 amount) external;

    /// @notice Burn everything that was slashed: send it to 0x000000000000000000000000000000000000dEaD. Anybody may call.
    function sweep() external;

    /// @notice Add to the pool that pays for rounds, until the sponsor gives notice. Anybody may call.
    /// @param amount The amount, taken from the caller.
    function fund(uint256 amount) external;

    /// @notice Use an ERC-2612 signature of the caller as its allowance; meant for `multicall` with join, topUp, give, fund or demand.
    /// @dev If somebody else used the signature first, the call still succeeds as long as the allowance is large enough.
    /// @param amount The allowance that was signed.
    /// @param deadline The time until which the signature is valid.
    /// @param v The signature's recovery id.
    /// @param r The signature's first half.
    /// @param s The signature's second half.
    function permit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    // ---- views

    /// @notice The facts of a seat; all zero if it is free.
    /// @param seat The seat's index.
    /// @return info The seat.
    function seatInfo(uint256 seat) external view returns (Seat memory info);

    /// @notice The sets of seats as bitmaps: bit i stands for seat i.
    /// @return taken Seats that somebody owns.
    /// @return eligible Seats that will be active in the next round: not leaving, and with the minimum stake.
    /// @return leaving Seats whose owners have called `exit`.
    function seatSets() external view returns (uint128 taken, uint128 eligible, uint128 leaving);

    /// @notice What an account may withdraw with `claimCredit`.
    /// @param account The account.
    /// @return amount Its credit.
    function credits(address account) external view returns (uint256 amount);

    /// @notice The contract's accounting. The sum of all parts is what it holds; tokens sent to it without a call are not counted.
    /// @return stakes The stakes of all seats.
    /// @return earned The pay of all seats that has not been claimed.
    /// @return credit The credits of all accounts.
    /// @return slashed What was slashed or burnt, and not yet swept away.
    /// @return deposits The deposits of open demands.
    /// @return pool What is available for rounds, and goes back to the sponsor after notice.
    /// @return kept What earlier rounds were to pay and did not. Later rounds use it first; after notice it is burnt.
    /// @return pot What is set aside for the live round.
    function accounting()
        external
        view
        returns (
            uint256 stakes,
            uint256 earned,
            uint256 credit,
            uint256 slashed,
            uint256 deposits,
            uint256 pool,
            uint256 kept,
            uint256 pot
        );
}
