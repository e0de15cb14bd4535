// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ContractWallet: an owner that is a contract and has no key, as a Safe is; its creator acts through it
contract ContractWallet {
    address public immutable master = msg.sender;

    error NotMaster(address caller);

    function execute(address target, bytes calldata data) external returns (bytes memory answer) {
        if (msg.sender != master) revert NotMaster(msg.sender);
        bool done;
        (done, answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}
