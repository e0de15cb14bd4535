// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Terms} from "./IFederation.sol";

/// @title IFederationFactory: creates and lists federations
interface IFederationFactory {
    /// @notice Check the terms and the chain, and deploy a federation. Anybody may call; the sponsor is one of the terms.
    /// The address follows from this factory and the terms alone (CREATE2 with salt 0), so that anybody can recompute it. A second
    /// call with the same terms changes nothing and returns the same address: whoever is first takes nothing from anybody. A
    /// second federation under equal terms needs another `label`.
    /// @param terms The terms, which must satisfy every rule of libraries/TermsRules.
    /// @return federation The address of the federation under these terms.
    function create(Terms calldata terms) external returns (address federation);

    /// @notice What terms can cost a seat at worst. Look at it before you sign.
    /// @param terms Any terms.
    /// @return loss The most that a seat can lose in one round, in token units.
    /// @return lock The most seconds for which a round can hold its stake.
    function worst(Terms calldata terms) external pure returns (uint256 loss, uint256 lock);

    /// @notice The block in which this factory created `federation`. A federation of this factory has checked terms and known code,
    /// and its events begin with this block.
    /// @param federation The address to look up.
    /// @return number The block's number; 0 if this factory did not create it.
    function bornAt(address federation) external view returns (uint256 number);

    /// @notice How many federations this factory has created.
    /// @return number The length of the list.
    function count() external view returns (uint256 number);

    /// @notice One federation of the list, in order of creation.
    /// @param index Its place in the list, from 0.
    /// @return federation Its address.
    function federations(uint256 index) external view returns (address federation);

    /// @notice The contract whose code every federation of this factory runs.
    /// @return code The address of that contract.
    function implementation() external view returns (address code);

    /// @notice A federation was created.
    /// @param federation Its address.
    /// @param sponsor The sponsor named in its terms.
    /// @param manifest The SHA-256 of its manifest.
    event Created(address indexed federation, address indexed sponsor, bytes32 indexed manifest);

    /// @notice The terms break a rule.
    /// @param rule The number of the first broken rule in libraries/TermsRules.
    error BadTerms(uint256 rule);

    /// @notice The chain's blocks carry no randomness, so that every draw could be foreseen or every round would be void.
    /// @param prevRandao What the present block gives instead of 256 random bits.
    error NoRandomness(uint256 prevRandao);

    /// @notice The implementation has no code. Calls to clones of an empty account would appear to succeed.
    /// @param implementation The address without code.
    error NoCode(address implementation);
}
