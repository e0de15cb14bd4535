"""The doctor's look at disks: where the store grows, and where updates are copied to be read."""

from collections import namedtuple
from types import SimpleNamespace

import click
import pytest
from support.system import BASE_TERMS

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
