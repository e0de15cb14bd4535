"""A short chaos test: a chain, processes, faults; and the command of one seat as people use it.

when everybody is a process of its own and the day is bad: rounds end, nobody honest loses stake, the audit agrees
when a key has a passphrase: it is read from a file or the environment, and stands in no log
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from eth_account import Account
from support.daemon_cluster import DaemonCluster, Key

pytestmark = pytest.mark.xdist_group("chaos")

ROOT = Path(__file__).parents[4]
APE = Path(sys.executable).parent / "ape"


def test_chaos__ends_a_round__and_no_honest_participant_loses_stake(tmp_path):
    words = "--minutes 0.1 --seed 3 --paced --window 10 --every 6 --task linear --seats 3"
    done = subprocess.run(
        [APE, "run", "chaos", *words.split(), "--out", tmp_path / "out"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["rounds"]["finished"] >= 1 and summary["honest_stake_lost"] == 0 and summary["audit"]["passed"]
    assert {s["seat"] for s in summary["slashes"]} <= {3}  # the liar alone
    assert sum(summary["faults"].values()) >= 3
    assert "audit passed" in done.stdout


def test_chaos__refuses_a_folder_that_holds_one(tmp_path):
    (tmp_path / "summary.json").write_text("{}")
    done = subprocess.run([APE, "run", "chaos", "--out", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "holds an earlier run" in done.stderr


# ---- one seat, by its command

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A cluster with a round open, whose seat 1 is operated by a key that only a passphrase opens."""
    folder = tmp_path_factory.mktemp("command")
    cluster = DaemonCluster(folder / "cluster")
    key = Key(0x5EC4E7)
    cluster.hand_over(1, key)
    cluster.system.do("openRound")
    cluster.mine(2)
    home = folder / "ape"
    (home / "accounts").mkdir(parents=True)
    (home / "accounts" / "hot.json").write_text(json.dumps(Account.encrypt(key.secret, PASSPHRASE, iterations=2)))
    (home / "accounts" / "hot.json").chmod(0o600)
    for name in ("packages", "solc"):
        if (ROOT / ".ape" / name).exists():
            shutil.copytree(ROOT / ".ape" / name, home / name)
    yield cluster, key, home, folder
    cluster.close()


def command(cluster: DaemonCluster, *words: object) -> list[str]:
    call = ["run", "participate", "--rpc", cluster.url, "--federation", cluster.system.federation.address]
    call += ["--store", cluster.store.path, "--shard", "1/4", "--seat", "1", "--confirmations", "0", "--poll", "0.1", *words]
    return [str(APE), *map(str, call)]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("APE_ACCOUNTS")}
    return {**kept, "APE_DATA_FOLDER": str(home), **more}


def test_door__locked_key__says_what_to_give(opened):
    cluster, _, home, folder = opened
    call = command(cluster, "--account", "hot", "--journal", folder / "j", "--once")
    done = subprocess.run(call, cwd=ROOT, env=environment(home), capture_output=True, text=True)
    assert done.returncode == 1 and "give --passphrase-file" in done.stderr.splitlines()[-1]


def test_door__runs__is_measured__stops_when_asked__and_tells_no_secret(opened):
    cluster, key, home, folder = opened
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    (folder / "passphrase").chmod(0o600)
    words = ["--account", "hot", "--passphrase-file", folder / "passphrase", "--journal", folder / "j", "--metrics", "0"]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command(cluster, *words), cwd=ROOT, env=environment(home), stdout=out, stderr=out)
        try:
            while "commit mined" not in log.read_text():
                assert process.poll() is None, log.read_text()
            address = re.search(r"metrics on (http\S+)", log.read_text()).group(1)
            metrics = urllib.request.urlopen(address).read().decode()
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()
            process.wait()
    text = log.read_text()
    assert "the journal has everything" in text and cluster.system.see("recordOf", 1)[0] == 1
    assert re.search(r'treaty_round\{federation="0x\w+",seat="1"\} 1.0', metrics)
    assert 'treaty_transactions{function="commit",state=' in metrics
    secrets = [PASSPHRASE, key.secret.hex(), (folder / "j" / "1.salt").read_bytes().hex()]
    assert not [secret for secret in secrets if secret in text]
    for path in (folder / "j").rglob("*"):
        if path.is_file():
            assert PASSPHRASE.encode() not in path.read_bytes() and key.secret not in path.read_bytes()


def test_door__once__from_the_environment__in_json(opened):
    cluster, _, home, folder = opened
    call = command(cluster, "--account", "hot", "--journal", folder / "j", "--once", "--log-json")
    given = environment(home, APE_ACCOUNTS_hot_PASSPHRASE=PASSPHRASE)
    done = subprocess.run(call, cwd=ROOT, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all({"time", "level", "text"} <= set(json.loads(line)) for line in done.stderr.splitlines())
