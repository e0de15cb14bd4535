"""The chain keeps 28 bytes of an update's root. A cheat announces a root whose other four are not its file's: no store knows
that name, the contract takes the file's every leaf, and who checks must, too."""

from pathlib import Path

import pytest
from attacks.gallery import files, judge, root
from system import STRANGER, System, operator, salt
from town import LocalClient

from fl.agents.actions import Action
from fl.agents.agent import Agent
from fl.agents.challenger import Answerer, Challenger
from fl.agents.keeper import Keeper
from fl.agents.loop import Loop
from fl.agents.proposer import Proposer
from fl.agents.record import Record
from fl.agents.view import View
from fl.network.store import LocalStore
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, pack_model, parse_model
from fl.protocol.fraud import UPDATE, Opened

CHEAT = 4


class Shows:
    """Answers every demand for the cheat's update from the file that it shows to nobody else."""

    def __init__(self, data: bytes):
        self.file = Opened.of(data, Kind.UPDATE)

    def decide(self, view: View) -> list[Action]:
        wanted = [d.leaf for d in view.round.demands if (d.artifact, d.seat) == (UPDATE, CHEAT)]
        shown, size = {leaf: self.file.show(leaf) for leaf in wanted}, Kind.UPDATE.value
        return [Action("answer", (UPDATE, CHEAT, leaf, s[:size], s[size:]), CHEAT) for leaf, s in shown.items()]


def twisted(name: bytes) -> bytes:
    return name[:28] + bytes(byte ^ 0xFF for byte in name[28:])


@pytest.mark.parametrize("adds", [0, 1], ids=["right", "wrong"])
def test_update_under_a_twisted_root__is_bought_back__and_a_model_made_of_it_falls_if_wrong(tmp_path: Path, adds: int):
    s = System.create(depth=1)
    client, data, store = LocalClient(s), files(5, depth=1), LocalStore(tmp_path)
    s.join(5).fund().rich(STRANGER)
    store.put(s.model, Kind.MODEL)
    for seat in range(CHEAT):
        store.put(data[seat], Kind.UPDATE)
    s.open().commit(data)
    name = twisted(root(data[CHEAT]))
    s.do("commit", CHEAT, s.commitment(CHEAT, name), by=operator(CHEAT))
    s.skip()
    s.reveal(*range(CHEAT))
    s.do("reveal", CHEAT, name, salt(CHEAT), b"")
    judge(s)  # the committee accepts what nobody can fetch
    right = s.aggregate()
    values = parse_model(right, 1).copy()
    values[LEAF_PARAMETERS + 7] += adds
    proposed = pack_model(values)
    store.put(proposed, Kind.MODEL)
    s.propose(proposed, CHEAT)

    house = Agent("house", STRANGER, (Challenger(), Answerer(), Keeper(1)), tmp_path, store)
    cheat = Agent("cheat", operator(CHEAT), (Shows(data[CHEAT]),), tmp_path, store, CHEAT)
    honest = [Agent(f"honest {i}", operator(i), (Proposer(i),), tmp_path, store, i) for i in range(CHEAT)]
    loop = Loop(client, Record(s.terms, 2 * LEAF_PARAMETERS, store), [cheat, house, *honest])
    loop.run()

    assert loop.history.rounds[0].proposals[0].fell is bool(adds)
    assert s.see("model") == root(right, Kind.MODEL)
