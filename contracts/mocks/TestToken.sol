// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title TestToken: play money for local chains and testnets; anybody may mint
contract TestToken is ERC20Permit {
    constructor() ERC20("Treaty Test Token", "TTT") ERC20Permit("Treaty Test Token") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
