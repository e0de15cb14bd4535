// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Federation} from "./Federation.sol";
import {MaskedRounds} from "./MaskedRounds.sol";
import {Scores} from "./libraries/Scores.sol";
import {Rounds} from "./Rounds.sol";

/// @title MaskedFederation: a round whose updates are masked
/// @dev The interface is the manual.
contract MaskedFederation is Federation, MaskedRounds {
    constructor(address disputes_) Federation(disputes_) {}

    function announceWindow() external view returns (uint256 length) {
        return _announceWindow();
    }

    // ---- what differs from Federation

    function _begin(Round storage r, uint128 eligible) internal override {
        (r.active, r.revealed) = (0, eligible);
    }

    function _inCommit() internal view override {
        _in(Phase.Commit);
    }

    /// @dev Masks cancel in the sum of the whole company only.
    function _close() internal override {
        super._close();
        Round storage r = _round;
        if (r.revealed == r.active || r.voided) return;
        r.voided = true;
        emit Voided(r.number);
    }

    /// @dev One verdict for all: 255 or 0. A validator that was against the majority of the votes cast is as far from it as can be.
    function _medians(uint256[] memory seats, uint256[] memory validators, bytes[] calldata scores)
        internal
        view
        override
        returns (bytes memory medians, uint256[] memory distances)
    {
        uint256 cast = scores.length;
        uint256 favourable;
        for (uint256 v = 0; v < cast; ++v) {
            if (scores[v][0] != 0) ++favourable;
        }
        bool accepted = 3 * favourable > 2 * uint256(_round.committeeSize);
        medians = new bytes(seats.length);
        if (accepted) {
            for (uint256 i = 0; i < seats.length; ++i) medians[i] = bytes1(uint8(Scores.BEST));
        }
        distances = new uint256[](validators.length);
        for (uint256 v = 0; v < cast; ++v) {
            uint256 agree = scores[v][0] != 0 ? favourable : cast - favourable;
            if (2 * agree < cast) distances[v] = Scores.BEST * (seats.length - 1);
        }
    }

    function _read() internal view override(Rounds, MaskedRounds) returns (Phase current, uint256 end) {
        return MaskedRounds._read();
    }

    function _scoreBytes() internal pure override(Rounds, MaskedRounds) returns (uint256) {
        return MaskedRounds._scoreBytes();
    }
}
