"""What a node remembers of the past: the same whether it was there, came later, or had a store that lagged."""

from dataclasses import replace

import numpy as np
import pytest
from support.manifests import manifest
from support.system import BASE_TERMS, random_model, random_update

from fl.agents.record import public_record as rules
from fl.agents.record.history import History, Reveal, RoundLog
from fl.agents.record.public_record import Record
from fl.errors import StoreSilentError
from fl.learning.gate import GateState
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import LEAF_PARAMETERS, Kind
from fl.protocol.leaves import root_of

SEATS = [0, 1, 2]


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path)


def record_of(store: LocalStore) -> Record:
    stated = manifest(LEAF_PARAMETERS)
    return Record(replace(BASE_TERMS, manifest=store.put_manifest(stated)), stated, store)


def history_of(rounds: int, files: list[bytes]) -> History:
    """Rounds in which everybody revealed a file, and none was settled."""
    history = History(3)
    for number in range(1, rounds + 1):
        log = RoundLog(number, SEATS, bytes(32), 0, 0, revealed=list(range(len(files))))
        log.reveals = {seat: Reveal(root_of(data, Kind.UPDATE), bytes(32), b"") for seat, data in enumerate(files)}
        history.rounds.append(log)
    return history


def settle(log: RoundLog, accepted: list[int]) -> None:
    log.accepted, log.settled = accepted, True


def test_state__where_the_store_lagged_when_scores_were_due__is_everybody_s(store):
    files = [random_update(np.random.default_rng(seat)) for seat in SEATS]
    for data in files[1:]:
        store.put(data, Kind.UPDATE)
    history, lagged = history_of(2, files), record_of(store)
    assert lagged.judged(history, history.rounds[0]).seen == {1, 2}
    store.put(files[0], Kind.UPDATE)
    settle(history.rounds[0], SEATS)
    assert lagged.state(history, 2) == record_of(store).state(history, 2)
    assert lagged.judged(history, history.rounds[0]).seen == {0, 1, 2}


def test_state__does_not_depend_on_files_of_updates_that_were_left_out(store, tmp_path):
    """Whoever sent one could otherwise show it to some validators and not to others."""
    files = [random_update(np.random.default_rng(seat)) for seat in SEATS]
    for data in files:
        store.put(data, Kind.UPDATE)
    history = history_of(2, files)
    settle(history.rounds[0], SEATS[1:])
    had = record_of(store).state(history, 2)
    (store.path / f"{root_of(files[0], Kind.UPDATE).hex()}.update").unlink()
    assert record_of(store).state(history, 2) == had != GateState()


def test_state__when_an_update_is_excluded_after_it_was_remembered__is_that_of_who_comes_later(store, tmp_path):
    """A daemon that has a hidden file remembers the round at once, and anew without it."""
    files = [random_update(np.random.default_rng(seat)) for seat in SEATS]
    for data in files:
        store.put(data, Kind.UPDATE)
    history, had = history_of(2, files), record_of(store).keep_in(tmp_path / "gate")
    settle(history.rounds[0], SEATS)
    had.keep(history)
    before = had.state(history, 2)
    log = history.rounds[0]
    log.accepted, log.excluded = SEATS[1:], SEATS[:1]
    (store.path / f"{root_of(files[0], Kind.UPDATE).hex()}.update").unlink()
    late = record_of(store).state(history, 2)
    assert had.state(history, 2) == late != before
    assert record_of(store).keep_in(tmp_path / "gate").state(history, 2) == late


def test_next_model__is_made_anew_when_an_update_is_excluded(store):
    files = [random_update(np.random.default_rng(seat)) for seat in SEATS]
    for data in files:
        store.put(data, Kind.UPDATE)
    history, record = history_of(1, files), record_of(store)
    log = history.rounds[0]
    log.base = store.put(random_model(np.random.default_rng(9)), Kind.MODEL)
    settle(log, SEATS)
    whole, tree = record.next_model(log), record.next_tree(log)
    log.accepted = SEATS[1:]
    assert record.next_model(log) != whole and record.next_tree(log) != tree
    assert record.lacking(log) == []
    (store.path / f"{root_of(files[1], Kind.UPDATE).hex()}.update").unlink()
    assert record.lacking(log) == [SEATS[1]]


def test_state__after_a_restart__needs_no_file_of_a_round_long_over(store, tmp_path):
    files = [random_update(np.random.default_rng(seat)) for seat in SEATS]
    for data in files:
        store.put(data, Kind.UPDATE)
    history, first = history_of(3, files), record_of(store).keep_in(tmp_path / "gate")
    for log in history.rounds[:2]:
        settle(log, SEATS[1:])
    first.keep(history)
    for path in store.path.glob("*.update"):
        path.unlink()
    assert record_of(store).keep_in(tmp_path / "gate").state(history, 3) == first.state(history, 3)
    assert record_of(store).state(history, 3) != first.state(history, 3)
    settle(history.rounds[1], SEATS[:2])  # another history: what was kept of this round is not its memory
    assert record_of(store).keep_in(tmp_path / "gate").memory(history.rounds[1]) == 0
    for path in (tmp_path / "gate").iterdir():
        path.write_text('{"of": 5}')
    assert record_of(store).keep_in(tmp_path / "gate").state(history, 3) == GateState()


def test_state__after_a_thousand_rounds__is_found_by_who_comes_then(store):
    history = history_of(1000, [])
    for log in history.rounds:
        settle(log, [])
    assert record_of(store).state(history, 1001) == GateState()


class Blinking(LocalStore):
    """Shows nothing while it is away."""

    away = False

    def get(self, root, kind, depth):
        if self.away:
            raise StoreSilentError("the store does not answer")
        return super().get(root, kind, depth)


def test_models__last_asked_for__outlast_a_store_that_is_away(tmp_path):
    store = Blinking(tmp_path)
    models = [random_model(np.random.default_rng(i)) for i in range(rules.MODELS_KEPT + 1)]
    roots, record = [store.put(data, Kind.MODEL) for data in models], record_of(store)
    first, *others = roots
    assert record.model(first) is not None and [record.model_file(root) for root in others[:-1]] == models[1:-1]
    store.away = True
    assert record.model_file(first) == models[0] and record.model_file(others[-1]) is None
    store.away = False
    assert record.model_file(others[-1]) == models[-1]
    store.away = True
    assert record.model_file(first) == models[0] and record.model_file(others[0]) is None  # the one asked for longest ago


def test_reasons__of_each_kind__say_why_with_numbers(store):
    def update(value: int, exponent: int = 0) -> bytes:
        return bytes([exponent] * 8 + [value & 0xFF] * LEAF_PARAMETERS)

    files = [update(10), update(11), update(-10), update(10, 4), update(-128), update(9), update(0), update(11)]
    for seat, data in enumerate(files):
        if seat != 5:  # which nobody can see
            store.put(data, Kind.UPDATE)
    history, record = history_of(3, files), record_of(store)
    first, second, _ = history.rounds
    assert record.reasons(history, first) == {}  # it is not settled
    settle(first, [0, 1])
    settle(second, [0, 1])
    why = record.reasons(history, second)
    assert set(why) == {2, 3, 4, 5, 6, 7}
    assert why[2] == (
        "it agrees too little: the voices of the 3 others within the bound sum to -0.90, and its vote for itself is 0.90"
    )
    assert why[3].startswith("too long: its norm is 0.000153, and the gate's bound is 1.")
    assert why[4] == "its update is not as an honest encoder writes it"
    assert why[5] == "no store shows its update"
    assert why[6] == "its update changes nothing"
    assert why[7] == "the gate lets it in, and the committee left it out"
