"""A federation whose record holds what batches and handovers leave: a round that a relay sends for all seats, and a seat that
goes to another owner while the round is live, who claims its pay and leaves with its stake."""

from __future__ import annotations

from pathlib import Path

from support.in_process import InProcessChain
from support.keys import Key
from support.manifests import manifest
from support.relays import batch, commitments, openings, score_commitments, score_openings, with_keys
from support.system import System, owner

from fl.network.stores.local import LocalStore
from fl.protocol import signatures
from fl.protocol.artifact import Kind
from fl.protocol.fraud import Opened
from fl.protocol.manifest import gate_rule

NEW_OWNER, NEW_OPERATOR = Key(0xA), Key(0xB)
SEATS, HANDED = 3, 1
NO_MODEL = bytes(1024)  # of zeros


def handed_over(folder: Path) -> tuple[System, LocalStore]:
    """The federation at its end, and its store in `folder`."""
    store = LocalStore(folder / "store")
    updates = {seat: bytes([0] * 8 + [seat + 1] * 256) for seat in range(SEATS)}
    for data, kind in [(NO_MODEL, Kind.MODEL), *((data, Kind.UPDATE) for data in updates.values())]:
        store.put(data, kind)
    name = store.put_manifest(manifest(256, gate=gate_rule("none")))
    system = System.create(InProcessChain(), model=NO_MODEL, manifest=name)
    with_keys(system.join(SEATS).fund(), SEATS)
    everybody = (1 << SEATS) - 1
    assert batch(system.open(), "commitMany", 1, commitments(system, updates))[0] == everybody
    system.skip()
    assert batch(system, "revealMany", openings(system))[0] == everybody
    system.skip()
    vectors = dict.fromkeys(system.draw(), bytes([200]) * SEATS)
    assert batch(system, "commitScoresMany", 1, score_commitments(system, vectors))[0] == everybody
    system.skip()
    assert batch(system, "revealScoresMany", score_openings(system))[0] == everybody
    _hand_over(system)
    system.skip()
    system.settle()
    system.skip()
    system.proposal = system.aggregate()
    store.put(system.proposal, Kind.MODEL)
    root = Opened.of(system.proposal, Kind.MODEL).tree.root
    system.do("propose", HANDED, root, b"", by=NEW_OPERATOR.address)
    system.finish()
    system.do("claim", HANDED, NEW_OWNER.address, by=NEW_OWNER.address)
    system.do("exit", HANDED, by=NEW_OWNER.address)
    system.do("withdraw", HANDED, NEW_OWNER.address, by=NEW_OWNER.address)
    return system, store


def _hand_over(system: System) -> None:
    place = {"chain_id": system.evm.chain_id, "federation": system.federation.address, "seat": HANDED}
    people = {"owner": owner(HANDED), "new_owner": NEW_OWNER.address, "new_operator": NEW_OPERATOR.address}
    signed = {"stake": system.terms.min_stake, "deadline": system.evm.time + 100}
    signature = NEW_OWNER.sign_typed(signatures.handover(**place, **people, **signed))
    to = NEW_OWNER.address, NEW_OPERATOR.address
    system.do("handover", HANDED, *to, *signed.values(), signature, b"", by=owner(HANDED))
