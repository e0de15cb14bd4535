// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @dev Anybody may mint all of these.
abstract contract PlayToken is ERC20 {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @title FeeOnTransferToken: one part in a hundred is lost on the way, until somebody says otherwise
contract FeeOnTransferToken is PlayToken {
    uint256 public percent = 1;

    constructor() ERC20("Fee", "FEE") {}

    function setPercent(uint256 percent_) external {
        percent = percent_;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0) && to != address(0)) {
            uint256 fee = value * percent / 100;
            super._update(from, address(0), fee);
            value -= fee;
        }
        super._update(from, to, value);
    }
}

/// @title BlocklistToken: accounts on its list can receive nothing
contract BlocklistToken is PlayToken {
    mapping(address => bool) public blocked;

    error Blocked(address account);

    constructor() ERC20("Block", "BLK") {}

    function setBlocked(address account, bool blocked_) external {
        blocked[account] = blocked_;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, value);
    }
}

/// @title ReentrantToken: on each transfer it plays a call that was set, once
contract ReentrantToken is PlayToken {
    address public target;
    bytes public data;
    bool public succeeded;
    bytes public answer;

    constructor() ERC20("Again", "AGN") {}

    function setCall(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
        succeeded = false;
        answer = "";
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        address called = target;
        if (called == address(0)) return;
        target = address(0);
        (succeeded, answer) = called.call(data);
    }
}

/// @title RebasingToken: all balances may change at once
contract RebasingToken is PlayToken {
    uint256 public percent = 100;

    constructor() ERC20("Rebase", "RBS") {}

    function rebase(uint256 percent_) external {
        percent = percent_;
    }

    /// @notice A rebase that takes away, as far as one holder sees it.
    function lose(address holder, uint256 amount) external {
        _burn(holder, amount);
    }

    function balanceOf(address account) public view override returns (uint256) {
        return super.balanceOf(account) * percent / 100;
    }
}

/// @title FalseToken: says false instead of failing
contract FalseToken is PlayToken {
    constructor() ERC20("False", "FLS") {}

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @title SixDecimalsToken: a token is a million units, as of the large stablecoins
contract SixDecimalsToken is PlayToken {
    constructor() ERC20("Six", "SIX") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

/// @title NoReturnToken: works, and says nothing, as some old tokens do
contract NoReturnToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
