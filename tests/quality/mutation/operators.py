"""Small wrongs, one at a time: what a slip of the hand or a missing test would leave behind, in Solidity and in Python."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One changed line of one file."""

    file: str
    line: int
    was: str
    now: str
    source: str  # the whole mutated file
    place: int = 1  # of those in the file that read alike

    @property
    def name(self) -> str:
        return f"{self.file}: `{self.was}` -> `{self.now}`" + (f" ({self.place})" if self.place > 1 else "")

    @property
    def digest(self) -> str:
        return sha256(self.name.encode()).hexdigest()[:10]


# (what to find, what to put there); every place where it matches is a mutant of its own
SOLIDITY = [
    (r"(?<![<>=!])<(?![<=])", "<="),
    (r"<=", "<"),
    (r"(?<![<>=!-])>(?![>=])", ">="),
    (r"(?<!>)>=", ">"),
    (r"==", "!="),
    (r"!=", "=="),
    (r"(?<!\+)\+(?![+=])", "-"),
    (r"(?<!-)-(?![-=>])", "+"),
    (r"\+=", "-="),
    (r"-=", "+="),
    (r"(?<![*/])\*(?![*/=])", "+"),
    (r"(?<![*/])/(?![*/=])", "*"),
    (r"<<(?!=)", ">>"),
    (r">>(?!=)", "<<"),
    (r"&&", "||"),
    (r"\|\|", "&&"),
    (r"(?<![&])&(?![&=])", "|"),
    (r"(?<![|])\|(?![|=])", "&"),
    (r"!(?=[\w(])", ""),
    (r"~", ""),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"\bnonReentrant\b", ""),
    (r"(?<![\w.])(\d+)(?![\w.])", lambda m: str(int(m[1]) + 1)),
    (r"(?<![\w.])0x[\da-f]+(?![\w.])", lambda m: hex(int(m[0], 16) + 1)),
    (r"\bmsg\.sender\b", "address(1)"),
    (r"\bblock\.chainid\b", "1"),
    (r"\baddress\(this\)", "address(1)"),
]
# In assembly besides: another word with as many arguments, a name without its value.
WORDS = {"add": "sub", "sub": "add", "mul": "add", "shl": "shr", "shr": "shl", "sar": "shr", "and": "or", "lt": "gt"}
WORDS |= {"gt": "lt", "eq": "gt", "slt": "sgt", "sgt": "slt", "mstore8": "mstore", "calldataload": "mload"}
ASSEMBLY = [(rf"\b{was}(?=\()", now) for was, now in WORDS.items()] + [(r"^(\s*let \w+) := .*", lambda m: m[1])]
STATEMENT = re.compile(
    r"^\s*(?!return |unchecked|\}|using\b|type\b)"
    r"((emit |delete |revert |_?\w[\w.\[\]()]*( [-+|&*/]?= |\())[^{]*|break|continue|return);$"
)
ASSEMBLY_STATEMENT = re.compile(r"^\s*(?!let )\w+(\([^{]*\)| := [^{]*)$")
DECLARED = re.compile(
    r"^\s*(u?int\d*|bytes\d*|bool|address|string|Record|Phase|Round|Demand|Seat|Terms|mapping|I[A-Z]\w+)\b[^(=]*( =|;)"
)
SKIPPED = re.compile(r"^\s*(//|/\*|\*|import|pragma|error |event |using |contract |abstract |library |interface |type )")


def of_solidity(path: Path, root: Path) -> Iterator[Mutant]:
    """Every mutant of a Solidity file."""
    text = path.read_text()
    lines, depth = text.split("\n"), 0  # of brackets, in a block of assembly
    for number, line in enumerate(lines):
        code = line.split("//")[0].rstrip()
        inside, opens = depth > 0, re.match(r"\s*assembly\b", code)
        depth += code.count("{") - code.count("}") if inside or opens else 0
        if not code.strip() or SKIPPED.match(line):
            continue
        for changed in _assembly_line(code) if inside else _solidity_line(code):
            source = "\n".join([*lines[:number], changed, *lines[number + 1 :]])
            yield Mutant(str(path.relative_to(root)), number + 1, code.strip(), changed.strip(), source)


