// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title NaiveSeats: sets as 128 booleans, and the draw as names out of a hat
library NaiveSeats {
    function spread(uint128 set) internal pure returns (bool[] memory members) {
        members = new bool[](128);
        for (uint256 i = 0; i < 128; ++i) members[i] = (set / 2 ** i) % 2 == 1;
    }

    function fold(bool[] memory members) internal pure returns (uint128 set) {
        for (uint256 i = 0; i < 128; ++i) {
            if (members[i]) set += uint128(2 ** i);
        }
    }

    function list(uint128 set) internal pure returns (uint256[] memory seats) {
        bool[] memory members = spread(set);
        uint256 n;
        for (uint256 i = 0; i < 128; ++i) {
            if (members[i]) ++n;
        }
        seats = new uint256[](n);
        n = 0;
        for (uint256 i = 0; i < 128; ++i) {
            if (members[i]) seats[n++] = i;
        }
    }

    /// @notice Each draw takes a name out of the hat; the first name left takes its place, and the hat shrinks by one.
    function draw(bytes32 seed, uint256[] memory hat, uint256 size) internal pure returns (uint256[] memory drawn) {
        drawn = new uint256[](size);
        for (uint256 j = 0; j < size; ++j) {
            uint256 pick = uint256(keccak256(abi.encodePacked(seed, bytes32(j)))) % hat.length;
            drawn[j] = hat[pick];
            hat[pick] = hat[0];
            uint256[] memory rest = new uint256[](hat.length - 1);
            for (uint256 i = 0; i < rest.length; ++i) rest[i] = hat[i + 1];
            hat = rest;
        }
    }
}
