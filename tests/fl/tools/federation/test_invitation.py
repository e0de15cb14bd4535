"""An invitation: what somebody altered is noticed, what a stranger wrote is bounded, and its words mean one federation."""

import base64
import json
import time
import zlib
from dataclasses import replace

import pytest
from support.keys import key_of
from support.manifests import manifest

from fl.errors import TreatyError
from fl.tools.federation.invitation import MAX_BYTES, SCHEME, Invitation, Place

SPONSOR = key_of(0)
PLAIN = Invitation(
    chain_id=1337,
    federation="0x" + "1" * 40,
    sponsor=SPONSOR.address,
    manifest=manifest().to_json(),
    hosts=(Place("https://host.example", "the sponsor"),),
    rpc=("https://node.example",),
    expires=int(time.time()) + 1000,
    token="secret",
)
SIGNED = PLAIN.signed(SPONSOR.sign_typed)


def packed(facts: object) -> str:
    return SCHEME + base64.urlsafe_b64encode(zlib.compress(json.dumps(facts).encode())).decode().rstrip("=")


def test_invitation__as_a_line_and_as_a_file__is_the_same(tmp_path):
    SIGNED.write(tmp_path / "invite.json")
    for word in (SIGNED.link(), str(tmp_path / "invite.json")):
        read = Invitation.read(word)
        read.check()
        assert read == SIGNED and read.words == SIGNED.words and len(read.words.split()) == 4
    assert (tmp_path / "invite.json").stat().st_mode & 0o077 == 0  # it holds a token


@pytest.mark.parametrize(
    "change",
    [
        {"federation": "0x" + "2" * 40},
        {"chain_id": 1},
        {"hosts": (Place("https://evil.example", "the sponsor"),)},
        {"hosts": (Place("https://host.example", "somebody else"),)},
        {"rpc": ("https://evil.example",)},
        {"expires": PLAIN.expires + 1},
        {"token": "other"},
        {"manifest": {**PLAIN.manifest, "genesis_seed": 1}},
        {"sponsor": key_of(1).address},
        {"signature": bytes(65)},
        {"signature": b""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_invitation__that_was_altered__is_noticed(change):
    altered = Invitation.read(replace(SIGNED, **change).link())
    with pytest.raises(TreatyError, match=r"not signed by the sponsor that it names.*nothing was signed"):
        altered.check()


def test_words__differ_with_what_they_stand_for__and_with_nothing_else():
    changed = [
        replace(SIGNED, chain_id=1),
        replace(SIGNED, federation="0x" + "2" * 40),
        replace(SIGNED, sponsor=key_of(1).address),
        replace(SIGNED, manifest={**PLAIN.manifest, "genesis_seed": 1}),
    ]
    assert len({i.words for i in [SIGNED, *changed]}) == 5
    assert replace(SIGNED, hosts=(), token="", expires=0).words == SIGNED.words


def test_invitation__that_expired__says_when():
    old = replace(PLAIN, expires=1_000_000_000).signed(SPONSOR.sign_typed)
    with pytest.raises(TreatyError, match="expired on 2001-09-09 01:46 UTC: ask the sponsor for a new one; nothing was signed"):
        old.check_date()
    old.check()


FACTS = json.loads(SIGNED.to_json())


@pytest.mark.parametrize(
    "facts",
    [
        [],
        None,
        {},
        {**FACTS, "treaty": 2},
        {**FACTS, "chain_id": "1"},
        {**FACTS, "chain_id": -1},
        {**FACTS, "federation": "0x12"},
        {**FACTS, "hosts": [{"url": "file:///etc/passwd", "owner": "x"}]},
        {**FACTS, "hosts": [{"url": "https://me:secret@host.example", "owner": "x"}]},
        {**FACTS, "hosts": [{"url": "https://host.example/?x", "owner": "x"}]},
        {**FACTS, "hosts": [{"url": "https://host.example", "owner": "\u001b[2J"}]},
        {**FACTS, "hosts": [{"url": "https://host.example", "owner": "x"}] * 17},
        {**FACTS, "rpc": ["/tmp/geth.ipc"]},
        {**FACTS, "rpc": "https://node.example"},
        {**FACTS, "signature": "xy"},
        {**FACTS, "manifest": 5},
        {**FACTS, "manifest": json.loads("[" * 40 + "]" * 40)},
        {**FACTS, "manifest": {**FACTS["manifest"], "more": float("nan")}},
        {**FACTS, "manifest": {**FACTS["manifest"], "more": "\ud800"}},
        {**FACTS, "rpc": ["https://node.example:99999"]},
        {**FACTS, "rpc": ["https://n\u043ede.example"]},  # a Cyrillic letter in a name that looks like another
    ],
)
def test_invitation__of_another_shape__is_refused_in_one_line(facts):
    with pytest.raises(TreatyError, match=r"not a valid invitation \(.*\): ask for it again; nothing was signed"):
        Invitation.read(packed(facts))


@pytest.mark.parametrize(
    "word, message",
    [
        (SIGNED.link()[:-9], "damaged"),
        (SCHEME + "!!!", "damaged"),
        (SCHEME, "damaged"),
        (SCHEME + base64.urlsafe_b64encode(zlib.compress(b" " * (MAX_BYTES + 1))).decode(), "damaged or too long"),
        ("no-such-file", "is not an invitation: give a treaty:// line or the file"),
    ],
    ids=["cut short", "no base64", "empty", "inflates", "no such file"],  # the first is another one in each process
)
def test_line__that_is_damaged_or_inflates_without_end__is_refused(word, message):
    with pytest.raises(TreatyError, match=message):
        Invitation.read(word)
