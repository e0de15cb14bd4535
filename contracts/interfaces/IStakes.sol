// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IStakes: custody of stakes, pay and the pool
/// @notice One rule: token held == stakes + earned + credits + slashed + deposits + pool + pot, to the wei.
/// A stake shrinks only by a slash, each for a deed that the chain itself saw. Nobody but a seat's owner takes it out.
interface IStakes {
    /// @notice The deeds that cost stake.
    enum Offence {
        NoReveal, // committed an update and did not reveal it
        NoScores, // drawn as validator and did not reveal scores
        Fraud // proposed a wrong model, or one that could not be opened
    }

    /// @notice A participant's place. Two words of storage.
    /// @param owner Cold key: stake, pay, exit. Fixed while the seat is taken; zero if the seat is free.
    /// @param stake What the seat can lose, in token units.
    /// @param operator Hot key: commits, reveals, scores, proposes. May equal the owner.
    /// @param earned Pay not yet claimed, in token units.
    struct Seat {
        address owner;
        uint96 stake;
        address operator;
        uint96 earned;
    }

    // ---- seats

    /// @notice Take the lowest free seat. The stake counts from the next round on.
    /// @param owner Who alone may leave, claim, withdraw and replace the operator.
    /// @param operator Who acts for the seat in rounds.
    /// @param amount Stake to deposit from the caller, at least the terms' minimum.
    /// @param evidence For an allowlist: the Merkle proof, its words joined; the owner itself must call, and holds one seat at a time. For an admission contract: whatever it reads. Else empty.
    /// @return seat The index, 0 to 127.
    function join(address owner, address operator, uint256 amount, bytes calldata evidence) external returns (uint256 seat);

    /// @notice Add stake to a seat that is taken and not leaving. Anybody may pay for it.
    function topUp(uint256 seat, uint256 amount) external;

    /// @notice Replace the operator at once, mid-round too. Only the owner.
    function setOperator(uint256 seat, address operator) external;

    /// @notice Sit out from the next round on, for good. Only the owner. The seat stays slashable until its last round ends.
    function exit(uint256 seat) external;

    /// @notice Take out stake and pay of a seat that left, once no live round engages it. Only the owner.
    /// @dev Reads the clock: a round that the clock has ended is booked on the way, so no other call is awaited.
    function withdraw(uint256 seat, address to) external;

    /// @notice Take out a seat's pay and keep the seat. Only the owner.
    function claim(uint256 seat, address to) external;

    // ---- other money

    /// @notice Take out the caller's credit: proof fees, returned deposits, the sponsor's refund.
    function claimCredit(address to) external;

    /// @notice Send what was slashed to the sink of the terms.
    function sweep() external;

    /// @notice Add to the pool that pays for rounds. Anybody may.
    function fund(uint256 amount) external;

    /// @notice Use an ERC-2612 signature of the caller as its allowance; for `multicall` with join, topUp, fund or demand.
    /// @dev A permit that somebody used first is no failure as long as the allowance stands.
    function permit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    // ---- views

    /// @notice The facts of a seat; all zero if it is free.
    function seatInfo(uint256 seat) external view returns (Seat memory);

    /// @notice Bitmaps over seats: taken; whole enough for the next round (not leaving, stake at the minimum); leaving.
    function seatSets() external view returns (uint128 taken, uint128 eligible, uint128 leaving);

    /// @notice What `account` may take with `claimCredit`.
    function credits(address account) external view returns (uint256);

    /// @notice The contract's books, in token units; their sum is what it holds (donations aside).
    function accounting()
        external
        view
        returns (uint256 stakes, uint256 earned, uint256 credit, uint256 slashed, uint256 deposits, uint256 pool, uint256 pot);

    // ---- events

    event Joined(uint256 indexed seat, address indexed owner, address operator, uint256 stake);
    event ToppedUp(uint256 indexed seat, address indexed from, uint256 amount, uint256 stake);
    event OperatorReplaced(uint256 indexed seat, address operator);
    event Leaving(uint256 indexed seat);
    event Withdrawn(uint256 indexed seat, address to, uint256 stake, uint256 earned);
    event Claimed(uint256 indexed seat, address to, uint256 amount);
    event Credited(address indexed account, uint256 amount);
    event CreditClaimed(address indexed account, address to, uint256 amount);
    event Slashed(uint256 indexed seat, Offence indexed offence, uint256 amount, uint256 stake);
    event Swept(address sink, uint256 amount);
    event Funded(address indexed from, uint256 amount, uint256 pool);

    // ---- errors

    error NotOwner(uint256 seat, address owner, address caller);
    error NotOperator(uint256 seat, address operator, address caller);
    error SeatNotTaken(uint256 seat);
    error SeatsFull(uint256 maxSeats);
    error NotAdmitted(address account);
    error AlreadySeated(address owner, uint256 seat);
    error StakeTooSmall(uint256 amount, uint256 minimum);
    error AmountTooLarge(uint256 amount, uint256 maximum);
    error AlreadyLeaving(uint256 seat);
    error NotLeaving(uint256 seat);
    error StillEngaged(uint256 seat, uint256 round);
    error NothingToPay();
    error ZeroAddress();
    error ZeroAmount();
    error WrongAmountReceived(uint256 expected, uint256 received);
    error PermitFailed(uint256 allowance, uint256 amount);
}