def _assembly_line(code: str) -> Iterator[str]:
    yield from _put(SOLIDITY + ASSEMBLY, code)
    for m in re.finditer(r"\b(iszero|not)\(", code):
        end = _closing(code, m.end() - 1)
        yield code[: m.start()] + code[m.end() : end] + code[end + 1 :]
    condition = re.search(r"\bif ([^{]*) \{", code)
    if condition:
        for value in "10":
            yield code[: condition.start(1)] + value + code[condition.end(1) :]
    if ASSEMBLY_STATEMENT.match(code):
        yield "{}"


def _put(rules: list[tuple[str, Any]], code: str) -> Iterator[str]:
    for pattern, put in rules:
        for m in re.finditer(pattern, code):
            if code[: m.start()].count('"') % 2:
                continue  # a text, such as what an assembly block promises the compiler
            new = put(m) if callable(put) else put
            yield code[: m.start()] + new + code[m.end() :]


def _solidity_line(code: str) -> Iterator[str]:
    yield from _put(SOLIDITY, code)
    opened = re.search(r"\bif \(", code)
    if opened:
        end = _closing(code, opened.end() - 1)
        if end:
            for value in ("true", "false"):
                yield f"{code[: opened.end()]}{value}{code[end:]}"
    if STATEMENT.match(code) and not DECLARED.match(code):
        yield "{}"


def _closing(code: str, at: int) -> int:
    """Where the bracket opened at `at` closes; 0 if on a later line."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if depth == 0:
            return i
    return 0


SWAPS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def of_python(path: Path, root: Path) -> Iterator[Mutant]:
    """Every mutant of a Python file's code; docstrings and annotations stay, and what is read in one piece is one number."""
    text = path.read_text()
    tree = ast.parse(text)
    lines = text.split("\n")
    spared = {part for node in ast.walk(tree) for whole in _wholes(node) for part in ast.walk(whole)}
    for index, node in enumerate(ast.walk(tree)):
        for change in _python_node(node) if node not in spared else ():
            other = copy.deepcopy(tree)
            target = next(n for i, n in enumerate(ast.walk(other)) if i == index)
            change(target)
            source = ast.unparse(ast.fix_missing_locations(other))
            line = getattr(node, "lineno", 0)
            yield Mutant(str(path.relative_to(root)), line, lines[line - 1].strip(), _statement(other, target), source)


def _wholes(node: ast.AST) -> Iterator[ast.AST]:
    """What below a node is left alone: types, which do nothing, and the digits of a negative number."""
    for name in ("annotation", "returns"):
        if isinstance(getattr(node, name, None), ast.AST):
            yield getattr(node, name)
    if _negative(node):
        yield node.operand


def _negative(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
        and type(node.operand.value) is int
    )


def _statement(tree: ast.AST, node: ast.AST) -> str:
    """The first line of the innermost statement around a node; of one that is a whole table, the row."""
    above = {part: whole for whole in ast.walk(tree) for part in ast.iter_child_nodes(whole)}
    around = [node]
    while around[0] in above:
        around.insert(0, above[around[0]])
    text = ast.unparse([n for n in around if isinstance(n, ast.stmt)][-1]).split("\n")[0]
    rows = [n for n in around if isinstance(n, ast.Tuple)]
    return ast.unparse(rows[0]) if len(text) > 300 and rows else text


def _python_node(node: ast.AST) -> Iterator:
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in SWAPS:
                yield lambda n, i=i: n.ops.__setitem__(i, SWAPS[type(n.ops[i])]())
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    if isinstance(node, ast.BoolOp):
        yield lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert):
        yield lambda n: setattr(n, "op", ast.UAdd())
    if _negative(node):
        yield lambda n: setattr(n, "operand", ast.Constant(n.operand.value - 1))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield lambda n: setattr(n, "value", n.value + 1)
    if isinstance(node, ast.Constant) and type(node.value) is bytes:
        yield lambda n: setattr(n, "value", n.value + b"?")
    if isinstance(node, ast.If | ast.IfExp):
        yield lambda n: setattr(n, "test", ast.Constant(True))
        yield lambda n: setattr(n, "test", ast.Constant(False))
    if isinstance(node, ast.FunctionDef):
        for i, statement in enumerate(node.body):
            documents = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if isinstance(statement, ast.Expr | ast.AugAssign | ast.Raise) and not documents:
                yield lambda n, i=i: n.body.__setitem__(i, ast.Pass())
