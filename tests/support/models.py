"""The public record of a federation with one final round, without a chain: what a model is exported from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.system import address

from fl.agents.record.history import History
from fl.learning.codec import to_vector
from fl.learning.data.partition import Part
from fl.learning.task import Task, build
from fl.learning.task_check import table_of
from fl.learning.trainer import train
from fl.network.events import Event
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind, pack_model
from fl.protocol.leaves import root_of
from fl.tools.federation.deploy import make_terms, manifest_of
from fl.tools.model.source import Source

FEDERATION = address("federation")


def trained(task: Task, seed: int = 0) -> np.ndarray:
    """A model after one local training on all rows, in units."""
    data = table_of(task)
    module = build(task, seed)
    train(task, module, Part(data.x[:256], data.y[:256]), np.random.default_rng(seed))
    return to_vector(module)


def source(task: Task, folder: Path, seed: int = 3, vector: np.ndarray | None = None) -> Source:
    """A federation of three seats whose first round is final."""
    store = LocalStore(folder)
    genesis = pack_model(to_vector(build(task, seed)))
    model = pack_model(trained(task) if vector is None else vector)
    store.put(genesis, Kind.MODEL)
    store.put(model, Kind.MODEL)
    manifest = manifest_of(task, seed)
    first = root_of(genesis, Kind.MODEL)
    terms = make_terms({}, task, address("sponsor"), address("token"), store.put_manifest(manifest), first)
    history = History(terms.committee)
    joined = [
        Event("Joined", {"seat": i, "owner": address("owner", i), "operator": address("op", i), "stake": 1}, 1, i, "0x")
        for i in range(3)
    ]
    opened = {"round": 1, "active": 7, "base": first, "pot": 1, "openedAt": 1}
    settled = {"round": 1, "accepted": 3, "medians": b"\x01\x01\x00", "validatorPay": (), "paid": 0}
    final = {"round": 1, "model": root_of(model, Kind.MODEL), "adopted": True}
    rounds = [("RoundOpened", opened), ("Settled", settled), ("Finalized", final)]
    history.apply([*joined, *(Event(name, fields, 2, i, "0x") for i, (name, fields) in enumerate(rounds))])
    words = ("--federation", FEDERATION, "--store", "PLACE")
    return Source("a test", words, 31337, FEDERATION, terms, manifest, history, store, ("the record is a test's",))
