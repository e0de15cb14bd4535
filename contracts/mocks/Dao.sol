// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Timelock} from "./Timelock.sol";

/// @title VotesToken: what the members of a DAO vote with
contract VotesToken is ERC20, ERC20Votes {
    constructor(address[] memory members) ERC20("Votes", "VOTE") EIP712("Votes", "1") {
        for (uint256 i; i < members.length; ++i) _mint(members[i], 1 ether);
    }

    function _update(address from, address to, uint256 amount) internal override(ERC20, ERC20Votes) {
        super._update(from, to, amount);
    }
}

/// @title Dao: OpenZeppelin's Governor over its timelock, as a sponsor in the tests
contract Dao is Governor, GovernorCountingSimple, GovernorVotes, GovernorTimelockControl {
    constructor(IVotes votes, uint256 delay)
        Governor("Dao")
        GovernorVotes(votes)
        GovernorTimelockControl(_ownTimelock(delay))
    {}

    function votingDelay() public pure override returns (uint256) {
        return 1; // block
    }

    function votingPeriod() public pure override returns (uint256) {
        return 5; // blocks
    }

    function quorum(uint256) public pure override returns (uint256) {
        return 2 ether;
    }

    function state(uint256 id) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(id);
    }

    function proposalNeedsQueuing(uint256 id)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(id);
    }

    function _queueOperations(uint256 id, address[] memory to, uint256[] memory values, bytes[] memory data, bytes32 told)
        internal
        override(Governor, GovernorTimelockControl)
        returns (uint48)
    {
        return super._queueOperations(id, to, values, data, told);
    }

    function _executeOperations(uint256 id, address[] memory to, uint256[] memory values, bytes[] memory data, bytes32 told)
        internal
        override(Governor, GovernorTimelockControl)
    {
        super._executeOperations(id, to, values, data, told);
    }

    function _cancel(address[] memory to, uint256[] memory values, bytes[] memory data, bytes32 told)
        internal
        override(Governor, GovernorTimelockControl)
        returns (uint256)
    {
        return super._cancel(to, values, data, told);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }

    function _ownTimelock(uint256 delay) private returns (Timelock) {
        address[] memory me = new address[](1);
        me[0] = address(this);
        return new Timelock(delay, me, me);
    }
}
