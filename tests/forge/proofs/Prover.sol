// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface Symbols {
    function createBytes(uint256 size, string memory name) external pure returns (bytes memory);
}

interface Chain {
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function etch(address target, bytes calldata code) external;
}

/// @title Prover: what the proofs ask of halmos
/// @notice Every `check_` holds for all arguments at once, not for those that a fuzzer happens to draw.
abstract contract Prover {
    Symbols internal constant svm = Symbols(address(uint160(uint256(keccak256("svm cheat code")))));
    Chain internal constant vm = Chain(address(uint160(uint256(keccak256("hevm cheat code")))));
}
