"""The layers point one way, imports run in no circle, nothing unpickles, nothing swallows assertions."""

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
APE_MAY = {"fl/network/ape_accounts.py", "fl/network/ape_patches.py"}
# Within layers: what a folder's own modules must not import.
HONEST = ("fl/agents/roles", "fl/agents/record", "fl/agents/runtime")
PRODUCT = ("fl/learning", "fl/learning/data", "fl/learning/privacy", "fl/learning/flower", "fl/tools/federation", *HONEST)
GROUPS = ("audit", "federation", "host", "model", "report", "research", "simulation")
APART = {
    **dict.fromkeys(PRODUCT, ("fl.learning.research", "fl.learning.tasks", "fl.agents.adversaries")),
    "fl/tools/cli": tuple(f"fl.tools.{group}" for group in GROUPS),  # what all commands share knows none of them
}


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


def crossing(path: str, source: str) -> list[str]:
    """Imports of what the module's folder must not know."""
    barred = APART.get(path.rpartition("/")[0], ())
    return [f"{path}: {name}" for name in imports(source) if any(f"{name}.".startswith(f"{b}.") for b in barred)]


def test_imports__keep_apart_what_belongs_apart_within_a_layer():
    assert [w for p in python_files("fl") for w in crossing(str(p.relative_to(ROOT)), p.read_text())] == []


@pytest.mark.parametrize(
    "path, source",
    [
        ("fl/agents/roles/x.py", "from fl.agents.adversaries import cast"),
        ("fl/learning/trainer.py", "from fl.learning.research.attacks import ATTACKS"),
        ("fl/learning/x.py", "import fl.learning.tasks.heart"),
        ("fl/tools/cli/x.py", "from fl.tools.federation.seats import join"),
    ],
)
def test_imports__of_what_belongs_apart__are_seen(path, source):
    assert crossing(path, source)


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_at_start(source: str, modules: set[str]) -> set[str]:
    """Our modules that a module needs before it is whole."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wholes = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module or ""} | wholes
    return found & modules


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that need one another, if there are any."""
    left = dict(arrows)
    while ready := [name for name, needs in left.items() if not needs & set(left)]:
        for name in ready:
            del left[name]
    return sorted(left)


def test_imports__run_in_no_circle():
    sources = {module(p): p.read_text() for p in python_files("fl")}
    packages = {module(p) for p in python_files("fl") if p.name == "__init__.py"}
    arrows = {name: imported_at_start(source, set(sources)) for name, source in sources.items()}
    # A package is imported with each of its modules; what counts is who names whom.
    assert circle({name: needs - packages - {name} for name, needs in arrows.items()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


def test_groups_of_tools__are_those_that_exist():
    assert {p.parent.name for p in (ROOT / "fl" / "tools").glob("*/__init__.py")} == {*GROUPS, "cli"}


def test_scripts__import_of_ape_no_more_than_what_makes_a_command():
    wrong = [f"{p.name}: {n}" for p in python_files("scripts") for n in imports(p.read_text()) if n.startswith("ape")]
    assert [w for w in wrong if not w.endswith(": ape.cli")] == []


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
    assert [
        p.name for p in python_files("scripts") if len(p.read_text().splitlines()) > 90
    ] == []  # a typed parameter is a line
