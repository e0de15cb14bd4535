"""Four daemons, four keys, one node: whole rounds; keys that change; locks; journals; what is told and what is not.

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
from street import Key, Street, key_of, told
from system import SPONSOR

from fl.agents.daemon import OperatorReplaced
from fl.agents.journal import Identity, Journal, JournalError
from fl.errors import StoreError
from fl.network.deeds import Deeds, State
from fl.network.node import Distrust
from fl.protocol.phases import Phase
from fl.tools.audit import Auditor

pytestmark = pytest.mark.xdist_group("street")


def audit(street: Street) -> int:
    node = next(iter(street.daemons.values())).node
    events = node._events(node.start, node._block("latest"))
    return Auditor(node.chain_id, node.address, node.terms, street.store).run(events).rounds


def test_rounds__end__and_nobody_loses_stake__and_nothing_is_sent_twice(street):
    before = street.stakes()
    street.start().play_round(2)
    assert street.system.round.number >= 2
    assert street.stakes() == before
    log = street.daemons[0]._history.rounds[1]
    assert log.adopted and sorted(log.reveals) == [0, 1, 2, 3]
    assert audit(street) >= 2
    for seat, daemon in street.daemons.items():
        deeds = daemon.sender.deeds.all()
        assert {d.state for d in deeds} <= {State.DONE, State.OPEN}
        assert Counter(d.nonce for d in deeds).most_common(1)[0][1] == 1
        assert len(deeds) == street.sent(key_of(seat))
        assert all(len(d.sent) == 1 for d in deeds)


def test_cranks__are_taken_in_turns__so_that_few_pay_for_nothing(street):
    street.start().play_round(1)
    cranks = [
        d for daemon in street.daemons.values() for d in daemon.sender.deeds.all() if d.function in ("close", "draw", "settle")
    ]
    assert Counter(d.function for d in cranks) == {"close": 1, "draw": 1, "settle": 1}


def test_sleeping_proposer__costs_a_part_of_the_window__not_the_round(street):
    street.start().play_to(Phase.PROPOSE)
    street.end(1)  # whose turn it is in round 1
    street.settle_down()
    assert street.phase is Phase.PROPOSE
    street.evm.warp(street.now + street.system.terms.propose_window // 4)
    street.settle_down()
    assert street.phase is Phase.CHALLENGE and street.system.round.proposer == 2


def test_federation_that_is_over__ends_the_daemon(street):
    street.start(0)
    street.system.do("conclude", by=SPONSOR)
    street.mine(2)
    street.daemons[0].run(threading.Event())
    assert "the sponsor gave notice, and no round is open: nothing is left to do" in told(street.daemons[0])


def test_once__does_what_is_due_and_ends(street):
    street.start(0, depth=0)
    street.daemons[0].run(threading.Event(), once=True)
    assert street.system.see("recordOf", 0)[0] == 1


def test_asked_to_stop__it_stops__and_says_that_the_journal_has_everything(street):
    street.start(0)
    stop = threading.Event()
    stop.set()
    street.daemons[0].run(stop)
    assert "the journal has everything" in told(street.daemons[0])


# ---- one daemon per seat


def test_second_daemon__is_refused__and_names_the_first(street):
    street.start(0)
    with pytest.raises(JournalError, match=f"another daemon runs for seat 0 \\(process {os.getpid()}"):
        street.daemon(0)


def test_second_daemon_with_another_journal__is_refused_too(street, tmp_path):
    street.start(0)
    with pytest.raises(JournalError, match="another daemon runs for seat 0"):
        street.daemon(0, journal=tmp_path / "elsewhere")


def test_journal_of_another_seat__is_refused(street):
    street.start(0).end(0)
    with pytest.raises(JournalError, match="is the journal of another seat"):
        street.daemon(1, journal=street.folder / "seat-0")
    street.daemon(0).journal.close()  # and was not locked by the refusal


def test_damaged_journal__is_refused__since_a_guess_could_send_twice(street):
    street.start(0).play_to(Phase.COMMIT)
    street.settle_down()
    street.end(0)
    path = next((street.folder / "seat-0" / "deeds").glob("*-commit-*.json"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StoreError, match="damaged"):
        street.daemon(0)


# ---- keys


def test_rotated_key__the_old_daemon_stops__the_new_one_goes_on_with_the_journal(street):
    before = street.stakes()
    street.start().play_to(Phase.REVEAL)
    new = Key(0xBEEF)
    street.hand_over(2, new)
    street.mine(2)
    with pytest.raises(OperatorReplaced, match=f"seat 2 is now operated by {new.address}"):
        street.daemons[2].run(threading.Event())
    street.end(2)
    street.daemons[2] = street.daemon(2, key=new)
    street.play_round(2)
    assert street.stakes() == before
    rounds = street.daemons[0]._history.rounds
    assert 2 in rounds[0].reveals and 2 in rounds[1].reveals


def test_rotated_key_in_the_commit_phase__a_fresh_journal_commits_anew(street, tmp_path):
    before = street.stakes()
    street.start().play_to(Phase.COMMIT)
    street.settle_down()
    street.end(2)
    street.hand_over(2, Key(0xBEEF))
    street.daemons[2] = street.daemon(2, key=Key(0xBEEF), journal=tmp_path / "fresh")
    with pytest.raises(Distrust, match="waiting until that is confirmed"):
        street.daemons[2].tick()
    street.mine()
    street.play_round(1)
    assert street.stakes() == before and 2 in street.daemons[0]._history.rounds[0].reveals


def test_rotated_key_after_the_commit_phase__a_fresh_journal_says_what_is_at_stake(street, tmp_path):
    street.start().play_to(Phase.REVEAL)
    street.end(2)
    street.hand_over(2, Key(0xBEEF))
    street.daemons[2] = street.daemon(2, key=Key(0xBEEF), journal=tmp_path / "fresh")
    street.settle_down()
    assert "this journal has no salt: hand over the old journal before" in told(street.daemons[2])


def test_owner_who_operates__is_paid_by_the_daemon(street):
    """Pay is the owner's call: only a daemon that holds the owner's key makes it."""
    street.start().play_round(1)
    assert not any(d.function == "claim" for daemon in street.daemons.values() for d in daemon.sender.deeds.all())
    assert street.system.seat(0).earned > 0


# ---- secrets


def test_secrets__are_in_no_log__and_salts_only_in_files_for_the_owner_alone(street):
    street.start(as_json=True).play_round(1)
    text = "".join(told(daemon) for daemon in street.daemons.values())
    for line in text.splitlines():
        assert {"time", "level", "text"} <= set(json.loads(line))
    salts = set()
    for seat, daemon in street.daemons.items():
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


def test_journal__forgets_rounds_long_over__but_not_the_last_residue(street):
    identity = Identity(1, "0x", "0x", 0)
    journal = Journal(street.folder / "old", identity)
    for name in ("3.update", "3.salt", "3.scores", "90.update", "identity.txt"):
        (journal.folder / name).write_bytes(b"x")
    journal.prune(100)
    assert {p.name for p in journal.folder.iterdir() if p.is_file()} == {"90.update", "identity.txt", "identity.json", "lock"}
    journal.close()


def test_deeds__come_back_as_they_were_kept(street):
    street.start().play_to(Phase.REVEAL)
    street.settle_down()
    kept = street.daemons[0].sender.deeds
    assert {d.name: d for d in Deeds(kept.folder).all()} == {d.name: d for d in kept.all()}
    deed = kept.all()[0]
    kept.keep(replace(deed, state=State.LOST))
    assert Deeds(kept.folder).get(deed.name).state is State.LOST
