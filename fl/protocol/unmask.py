"""What a named auditor does with the keys of one round: seals that it alone opens, and the updates under the masks.

A round key sealed to the auditor is bound to its chain, federation, round, company and seat, so that it is worth nothing at
another place. A key counts only if it is the one that the chain shows for its seat; nobody can therefore hand over another
than it masked under, and whoever is shown the keys computes the same updates from the same files.

The seal is ephemeral ECDH, HKDF-SHA256 and ChaCha20-Poly1305, the parts of RFC 9180 on the curve that round keys have; it is
not RFC 9180's encoding. Either end of a pair knows the pair's stream, so that one seat's silence hides nothing: the keys of all
others open its update. Two silent seats hide their stream with each other, and the sum of their two updates alone is known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from eth_abi.abi import encode
from eth_hash.auto import keccak

from fl.errors import ArtifactError, NumberError
from fl.protocol.masks import CAP, Company, Masked, RoundKey, Steps, stream

SEALED_BYTES = 80  # the ephemeral key, the sealed round key, the tag
SEAL = keccak(b"TreatySeal(uint256 chainId,address federation,uint256 round,bytes32 company,uint256 seat,bytes32 auditor)")


def seal(key: RoundKey, seat: int, company: Company, auditor: bytes) -> bytes:
    """The seat's round key for the auditor's eyes, (80,). `auditor`: its public key, (32,). Raises ArtifactError."""
    _announced(key, seat, company)
    once = RoundKey.fresh()
    place = _place(seat, company, auditor)
    secret = key.secret.to_bytes(32, "big")
    return once.public + _cipher(once.shared(auditor), once.public, place).encrypt(bytes(12), secret, place)


def opened(sealed: bytes, seat: int, company: Company, auditor: RoundKey) -> RoundKey:
    """The round key in a seal. Raises ArtifactError, which names the seat, if it was sealed for somebody else or for another
    seat, round or federation, or holds another key than the seat announced."""
    if len(sealed) != SEALED_BYTES:
        raise ArtifactError(f"seat {seat} handed over {len(sealed):,} bytes; a sealed key has {SEALED_BYTES}")
    place = _place(seat, company, auditor.public)
    try:
        secret = _cipher(auditor.shared(sealed[:32]), sealed[:32], place).decrypt(bytes(12), sealed[32:], place)
        key = RoundKey(int.from_bytes(secret, "big"))
    except (InvalidTag, NumberError, ArtifactError) as error:
        raise ArtifactError(f"what seat {seat} handed over is no key sealed for this auditor, seat and round") from error
    _announced(key, seat, company)
    return key


def unmasked(company: Company, keys: Mapping[int, RoundKey], files: Mapping[int, Masked]) -> dict[int, Steps]:
    """Seat -> its update before masks, (256 * 2^depth,), of each seat whose streams are all known from one of their ends.

    What a cheat sent is not clipped: `beyond_cap` counts it. The caller has checked the files against their roots. Raises
    ArtifactError if a file is missing, or a key is not the one that its seat announced."""
    if missing := sorted(company.keys.keys() - files.keys()):
        raise ArtifactError(f"the masked files of seats {missing} are missing: fetch all of the round's")
    known: dict[frozenset[int], bytes] = {}
    for seat, key in keys.items():
        known |= {frozenset((seat, other)): seed for other, seed in company.seeds(seat, key).items()}
    found = {}
    for seat in sorted(company.keys):
        seeds = {other: known.get(frozenset((seat, other))) for other in company.keys if other != seat}
        numbers = files[seat].astype(np.uint16)  # a copy
        for other, seed in seeds.items():
            if seed is None:
                break
            (np.subtract if other > seat else np.add)(numbers, stream(seed, numbers.size), out=numbers)
        else:
            found[seat] = numbers.view(np.int16)
    return found


def beyond_cap(steps: Steps) -> int:
    """How many numbers of an update no honest seat sends."""
    return int(np.count_nonzero(np.abs(steps.astype(np.int32)) > CAP))


def _announced(key: RoundKey, seat: int, company: Company) -> None:
    if company.keys.get(seat) != key.public:
        raise ArtifactError(f"seat {seat}'s key is not the one that it announced in round {company.round}")


def _place(seat: int, company: Company, auditor: bytes) -> bytes:
    kinds = ["bytes32", "uint256", "address", "uint256", "bytes32", "uint256", "bytes32"]
    return encode(kinds, [SEAL, company.chain_id, company.federation, company.round, company.digest, seat, auditor])


def _cipher(shared: bytes, once: bytes, place: bytes) -> ChaCha20Poly1305:
    """Under a key that seals one message, so that the nonce may be 0."""
    return ChaCha20Poly1305(HKDF(SHA256(), 32, salt=None, info=once + place).derive(shared))
