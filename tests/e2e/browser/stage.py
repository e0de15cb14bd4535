"""A browser for all checks, and a federation on a node that `ape run watch` shows."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from chrome import chromium, console
from support.evm import AnvilEvm
from support.system import UNIT, System, random_update

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@dataclass
class Live:
    """A federation that a test drives, and the address where it can be watched."""

    system: System
    url: str
    process: subprocess.Popen
    node: str

    def updates(self, seed: int, seats: int = 5) -> dict[int, bytes]:
        rng = np.random.default_rng(seed)
        return {seat: random_update(rng) for seat in range(seats)}

    def round(self, seed: int) -> None:
        self.system.to_challenge(self.updates(seed)).finish()


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    evm = AnvilEvm()
    system = System.create(evm).join(5, stake=300 * UNIT).fund()
    node = f"http://127.0.0.1:{evm.connection.port}"
    folder = tmp_path_factory.mktemp("watch")
    for name in ("contracts", "scripts", ".openzeppelin"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".build", folder / ".build")
    (folder / "ape-config.yaml").write_text((ROOT / "ape-config.yaml").read_text().replace("host: auto", f"host: {node}"))
    call = [Path(sys.executable).parent / "ape", "run", "watch", "--federation", system.federation.address]
    call += ["--port", "0", "--every", "0.2"]
    process = subprocess.Popen([*map(str, call)], cwd=folder, stdout=subprocess.PIPE, text=True)
    url = next(line.split(" at ")[1].split(" ")[0] for line in process.stdout if line.startswith("watching "))
    assert _serves(url)
    yield Live(system, url, process, node)
    process.terminate()
    process.wait()
    process.stdout.close()
    evm.close()


def _serves(url: str) -> bool:
    """Waits for the first look at the chain; the watcher ends by itself if there is nothing to see."""
    host = url.split("/")[2]
    while True:
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", "/")
        code = connection.getresponse().status
        connection.close()
        if code == 200:
            return True
        assert code == 503


@pytest.fixture
def quiet(browser):
    """No complaint of the page in between."""
    console(browser)
    yield
    assert console(browser) == []
