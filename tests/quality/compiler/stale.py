"""The pattern of SOL-2026-7 in Yul. Solidity's compilers 0.8.19 to 0.8.37 may keep what they know of a memory or storage
address after a variable that it is computed from was assigned anew: a load then gives an old value, or a needed store is
removed.

Two optimizer steps act on this knowledge, LoadResolver and EqualStoreEliminator. They know the words at variables: at `c` after
`mstore(c, v)` or `let v := mload(c)`. A store at another variable ends that, unless both have a constant difference, which is
found along copies, additions and subtractions. In

    let a_1 := a        // a is assigned more than once
    let c := add(a_1, 32)
    a := f()
    let d := add(a, 64) // counts as 32 more than c, though the a in it is another

`c` and `d` are related by `a`, whose value is known in neither place, so that nobody notices its change. Nothing can go wrong
where no address is used after a variable that it is computed from was assigned anew. That is what `findings` looks for: more
than the fault needs, and nothing less.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[A-Za-z_$.][\w$.]*|0x[0-9a-fA-F]+|\d+|:=|->|[{}(),:]', re.DOTALL)
LOADS, STORES = ("mload", "sload"), ("mstore", "sstore")
RELATING = ("add", "sub")
LITERAL = re.compile(r'\d|"|true$|false$')


@dataclass
class Call:
    name: str
    arguments: list[Call | str]


@dataclass
class Use:
    """Something that happens to a variable: where, and in which loops. addresses: it is loaded from or stored to."""

    at: int
    loops: tuple[int, ...]


@dataclass
class Function:
    """What is known of the variables of one function, or of the code outside of functions."""

    name: str
    declared: dict[str, Use] = field(default_factory=dict)
    assigned: dict[str, list[Use]] = field(default_factory=lambda: defaultdict(list))  # anew
    computed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # from which variables
    addresses: dict[str, list[Use]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Finding:
    function: str
    address: str
    variable: str


class Reader:
    """Reads Yul as the compiler prints it."""

    def __init__(self, text: str):
        self.tokens = [token for token in TOKEN.findall(text) if not token.startswith(("//", "/*"))]
        self.position = self.clock = self.loop_count = 0
        self.loops: tuple[int, ...] = ()
        self.functions: list[Function] = []

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def next(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise ValueError(f"{wanted or 'more'} expected, {token!r} found at token {self.position}")
        self.position += 1
        return token

    def use(self) -> Use:
        self.clock += 1
        return Use(self.clock, self.loops)

    def read(self) -> list[Function]:
        while self.peek():
            self.object()
        return self.functions

    def object(self) -> None:
        self.next("object")
        name = self.next()
        self.next("{")
        while (token := self.next()) != "}":
            if token == "code":
                outer = Function(f"{name} code")
                self.functions.append(outer)
                self.block(outer)
            elif token == "object":
                self.position -= 1
                self.object()
            elif token == "data":
                self.next()
                if self.next() == "hex":
                    self.next()
            else:
                raise ValueError(f"{token!r} in an object")

    def block(self, where: Function) -> None:
        self.next("{")
        while self.peek() != "}":
            self.statement(where)
        self.next("}")

    def names(self) -> list[str]:
        found = [self.next()]
        while self.peek() == ",":
            self.next()
            found.append(self.next())
        return found

    def statement(self, where: Function) -> None:
        token = self.peek()
        if token == "{":
            self.block(where)
        elif token == "function":
            self.function()
        elif token == "let":
            self.next()
            names = self.names()
            value = None
            if self.peek() == ":=":
                self.next()
                value = self.expression(where)
            for name in names:
                where.declared[name] = self.use()
            self.relate(where, names, value)
        elif token == "if":
            self.next()
            self.expression(where)
            self.block(where)
        elif token == "switch":
            self.next()
            self.expression(where)
            while self.peek() in ("case", "default"):
                if self.next() == "case":
                    self.next()
                self.block(where)
        elif token == "for":
            self.for_loop(where)
        elif token in ("break", "continue", "leave"):
            self.next()
        elif self.tokens[self.position + 1] in (",", ":="):
            names = self.names()
            self.next(":=")
            value = self.expression(where)
            for name in names:
                where.assigned[name].append(self.use())
            self.relate(where, names, value)
        else:
            self.expression(where)

    def for_loop(self, where: Function) -> None:
        self.next("for")
        self.block(where)
        outer = self.loops
        self.loop_count += 1
        self.loops = (*outer, self.loop_count)
        self.expression(where)
        post = self.position  # the body runs before it
        self.skip()
        self.block(where)
        end = self.position
        self.position = post
        self.block(where)
        self.position = end
        self.loops = outer

    def skip(self) -> None:
        """Over a block."""
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self.next(), 0)
            if not depth:
                return

    def function(self) -> None:
        self.next("function")
        inner = Function(self.next())
        self.functions.append(inner)
        outer, self.loops = self.loops, ()
        self.next("(")
        for name in self.names() if self.peek() != ")" else []:
            inner.declared[name] = self.use()
        self.next(")")
        if self.peek() == "->":
            self.next()
            for name in self.names():
                inner.declared[name] = self.use()
        self.block(inner)
        self.loops = outer

    def expression(self, where: Function) -> Call | str:
        name = self.next()
        if self.peek() != "(":
            return name
        self.next("(")
        arguments: list[Call | str] = []
        while self.peek() != ")":
            arguments.append(self.expression(where))
            if self.peek() == ",":
                self.next()
        self.next(")")
        if name in LOADS + STORES:
            for variable in variables(arguments[0]):
                where.addresses[variable].append(self.use())
        return Call(name, arguments)

    def relate(self, where: Function, names: list[str], value: Call | str | None) -> None:
        if value is not None and len(names) == 1:
            where.computed[names[0]] |= set(variables(value))


def variables(value: Call | str) -> Iterator[str]:
    """The variables that an expression is in a known relation to."""
    if isinstance(value, str):
        if not LITERAL.match(value):
            yield value
    elif value.name in RELATING:
        for argument in value.arguments:
            yield from variables(argument)


def origins(where: Function, variable: str) -> set[str]:
    """All variables that it is computed from, by any number of relations, itself apart."""
    found: set[str] = set()
    open_ = set(where.computed[variable])
    while open_:
        one = open_.pop()
        if one not in found:
            found.add(one)
            open_ |= where.computed[one]
    return found - {variable}


def may_follow(later: Use, earlier: Use, made: Use) -> bool:
    """Whether `later` can happen after `earlier` while what `made` made still lives: it comes later in the text, or both are in
    a loop that does not make it anew."""
    common = {loop for loop in later.loops if loop in earlier.loops and loop not in made.loops}
    return later.at > earlier.at > made.at or bool(common)


def findings(text: str) -> list[Finding]:
    """Every address that is used after a variable that it is computed from was assigned anew."""
    found = []
    for where in Reader(text).read():
        for address, uses in where.addresses.items():
            makers = [*([where.declared[address]] if address in where.declared else []), *where.assigned[address]]
            for origin in sorted(origins(where, address)):
                changes = where.assigned[origin]
                if any(may_follow(use, change, made) for use in uses for change in changes for made in makers):
                    found.append(Finding(where.name, address, origin))
    return found
