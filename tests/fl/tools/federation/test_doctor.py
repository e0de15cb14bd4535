"""The doctor's look at disks, where the store grows and where updates are copied to be read; and at the blocks in a window."""

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from support.crooked_hosts import Crooked
from support.evm import AnvilEvm
from support.in_process import InProcessChain, reader_of
from support.system import BASE_TERMS, System

from fl.errors import TreatyError
from fl.network import gas
from fl.network.ape_accounts import new_keystore
from fl.network.federation import FederationReader
from fl.network.randomness import SPAN
from fl.network.rpc import Rpc
from fl.network.sender import BUSY
from fl.tools.cli.network import Network
from fl.tools.federation import doctor, take_part
from fl.tools.federation.invitation import Place
from fl.tools.federation.take_part import Guest
from fl.tools.federation.without_ether import loss_words

ROUND = 128 * 264 + 1024  # bytes, of one leaf
Disk = namedtuple("Disk", "free")


@pytest.mark.parametrize(
    "here, there, grades", [(1 << 40, ROUND, ["ok"]), (1 << 40, ROUND - 1, ["ok", "bad"]), (0, ROUND, ["bad"])]
)
def test_disk__too_small_for_rounds__or_for_reading_one__is_to_be_mended(here, there, grades, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "scratch_folder", lambda: str(tmp_path))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: Disk(there if str(folder) == str(tmp_path) else here))
    visit = doctor.Visit(
        Network(click.Context(click.Command("doctor")), None),
        "",
        None,
        None,
        [],
        None,
        None,
        reader=SimpleNamespace(terms=BASE_TERMS),
    )
    doctor._disk(visit)
    assert [finding.grade for finding in visit.findings] == grades
    if len(grades) > 1:
        assert f"free in {tmp_path}, where updates are copied" in visit.findings[-1].text


@pytest.mark.parametrize("local, words, warned", [(False, ["here"], True), (True, ["here"], False), (False, [], False)])
def test_store_that_only_this_machine_can_read__is_told__since_nobody_would_be_paid_for_it(local, words, warned, tmp_path):
    network = SimpleNamespace(local=local)
    visit = doctor.Visit(network, "", None, None, [str(tmp_path / word) for word in words], None, None)
    doctor._stores(visit)
    notes = [finding.text for finding in visit.findings if finding.grade == "warn"]
    assert bool(notes) is warned
    if warned:
        assert f"others may not be able to read {tmp_path / 'here'}, which is on this machine" in notes[0]
        assert "scored 0 and not paid" in notes[0]


# ---- windows, on a real node that is no chain of this machine


@pytest.mark.parametrize(
    "seconds, short",
    [
        (6, []),
        (7, ["answer_window 60 s holds 8 blocks of 7.0 s, and 10 are needed to act in time"]),
        (61, [f"{name}_window {s} s holds {n} block" for name, s, n in [("commit", 600, 9), ("answer", 60, 0)]]),
    ],
)
def test_windows__that_hold_fewer_than_ten_blocks__are_to_be_mended(seconds, short):
    evm = AnvilEvm(chain_id=778)
    try:
        system = System.create(evm)
        for _ in range(SPAN):
            evm.warp(evm.time + seconds)
        visit = visit_of(evm)
        visit.reader = FederationReader.open(Rpc([url_of(evm)]), system.federation.address)
        doctor._windows(visit)
        bad = [finding.text for finding in visit.findings if finding.grade == "bad"]
        for text in short:
            assert any(one.startswith(text) for one in bad), bad
        assert bool(bad) is bool(short)
        if not short:
            assert visit.findings[0].text == f"a block takes {seconds}.0 s, and every window holds at least 10"
        else:
            assert all(one.endswith("join a federation with longer windows") for one in bad)
    finally:
        evm.close()


def test_windows__on_a_chain_without_blocks__are_not_judged():
    evm = AnvilEvm(chain_id=778)
    try:
        system = System.create(evm)
        visit = visit_of(evm)
        visit.reader = FederationReader.open(Rpc([url_of(evm)]), system.federation.address)
        doctor._windows(visit)
        assert visit.findings[0].grade == "warn" and "too few to measure" in visit.findings[0].text
    finally:
        evm.close()


