// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TermsReader as T} from "./libraries/TermsReader.sol";
import {Rounds} from "./Rounds.sol";

/// @title MaskedRounds: what both parts of a masked federation know of a round
/// @dev Until `close` overwrites it, `revealed` holds who may announce.
abstract contract MaskedRounds is Rounds {
    /// @dev The first half of the time in which an open round takes commitments.
    function _announceWindow() internal view returns (uint256 length) {
        return T.word(T.COMMIT_WINDOW) / 2;
    }

    function _read() internal view virtual override returns (Phase current, uint256 end) {
        if (_round.live) {
            end = _round.openedAt + _announceWindow();
            if (block.timestamp < end) return (Phase.Announce, end);
        }
        return super._read();
    }

    /// @dev A vote.
    function _scoreBytes() internal pure virtual override returns (uint256) {
        return 1;
    }
}
