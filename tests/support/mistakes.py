"""Where the page of likely mistakes is tried: federations in every state, and files with one thing wrong in each."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from support.cli import Commands, remembered

ROWS = [(30 + i, 50.5 + i, "north" if i % 3 else "south", i % 2) for i in range(48)]


def table(rows: Sequence[Sequence[object]], heading: str = "age,weight,ward,sick") -> str:
    return "\n".join([heading, *(",".join(map(str, row)) for row in rows)]) + "\n"


TASK = """
import numpy as np
import torch
from torch import nn
from fl.learning.task import Data, LocalTraining, Task

class Own(Task):
    name = "own"
    metric = "loss"
    higher_is_better = False
    training = LocalTraining(learning_rate=0.05)
    def data(self):
        x = np.random.default_rng(1).normal(size=(64, 3)).astype(np.float32)
        y = x.sum(axis=1)
        return Data(x, y)
    def model(self):
        return nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    def loss(self, outputs, targets):
        return nn.functional.mse_loss(outputs, targets)
    def evaluate(self, outputs, targets):
        return float(self.loss(outputs, targets))

TASK = Own()
"""

# name of a task file -> what of TASK is wrong in it
WRONG = {
    "batch-norm.py": ("nn.Linear(3, 1),", "nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 1),"),
    "huge.py": ("nn.Linear(3, 1),", "nn.Linear(3, 20_000, device='meta'), nn.Linear(20_000, 60_000, device='meta'),"),
    "short-y.py": ("Data(x, y)", "Data(x, y[:-1])"),
    "nan-x.py": ("return Data(x, y)", "x[5, 1] = np.nan\n        return Data(x, y)"),
    "wide.py": ("nn.Linear(3, 1)", "nn.Linear(4, 1)"),
    "pair.py": ("return Data(x, y)", "return x, y"),
    "double.py": ("Data(x, y)", "Data(x.astype(np.float64), y)"),
    "no-loss.py": ("    def loss(", "    def los("),
    "no-name.py": ('    name = "own"\n', ""),
    "typo.py": ("nn.functional.mse_loss(", "nn.functional.mse_los("),
    "vector-loss.py": ("mse_loss(outputs, targets)", "mse_loss(outputs, targets, reduction='none')"),
    "no-return.py": ("        return float(self.loss(outputs, targets))", "        float(self.loss(outputs, targets))"),
    "no-file.py": ("x = np.random.default_rng(1).normal(size=(64, 3)).astype(np.float32)", "x = np.load('mine.npy')"),
    "no-model.py": ("        return nn.Sequential(", "        nn.Sequential("),
    "steps.py": ("learning_rate=0.05", "learning_rate=0.05, steps=0"),
    "batch.py": ("learning_rate=0.05", "learning_rate=0.05, batch_size=0"),
    "rate.py": ("learning_rate=0.05", "learning_rate=1e30"),
    "rate-nan.py": ("learning_rate=0.05", "learning_rate=float('nan')"),
    "rate-negative.py": ("learning_rate=0.05", "learning_rate=-0.05"),
    "rate-zero.py": ("learning_rate=0.05", "learning_rate=0"),
    "rate-text.py": ("learning_rate=0.05", "learning_rate='fast'"),
    "momentum.py": ("learning_rate=0.05", "learning_rate=0.05, momentum=1.5"),
    "decay.py": ("learning_rate=0.05", "learning_rate=0.05, weight_decay=-1"),
    "diverges.py": ("learning_rate=0.05", "learning_rate=500.0"),
    "unused.py": ("nn.Linear(3, 1), nn.Flatten(0))", "nn.Linear(3, 1), nn.Flatten(0)).requires_grad_(False)"),
}

FILES = {
    "broken.py": "def (:\n",
    "needs.py": "import no_such_module\n",
    "wrong.txt": "wrong",
    "no-table.csv": "\x00\x01",
    "patients.csv": table(ROWS),
    "one-class.csv": table([(*row[:3], 1) for row in ROWS]),
    "word.csv": table([*ROWS[:7], ("old", *ROWS[7][1:]), *ROWS[8:]]),
    "no-target.csv": table([*ROWS[:7], (*ROWS[7][:3], ""), *ROWS[8:]]),
    "few.csv": table(ROWS[:5]),
    "names.csv": table([(*row, f"name {i}") for i, row in enumerate(ROWS + ROWS)], "age,weight,ward,sick,name"),
    "semicolons.csv": table(ROWS).replace(",", ";"),
    "latin.csv": table(ROWS).replace("north", "n\xf6rd").encode("latin-1"),
    "words.csv": "x,y\n1,2\nfew,4\n",
    "holes.csv": "x,y\n1,2\n,4\n",
    "line.csv": "x,y\n1,2\n2,4\n3,6\n",
    "new.csv": "x,id\n1,7\n",
}


def files(commands: Commands) -> None:
    for name, content in FILES.items():
        commands.write(name, content)
    for name, (right, wrong) in WRONG.items():
        assert TASK.count(right) == 1, (name, right)
        commands.write(name, TASK.replace(right, wrong))
    commands.write("own.py", TASK)


def deployed(commands: Commands, store: str, terms: str = "", task: str = "linear", factory: bool = True) -> str:
    """A federation sponsored by TEST::0; returns its address."""
    words = ["--factory", remembered(commands)[0]["factory"]] if factory else []
    number = len(remembered(commands)) if factory else 0  # equal terms have one federation
    commands.write("terms.yaml", f"{terms or 'trim: 0'}\nlabel: mistakes {number}\n")
    done = commands("deploy", "--account", "TEST::0", "--task", task, "--store", store, "--terms", "terms.yaml", *words)
    assert done.code == 0, done.err
    return str(remembered(commands)[-1]["federation"])


def well(commands: Commands, *call: object) -> None:
    done = commands(*call)
    assert done.code == 0, (call, done.err, done.out)


def seat(commands: Commands, federation: str, *indices: int) -> None:
    for index in indices:
        well(commands, "join", "--federation", federation, "--account", f"TEST::{index}", "--mint")


def open_round(commands: Commands, federation: str) -> None:
    """By whomever: anybody may, once there are seats and money."""
    well(commands, "fund", "--federation", federation, "--account", "TEST::0", "--amount", "100", "--mint")
    contract = commands.contract("Federation", federation)
    commands.send(commands.web3.eth.accounts[9], contract.address, contract.encode_abi("openRound", []))


def non_standard_token(commands: Commands, name: str) -> str:
    """The address of a token that no federation should take."""
    build = json.loads((commands.folder / ".build" / "__local__.json").read_text())["contractTypes"][name]
    code = build["deploymentBytecode"]["bytecode"]
    sent = commands.web3.eth.send_transaction({"from": commands.web3.eth.accounts[9], "data": code})
    return str(commands.web3.eth.wait_for_transaction_receipt(sent).contractAddress)


def lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def records(folder: Path) -> None:
    """Copies of a simulation's folder with one thing wrong in each."""

    def damaged(name: str) -> Path:
        return Path(shutil.copytree(folder / "sim", folder / name))

    def rewritten(name: str, change: Callable[[dict], object]) -> None:
        path = damaged(name) / "summary.json"
        summary = json.loads(path.read_text())
        change(summary)
        path.write_text(json.dumps(summary))

    update = min((damaged("altered") / "store").glob("*.update"))
    data = bytearray(update.read_bytes())
    data[100] ^= 1
    update.write_bytes(data)
    min((damaged("cut") / "store").glob("*.update")).write_bytes(b"short")
    (damaged("torn") / "events.jsonl").unlink()
    for path in (damaged("no-manifest") / "store").glob("*.json"):
        path.unlink()
    lines(damaged("short") / "events.jsonl", lambda all_: [line for line in all_ if "RoundOpened" not in line])
    lines(damaged("ended") / "events.jsonl", lambda all_: all_[:-3])
    lines(damaged("half") / "events.jsonl", lambda all_: [*all_[:-1], all_[-1][:20]])
    lines(damaged("old") / "events.jsonl", lambda all_: [all_[0].replace('"strictness"', '"strict"'), *all_[1:]])
    path = damaged("half-summary") / "summary.json"
    path.write_text(path.read_text()[:300])
    rewritten("older", lambda summary: summary.pop("accounting"))
    rewritten("no-rounds", lambda summary: summary.pop("rounds"))
    rewritten("richer", lambda summary: summary["seats"][0].update(stake=10**6))
    rewritten("model", lambda summary: summary["totals"].update(model_root="00" * 32))
    rewritten("scores", lambda summary: summary["rounds"][0]["scores"].update({"0": 255}))
    other = damaged("mixed")
    shutil.copy(folder / "sim2" / "events.jsonl", other / "events.jsonl")