def url_of(evm: AnvilEvm) -> str:
    return f"http://127.0.0.1:{evm.connection.port}"


def visit_of(evm: AnvilEvm) -> doctor.Visit:
    network = Network(click.Context(click.Command("doctor")), url_of(evm))
    assert not network.local
    return doctor.Visit(network, "", None, None, [], None, None)


# ---- gas money


PRICE = 7 * 10**9
ROUND_AT_BUSY = BUSY * gas.ROUND * PRICE


HERE, THERE = Place("http://127.0.0.1:1", "the sponsor"), Place("http://localhost:1", "a university")


def key_in(folder) -> tuple[str, Path]:
    (folder / "passphrase").write_text("passphrase")
    (folder / "key.json").write_text(new_keystore("passphrase"))
    return str(folder / "key.json"), folder / "passphrase"


@pytest.mark.parametrize(
    "ether, alone, hosted",
    [
        (0, "bad", "warn"),
        (ROUND_AT_BUSY - 1, "bad", "warn"),
        (ROUND_AT_BUSY, "warn", "warn"),
        (doctor.ROUNDS * gas.ROUND * PRICE, "ok", "ok"),
    ],
)
def test_gas_money__for_less_than_a_round_at_three_times_today_s_price__must_be_fixed__unless_hosts_stand_in(
    ether, alone, hosted, tmp_path
):
    reader, key = reader_of(System.create(InProcessChain())), key_in(tmp_path)
    answers = {"eth_getBalance": hex(ether), "eth_gasPrice": hex(PRICE)}
    network = SimpleNamespace(local=False, rpc=lambda method, *_: answers[method])
    for words, grade in ((None, alone), (loss_words(reader), hosted)):
        visit = doctor.Visit(network, "", *key, [], None, None, hosts=[HERE, THERE], accept_loss=words, reader=reader)
        doctor._account(visit)
        (found,) = [finding for finding in visit.findings if finding.what == "gas money"]
        assert found.grade == grade
        lacks = "a seat without gas misses its reveal and loses stake, and it never proposes"
        assert (lacks in found.text) is (ether < ROUND_AT_BUSY)
        assert ("--accept-loss 'I may lose 10 TTT a round if my hosts fail'" in found.text) is (grade == "bad")
        guest = object.__new__(take_part.Visit)
        guest.guest, guest.reader, guest.rpc = Guest("", tmp_path, tmp_path, accept_loss=words), reader, network.rpc
        guest.invitation = SimpleNamespace(hosts=[HERE, THERE])
        assert (ether >= guest._needs()["operator"]) is (grade != "bad")  # what it waits for


@pytest.mark.parametrize("words, hosts", [("yes", [HERE, THERE]), ("", [HERE]), ("", [HERE, Place(THERE.url, HERE.owner)])])
def test_loss__that_is_not_accepted_as_it_must_be__is_to_be_mended(words, hosts, tmp_path):
    reader, key = reader_of(System.create(InProcessChain())), key_in(tmp_path)
    network = SimpleNamespace(local=False, rpc=lambda *_: "0x0")
    visit = doctor.Visit(network, "", *key, [], None, None, hosts=hosts, accept_loss=words or loss_words(reader), reader=reader)
    with pytest.raises(
        TreatyError, match=r"--accept-loss (wants exactly these words: 'I may lose|needs two hosts of different owners)"
    ):
        doctor._account(visit)


def test_hosts__are_told_by_what_they_say_of_their_relay():
    says = [(b"{}", "does not answer as a host"), (b'{"treaty": 1, "relay": null}', "relays nothing")]
    says += [
        (b'{"treaty": 1, "relay": {"budget_left": "%s"}}' % left, text) for left, text in ((b"0", "has spent"), (b"5", "ays, "))
    ]
    for answer, text in says:
        host = Crooked(lambda *_, answer=answer: (200, answer))
        visit = doctor.Visit(SimpleNamespace(), "", None, None, [], None, None, hosts=[Place(host.url, "a university")])
        doctor._hosts(visit)
        host.close()
        (found,) = visit.findings
        assert text in found.text and found.text.startswith(f"{host.url} of a university")
        assert found.grade == ("ok" if text == "ays, " else "warn")
