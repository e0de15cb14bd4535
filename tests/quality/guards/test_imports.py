"""No module of fl imports itself by way of others; and an import inside a function keeps something heavy out of start-up."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What is worth importing late: it takes seconds, or is not installed for everybody.
HEAVY = {
    "ape",
    "ape_ethereum",
    "torch",
    "flwr",
    "ray",
    "opacus",
    "dp_accounting",
    "pandas",
    "sklearn",
    "onnx",
    "pyarrow",
    "fsspec",
    "requests",
    "eth_abi",
}
ELSEWHERE = {"fl.learning.flower.worker"}  # runs in the environment of a Flower app, by itself


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted((ROOT / "fl").rglob("*.py"))}


def imported(node: ast.AST, modules: set[str]) -> set[str]:
    """The modules that an import statement names: `from fl.a import b` is fl.a.b, where that is a module."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {found if (found := f"{node.module}.{alias.name}") in modules else node.module for alias in node.names}
    return set()


def for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def arrows(source: str, modules: set[str]) -> set[str]:
    """What a module imports when it is used, wherever the statement stands."""
    found: set[str] = set()
    queue: list[ast.AST] = [ast.parse(source)]
    while queue:
        node = queue.pop()
        found |= imported(node, modules)
        queue += [] if for_types_alone(node) else list(ast.iter_child_nodes(node))
    return found & modules


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules each of which can be reached from each other (Tarjan's components of more than one)."""

    def reached(start: str) -> set[str]:
        seen, queue = set(), list(graph[start])
        while queue:
            if (one := queue.pop()) not in seen:
                seen.add(one)
                queue += graph[one]
        return seen

    far = {name: reached(name) for name in graph}
    groups = {tuple(sorted({name} | {o for o in far[name] if name in far[o]})) for name in graph if name in far[name]}
    return sorted(map(list, groups))


def test_modules__import_in_no_circle():
    names = set(MODULES)
    graph = {name: arrows(path.read_text(), names) - {name} for name, path in MODULES.items()}
    assert circles(graph) == []


def test_circle__is_seen():
    graph = {"a": arrows("def f():\n    import b", {"a", "b", "c"}), "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circles(graph) == [["a", "b", "c"]]
    assert arrows("if TYPE_CHECKING:\n    import a\nfrom b import c", {"a", "b", "b.c"}) == {"b.c"}


def late(source: str) -> list[tuple[int, set[str]]]:
    """(line, modules) of every import inside a function."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            found += [(node.lineno, imported(node, set(MODULES))) for node in inside]
    return sorted(dict(found).items())


def weight(name: str, seen: dict[str, bool]) -> bool:
    """Whether importing a module loads something heavy."""
    if name.partition(".")[0] in HEAVY:
        return True
    if name not in MODULES:
        return False
    if name not in seen:
        seen[name] = False
        tree = ast.parse(MODULES[name].read_text())
        top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        seen[name] = any(weight(one, seen) for node in top for one in imported(node, set(MODULES)))
    return seen[name]


@pytest.mark.parametrize("name", sorted(set(MODULES) - ELSEWHERE))
def test_import_inside_a_function__keeps_something_heavy_out_of_start_up__and_says_so(name):
    path, seen = MODULES[name], {}
    lines = path.read_text().splitlines()
    light = [lines[n - 1].strip() for n, names in late(path.read_text()) if not any(weight(one, seen) for one in names)]
    silent = [lines[n - 1].strip() for n, _ in late(path.read_text()) if "#" not in lines[n - 1] + lines[n - 2]]
    assert light == [] and silent == []
