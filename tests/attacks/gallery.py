"""What the attacks share: files, money counted before and after, a judged round; and README.md's table, made of their headers.

`PYTHONPATH=tests python tests/attacks/gallery.py` writes the table anew.
"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
from support.system import BURN, System, random_update

from fl.protocol.artifact import Kind
from fl.protocol.fraud import Opened
from fl.protocol.seats import from_bitmap

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- the attacks -->\n", "<!-- until here -->\n"
FIELDS = ("Tries", "Attacker pays", "Victim pays")


def files(n: int, depth: int = 0, seed: int = 7) -> dict[int, bytes]:
    """A random update for each of the first n seats."""
    rng = np.random.default_rng(seed)
    return {seat: random_update(rng, depth) for seat in range(n)}


def root(data: bytes, kind: Kind = Kind.UPDATE) -> bytes:
    return Opened.of(data, kind).tree.root


def leaf_and_path(data: bytes, kind: Kind, leaf: int) -> tuple[bytes, bytes]:
    shown = Opened.of(data, kind).show(leaf)
    return shown[: kind.value], shown[kind.value :]


class Money:
    """What parties own, in wallets and in the federation, when this was made; `change` says what became of it."""

    def __init__(self, s: System, **parties: str | list[str]):
        self.s, self.parties = s, {**parties, "burnt": BURN}
        self.before = {name: self._worth(name) for name in self.parties}

    def _worth(self, name: str) -> int:
        accounts = self.parties[name] if isinstance(self.parties[name], list) else [self.parties[name]]
        seats = [self.s.seat(i) for i in from_bitmap(self.s.sets()[0])]
        own = sum(seat.stake + seat.earned for seat in seats if seat.owner in accounts)
        held = sum(self.s.token.call("balanceOf", a) + self.s.see("credits", a) for a in accounts)
        return own + held + (self.s.accounting()["slashed"] if name == "burnt" else 0)

    def change(self, name: str) -> int:
        assert sum(self.s.accounting().values()) == self.s.held()
        return self._worth(name) - self.before[name]


def judge(s: System, honest: int = 200, lies: dict[int, bytes] | None = None) -> list[int]:
    """From the reveal phase until somebody may propose; every validator gives everyone `honest`, or what `lies` says."""
    s.skip()
    drawn = s.draw()
    n = len(from_bitmap(s.round.revealed))
    s.commit_scores({seat: (lies or {}).get(seat, bytes([honest]) * n) for seat in drawn})
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    s.skip()
    return drawn


def headers() -> dict[str, dict[str, str]]:
    """File name -> its header: the attack's name, then one line for each of FIELDS."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        if path.name == "test_gallery.py":
            continue
        title, *rest = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")
        result = {"title": title}
        for line in rest[0].splitlines() if rest else []:
            name, _, text = line.partition(": ")
            result[name] = text
        assert tuple(result) == ("title", *FIELDS), f"{path.name}: a header is a title, then one line for each of {FIELDS}"
        found[path.name] = result
    return found


def table() -> str:
    lines = ["| attack | what it tries | what it costs the attacker | the victim | test |\n|---|---|---|---|---|\n"]
    for name, result in headers().items():
        cells = [result["title"], *(result[field] for field in FIELDS)]
        lines.append("| " + " | ".join(cells) + f" | [{name[5:-3]}]({name}) |\n")
    return "".join(lines)


def written() -> str:
    """README.md as it should be."""
    head, rest = README.read_text().split(BEGIN)
    return head + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(written())
