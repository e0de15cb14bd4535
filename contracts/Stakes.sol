// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {Admissions} from "./Admissions.sol";
import {IStakes} from "./interfaces/IStakes.sol";
import {Seats} from "./libraries/Seats.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";

/// @title Stakes: custody
/// @dev This part knows nothing of rounds: it asks `_release` whether one still involves a seat. Every function updates the
/// accounting before it moves tokens, so that a view called from inside a transfer already sees the result.
abstract contract Stakes is IStakes, Admissions {
    using Seats for uint128;

    /// @dev Nobody owns this address. A sink that is a term could be the sponsor's other account.
    address internal constant BURN = 0x000000000000000000000000000000000000dEaD;

    // ---- seats

    function join(address owner, address operator, uint256 amount, bytes calldata evidence)
        external
        nonReentrant
        returns (uint256 seat)
    {
        if (owner == address(0) || operator == address(0)) revert ZeroAddress();
        uint256 minimum = T.word(T.MIN_STAKE);
        if (amount < minimum) revert StakeTooSmall(amount, minimum);
        _checkAmount(amount, type(uint96).max);
        _admit(msg.sender, owner, operator, evidence);

        uint128 free = ~_taken;
        uint256 maxSeats = T.word(T.MAX_SEATS);
        if (free == 0 || free.lowest() >= maxSeats) revert SeatsFull(maxSeats);
        seat = free.lowest();

        _taken = _taken.add(seat);
        _eligible = _eligible.add(seat);
        _seats[seat] = Seat({owner: owner, stake: uint96(amount), operator: operator, earned: 0});
        _stakes += uint128(amount);
        emit Joined(seat, owner, operator, amount);
        _pull(amount);
    }

    function topUp(uint256 seat, uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        if (!_taken.contains(seat)) revert SeatNotTaken(seat);
        if (_leaving.contains(seat)) revert AlreadyLeaving(seat);
        Seat storage s = _seats[seat];
        uint256 stake = s.stake;
        _checkAmount(amount, type(uint96).max - stake);
        uint256 minimum = T.word(T.MIN_STAKE);
        // Dust would fill the log at the price of gas alone; the last missing part of a seat's minimum may be dust.
        bool makesWhole = stake < minimum && stake + amount >= minimum;
        if (amount < minimum / 100 && !makesWhole) revert TopUpTooSmall(amount, minimum / 100);
        stake += amount;
        s.stake = uint96(stake);
        _stakes += uint128(amount);
        if (stake >= minimum) _eligible = _eligible.add(seat);
        emit ToppedUp(seat, msg.sender, amount, stake);
        _pull(amount);
    }

    function setOperator(uint256 seat, address operator) external {
        _onlyOwner(seat);
        if (operator == address(0)) revert ZeroAddress();
        if (operator == _seats[seat].operator) revert OperatorUnchanged(seat, operator);
        _seats[seat].operator = operator;
        emit OperatorReplaced(seat, operator);
    }

    function exit(uint256 seat) external {
        _onlyOwner(seat);
        if (_leaving.contains(seat)) revert AlreadyLeaving(seat);
        _leaving = _leaving.add(seat);
        _eligible = _eligible.remove(seat);
        emit Leaving(seat);
    }

    function withdraw(uint256 seat, address to) external nonReentrant {
        _onlyOwner(seat);
        if (to == address(0)) revert ZeroAddress();
        if (!_leaving.contains(seat)) revert NotLeaving(seat);
        _release(seat);

        uint256 stake = _seats[seat].stake;
        uint256 earned = _seats[seat].earned;
        delete _seats[seat];
        _taken = _taken.remove(seat);
        _leaving = _leaving.remove(seat);
        _stakes -= uint128(stake);
        _earned -= uint128(earned);
        emit Withdrawn(seat, to, stake, earned);
        if (stake + earned > 0) _push(to, stake + earned);
    }

    function claim(uint256 seat, address to) external nonReentrant {
        _onlyOwner(seat);
        if (to == address(0)) revert ZeroAddress();
        uint256 amount = _seats[seat].earned;
        if (amount == 0) revert NothingToPay();
        _seats[seat].earned = 0;
        _earned -= uint128(amount);
        emit Claimed(seat, to, amount);
        _push(to, amount);
    }

    // ---- other money

    function claimCredit(address to) external nonReentrant {
        if (to == address(0)) revert ZeroAddress();
        uint256 amount = _credits[msg.sender];
        if (amount == 0) revert NothingToPay();
        _credits[msg.sender] = 0;
        _credit -= amount;
        emit CreditClaimed(msg.sender, to, amount);
        _push(to, amount);
    }

    function give(address account, uint256 amount) external nonReentrant {
        if (account == address(0)) revert ZeroAddress();
        if (amount == 0) revert ZeroAmount();
        _checkAmount(amount, type(uint128).max);
        emit Given(msg.sender, account, amount);
        _addCredit(account, amount);
        _pull(amount);
    }

    function sweep() external nonReentrant {
        uint256 amount = _slashed;
        if (amount == 0) revert NothingToPay();
        _slashed = 0;
        emit Swept(amount);
        _push(BURN, amount);
    }

    function fund(uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        _mayFund();
        // All money for rounds together stays below 2^128, so that a round's end can always move its pot.
        _checkAmount(amount, type(uint128).max - _pool - _kept - _pot);
        _pool += uint128(amount);
        emit Funded(msg.sender, amount, _pool);
        _pull(amount);
    }

    function permit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        address token = T.toAddress(T.TOKEN);
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {}
        catch {
            // Somebody may have used the signature first to make this call fail; what counts is the allowance.
            uint256 allowance = IERC20(token).allowance(msg.sender, address(this));
            if (allowance < amount) revert PermitFailed(allowance, amount);
        }
    }

    // ---- views

    function seatInfo(uint256 seat) external view returns (Seat memory) {
        return _seats[seat];
    }

    function seatSets() external view returns (uint128 taken, uint128 eligible, uint128 leaving) {
        return (_taken, _eligible, _leaving);
    }

    function credits(address account) external view returns (uint256) {
        return _credits[account];
    }

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
        )
    {
        return (_stakes, _earned, _credit, _slashed, _deposits, _pool, _kept, _pot);
    }

    // ---- for the round

    /// @dev Records the end of a round whose time is over; reverts with StillEngaged while a live one involves the seat.
    function _release(uint256 seat) internal virtual;

    /// @dev Reverts if no further round can open, so that money for it would be lost.
    function _mayFund() internal view virtual;

    // ---- private

    function _checkAmount(uint256 amount, uint256 maximum) private pure {
        if (amount > maximum) revert AmountTooLarge(amount, maximum);
    }
}
