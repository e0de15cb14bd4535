"""Four daemons, four keys, one node: whole rounds; keys that change; locks; journals; what is logged and what is not.

when everybody follows: rounds end, the model moves, nobody loses stake, nothing is sent twice
when the key is rotated: the old daemon stops, the new one goes on, with the old journal or without
when a second daemon starts: it is refused
"""

import json
import os
import stat
import threading
from collections import Counter
from dataclasses import replace

import pytest
from support.daemon_cluster import DaemonCluster, Key, key_of, logged
from support.system import SPONSOR, owner

from fl.agents.runtime.daemon import OperatorReplaced, Over, Unconfirmed
from fl.agents.runtime.journal import Identity, Journal, JournalError
from fl.errors import StoreError, TaskError
from fl.network.abi import federation_abi
from fl.network.federation import Distrust, FederationReader
from fl.network.rpc import Rpc
from fl.network.stores.local import LocalStore
from fl.network.transactions import State, TransactionJournal
from fl.protocol.phases import Phase
from fl.tools.audit.auditor import Auditor
from fl.tools.federation.sponsor import wait_until_enough
from fl.tools.federation.status import status
from fl.tools.federation.stopping import Stop
from fl.tools.report.live import left_out

pytestmark = pytest.mark.xdist_group("cluster")


def audit(cluster: DaemonCluster) -> int:
    node = next(iter(cluster.daemons.values())).node
    events = node._events(node.start, node.block("latest"))
    return Auditor.of(node, cluster.store).run(events).or_raise().rounds


def test_rounds__end__and_nobody_loses_stake__and_nothing_is_sent_twice(cluster):
    before = cluster.stakes()
    cluster.start().play_round(2)
    assert cluster.system.round.number >= 2
    assert cluster.stakes() == before
    log = cluster.daemons[0].history.rounds[1]
    assert log.adopted and sorted(log.reveals) == [0, 1, 2, 3]
    assert audit(cluster) >= 2
    for seat, daemon in cluster.daemons.items():
        transactions = daemon.sender.transactions.all()
        assert {d.state for d in transactions} <= {State.DONE, State.OPEN}
        assert Counter(d.nonce for d in transactions).most_common(1)[0][1] == 1
        assert len(transactions) == cluster.sent(key_of(seat))
        assert all(len(d.sent) == 1 for d in transactions)


def test_daemon__started_right_after_its_seat_was_taken__waits_until_that_is_confirmed(cluster):
    cluster.system.do("exit", 3, by=owner(3))
    cluster.system.do("withdraw", 3, owner(3), by=owner(3))
    cluster.mine(4)
    with pytest.raises(Over, match="seat 3 is free"):
        cluster.daemon(3, depth=3).tick()
    cluster.end()
    cluster.system.do("join", owner(3), key_of(3).address, cluster.system.terms.min_stake, b"", by=owner(3))
    daemon = cluster.daemon(3, depth=3)
    with pytest.raises(Unconfirmed, match="seat 3 was taken a few blocks ago"):
        daemon.tick()
    cluster.mine(4)
    daemon.tick()


def test_cranks__are_taken_in_turns__so_that_few_pay_for_nothing(cluster):
    cluster.start().play_round(1)
    housekeeping = [
        d
        for daemon in cluster.daemons.values()
        for d in daemon.sender.transactions.all()
        if d.function in ("close", "draw", "settle")
    ]
    assert Counter(d.function for d in housekeeping) == {"close": 1, "draw": 1, "settle": 1}


