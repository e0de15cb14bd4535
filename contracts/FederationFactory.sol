// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IFederationFactory} from "./interfaces/IFederationFactory.sol";
import {Terms} from "./interfaces/IFederation.sol";
import {TermsRules} from "./libraries/TermsRules.sol";

/// @title FederationFactory: creates and lists federations
contract FederationFactory is IFederationFactory {
    address public immutable implementation;
    address[] public federations;
    mapping(address federation => uint256) public bornAt;

    constructor(address implementation_) {
        if (implementation_.code.length == 0) revert NoCode(implementation_);
        implementation = implementation_;
    }

    function create(Terms calldata terms) external returns (address federation) {
        bytes memory args = abi.encode(terms);
        federation = Clones.predictDeterministicAddressWithImmutableArgs(implementation, args, 0);
        if (bornAt[federation] != 0) return federation;
        uint256 rule = TermsRules.firstBroken(terms);
        if (rule != 0) revert BadTerms(rule);
        // Where no beacon gives it, it is a small constant or a difficulty (EIP-4399).
        if (block.prevrandao >> 64 == 0) revert NoRandomness(block.prevrandao);
        federation = Clones.cloneDeterministicWithImmutableArgs(implementation, args, 0);
        bornAt[federation] = block.number;
        federations.push(federation);
        emit Created(federation, terms.sponsor, terms.manifest);
    }

    function worst(Terms calldata terms) external pure returns (uint256 loss, uint256 lock) {
        return TermsRules.worst(terms);
    }

    function count() external view returns (uint256) {
        return federations.length;
    }
}
