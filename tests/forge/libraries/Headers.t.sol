// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

import {IRoundFacts} from "../../../contracts/interfaces/IFederation.sol";
import {Headers} from "../../../contracts/libraries/Headers.sol";
import {Test} from "../base/Test.sol";

/// @dev Against OpenZeppelin's parser, which splits the whole list, on lists made by OpenZeppelin's encoder.
contract HeadersTest is Test {
    using RLP for RLP.Encoder;

    function read(bytes calldata header) external view returns (bytes32 value, uint256 gas_) {
        gas_ = gasleft();
        value = Headers.prevRandao(header);
        gas_ -= gasleft();
    }

    function readByAnother(bytes memory header) external view returns (bytes32 value, uint256 gas_) {
        gas_ = gasleft();
        value = BlockHeader.getPrevRandao(header);
        gas_ -= gasleft();
    }

    /// @dev Some bytes, so long that every form of a prefix occurs: none, one byte, two, three.
    function _item(uint256 seed) private pure returns (bytes memory item) {
        uint256 kind = seed % 8;
        if (kind == 0) return abi.encodePacked(uint8(seed >> 8));
        if (kind == 1) return "";
        item = new bytes(kind < 6 ? (seed >> 8) % 56 : kind == 6 ? 56 + (seed >> 8) % 200 : 256 + (seed >> 8) % 100);
        for (uint256 i = 0; i < item.length; ++i) item[i] = bytes1(uint8(random(seed, i)));
    }

    function _header(uint256 seed, uint256 count, bytes32 value) private pure returns (bytes memory) {
        RLP.Encoder memory list = RLP.encoder();
        for (uint256 i = 0; i < count; ++i) {
            if (i == 13) list.push(value);
            else list.push(_item(random(seed, i)));
        }
        return list.encode();
    }

    function test_prevRandao_readsItem13(uint256 seed, uint256 more, bytes32 value) public view {
        bytes memory header = _header(seed, 15 + more % 10, value);
        (bytes32 one,) = this.read(header);
        (bytes32 other,) = this.readByAnother(header);
        assertEq(one, value, "what was put in");
        assertEq(other, value, "OpenZeppelin agrees");
    }

    function test_prevRandao_refusesTooFewItems(uint256 seed, uint256 count) public {
        bytes memory header = _header(seed, count % 14, 0);
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.MalformedHeader.selector, header.length));
        this.read(header);
    }

    function test_prevRandao_refusesAnItemOfAnotherLength(uint256 seed, uint256 size) public {
        bytes memory odd = new bytes(size % 64);
        if (odd.length == 32) odd = new bytes(31);
        RLP.Encoder memory list = RLP.encoder();
        for (uint256 i = 0; i < 16; ++i) list.push(i == 13 ? odd : _item(random(seed, i)));
        bytes memory header = list.encode();
        vm.expectRevert(abi.encodeWithSelector(IRoundFacts.MalformedHeader.selector, header.length));
        this.read(header);
    }

    /// @dev Where both parsers read bytes that were made by changing a good header, they read the same.
    function test_prevRandao_ofABentHeader(uint256 seed, uint256 place, uint8 change, bytes32 value) public view {
        bytes memory header = _header(seed, 20, value);
        header[place % header.length] ^= bytes1(change);
        try this.read(header) returns (bytes32 one, uint256) {
            try this.readByAnother(header) returns (bytes32 other, uint256) {
                assertEq(one, other, "bent alike");
            } catch {} // it wants the rest of the list to be in order, too
        } catch (bytes memory reason) {
            assertEq(keccak256(reason), keccak256(abi.encodeWithSelector(IRoundFacts.MalformedHeader.selector, header.length)), "reason");
        }
    }

    /// @dev A header of Ethereum's sizes.
    function test_prevRandao_isCheap() public view {
        RLP.Encoder memory list = RLP.encoder();
        uint8[21] memory sizes = [32, 32, 20, 32, 32, 32, 0, 0, 4, 4, 4, 4, 19, 32, 8, 4, 32, 3, 4, 32, 32];
        for (uint256 i = 0; i < sizes.length; ++i) {
            bytes memory item = new bytes(i == 6 ? 256 : sizes[i]);
            for (uint256 j = 0; j < item.length; ++j) item[j] = 0xab;
            list.push(item);
        }
        (, uint256 ours) = this.read(list.encode());
        (, uint256 others) = this.readByAnother(list.encode());
        assertLe(ours, 2_200, "gas");
        assertTrue(others > 5 * ours, "a fraction of what reading every field costs");
    }
}