def test_sleeping_proposer__costs_a_part_of_the_window__not_the_round(cluster):
    cluster.start().play_to(Phase.PROPOSE)
    cluster.end(1)  # whose turn it is in round 1
    cluster.settle_down()
    assert cluster.phase is Phase.PROPOSE
    cluster.evm.warp(cluster.now + cluster.system.terms.propose_window // 4)
    cluster.settle_down()
    assert cluster.phase is Phase.CHALLENGE and cluster.system.round.proposer == 2


def test_federation_that_is_over__ends_the_daemon(cluster):
    cluster.start(0)
    cluster.system.do("conclude", by=SPONSOR)
    cluster.mine(2)
    running = threading.Thread(target=cluster.daemons[0].run, args=(threading.Event(),), daemon=True)
    running.start()
    for _ in range(100):  # blocks go on: it first claims its credit for deposits, and waits until that is confirmed
        cluster.mine()
        running.join(0.1)
        if not running.is_alive():
            break
    assert "the sponsor gave notice, and no round is open: nothing is left to do" in logged(cluster.daemons[0])


def test_once__does_what_is_due_and_ends(cluster):
    cluster.start(0, depth=0)
    cluster.daemons[0].run(threading.Event(), once=True)
    assert cluster.system.see("recordOf", 0)[0] == 1


def test_asked_to_stop__it_stops__and_says_that_the_journal_has_everything(cluster):
    cluster.start(0)
    stop = threading.Event()
    stop.set()
    cluster.daemons[0].run(stop)
    assert "the journal has everything" in logged(cluster.daemons[0])


# ---- one daemon per seat


def test_second_daemon__is_refused__and_names_the_first(cluster):
    cluster.start(0)
    with pytest.raises(JournalError, match=f"another daemon runs for seat 0 \\(process {os.getpid()}"):
        cluster.daemon(0)


def test_second_daemon_with_another_journal__is_refused_too(cluster, tmp_path):
    cluster.start(0)
    with pytest.raises(JournalError, match="another daemon runs for seat 0"):
        cluster.daemon(0, journal=tmp_path / "elsewhere")


def test_journal_of_another_seat__is_refused(cluster):
    cluster.start(0).end(0)
    with pytest.raises(JournalError, match="is the journal of another seat"):
        cluster.daemon(1, journal=cluster.folder / "seat-0")
    cluster.daemon(0).journal.close()  # and was not locked by the refusal


def test_damaged_journal__is_refused__since_a_guess_could_send_twice(cluster):
    cluster.start(0).play_to(Phase.COMMIT)
    cluster.settle_down()
    cluster.end(0)
    path = next((cluster.folder / "seat-0" / "transactions").glob("*-commit-*.json"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StoreError, match="damaged"):
        cluster.daemon(0)


# ---- keys


def test_rotated_key__the_old_daemon_stops__the_new_one_goes_on_with_the_journal(cluster):
    before = cluster.stakes()
    cluster.start().play_to(Phase.REVEAL)
    new = Key(0xBEEF)
    cluster.hand_over(2, new)
    cluster.mine(2)
    with pytest.raises(OperatorReplaced, match=f"seat 2 is now operated by {new.address}"):
        cluster.daemons[2].run(threading.Event())
    cluster.end(2)
    cluster.daemons[2] = cluster.daemon(2, key=new)
    cluster.play_round(2)
    assert cluster.stakes() == before
    rounds = cluster.daemons[0].history.rounds
    assert 2 in rounds[0].reveals and 2 in rounds[1].reveals


def test_rotated_key_in_the_commit_phase__a_fresh_journal_commits_anew(cluster, tmp_path):
    before = cluster.stakes()
    cluster.start().play_to(Phase.COMMIT)
    cluster.settle_down()
    cluster.end(2)
    cluster.hand_over(2, Key(0xBEEF))
    cluster.daemons[2] = cluster.daemon(2, key=Key(0xBEEF), journal=tmp_path / "fresh")
    with pytest.raises(Distrust, match="waiting until that is confirmed"):
        cluster.daemons[2].tick()
    cluster.mine()
    cluster.play_round(1)
    assert cluster.stakes() == before and 2 in cluster.daemons[0].history.rounds[0].reveals


def test_rotated_key_after_the_commit_phase__a_fresh_journal_says_what_is_at_stake(cluster, tmp_path):
    cluster.start().play_to(Phase.REVEAL)
    cluster.end(2)
    cluster.hand_over(2, Key(0xBEEF))
    cluster.daemons[2] = cluster.daemon(2, key=Key(0xBEEF), journal=tmp_path / "fresh")
    cluster.settle_down()
    assert "this journal has no salt: hand over the old journal before" in logged(cluster.daemons[2])


def test_owner_who_operates__is_paid_by_the_daemon(cluster):
    """Pay is the owner's call: only a daemon that holds the owner's key makes it."""
    cluster.start().play_round(1)
    assert not any(d.function == "claim" for daemon in cluster.daemons.values() for d in daemon.sender.transactions.all())
    assert cluster.system.seat(0).earned > 0


# ---- secrets


def test_secrets__are_in_no_log__and_salts_only_in_files_for_the_owner_alone(cluster):
    cluster.start(as_json=True).play_round(1)
    text = "".join(logged(daemon) for daemon in cluster.daemons.values())
    for line in text.splitlines():
        assert {"time", "level", "text"} <= set(json.loads(line))
    salts = set()
    for seat, daemon in cluster.daemons.items():
        files = [p for p in daemon.journal.folder.rglob("*") if p.is_file()]
        for path in files:
            assert key_of(seat).secret not in path.read_bytes() and key_of(seat).secret.hex().encode() not in path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        salts |= {p.read_bytes().hex() for p in files if p.suffix == ".salt"}
        salts |= {p.read_bytes()[:32].hex() for p in files if p.suffix == ".scores"}
        assert key_of(seat).secret.hex() not in text
    assert len(salts) >= 7  # four updates, three score vectors: it did look
    assert not [salt for salt in salts if salt in text]


# ---- the journal


def test_journal__forgets_rounds_long_over__but_not_the_last_residue(cluster):
    identity = Identity(1, "0x", "0x", 0)
    journal = Journal(cluster.folder / "old", identity)
    for name in ("3.update", "3.salt", "3.scores", "90.update", "identity.txt"):
        (journal.folder / name).write_bytes(b"x")
    journal.prune(100)
    assert {p.name for p in journal.folder.iterdir() if p.is_file()} == {"90.update", "identity.txt", "identity.json", "lock"}
    journal.close()


def test_deeds__come_back_as_they_were_kept(cluster):
    cluster.start().play_to(Phase.REVEAL)
    cluster.settle_down()
    kept = cluster.daemons[0].sender.transactions
    assert {d.name: d for d in TransactionJournal(kept.folder).all()} == {d.name: d for d in kept.all()}
    transaction = kept.all()[0]
    kept.keep(replace(transaction, state=State.LOST))
    assert TransactionJournal(kept.folder).get(transaction.name).state is State.LOST


def test_copies_of_fetched_files__of_rounds_long_over_are_removed__and_recent_ones_stay(cluster):
    cluster.start().play_round(2)
    daemon = cluster.daemons[0]
    fetched, rounds = daemon.journal.fetched, daemon.history.rounds
    fetched.mkdir(exist_ok=True)
    old, new = (f"{log.reveals[1].root.hex()}.update" for log in rounds[:2])
    for name in (old, new, "manifest.json", f"{rounds[0].base.hex()}.model"):
        (fetched / name).write_bytes(b"")
    cluster.mine()
    daemon.journal.prune(2, daemon.history.files(daemon.node.terms, 1))
    assert old not in {p.name for p in fetched.iterdir()} and (fetched / "manifest.json").exists()
    assert (fetched / f"{rounds[0].base.hex()}.model").exists()  # the first model


def test_slash__is_told_with_its_reason__also_after_a_restart(cluster):
    cluster.start().play_to(Phase.REVEAL)
    cluster.end(2)
    cluster.play_round(1)
    told = "seat 2 was slashed 10 TTT: committed in round 1 and did not reveal; its stake is"
    assert told not in logged(cluster.daemons[0])
    shown = status(cluster.daemons[0].node)
    assert "slashed     seat 2, 10 TTT: committed in round 1 and did not reveal" in shown.lines
    assert [slash["seat"] for slash in shown.facts["slashes"]] == [2]
    cluster.start(2)
    cluster.settle_down()
    assert logged(cluster.daemons[2]).count(told) == 1, logged(cluster.daemons[2])


def settle_with_a_private_store(cluster, tmp_path):
    """Settles a round in which nobody else can read the update of seat 0."""
    mine = LocalStore(tmp_path / "here")
    for path in cluster.store.path.iterdir():
        (mine.path / path.name).write_bytes(path.read_bytes())
    cluster.start(1, 2, 3)
    cluster.start(0, store=mine)
    cluster.play_to(Phase.PROPOSE)
    cluster.settle_down(until=Phase.CHALLENGE)


def test_zero_score__is_told_with_its_reason(cluster, tmp_path):
    settle_with_a_private_store(cluster, tmp_path)
    assert cluster.daemons[1].history.rounds[0].medians[0] == 0
    told = "seat 0 was scored 0 in round 1 and earns nothing: nobody could read your update"
    assert logged(cluster.daemons[0]).count(told) == 1, logged(cluster.daemons[0])
    assert "was scored 0" not in logged(cluster.daemons[1])
    line = "scored 0    in round 1, and paid nothing: seat 0 (nobody could read the update, or the gate left it out)"
    assert line in status(cluster.daemons[1].node).lines


def reader_of(cluster: DaemonCluster) -> FederationReader:
    return FederationReader(Rpc([cluster.url]), federation_abi(), cluster.system.federation.address, 1, cluster.evm.chain_id)


def test_sponsor__waits_until_the_model_is_good_enough__and_not_for_ever(cluster, monkeypatch):
    cluster.start().play_round(1)
    told: list[str] = []
    wait_until_enough(reader_of(cluster), Stop(until=100.0), [cluster.store.path], None, told.append)
    assert told[0].endswith("that participants keep back to score others")  # test rows have no say
    assert told[0].startswith("round 0: ") and told[1].startswith("round 1: ") and "reaches --until-metric 100" in told[-1]

    def next_round(_: float) -> None:
        cluster.play_round(len(cluster.daemons[0].history.rounds) + 1)

    monkeypatch.setattr("fl.tools.federation.sponsor.time.sleep", next_round)
    better = float(told[1].split()[2]) * 0.9
    wait_until_enough(reader_of(cluster), Stop(until=better), [cluster.store.path], None, told.append)
    assert len(cluster.daemons[0].history.rounds) >= 2 and float(told[-2].split()[2]) <= better
    with pytest.raises(TaskError, match="give --store PLACE, where they are; nothing was sent"):
        wait_until_enough(reader_of(cluster), Stop(patience=1), [], None, told.append)


def test_status__with_a_store__says_why_an_update_was_left_out(cluster, tmp_path):
    settle_with_a_private_store(cluster, tmp_path)
    reasons = left_out(reader_of(cluster), [cluster.store.path])
    assert reasons == {1: {0: "no store shows its update"}}
    assert "left out    seat 0: no store shows its update" in status(reader_of(cluster), lambda: reasons).lines
