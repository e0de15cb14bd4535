// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Admissions} from "./Admissions.sol";
import {IHandovers} from "./interfaces/IHandovers.sol";
import {Seats} from "./libraries/Seats.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Rounds} from "./Rounds.sol";

/// @title Handovers: a seat goes to an owner that signed for it
/// @dev Nothing is pending between two calls: the present owner sends what the new one signed.
abstract contract Handovers is IHandovers, Admissions, Rounds {
    using Seats for uint128;

    function handover(
        uint256 seat,
        address newOwner,
        address newOperator,
        uint256 leastStake,
        uint256 deadline,
        bytes calldata signature,
        bytes calldata evidence
    ) external {
        _onlyOwner(seat);
        if (newOwner == address(0) || newOperator == address(0)) revert ZeroAddress();
        if (newOwner == msg.sender) revert OwnerUnchanged(seat, newOwner);
        if (_leaving.contains(seat)) revert AlreadyLeaving(seat);
        if (block.timestamp > deadline) revert SignatureExpired(block.timestamp, deadline);
        Seat storage s = _seats[seat];
        if (s.stake < leastStake) revert StakeTooSmall(s.stake, leastStake);
        bytes32 domain = Signatures.domain(address(this));
        bytes32 digest = Signatures.handover(domain, seat, msg.sender, newOwner, newOperator, leastStake, deadline);
        // Otherwise an owner that got its seat back could press it on the same account again.
        if (_handedOver[digest]) revert SignatureUsed(digest);
        if (!Signatures.byEither(newOwner, digest, signature)) revert WrongSignature(newOwner, digest);
        _admit(newOwner, newOwner, newOperator, evidence);
        _handedOver[digest] = true;
        (s.owner, s.operator) = (newOwner, newOperator);
        emit HandedOver(seat, msg.sender, newOwner, newOperator);
    }
}
