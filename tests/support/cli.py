"""The commands as a user calls them: `ape run` in a folder of its own, beside a node of its own.

One warmed process answers many calls.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from support.evm import contract_types
from web3 import HTTPProvider, Web3

from fl.tools.cli.remembered import FILE

ROOT = Path(__file__).parents[2]
APE = Path(sys.executable).parent / "ape"

# Loading Ape and PyTorch takes seconds: one process answers call after call, each as `ape run ...` would.
ANSWERING = """
import contextlib, io, json, sys, traceback
from ape._cli import cli
for line in sys.stdin:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli(["run", *json.loads(line)], prog_name="ape")
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            code = 1
            traceback.print_exc()
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that was said on stderr, beside what was taken from the folder."""
        (line,) = [line for line in self.err.splitlines() if not line.startswith("as remembered in ")]
        assert line.startswith("Error: "), self.err
        return line


@dataclass
class Commands:
    """`ape run` in a folder of its own, beside a node of its own."""

    folder: Path
    process: subprocess.Popen
    node: str

    def __call__(self, *call: object) -> Outcome:
        self.process.stdin.write(json.dumps([str(word) for word in call]) + "\n")
        self.process.stdin.flush()
        return Outcome(*json.loads(self.process.stdout.readline()))

    def forget(self) -> None:
        """From now on the folder is about no federation, whatever was deployed in it before."""
        (self.folder / FILE).unlink(missing_ok=True)

    def json(self, *call: object) -> dict:
        """What a call that goes well says with --json."""
        done = self(*call, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    @property
    def web3(self) -> Web3:
        """The node itself, for what no command does."""
        return Web3(HTTPProvider(self.node))

    def contract(self, name: str, address: str) -> Any:
        """A contract on the node; the node signs for its own accounts."""
        return self.web3.eth.contract(Web3.to_checksum_address(address), abi=contract_types()[name].abi)

    def send(self, sender: str, to: str, data: str) -> None:
        """A transaction of one of the node's own accounts, in a block when this returns."""
        sent = self.web3.eth.send_transaction({"from": sender, "to": to, "data": data})
        assert self.web3.eth.wait_for_transaction_receipt(sent).status == 1

    def pass_time(self, seconds: int) -> None:
        self.web3.provider.make_request("evm_increaseTime", [seconds])
        self.web3.provider.make_request("evm_mine", [])

    def write(self, name: str, text: str | bytes) -> str:
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        (self.folder / name).chmod(0o600)
        return name


def project(folder: Path, node: str) -> Path:
    """The project's scripts and contracts in another folder, where they may write, on the node given."""
    folder.mkdir()
    for name in ("contracts", "scripts", ".openzeppelin"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".build", folder / ".build")
    config = (ROOT / "ape-config.yaml").read_text()
    assert "host: auto" in config
    (folder / "ape-config.yaml").write_text(config.replace("host: auto", f"host: {node}"))
    return folder


PASSPHRASE = "correct horse"
KEY = "0x" + "7e" * 32


def own_keys(folder: Path) -> Path:
    """A data folder of Ape with a locked key in it, under two names, beside the dependencies that are there already."""
    (folder / "accounts").mkdir(parents=True, mode=0o700)
    kept = Account.encrypt(KEY, PASSPHRASE, kdf="pbkdf2", iterations=2)
    for name in ("cold", "warm"):
        (folder / "accounts" / f"{name}.json").write_text(json.dumps(kept))
        (folder / "accounts" / f"{name}.json").chmod(0o600)
    (folder / "packages").symlink_to(Path(os.environ.get("APE_DATA_FOLDER", ROOT / ".ape")) / "packages")
    return folder


def once(*call: object, folder: Path) -> Outcome:
    """The real command, in a process of its own."""
    done = subprocess.run([APE, "run", *map(str, call)], cwd=folder, capture_output=True, text=True)
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def at_work(base: Path) -> Iterator[Commands]:
    """One node and one warmed process for all tests of the commands."""
    node = subprocess.Popen(["anvil", "--port", "0"], stdout=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in node.stdout if line.startswith("Listening on"))
    threading.Thread(target=node.stdout.read, daemon=True).start()  # a full pipe would stop the node
    folder = project(base / "project", f"http://{address}")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    keys = {"APE_DATA_FOLDER": str(own_keys(folder.parent / "ape")), "APE_ACCOUNTS_warm_PASSPHRASE": PASSPHRASE}
    env = {**os.environ, **keys}
    process = subprocess.Popen([sys.executable, "-c", ANSWERING], cwd=folder, text=True, env=env, **pipes)
    yield Commands(folder, process, f"http://{address}")
    process.stdin.close()
    process.wait()
    node.terminate()
    node.wait()


def remembered(commands: Commands) -> list[dict]:
    return json.loads((commands.folder / "deployments" / "31337.json").read_text())["all"]


def roots(summary: dict) -> list[str]:
    """A simulation's models: the first, then each round's."""
    return [summary["deployment"]["genesis"], *(r["model_root"] for r in summary["rounds"])]


def signed(index: int) -> list[str]:
    """The words that let one of the node's own accounts sign."""
    return ["--account", f"TEST::{index}"]
