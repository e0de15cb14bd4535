// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {ContractWallet} from "./ContractWallet.sol";

/// @title SigningWallet: a contract wallet whose master's key signs for it
contract SigningWallet is ContractWallet, IERC1271 {
    function isValidSignature(bytes32 digest, bytes calldata signature) external view virtual returns (bytes4) {
        (address signer,,) = ECDSA.tryRecover(digest, signature);
        return signer == master ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @title OddWallet: answers a question about a signature in one of many ways, most of them hostile
contract OddWallet is ContractWallet {
    enum Manner {
        Agrees,
        Refuses,
        Reverts,
        BurnsGas,
        ReturnsABomb,
        RevertsWithABomb,
        ReturnsTooLittle,
        ReturnsDirt,
        Reenters
    }

    Manner public manner;
    bytes public data;
    address public target;

    function set(Manner manner_, address target_, bytes calldata data_) external {
        (manner, target, data) = (manner_, target_, data_);
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        bytes4 magic = IERC1271.isValidSignature.selector;
        if (manner == Manner.Refuses) return 0xffffffff;
        if (manner == Manner.Reverts) revert("no");
        if (manner == Manner.BurnsGas) while (true) {}
        if (manner == Manner.Reenters) {
            (bool done,) = target.call(data);
            return done ? magic : bytes4(0xffffffff);
        }
        if (manner == Manner.ReturnsDirt) {
            assembly ("memory-safe") {
                mstore(0, or(magic, 1))
                return(0, 0x20)
            }
        }
        if (manner == Manner.ReturnsTooLittle) {
            assembly ("memory-safe") {
                mstore(0, magic)
                return(0, 0x1f)
            }
        }
        if (manner == Manner.ReturnsABomb) {
            assembly ("memory-safe") {
                // 64 KiB cost about 14,500 gas to expand to; whoever copies them pays that again.
                mstore(0, magic)
                return(0, 0x10000)
            }
        }
        if (manner == Manner.RevertsWithABomb) {
            assembly ("memory-safe") {
                mstore(0, magic)
                revert(0, 0x10000)
            }
        }
        return magic;
    }
}
