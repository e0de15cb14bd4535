"""The page of likely mistakes is a test: each is made as its row says, and must be answered with just those words."""

import re
import shlex

import pytest
from support import mistakes
from support.cli import ROOT, Commands

pytestmark = pytest.mark.xdist_group("commands")

PAGE = (ROOT / "fl" / "guides" / "troubleshooting.md").read_text()
ROW = re.compile(r"^\| `(.+?)`( in `terms\.yaml`)? \| (.+) \|$", re.MULTILINE)
SECTIONS = {part.split("\n")[0]: ROW.findall(part) for part in PAGE.split("\n## ")[1:]}
ROWS = [pytest.param(*row, id=f"{kind}: {row[0]}") for kind, rows in SECTIONS.items() for row in rows]
HARMLESS = ("nothing to claim", "written: ")  # answered, with exit code 0
DEPLOY = ["deploy", "--account", "TEST::0", "--task", "linear", "--store", "store", "--terms", "terms.yaml"]


@pytest.fixture(scope="module")
def place(commands: Commands) -> dict[str, str]:
    """What the page takes for granted."""
    return mistakes.place(commands)


def pattern(result: str) -> str:
    """The words of a row as a pattern: … stands for whatever differs from time to time."""
    return re.escape(result.replace("\\|", "|")).replace("…", ".*")


@pytest.mark.parametrize("typed, in_terms, message", ROWS)
def test_mistake__is_answered_in_these_words(commands, place, typed, in_terms, message):
    if in_terms:
        commands.write("terms.yaml", typed)
        call = DEPLOY
    else:
        for name, value in place.items():
            typed = typed.replace(name, value)
        assert typed.startswith("ape run ")
        call = shlex.split(typed)[2:]
    commands.forget()
    done = commands(*call)
    assert done.code in ((0,) if message.startswith(HARMLESS) else (1, 2)), done
    said = done.err.splitlines() + done.out.splitlines()
    assert any(re.fullmatch(f"(Error: |FIX +[a-z ]+? +)?{pattern(message)}", line.strip()) for line in said), "\n".join(said)
    assert "Traceback" not in done.err and sum(line.startswith("Error: ") for line in said) <= 1


def test_every_kind_of_user__has_its_mistakes():
    least = {"Trying it out": 50, "Using the model": 20, "Deploying and funding": 50, "Taking part": 50, "Auditing": 40}
    assert {kind: len(rows) >= least[kind] for kind, rows in SECTIONS.items()} == dict.fromkeys(least, True)
    typed = [row[:2] for rows in SECTIONS.values() for row in rows]
    assert len(typed) == len(set(typed))
