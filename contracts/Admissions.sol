// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Accounting} from "./Accounting.sol";
import {IAdmission} from "./interfaces/IAdmission.sol";
import {Seats} from "./libraries/Seats.sol";
import {TermsReader as T} from "./libraries/TermsReader.sol";

/// @title Admissions: who may own a seat
/// @dev Both parts of a federation inherit this: seats are taken in one and handed over in the other.
abstract contract Admissions is Accounting {
    using Seats for uint128;

    function _onlyOwner(uint256 seat) internal view {
        address owner = _seats[seat].owner;
        if (owner != msg.sender) revert NotOwner(seat, owner, msg.sender);
    }

    /// @dev Reverts unless `owner` may have a seat. @param willing The account that calls, or signed, to have it.
    function _admit(address willing, address owner, address operator, bytes calldata evidence) internal view {
        bytes32 allowlist = bytes32(T.word(T.ALLOWLIST));
        address admission = T.toAddress(T.ADMISSION);
        if (allowlist != 0) {
            // The owner itself comes, so that nobody seats an operator under an admitted name; and it comes once.
            if (willing != owner) revert NotAdmitted(willing);
            bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(owner))));
            if (!MerkleProof.verifyCalldata(_proofIn(evidence), allowlist, leaf)) revert NotAdmitted(owner);
            for (uint128 rest = _taken; rest != 0; rest &= rest - 1) {
                if (_seats[rest.lowest()].owner == owner) revert AlreadySeated(owner, rest.lowest());
            }
        } else if (admission != address(0)) {
            if (!IAdmission(admission).admits(owner, operator, evidence)) revert NotAdmitted(owner);
        }
    }

    /// @dev The words of `evidence` as a Merkle proof.
    function _proofIn(bytes calldata evidence) private pure returns (bytes32[] calldata proof) {
        assembly ("memory-safe") {
            proof.offset := evidence.offset
            proof.length := shr(5, evidence.length)
        }
    }
}
