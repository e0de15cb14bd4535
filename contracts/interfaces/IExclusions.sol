// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRelays} from "./IRelays.sol";

/// @title IExclusions: which accepted updates the model is made without
/// @notice The chain cannot see that a file is hidden, so that nobody is slashed for it, and its author keeps its pay. But a model
/// that nobody can check is not made: an accepted update leaves the accepted set once more than half of all seats that revealed
/// in the round have reported that they cannot fetch it.
interface IExclusions {
    /// @notice Report accepted updates whose files cannot be fetched or read. Only the operator of a seat that revealed may call, in
    /// Show. A report is never taken back; another one adds to it. A seat may report its own update, and counts as one like any
    /// other.
    /// @param round The round of the updates. In any other round the call reverts.
    /// @param seat The seat that reports.
    /// @param missing The seats whose updates are missing, as a bitmap. Those that are not accepted, and those that this seat
    /// reported before, change nothing.
    function reportMissing(uint256 round, uint256 seat, uint128 missing) external;

    /// @notice Report for operators that signed: type Missing, whose value is the bitmap as a number. Anybody may call. An entry
    /// that changes nothing is skipped like one at fault.
    /// @dev An operator that is a contract is asked (ERC-1271) with 100,000 gas, if the signature is not its own key's.
    /// @param round The round that the signatures name.
    /// @param entries At most one for each seat that the terms allow.
    /// @return done Bit i says that entry i was done.
    function reportMissingMany(uint256 round, IRelays.SignedCommitment[] calldata entries) external returns (uint256 done);

    /// @notice The reports of the live round by and about a seat; zero if no round is live.
    /// @param seat The seat's index.
    /// @return missing The seats whose updates it reported, as a bitmap.
    /// @return reporters How many seats reported its update.
    function reportInfo(uint256 seat) external view returns (uint128 missing, uint256 reporters);

    /// @notice A seat reported accepted updates as missing.
    /// @param round The round's number.
    /// @param seat The seat that reports.
    /// @param missing What it had not reported before, as a bitmap.
    event MissingReported(uint256 indexed round, uint256 indexed seat, uint128 missing);

    /// @notice Updates left the accepted set, because a majority of all seats that revealed reported them.
    /// @param round The round's number.
    /// @param accepted The seats whose updates still enter the model, as a bitmap.
    event Excluded(uint256 indexed round, uint128 accepted);

    /// @notice The seat revealed no update in this round, so its report does not count.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error NotRevealed(uint256 round, uint256 seat);

    /// @notice The report names no accepted update that this seat has not reported before.
    /// @param round The round's number.
    /// @param seat The seat's index.
    error ReportUnchanged(uint256 round, uint256 seat);
}
