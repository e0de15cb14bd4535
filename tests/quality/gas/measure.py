"""Gas from receipts of a real node: what every action costs at 5, 10, 50 and 128 seats in a steady round, and challenges at
1M, 34M and 1G parameters. `PYTHONPATH=tests python tests/quality/gas/measure.py` writes gas.json
and gas.md beside this file."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.evm import AnvilEvm
from support.keys import key_of
from support.relays import commitments, openings, score_commitments, score_openings, with_keys
from support.system import CHALLENGER, STRANGER, System, operator, owner, random_model, random_update, salt

from fl.protocol import committee
from fl.protocol.artifact import Kind
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.fraud import Opened
from fl.protocol.header import prev_randao
from fl.protocol.leaves import root_from

HERE = Path(__file__).parent
SEATS = (5, 10, 50, 128)
DEPTHS = {"1M": 12, "34M": 17, "1G": 22}
RELAYED = ((10, 3), (10, 5), (50, 5), (128, 15))  # seats and committee
BATCH = 64  # reveals that one relayer sends together


class Meter(System):
    """A system that notes what each call costs."""

    def do(self, function, *args, by=STRANGER):
        events = super().do(function, *args, by=by)
        self.__dict__.setdefault("notes", defaultdict(list))[function].append((self.evm.gas, self.evm.size))
        return events

    def take(self) -> dict[str, list[tuple[int, int]]]:
        return dict(self.__dict__.pop("notes", {}))


def play(s: Meter, rng: np.random.Generator) -> dict[str, list[tuple[int, int]]]:
    """One honest round; what its calls cost."""
    n = len([seat for seat in range(128) if s.sets()[1] >> seat & 1])
    s.take()
    s.to_challenge({seat: random_update(rng) for seat in range(n)}, proposer=0).finish()
    return s.take()


def batched(s: Meter, rng: np.random.Generator, n: int) -> tuple[int, int]:
    """(all gas of one honest round, gas of its reveals) in which one relayer reveals for all, and calls that follow each other
    go together: who opens commits too, who draws is drawn and commits its scores too, who settles proposes too."""
    s.take()
    f = s.federation
    number = s.round.number + 1
    s.updates = {seat: random_update(rng) for seat in range(n)}
    roots = {seat: Opened.of(data, Kind.UPDATE).tree.root for seat, data in s.updates.items()}
    first = update_commitment(s.evm.chain_id, f.address, number, 0, roots[0], salt(0))
    s.do("multicall", [f.data("finalize"), f.data("openRound"), f.data("commit", number, 0, first)], by=operator(0))
    for seat in range(1, n):
        s.do("commit", seat, s.commitment(seat, roots[seat]), by=operator(seat))
    s.skip()
    calls = [f.data("reveal", seat, root, salt(seat), b"") for seat, root in roots.items()]
    for start in range(0, n, BATCH):
        s.do("multicall", calls[start : start + BATCH])
    reveals = sum(gas for gas, _ in s.notes["multicall"][1:])
    s.skip()
    s.do("close")
    header = s.seeding_header()
    seed = committee.seed(prev_randao(header), s.round.mix, s.evm.chain_id, f.address, number)
    drawn = committee.draw(seed, range(n), s.terms.committee)  # anyone can foresee the draw now
    s.scores = {seat: rng.bytes(n) for seat in drawn}
    facts = s.evm.chain_id, f.address, number
    sealed = {i: score_commitment(*facts, i, vector, salt(i, "scores")) for i, vector in s.scores.items()}
    together = [f.data("draw", header), f.data("commitScores", number, drawn[0], sealed[drawn[0]])]
    s.do("multicall", together, by=operator(drawn[0]))
    for seat in drawn[1:]:
        s.do("commitScores", seat, sealed[seat], by=operator(seat))
    s.skip()
    s.do("multicall", [f.data("revealScores", seat, s.scores[seat], salt(seat, "scores")) for seat in drawn])
    s.skip()
    vectors = [s.scores[seat] for seat in s.committee()]
    s.do("multicall", [f.data("settle", vectors), f.data("propose", number, 1, 0, b"\x01" * 32, b"")], by=operator(0))
    s.skip()
    return sum(gas for calls in s.take().values() for gas, _ in calls), reveals


def relayed(evm: AnvilEvm, n: int, size: int) -> dict[str, int]:
    """Gas per participant of a steady round in which a relay sends all that operators signed and opened, each kind in one
    transaction, with everything else that the round takes; and of the batches themselves."""
    s = with_keys(Meter.create(evm, committee=size, min_reveals=size).join(n).fund(), n)
    for _ in range(3):  # the first round fills empty storage, and the relay's batches begin with the second
        rng = np.random.default_rng(n)
        s.take()
        f, number = s.federation, s.round.number + 1
        s.do("multicall", [*([f.data("finalize")] if s.round.live else []), f.data("openRound")])
        s.scores = {}
        s.updates = {seat: random_update(rng) for seat in range(n)}
        s.do("commitMany", number, commitments(s, s.updates))
        s.skip()
        s.do("revealMany", openings(s))
        s.skip()
        drawn = s.draw()
        s.do("commitScoresMany", number, score_commitments(s, {seat: rng.bytes(n) for seat in drawn}))
        s.skip()
        s.do("revealScoresMany", score_openings(s))
        s.skip()
        settle = f.data("settle", [s.scores[seat] for seat in drawn])
        s.do("multicall", [settle, f.data("propose", number, 1, 0, b"\x01" * 32, b"")], by=key_of(0).address)
        s.skip()
    spent = s.take()
    out = {name: sum(gas for gas, _ in calls) for name, calls in spent.items()}
    found = {name: round(out[name] / n) for name in ("commitMany", "revealMany")}
    found |= {name: round(out[name] / size) for name in ("commitScoresMany", "revealScoresMany")}
    return {**found, "all-in": round(sum(out.values()) / n)}


def actions(evm: AnvilEvm, n: int) -> dict[str, int]:
    """Gas of every action at n seats."""
    rng = np.random.default_rng(n)
    size = 15 if n == 128 else 5 if n >= 10 else 3
    s = Meter.create(evm, committee=size, min_reveals=size, max_attempts=8)
    out = {"deploy (one clone)": 0}
    another = replace(s.terms, label=bytes(31) + b"\x01")  # the same terms have a federation already
    s.factory.send("create", another.as_tuple(), by=STRANGER)
    out["deploy (one clone)"] = evm.gas
    s.join(n).fund()
    joins = s.take()["join"]
    out["join"] = round(sum(g for g, _ in joins) / n)
    first = play(s, rng)
    steady = play(s, rng)
    for name in ("openRound", "commit", "reveal", "close", "draw", "commitScores", "revealScores"):
        out[name] = round(sum(g for g, _ in steady[name]) / len(steady[name]))
    out["settle, first round"], out["settle"] = first["settle"][0][0], steady["settle"][0][0]
    out["propose"], out["finalize"] = steady["propose"][0][0], steady["finalize"][0][0]
    out["commit + reveal"] = out["commit"] + out["reveal"]
    out["all-in per participant"] = round(sum(g for calls in steady.values() for g, _ in calls) / n)
    s.do("claim", 0, owner(0), by=owner(0))
    out["claim"] = s.take()["claim"][0][0]
    play(s, rng)
    s.to_propose({seat: random_update(rng) for seat in range(n)})
    s.propose(s.aggregate(), 0)
    s.skip()
    batched(s, rng, n)
    whole, reveals = batched(s, rng, n)
    out["commit + reveal, batched"] = out["commit"] + round(reveals / n)
    out["all-in per participant, batched"] = round(whole / n)
    everything = [g for calls in (first, steady) for c in calls.values() for g, _ in c]
    out["most of any call above"] = max(everything)
    return out


def challenge(evm: AnvilEvm, n: int, depth: int) -> tuple[int, int]:
    """(gas, bytes of calldata) of a challenge against n accepted updates on a tree of this depth; the paths are synthetic."""
    rng = np.random.default_rng(depth)
    leaf = int(rng.integers(0, 1 << depth))

    def part(content: bytes) -> tuple[bytes, bytes]:
        path = tuple(rng.bytes(32) for _ in range(depth))
        return content + b"".join(path), root_from(content, leaf, path)

    previous, genesis = part(random_model(rng))
    s = Meter.create(evm, depth=depth, challenge_window=3600)
    # The builder's genesis has one leaf; this federation's has 2^depth, of which we know one.
    s.terms = replace(s.terms, genesis=genesis)
    s.federation = evm.at("Federation", s.factory.send("create", s.terms.as_tuple(), by=STRANGER)[0][1]["federation"])
    s.join(n).fund()
    shown, roots = zip(*[part(random_update(rng)) for _ in range(n)], strict=True)
    s.open()
    for seat in range(n):
        s.do("commit", seat, s.commitment(seat, roots[seat]), by=operator(seat))
    s.skip()
    for seat in range(n):
        s.do("reveal", seat, roots[seat], salt(seat), b"")
    s.skip()
    s.commit_scores(dict.fromkeys(s.draw(), b"\xff" * n))
    s.skip()
    s.reveal_scores()
    s.skip()
    s.settle()
    last, root = part(random_model(rng))
    s.do("propose", 0, root, b"", by=operator(0))
    s.take()
    s.do("challenge", leaf, 100, b"".join(shown) + previous + last, by=CHALLENGER)
    return s.take()["challenge"][0]


def last_gas(evm: AnvilEvm) -> int:
    """The gas of the last transaction."""
    (sent,) = evm.rpc("eth_getBlockByNumber", "latest", False)["transactions"]
    return int(evm.rpc("eth_getTransactionReceipt", sent)["gasUsed"], 16)


def measure() -> dict:
    """The whole table."""
    evm = AnvilEvm()
    try:
        disputes = evm.deploy("Disputes")
        table: dict = {"deploy (disputes, once)": last_gas(evm)}
        evm.deploy("Federation", disputes.address)
        table["deploy (implementation, once)"] = last_gas(evm)
        table["actions"] = {str(n): actions(evm, n) for n in SEATS}
        table["relayed"] = {f"{n} seats, committee of {size}": relayed(evm, n, size) for n, size in RELAYED}
        table["challenge"] = {
            f"{n} seats, {name} parameters": dict(zip(("gas", "bytes"), challenge(evm, n, d), strict=True))
            for n in SEATS
            for name, d in DEPTHS.items()
        }
        return table
    finally:
        evm.close()


def markdown(table: dict) -> str:
    names = list(table["actions"][str(SEATS[0])])
    lines = ["| gas | " + " | ".join(f"{n} seats" for n in SEATS) + " |", "|---|" + "---:|" * len(SEATS)]
    lines += [f"| {name} | " + " | ".join(f"{table['actions'][str(n)][name]:,}" for n in SEATS) + " |" for name in names]
    once = table["deploy (implementation, once)"], table["deploy (disputes, once)"]
    lines += ["", f"Deployed once for all federations: Federation, {once[0]:,} gas, and Disputes, {once[1]:,} gas.", ""]
    kinds = ("commitMany", "revealMany", "commitScoresMany", "revealScoresMany", "all-in")
    lines += ["| relayed, a participant or validator | " + " | ".join(kinds) + " |", "|---|" + "---:|" * len(kinds)]
    lines += [f"| {name} | " + " | ".join(f"{r[kind]:,}" for kind in kinds) + " |" for name, r in table["relayed"].items()]
    lines += ["", "| challenge | gas | bytes |", "|---|---:|---:|"]
    lines += [f"| {name} | {c['gas']:,} | {c['bytes']:,} |" for name, c in table["challenge"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    result = measure()
    (HERE / "gas.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "gas.md").write_text(markdown(result))
    sys.stdout.write(markdown(result))
