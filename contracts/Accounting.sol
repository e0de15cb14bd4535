// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IStakesFacts} from "./interfaces/IStakes.sol";
import {Seats} from "./libraries/Seats.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";

/// @title Accounting: whose every token is, and what a round does to it
/// @dev No external function: both parts of a federation inherit this. Every function updates the accounting before it moves
/// tokens, so that a view called from inside a transfer already sees the result.
abstract contract Accounting is IStakesFacts, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Seats for uint128;

    mapping(uint256 seat => Seat) internal _seats;
    mapping(address account => uint256) internal _credits;

    uint128 internal _taken;
    uint128 internal _eligible;

    uint128 internal _leaving;
    uint128 internal _stakes;

    uint128 internal _earned;
    uint128 internal _slashed;

    uint256 internal _credit;

    // Two pairs that are rarely both zero, so that writing one of a pair is cheap.
    uint128 internal _pot;
    uint128 internal _kept;

    uint128 internal _pool;
    uint128 internal _deposits;

    mapping(bytes32 digest => bool) internal _handedOver; // signatures of new owners that were used

    // ---- what a round does

    /// @dev Takes `amount`, or what is left, from a stake; `fee` of it is credited to `feeTo`, the rest waits for `sweep`.
    function _slash(uint256 seat, Offence offence, uint256 amount, uint256 fee, address feeTo) internal {
        Seat storage s = _seats[seat];
        uint256 stake = s.stake;
        if (amount > stake) amount = stake;
        stake -= amount;
        s.stake = uint96(stake);
        _stakes -= uint128(amount);
        if (stake < T.word(T.MIN_STAKE)) _eligible = _eligible.remove(seat);
        emit Slashed(seat, offence, amount, stake);
        if (feeTo == address(0)) fee = 0;
        else if (fee > amount) fee = amount;
        _slashed += uint128(amount - fee);
        if (fee > 0) _addCredit(feeTo, fee);
    }

    /// @dev Adds pay to what a seat earned. The caller takes the sum from the pot with `_payFromPot`, once for all seats.
    function _pay(uint256 seat, uint256 amount) internal returns (uint256) {
        Seat storage s = _seats[seat];
        uint256 earned = s.earned + amount;
        if (earned > type(uint96).max) {
            // The field holds 96 bits; pay that no longer fits goes to the owner's credit, so that nothing can block a round.
            // `_earned` does not underflow: this seat's part of it is nearly full, and an amount is at most 2^88.
            _addCredit(s.owner, amount);
            _earned -= uint128(amount);
        } else {
            s.earned = uint96(earned);
        }
        return amount;
    }

    /// @dev Moves what seats were paid from the pot to what is earned.
    function _payFromPot(uint256 amount) internal {
        _pot -= uint128(amount);
        _earned += uint128(amount);
    }

    /// @dev Sets the cost of a round aside: first what earlier rounds did not pay, then from the pool.
    function _setAside(uint256 cost) internal {
        (uint256 kept, uint256 pool) = (_kept, _pool);
        if (cost > pool + kept) revert PoolTooSmall(pool + kept, cost);
        uint256 fromKept = cost < kept ? cost : kept;
        (_pot, _kept) = (uint128(cost), uint128(kept - fromKept));
        if (cost > fromKept) _pool = uint128(pool + fromKept - cost);
    }

    /// @dev Gives back what is left of a pot: to the pool, or to what only later rounds may spend.
    function _giveBack(bool toPool) internal {
        uint128 rest = _pot;
        if (toPool) (_pot, _pool) = (0, _pool + rest);
        else (_pot, _kept) = (0, _kept + rest);
    }

    /// @dev Empties the pool into the sponsor's credit, and what earlier rounds did not pay into what is burnt.
    function _refund(address sponsor) internal {
        (uint128 amount, uint128 burnt) = (_pool, _kept);
        if (amount == 0 && burnt == 0) revert NothingToPay();
        (_pool, _kept) = (0, 0);
        _slashed += burnt;
        emit Refunded(sponsor, amount, burnt);
        if (amount > 0) _addCredit(sponsor, amount);
    }

    function _addCredit(address account, uint256 amount) internal {
        _credits[account] += amount;
        _credit += amount;
        emit Credited(account, amount);
    }

    /// @dev Takes a deposit from the caller's credit, and what that lacks from its tokens. A seat's earnings are never touched: an
    /// operator calls, and what its seat earned is the owner's.
    function _takeDeposit(uint256 amount) internal {
        if (amount == 0) return;
        _deposits += uint128(amount);
        uint256 credit = _credits[msg.sender];
        uint256 used = credit < amount ? credit : amount;
        if (used > 0) {
            _credits[msg.sender] = credit - used;
            _credit -= used;
            emit CreditUsed(msg.sender, used);
        }
        if (amount > used) _pull(amount - used);
    }

    function _returnDeposit(address account, uint256 amount) internal {
        if (amount == 0) return;
        _deposits -= uint128(amount);
        _addCredit(account, amount);
    }

    // ---- tokens

    /// @dev Measures what arrives, so that a token with a transfer fee is rejected.
    function _pull(uint256 amount) internal {
        IERC20 token = IERC20(T.toAddress(T.TOKEN));
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert WrongAmountReceived(amount, received);
    }

    function _push(address to, uint256 amount) internal {
        IERC20(T.toAddress(T.TOKEN)).safeTransfer(to, amount);
    }
}
