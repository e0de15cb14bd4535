"""The two walks of a new user, with the commands of the pages and nothing else: from a table to predictions, and a federation
of three participants who share an invitation alone."""

import base64
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load
from support.cli import APE, ROOT, project
from support.eavesdropper import Eavesdropper, tells, windows
from support.keys import Key

from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.tools.federation.invitation import Invitation

TEST_0 = 0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80  # the key of the sponsor, which everybody knows

BLOCK = 0.4  # seconds on the wall, and 5 of the chain's clock; the guide's 0.25 suit a machine that does nothing else
MINUTES = 5.0
PRIVATE_SUM = ("--private-sum", "--seats", "4")


def table(path: Path, rows: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    age, ward = rng.integers(20, 90, rows), rng.choice(["ICU", "main", "day"], rows)
    pd.DataFrame({"age": age, "ward": ward, "relapse": np.where(age > 55, "yes", "no")}).to_csv(path, index=False)
    return path


class Command:
    """A command that keeps running, in a folder of its own, with its output in a file."""

    def __init__(self, folder: Path, log: Path, *words: object, **env: str):
        self.folder, self.log = folder, log
        # A session of its own, so that killing it leaves the others alone.
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [APE, "run", *map(str, words)],
                cwd=folder,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **env},
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def until(self, pattern: str, seconds: float) -> re.Match:
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.text)) is None:
            assert self.process.poll() is None and time.monotonic() < end, f"no {pattern!r} in {self.text[-3000:]}"
            time.sleep(0.2)
        return found

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture
def chain():
    words = ["anvil", "--port", "0", "--chain-id", "1337", "--block-time", str(BLOCK), "--accounts", "10"]
    node = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in node.stdout if line.startswith("Listening on"))
    threading.Thread(target=node.stdout.read, daemon=True).start()  # a full pipe would stop the node
    yield f"http://{address}"
    node.kill()
    node.wait()


def shown_by(page: str, begins: str) -> list[list[str]]:
    """The commands of a page that begin so, as words."""
    lines = (ROOT / page).read_text().replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith(begins)]


