"""The project speaks the field's words: none of its retired ones comes back in code, pages, help texts or tests."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
READ = {".py", ".md", ".sol", ".html", ".js", ".css", ".yaml", ".yml", ".toml", ".sh", ".svg", ""}
# Records of campaigns quote code as it was; the changelog and this file name the retired words.
SKIPPED = ("tests/quality/mutation/", "fl/learning/results/", "CHANGELOG.md", "tests/quality/guards/test_words.py")

RETIRED = {
    r"doors?": "command",
    r"deeds?": "transaction, if signed; offence, if slashed",
    r"vicious": "non-standard",
    r"NumberIsRight": "CoordinateCorrect",
    r"rehears\w*": "chaos test",
    r"in the clear": "centralised",
    r"average alone": "local only",
    r"cranks?": "housekeeping",
    r"residue": "residual",
    r"nursery": "worker pool",
    r"(towns?|streets?)": "in-process chain, or daemon cluster",
    r"the books": "the accounting",
    r"(MOST|LEAST)_\w+": "MAX_ or MIN_",
    r"is no (valid )?(address|number|file|folder|account|task|journal|summary|record)": "is not a valid ...",
    r"(falls?|fell|falling) silent": "stops answering, or does not reveal",
    r"who(ever)? (checks|falls|hides)": "a checker; somebody who hides",
    r"refuses with": "fails with the error",
    r"files? that nobody has": "missing file",
}
WORDS = {re.compile(rf"(?<![A-Za-z_]){word}(?![A-Za-z_])"): instead for word, instead in RETIRED.items()}


def retired(text: str) -> list[str]:
    """The lines of a text that hold a retired word, each with what to write instead."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for word, instead in WORDS.items():
            if match := word.search(line):
                found.append(f"{number}: {match[0]!r}: write {instead}")
    return found


def pages() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [name for name in listed.stdout.splitlines() if Path(name).suffix in READ and not name.startswith(SKIPPED)]
    return [name for name in files if (ROOT / name).is_file()]


def test_no_retired_word__in_anything_that_people_read():
    found = [f"{name}:{line}" for name in pages() for line in retired((ROOT / name).read_text())]
    assert found == []


def test_pages__are_found():
    assert {"README.md", "fl/errors.py", "scripts/join.py", "contracts/Federation.sol", "Makefile"} <= set(pages())


@pytest.mark.parametrize(
    "line",
    [
        "One call behind a door.",
        "    # a deed that the chain saw",
        "MOST_ROUNDS = 3",
        'raise ChainError(f"{given!r} is no address")',
        "| average alone | in the clear |",
        "every round ends whoever falls silent",
    ],
)
def test_retired_word__is_seen(line):
    assert retired(line)


@pytest.mark.parametrize("line", ["a backdoor in the model", "indeed", "an outdoor task", "ALMOST_ALL = 3"])
def test_other_words__are_left_alone(line):
    assert retired(line) == []
