"""The page of likely mistakes is a test: each is made as its row says, and must be answered with just those words."""

import re
import shlex
from pathlib import Path

import pytest
from harness import ROOT, Doors, remembered

pytestmark = pytest.mark.xdist_group("doors")

PAGE = (ROOT / "fl" / "guides" / "troubleshooting.md").read_text()
ROW = re.compile(r"^\| `(.+?)`( in `terms\.yaml`)? \| (.+) \|$", re.MULTILINE)
SECTIONS = {part.split("\n")[0]: ROW.findall(part) for part in PAGE.split("\n## ")[1:]}
ROWS = [pytest.param(*row, id=f"{kind}: {row[0]}") for kind, rows in SECTIONS.items() for row in rows]
DEPLOY = ["deploy", "--account", "TEST::0", "--task", "linear", "--store", "store", "--terms", "terms.yaml"]


@pytest.fixture(scope="module")
def place(doors: Doors) -> dict[str, str]:
    """What the page takes for granted: a federation of linear in which TEST::1 to TEST::3 hold seats, and some broken files."""
    doors.write("broken.py", "def (:\n")
    doors.write("needs.py", "import no_such_module\n")
    doors.write("wrong.txt", "wrong")
    doors.write("no-table.csv", "\x00\x01")
    done = doors("deploy", "--account", "TEST::0", "--task", "linear", "--store", "store")
    assert done.code == 0, done.err
    federation = remembered(doors)[-1]["federation"]
    for index in (1, 2, 3):
        joined = doors("join", "--federation", federation, "--account", f"TEST::{index}", "--mint")
        assert joined.code == 0, joined.err
    played = doors("simulate", "--task", "linear", "--seats", "3", "--rounds", "1", "--seed", "1", "--out", "sim")
    assert played.code == 0, played.err
    torn(doors.folder / "sim", doors.folder)
    return {"$FEDERATION": federation}


def torn(whole: Path, folder: Path) -> None:
    """Copies of a simulation's folder with one thing wrong in each."""
    import shutil

    for name in ("altered", "torn", "short"):
        shutil.copytree(whole, folder / name)
    update = min((folder / "altered" / "store").glob("*.update"))
    data = bytearray(update.read_bytes())
    data[100] ^= 1
    update.write_bytes(data)
    (folder / "torn" / "events.jsonl").unlink()
    lines = (folder / "short" / "events.jsonl").read_text().splitlines()
    (folder / "short" / "events.jsonl").write_text("\n".join(lines[:5] + lines[6:]))


def pattern(told: str) -> str:
    """The words of a row as a pattern: … stands for whatever differs from time to time."""
    return re.escape(told.replace("\\|", "|")).replace("…", ".*")


@pytest.mark.parametrize("typed, in_terms, told", ROWS)
def test_mistake__is_answered_in_these_words(doors, place, typed, in_terms, told):
    if in_terms:
        doors.write("terms.yaml", typed)
        call = DEPLOY
    else:
        for name, value in place.items():
            typed = typed.replace(name, value)
        assert typed.startswith("ape run ")
        call = shlex.split(typed)[2:]
    done = doors(*call)
    assert done.code in (1, 2), done
    said = done.err.splitlines() + done.out.splitlines()
    assert any(re.fullmatch(f"(Error: |FIX +\\w+ +)?{pattern(told)}", line.strip()) for line in said), "\n".join(said)
    assert "Traceback" not in done.err and sum(line.startswith("Error: ") for line in said) <= 1


def test_every_kind_of_user__has_its_mistakes():
    assert {kind: len(rows) >= 8 for kind, rows in SECTIONS.items()} == dict.fromkeys(SECTIONS, True)
    assert sum(map(len, SECTIONS.values())) >= 100
