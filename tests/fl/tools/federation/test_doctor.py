"""The doctor's look at disks, where the store grows and where updates are copied to be read; and at the blocks in a window."""

from collections import namedtuple
from types import SimpleNamespace

import click
import pytest
from support.evm import AnvilEvm
from support.system import BASE_TERMS, System

from fl.network.federation import FederationReader
from fl.network.randomness import SPAN
from fl.network.rpc import Rpc
from fl.tools.cli.network import Network
from fl.tools.federation import doctor

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
