// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Commitments} from "../../../contracts/libraries/Commitments.sol";
import {Test} from "../base/Test.sol";

contract CommitmentsTest is Test {
    bytes private constant FIELDS = "(uint256 chainId,address federation,uint256 round,uint256 seat,bytes32 ";

    function test_commitments_areEip712StructHashes(address f, uint256 round, uint256 seat, bytes32 x, bytes32 salt) public view {
        bytes memory words =
            abi.encodePacked(block.chainid, bytes32(uint256(uint160(f))), round, seat, x, salt);
        bytes32 updates = keccak256(abi.encodePacked("TreatyUpdate", FIELDS, "root,bytes32 salt,bytes locator)"));
        bytes32 scores = keccak256(abi.encodePacked("TreatyScores", FIELDS, "scoresHash,bytes32 salt)"));
        bytes memory longer = bytes.concat(updates, words, keccak256("place"));
        assertEq(Commitments.update(f, round, seat, x, salt, keccak256("place")), keccak256(longer), "update");
        assertEq(Commitments.scores(f, round, seat, x, salt), keccak256(bytes.concat(scores, words)), "scores");
    }

    /// @dev Whatever differs, chain included, the commitment differs; and an update's is never a score vector's.
    function test_commitments_bindEverything(address f, uint64 round, uint64 seat, bytes32 x, bytes32 salt, uint8 which)
        public
    {
        bytes32 update = Commitments.update(f, round, seat, x, salt, keccak256(""));
        bytes32 scores = Commitments.scores(f, round, seat, x, salt);
        assertTrue(update != scores, "kinds");
        which = which % 6;
        if (which == 0) f = address(uint160(f) ^ 1);
        if (which == 1) round ^= 1;
        if (which == 2) seat ^= 1;
        if (which == 3) x ^= bytes32(uint256(1));
        if (which == 4) salt ^= bytes32(uint256(1));
        if (which == 5) vm.chainId(2);
        (bytes32 otherUpdate, bytes32 otherScores) = this.both(f, round, seat, x, salt);
        assertTrue(otherUpdate != update && otherScores != scores, "bound");
    }

    /// @dev A call of its own, so that the chain's id is read anew.
    function both(address f, uint256 round, uint256 seat, bytes32 x, bytes32 salt) external view returns (bytes32, bytes32) {
        return (Commitments.update(f, round, seat, x, salt, keccak256("")), Commitments.scores(f, round, seat, x, salt));
    }
}
