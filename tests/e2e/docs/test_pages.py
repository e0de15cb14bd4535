"""Every command that the pages show is run, as a reader would: page by page, in a folder of its own, on a chain of its own.

A fence of `sh` is run, a fence of `yaml` that begins with the name of a file is written to it. Words that stand for what is
the reader's own (ADDRESS, me, cold, another network) are replaced; what cannot be run here stands in a fence of `text`. CI runs
`make` lines itself; here their targets must exist. Links between pages must lead somewhere.
"""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from support.cli import ROOT, project

SKIPPED = {".venv", "node_modules", ".openzeppelin", ".ape", ".cache", ".build", "build", "out", ".git", ".venv-flower"}
PAGES = sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob("*.md") if not SKIPPED & set(p.relative_to(ROOT).parts))
FENCE = re.compile(r"^```(sh|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
TEST_1, TEST_2 = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
# What the reader has, and what stands for it here.
WORDS = {
    r" --network ethereum:sepolia:node": "",
    r" --(store|public) (https://ipfs\.io/ipfs|ipfs://127\.0\.0\.1:5001)": "",
    r"--account me\b": "--account TEST::0",
    r"--account cold\b": "--account TEST::1",
    r"--account hot\b": "--account TEST::2",
    r"0xHOT\.\.\.": TEST_2,
    r"0x\.\.\.": TEST_1,
    r"ape accounts generate \w+": "true",
    r"export APE_FOUNDRY_HOST=http://127\.0\.0\.1:8545": "true",
    r"\bADDRESS\b": '"$(cat federation)"',
}
PREPARE = """
ape run deploy --account TEST::0 --task linear --store store > deployed.txt
sed -n 's/^federation *//p' deployed.txt > federation
for i in 1 2; do ape run join --federation "$(cat federation)" --account TEST::$i --stake 160 --mint --another > joined.txt
  ape run leave --federation "$(cat federation)" --account TEST::$i > left.txt
  ape run withdraw --federation "$(cat federation)" --account TEST::$i > withdrawn.txt; done
ape run fund --federation "$(cat federation)" --account TEST::0 --amount 5000 --mint > funded.txt
"""


def fences(page: str) -> list[tuple[str, str]]:
    return FENCE.findall((ROOT / page).read_text())


def lines(page: str) -> list[str]:
    """Commands, with continued lines joined and comments gone."""
    joined = "\n".join(text for kind, text in fences(page) if kind == "sh").replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def is_make(line: str) -> bool:
    return re.match(r"\s*make\b", line) is not None


RUN = [page for page in PAGES if any(not is_make(line) for line in lines(page))]


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """The project as a reader's clone, its code by links, beside a node that lasts as long as the page."""
    node = subprocess.Popen(["anvil", "--port", "0"], stdout=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in node.stdout if line.startswith("Listening on"))
    threading.Thread(target=node.stdout.read, daemon=True).start()  # a full pipe would stop the node
    home = project(tmp_path / "treaty", f"http://{address}")
    for name in ("fl", "tests", ".venv", "node_modules", ".solcx", "env.sh", "Makefile"):
        (home / name).symlink_to(ROOT / name)
    ended = threading.Event()
    threading.Thread(target=others, args=(f"http://{address}", ended), daemon=True).start()
    yield home
    ended.set()
    node.terminate()
    node.wait()


def others(address: str, ended: threading.Event) -> None:
    """A block a second besides the reader's own, as on any chain: who waits for confirmations gets them."""
    while not ended.wait(1):
        requests.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "evm_mine", "params": []}, timeout=5)


def table(path: Path) -> None:
    """Patients whose illness depends on age and stage, of two hospitals."""
    rng = np.random.default_rng(0)
    age, stage = rng.integers(20, 90, 240), rng.choice(["I", "II", "III"], 240)
    sick = (age / 90 + (stage == "III") + rng.normal(0, 0.3, 240)) > 1
    frame = {"age": age, "stage": stage, "hospital": rng.choice(["north", "south"], 240), "sick": np.where(sick, "yes", "no")}
    pd.DataFrame(frame).to_csv(path, index=False)


@pytest.mark.parametrize("page", RUN)
def test_page__its_commands_run(page, folder):
    script = "\n".join(line for line in lines(page) if not is_make(line))
    needs = re.search(r"\bADDRESS\b", script) is not None
    for pattern, word in WORDS.items():
        script = re.sub(pattern, lambda _, word=word: word, script)
    for kind, text in fences(page):
        if kind == "yaml" and (name := re.match(r"# (\S+\.yaml)\n", text)):
            own = re.sub(r'^token: "0x\.\.\.".*\n', "", text, flags=re.MULTILINE).replace("0x...", TEST_1)
            (folder / name[1]).write_text(own)
    table(folder / "patients.csv")
    whole = f"set -euo pipefail\n. ./env.sh\n{PREPARE if needs else ''}set -x\n{script}"
    env = {**os.environ, "APE_DATA_FOLDER": os.environ.get("APE_DATA_FOLDER", str(ROOT / ".ape"))}
    done = subprocess.run(["bash", "-c", whole], cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{page}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("page", PAGES)
def test_page__its_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {word for line in lines(page) if is_make(line) for word in re.findall(r"make ([a-z][\w-]*)", line)}
    result = set(re.findall(r"`make ([a-z][\w-]*)`", (ROOT / page).read_text()))
    assert (asked | result) - targets == set()


@pytest.mark.parametrize("page", PAGES)
def test_page__its_links_lead_somewhere(page):
    gone = [link for link in LINK.findall((ROOT / page).read_text()) if not ((ROOT / page).parent / link).exists()]
    assert gone == []


def test_the_pages__are_found():
    assert {"README.md", "fl/guides/dao.md", "fl/guides/taking-part.md", "fl/guides/auditor.md"} <= set(RUN)