def models(commands: Commands) -> None:
    """The model of a simulation, and the same with one byte altered."""
    well(commands, "model", "--summary", "sim/summary.json", "--out", "sim-model")
    altered = Path(shutil.copytree(commands.folder / "sim-model", commands.folder / "altered-model")) / "model.safetensors"
    data = bytearray(altered.read_bytes())
    data[-1] ^= 1
    altered.write_bytes(data)


def place(commands: Commands) -> dict[str, str]:
    """Makes everything that the page takes for granted; returns what stands for its words in capitals."""
    files(commands)
    for name, seed in (("sim", 1), ("sim2", 2)):  # before the others: a simulation turns the chain's clock
        well(commands, "simulate", "--task", "linear", "--seats", "3", "--rounds", "1", "--seed", seed, "--out", name)
    records(commands.folder)
    models(commands)
    federation = deployed(commands, "store", factory=False)
    seat(commands, federation, 1, 2, 3)
    running = deployed(commands, "store", "token: '" + remembered(commands)[0]["token"] + "'\n")
    seat(commands, running, 1, 2)
    operator = commands.web3.eth.accounts[6]
    well(commands, "join", "--federation", running, "--account", "TEST::3", "--mint", "--operator", operator)
    open_round(commands, running)
    well(commands, "leave", "--federation", running, "--account", "TEST::2")
    full = deployed(commands, "store", "max_seats: 3\n")
    seat(commands, full, 1, 4)
    well(commands, "join", "--federation", full, "--account", "TEST::4", "--mint", "--another")
    over = deployed(commands, "store")
    seat(commands, over, 1)
    well(commands, "conclude", "--federation", over, "--account", "TEST::0")
    closed = deployed(commands, "store", "allowlist: '0x" + "ab" * 32 + "'\n")
    fee = deployed(commands, "store", f"token: '{non_standard_token(commands, 'FeeOnTransferToken')}'\n")
    for name in ("taken", "foreign", "damaged"):
        (commands.folder / name).mkdir()
    held = os.open(commands.folder / "taken" / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    os.write(held, f"{os.getpid()}\n".encode())
    commands.write("foreign/identity.json", "{}")
    commands.write("damaged/privacy.json", "{")
    return {
        "$SIMULATED": json.loads((commands.folder / "sim" / "summary.json").read_text())["federation"],
        "$FEDERATION": federation,
        "$RUNNING": running,
        "$FULL": full,
        "$OVER": over,
        "$CLOSED": closed,
        "$FEE": fee,
    }