def quick(*words: object, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([APE, "run", *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=200)


def address_in(keystore: Path) -> str:
    return "0x" + json.loads(keystore.read_text())["address"].removeprefix("0x").lower()


@pytest.mark.xdist_group("chaos")
def test_three_participants__who_share_an_invitation_alone__make_a_model__though_their_host_dies(chain, tmp_path):
    folders = {name: project(tmp_path / name, chain) for name in ("sponsor", "a", "b", "c")}
    columns = table(tmp_path / "columns.csv", 60, 0)
    hosting = ["host", "--account", "TEST::0", "--network", chain, "--budget", "5"]
    first = ["--data", columns, "--target", "relapse", "--block-seconds", "5"]
    typed = shown_by("fl/guides/hosting.md", "ape run host --data")[0]
    assert set(typed[2:]) - {*map(str, hosting), *map(str, first)} == {"columns.csv", "http://127.0.0.1:8545"}
    running: list[Command] = []
    try:
        host = Command(folders["sponsor"], tmp_path / "host.log", *hosting, *first, "--port", "0")
        running.append(host)
        port = re.fullmatch(r".*:(\d+)", host.until(r"at (http://\S+);", 120)[1])[1]
        link = re.search(r"^treaty://\S+$", host.text, re.M)[0]
        data = {name: table(folders[name] / "mine.csv", 40 + 10 * i, i) for i, name in enumerate("abc", 1)}

        shown = quick("take-part", link, "--data", data["a"], folder=folders["a"])
        assert shown.returncode == 0 and "nothing was signed" in shown.stdout, shown
        words = re.search(r"words: (\w+ \w+ \w+ \w+) ", host.text)[1]
        assert words in shown.stdout and "worst loss" in shown.stdout and not (folders["a"] / "taking-part" / "keys").exists()

        began = time.monotonic()
        for name in "abc":
            words = ["take-part", link, "--data", data[name], "--accept"]
            running.append(Command(folders[name], tmp_path / f"{name}.log", *words))
        for step in ("made  ", "staked, operated by"):  # the third is killed after each step, and called again
            running[-1].until(step, 120)
            running.pop().kill()
            running.append(Command(folders["c"], tmp_path / "c.log", *words))
        running[1].until("the chain has this seat's reveal", 240)
        host.kill()
        time.sleep(5)
        again = Command(folders["sponsor"], tmp_path / "host.log", *hosting, "--port", port)
        running.append(again)
        models: set[str] = set()
        while True:
            status = quick("status", "--json", folder=folders["sponsor"])
            facts = json.loads(status.stdout) if status.returncode == 0 else {}
            models |= {facts["model"]} if facts else set()
            if len(models) == 2:  # a round whose files nobody could read, while the host was away, changes nothing
                break
            assert time.monotonic() - began < 60 * MINUTES, [command.text[-1500:] for command in running]
            time.sleep(1)
        took, final = time.monotonic() - began, facts["round"] - (facts["phase"] != "idle")
        earned = {seat["owner"].lower() for seat in facts["seats"] if int(seat["earned"])}
        assert [seat["stake"] for seat in facts["seats"]] == [str(100 * 10**18)] * 3  # nobody was slashed
        # A seat is not left alone because its host is down and its invitation over: its daemon starts all the same.
        again.kill()
        running[1].kill()
        over = replace(Invitation.read(link), expires=1).signed(Key(TEST_0).sign_typed)
        over.write(folders["a"] / "invite.json")
        running.append(
            Command(folders["a"], tmp_path / "again.log", "take-part", "invite.json", "--data", data["a"], "--accept")
        )
        running[-1].until("FIX .*127.0.0.1", 60)
        running[-1].until("the daemon runs all the same", 10)
        running[-1].until("phase begins", 60)
        made = quick("model", "--round", final, "--out", "model", folder=folders["b"])  # no address: the folder remembers it
        assert made.returncode == 0 and f"Finalized of round {final}" in made.stdout, made
        (folders["b"] / "new.csv").write_text(data["b"].read_text())
        done = quick("predict", "--model", "model", "--data", "new.csv", "--out", "predictions.csv", folder=folders["b"])
        assert done.returncode == 0, done
        assert len(pd.read_csv(folders["b"] / "predictions.csv")) == 60
        paid = next(name for name in "abc" if address_in(folders[name] / "taking-part/keys/owner.json") in earned)
        for typed in shown_by("fl/guides/taking-part.md", "ape run ")[4:6]:  # claim and leave, by the keys that were made
            assert typed[2] in ("claim", "leave") and typed[4] == "taking-part/keys/owner.json"
            done = quick(*typed[2:], folder=folders[paid])
            assert done.returncode == 0 and ("went to" in done.stdout or "leaves" in done.stdout), done
        page = quick("report", "--data", "mine.csv", "--json", folder=folders["b"])
        assert page.returncode == 0 and json.loads(page.stdout)["rounds"] >= 1, page
        assert "the 60 rows of the reader&#39;s own table" in (folders["b"] / "report.html").read_text()
        new = quick("take-part", "invite.json", "--data", data["a"], "--folder", "other", "--accept", folder=folders["a"])
        assert new.returncode == 1 and "the invitation expired on 1970-01-01" in new.stderr  # nobody else takes a seat by it
        print(f"first final model after {took:.0f} s, in round {final}; paid: {len(earned)} of 3")
    finally:
        for command in running:
            command.end()


def steps_in(folder: Path) -> bytes:
    """The updates before masks that a participant's journal holds."""
    found = [
        load(path.read_bytes())["steps"] for path in (folder / "taking-part/journal").rglob("*.steps") if path.stat().st_size
    ]
    return b"".join(steps.astype("<i2").tobytes() for steps in found)


@pytest.mark.xdist_group("chaos")
def test_four_partners__who_share_an_invitation_and_a_list_of_operators__learn_from_their_sum_alone(chain, tmp_path):
    """A private sum over a host: keys announced, masked files uploaded, votes cast; the audit passes on what is public."""
    folders = {name: project(tmp_path / name, chain) for name in ("sponsor", "a", "b", "c", "d")}
    columns = table(tmp_path / "columns.csv", 60, 0)
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    to_host, to_node = heard = Eavesdropper(port), Eavesdropper(int(chain.rpartition(":")[2]))
    hosting = ["host", "--account", "TEST::0", "--network", chain, "--budget", "5", "--block-seconds", "5"]
    hosting += ["--port", port, "--url", to_host.url]
    running: list[Command] = []
    try:
        host = Command(
            folders["sponsor"], tmp_path / "host.log", *hosting, "--data", columns, "--target", "relapse", *PRIVATE_SUM
        )
        running.append(host)
        host.until(r"at (http://\S+);", 120)
        link = re.search(r"^treaty://\S+$", host.text, re.M)[0]
        data = {name: table(folders[name] / "mine.csv", 40 + 10 * i, i) for i, name in enumerate("abcd", 1)}
        words = {name: ["take-part", link, "--data", data[name], "--rpc", to_node.url, "--accept"] for name in "abcd"}
        for name in "abcd":  # the first call takes the seat, and says which operator the others are to be told
            done = quick(*words[name], folder=folders[name])
            assert done.returncode == 0 and "call the same command again with --partners FILE" in done.stdout, done
        operators = [address_in(folders[name] / "taking-part/keys/operator.json") for name in "abcd"]
        for name in "abcd":
            (folders[name] / "partners.txt").write_text("".join(f"{one}\n" for one in operators))
            said = *words[name], "--partners", "partners.txt"
            running.append(Command(folders[name], tmp_path / f"{name}.log", *said))
        began, facts = time.monotonic(), {}
        while facts.get("round", 0) < 2:
            assert time.monotonic() - began < 60 * MINUTES, [command.text[-1500:] for command in running]
            status = quick("status", "--json", folder=folders["sponsor"])
            facts = json.loads(status.stdout) if status.returncode == 0 else {}
            time.sleep(1)
        took = time.monotonic() - began
        assert [seat["stake"] for seat in facts["seats"]] == [str(100 * 10**18)] * 4  # nobody was slashed
        rpc = Rpc([chain])
        node = FederationReader.open(rpc, facts["federation"])
        events = node.events_until(node.head())
        announced = [event for event in events if event.name == "Announced"]
        senders = {str(rpc("eth_getTransactionByHash", e.transaction)["from"]).lower() for e in announced}
        assert len(announced) >= 4 and senders == {Key(TEST_0).address.lower()}  # the host's relay sent each of them
        adopted = [event for event in events if event.name == "Finalized" and event.fields["adopted"]]
        assert adopted, [event.name for event in events]
        audited = quick("audit", "--federation", facts["federation"], "--store", to_host.url, folder=folders["a"])
        assert audited.returncode == 0 and "audit passed" in audited.stdout, audited
        made = quick("model", "--out", "model", folder=folders["b"])
        assert made.returncode == 0, made
        done = quick("predict", "--model", "model", "--data", "mine.csv", "--out", "predictions.csv", folder=folders["b"])
        assert done.returncode == 0 and len(pd.read_csv(folders["b"] / "predictions.csv")) == 60, done
        # Whoever reads every packet, every log and every published file finds nothing of an update before masks.
        public = b"\0".join(bytes(said) for one in heard for said in one.heard)
        public += b"\0".join(
            path.read_bytes()
            for path in [*tmp_path.glob("*.log"), *(folders["sponsor"] / "store").rglob("*")]
            if path.is_file()
        )
        updates = {name: steps_in(folders[name]) for name in "abcd"}
        assert [name for name, steps in updates.items() if not list(windows(steps))] == []  # there is something to find
        assert [name for name, steps in updates.items() if tells(public, steps)] == []
        assert all(
            tells(public + said, steps)
            for steps in updates.values()
            for said in (steps, steps.hex().encode(), base64.b64encode(b"x" + steps))
        )
        masked = [path.read_bytes() for name in "abcd" for path in (folders[name] / "taking-part/journal").rglob("1.update")]
        assert len(masked) == 4 and all(
            tells(b"".join(bytes(said) for said in to_host.heard), file) for file in masked
        )  # it hears
        print(f"first model from a private sum over a host after {took:.0f} s")
    finally:
        for one in [*running, *heard]:
            one.end() if isinstance(one, Command) else one.close()


@pytest.mark.xdist_group("chaos")
def test_tables__become_a_model_and_predictions__in_two_commands(tmp_path):
    """Word for word as the README's first screen says, after set-up."""
    for i, name in enumerate("abc", 1):
        table(tmp_path / f"{name}.csv", 40 + 10 * i, i)
    pd.read_csv(table(tmp_path / "new.csv", 30, 9)).drop(columns="relapse").to_csv(tmp_path / "new.csv", index=False)
    made, predicted = (shown_by("README.md", f"ape run {command} ")[0] for command in ("up", "predict"))
    began = time.monotonic()
    for words in (made, predicted):
        own = [tmp_path / word if word.endswith(".csv") or word.startswith("out/") else word for word in words[2:]]
        done = quick(*own, folder=ROOT)
        assert done.returncode == 0, done
        if words is made:
            assert "audit passed" in done.stdout and "round 3: a new model (3 revealed, 3 accepted)" in done.stdout
            print(f"model of three rounds after {time.monotonic() - began:.0f} s")
    classes = pd.read_csv(tmp_path / "predictions.csv")["prediction"]
    assert len(classes) == 30 and set(classes) <= {"yes", "no"}
