"""The file that says what a folder is about may come from anybody, with the folder."""

import json
import socket

import click
import pytest

from fl.errors import TreatyError
from fl.network.stores import public_http
from fl.tools.cli import remembered as module
from fl.tools.cli.network import recalled
from fl.tools.cli.remembered import FILE, Remembered, remembered

GOOD = {"federation": "0x" + "1" * 40, "network": "http://127.0.0.1:8545", "stores": ["store"]}


def test_what_a_folder_is_about__comes_back(tmp_path):
    Remembered(GOOD["federation"], GOOD["network"], ("store",)).keep(tmp_path)
    assert remembered(tmp_path) == Remembered(GOOD["federation"], GOOD["network"], ("store",))
    assert remembered(tmp_path / "other") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 60_000,
        json.dumps({**GOOD, "network": 5}),
        json.dumps({**GOOD, "stores": "store"}),
        "\xff",
        json.dumps({**GOOD, "hints": "http"}),
    ],
    ids=["empty", "list", "null", "deep", "number", "one store as text", "no text", "one hint as text"],
)
def test_file_that_says_nothing__is_refused_in_one_line(tmp_path, text):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(TreatyError, match=r"current.json cannot be read \(.*\): remove it, or name --federation and --network"):
        remembered(tmp_path)


def test_large_file__is_not_read_whole(tmp_path, monkeypatch):
    (tmp_path / FILE).parent.mkdir()
    with (tmp_path / FILE).open("wb") as file:
        file.truncate(1 << 40)  # sparse: it takes no room
    with pytest.raises(TreatyError, match=f"more than {module.MAX_BYTES:,} bytes"):
        remembered(tmp_path)


def test_address_that_an_invitation_named__must_still_lead_outside(tmp_path, monkeypatch):
    """A name that led to a public machine when its seat was taken may lead to the router today."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(public_http, "_strangers", set())
    leads = {"host.example": "8.8.8.8"}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_, **__: [(0, 0, 0, "", (leads[host], port))])
    Remembered(GOOD["federation"], GOOD["network"], ("store",), ("https://host.example",)).keep()
    assert recalled().hints == ("https://host.example",)
    leads["host.example"] = "192.168.0.1"
    with pytest.raises(OSError, match="not a public address"):  # of whatever looks the name up in this process
        socket.getaddrinfo("host.example", 443)
    with pytest.raises(click.ClickException, match=r"an invitation named https://host.example, and now .*192\.168\.0\.1"):
        recalled()
