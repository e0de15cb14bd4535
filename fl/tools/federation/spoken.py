"""Four words that stand for a longer text, for two people to compare by telephone."""

from __future__ import annotations

from hashlib import scrypt

from eth_account.hdaccount.mnemonic import Mnemonic
from eth_account.types import Language

# The words are slow to compute, so that nobody finds a second text with the same four: 44 bits, at some 0.1 s each.
WORDS, WORD_BITS, SLOW = 4, 11, {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 1 << 27}


def spoken(text: str, purpose: str) -> str:
    """Four words of the BIP-39 list."""
    number = int.from_bytes(scrypt(text.encode(), salt=purpose.encode(), dklen=8, **SLOW))
    listed = Mnemonic(Language.ENGLISH).wordlist
    return " ".join(listed[number >> (WORD_BITS * i) & (1 << WORD_BITS) - 1] for i in range(WORDS))
