// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Signatures} from "../../../contracts/libraries/Signatures.sol";
import {OddWallet, SigningWallet} from "../../../contracts/mocks/Wallets.sol";
import {Test} from "../base/Test.sol";
import {NaiveSignatures} from "../reference/NaiveSignatures.sol";

contract SignaturesTest is Test {
    uint256 private constant KEY = 0x5160;

    function _key(uint256 seed) private pure returns (uint256) {
        return within(seed, 1, type(uint128).max);
    }

    function test_acts_areTypedData(address f, uint256 round, uint256 seat, bytes32 value) public view {
        bytes32 domain = Signatures.domain(f);
        bytes32 commit = Signatures.act(domain, Signatures.COMMIT_TYPEHASH, round, seat, value);
        bytes32 scores = Signatures.act(domain, Signatures.COMMIT_SCORES_TYPEHASH, round, seat, value);
        bytes32 missing = Signatures.act(domain, Signatures.MISSING_TYPEHASH, round, seat, value);
        assertEq(missing, NaiveSignatures.missing(f, round, seat, value), "a report");
        assertEq(commit, NaiveSignatures.commit(f, round, seat, value), "a commitment");
        assertEq(scores, NaiveSignatures.commitScores(f, round, seat, value), "one to scores");
    }

    function test_handover_isTypedData(address f, uint256 seat, address[3] memory who, uint256 stake, uint256 deadline)
        public
        view
    {
        bytes32 digest = Signatures.handover(Signatures.domain(f), seat, who[0], who[1], who[2], stake, deadline);
        assertEq(digest, NaiveSignatures.handover(f, seat, who, stake, deadline), "handover");
    }

    function test_byKey_knowsItsKey(uint256 seed, bytes32 digest) public pure {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key(seed), digest);
        bytes32 vs = NaiveSignatures.packed(v, s);
        address signer = vm.addr(_key(seed));
        assertTrue(Signatures.byKey(signer, digest, r, vs), "its own");
        assertTrue(!Signatures.byKey(vm.addr(_key(seed) + 1), digest, r, vs), "another's");
        assertTrue(!Signatures.byKey(signer, digest ^ bytes32(uint256(1)), r, vs), "of something else");
        assertTrue(!Signatures.byKey(signer, digest, r, vs ^ bytes32(uint256(1) << 255)), "of the other parity");
        assertEq(keccak256(Signatures.whole(r, vs)), keccak256(abi.encodePacked(r, s, v)), "as wallets expect it");
    }

    /// @dev The account of a free seat is zero, and zero is what garbage recovers to.
    function test_byKey_nobodySignsForZero(bytes32 digest, bytes32 vs) public view {
        assertTrue(!Signatures.byKey(address(0), digest, 0, vs), "by a key");
        assertTrue(!this.either(address(0), digest, new bytes(65)), "by either");
    }

    function either(address account, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.byEither(account, digest, signature);
    }

    function test_byEither_aKeyOrAWallet(bytes32 digest) public {
        address signer = vm.addr(KEY);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        bytes memory signature = abi.encodePacked(r, s, v);
        assertTrue(this.either(signer, digest, signature), "its key");
        assertTrue(!this.either(vm.addr(KEY + 1), digest, signature), "another's");
        assertTrue(!this.either(signer, digest, bytes.concat(signature, hex"00")), "too long for a key");
        vm.prank(signer);
        SigningWallet wallet = new SigningWallet();
        assertTrue(this.either(address(wallet), digest, signature), "its master's key");
        assertTrue(!this.either(address(wallet), keccak256("other"), signature), "of something else");
    }

    /// @dev Only the right word, alone and at the front, agrees; whatever a wallet does, the caller goes on.
    function test_byWallet_whateverItAnswers(bytes32 digest) public {
        OddWallet wallet = new OddWallet();
        for (uint256 i = 0; i <= uint256(type(OddWallet.Manner).max); ++i) {
            wallet.set(OddWallet.Manner(i), address(this), "");
            uint256 before = gasleft();
            bool agrees = Signatures.byWallet(address(wallet), digest, "", Signatures.WALLET_GAS);
            assertTrue(agrees == (i == 0 || i == uint256(OddWallet.Manner.ReturnsABomb)), vm.toString(i));
            assertLe(before - gasleft(), Signatures.WALLET_GAS + 20_000, "what it may use");
        }
        assertTrue(!Signatures.byWallet(address(0xC0DE1E55), digest, "", Signatures.WALLET_GAS), "no code");
    }
}
