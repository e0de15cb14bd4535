"""What deploy leaves behind for later commands: contracts that were paid for are written down whatever lies in the folder."""

import json

import pytest

from fl.tools.cli.remembered import remembered
from fl.tools.federation.deploy import remember
from fl.tools.federation.deployment import Deployment

ADDRESS = "0x" + "a" * 40
MADE = Deployment(1, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, "00", "00", {}, 1)
DAMAGED = {"empty": "", "cut": "{", "list": "[]", "five": '{"all": 5}', "deep": "[" * 60_000, "zero": "\x00"}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_deployment__is_recorded__though_an_earlier_record_is_damaged(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "deployments"
    folder.mkdir()
    (folder / "1.json").write_text(text)
    path = remember(MADE, folder, "http://127.0.0.1:8545", ["store"])
    assert [one["federation"] for one in json.loads(path.read_text())["all"]] == [ADDRESS]
    assert (folder / "1.json.damaged").read_text() == text
    assert remembered(tmp_path).federation == ADDRESS
    remember(MADE, folder, "http://127.0.0.1:8545", ["store"])
    assert len(json.loads(path.read_text())["all"]) == 2
