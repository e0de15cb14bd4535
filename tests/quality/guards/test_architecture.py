"""The layers point one way, nothing unpickles, nothing swallows assertions, test files have names of their own."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# A layer may import the layers named; every layer may import itself and fl.errors.
ALLOWED = {
    "protocol": set(),
    "learning": {"protocol"},
    "network": {"protocol"},
    "agents": {"protocol", "learning", "network"},
    "tools": {"protocol", "learning", "network", "agents"},
    "__init__.py": {"learning", "tools"},  # the public face, which loads each name when it is asked for
}
APE_MAY = {"fl/network/ape_accounts.py"}


def imports(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found


def wrong_arrows(path: str, source: str) -> list[str]:
    layer = path.split("/")[1]
    wrong = []
    for name in imports(source):
        parts = name.split(".")
        if parts[0] == "fl" and len(parts) > 1 and parts[1] not in {"errors", "log", layer} | ALLOWED.get(layer, set()):
            wrong.append(f"{path}: {name}")
        if parts[0] == "torch" and layer != "learning":
            wrong.append(f"{path}: {name}")
        if parts[0].startswith("ape") and path not in APE_MAY:
            wrong.append(f"{path}: {name}")
    return wrong


def python_files(*folders: str) -> list[Path]:
    return [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]


def test_imports__point_one_way():
    wrong = [w for p in python_files("fl") for w in wrong_arrows(str(p.relative_to(ROOT)), p.read_text())]
    assert wrong == []


@pytest.mark.parametrize(
    "path, source",
    [
        ("fl/protocol/x.py", "from fl.learning.gate import gate"),
        ("fl/learning/x.py", "import fl.network.ape_accounts"),
        ("fl/network/x.py", "from fl.learning import task"),
        ("fl/agents/x.py", "import torch"),
        ("fl/tools/x.py", "from ape import chain"),
        ("fl/agents/x.py", "from fl.tools import deploy"),
    ],
)
def test_imports__a_wrong_arrow_is_seen(path, source):
    assert wrong_arrows(path, source)


BANNED = re.compile(r"\bpickle\b(?!s)|torch\.(load|save)\(|allow_pickle\s*=\s*True|\.isolate\(")


def banned(source: str) -> bool:
    code = "\n".join(line.split("#")[0] for line in source.splitlines())
    return bool(BANNED.search(code))


def test_nothing_unpickles_and_nothing_swallows_assertions():
    here = Path(__file__)
    assert [p for p in python_files("fl", "scripts", "tests") if p != here and banned(p.read_text())] == []
    assert banned("import pickle") and banned("with chain.isolate():") and banned("np.load(f, allow_pickle=True)")
    assert not banned("x = 1  # no pickle here")


def test_test_files__have_names_of_their_own():
    names = Counter(p.name for p in python_files("tests"))
    assert [n for n, count in names.items() if count > 1] == []


def test_scripts__stay_commands():
    assert [p.name for p in python_files("scripts") if len(p.read_text().splitlines()) > 80] == []
