"""A host in a process of its own, so that it can be killed: `python -m support.host_process SETTINGS`, as JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from fl.tools.host.host import Running, Settings
from fl.tools.host.web import Address

ETHER = 10**18
START = 60.0  # seconds, on a busy machine


class HostProcess:
    """What `ape run host` runs, with a key of the tests' own, on an address of this machine."""

    def __init__(self, folder: Path, federation: str, node: str, key: int, budget: int = 5 * ETHER, port: int = 0, **more: Any):
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        facts = {"federation": federation, "nodes": [node], "store": str(folder / "store"), "budget": budget, "page": False}
        with self.log.open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "support.host_process", json.dumps({"key": key, "port": port, **facts, **more})],
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
                env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[1]}:{os.environ.get('PYTHONPATH', '')}"},
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http"), self.log.read_text()[-2000:]

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def relay(self) -> dict[str, Any]:
        """What it says of its relay."""
        return requests.get(f"{self.url}/treaty.json", timeout=10).json()["relay"]

    def acts_on(self, block: int) -> None:
        """Waits until it has acted on a block."""
        end = time.monotonic() + START
        while self.alive and self.relay["block"] < block:
            assert time.monotonic() < end, self.log.read_text()[-2000:]
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.alive:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()


def main(facts: dict[str, Any]) -> None:
    from support.keys import Key

    from fl.log import Log

    key, port = Key(facts.pop("key")), facts.pop("port")
    facts |= {"nodes": tuple(facts["nodes"]), "store": Path(facts["store"]), "where": Address(port=port), "poll": 0.02}
    running = Running(Settings(**facts), key, Log())
    print(running.url, flush=True)
    running.serve()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
