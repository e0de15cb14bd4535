"""Gas from receipts of a real node: what every action costs at 5, 10, 50 and 128 seats in a steady round, and challenges at
1M, 34M and 1G parameters; all of it under today's rules, and under Amsterdam's. `make gas` runs this. It writes the table that
the package ships, fl/network/gas.json, and gas.md beside this file."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from next_rules import NEXT, TODAY, VALUES, NextRules
from support.evm import AnvilEvm
from support.keys import key_of
from support.relays import Entry, commitments, openings, score_commitments, score_openings, signed, with_keys
from support.system import CHALLENGER, STRANGER, System, operator, owner, random_model, random_update, salt

from fl.network.identity import ARGUMENTS, CODE
from fl.protocol import committee
from fl.protocol.artifact import Kind
from fl.protocol.commitment import score_commitment, update_commitment
from fl.protocol.fraud import Opened
from fl.protocol.header import prev_randao
from fl.protocol.leaves import root_from
from fl.protocol.masks import RoundKey
from fl.protocol.mode import Mode
from fl.protocol.signatures import ActKind

HERE = Path(__file__).parent
SHIPPED = HERE.parents[2] / "fl" / "network" / "gas.json"
SEATS = (5, 10, 50, 128)
DEPTHS = {"1M": 12, "34M": 17, "1G": 22}
ANSWERED = (0, 6, 12, 17, 22)  # depths at which a leaf is demanded and answered
MASKED_SEATS = (4, 10, 20)
RELAYED = ((10, 3), (10, 5), (50, 5), (128, 15))  # seats and committee
BATCH = 64  # reveals that one relayer sends together
LOCATOR = b"\xff" * 64  # the longest


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
    go together: who opens commits too, who draws is drawn and commits its scores too."""
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
    s.settle()
    s.skip()
    s.do("propose", 0, b"\x01" * 32, b"", by=operator(0))
    s.skip()
    return sum(gas for calls in s.take().values() for gas, _ in calls), reveals


def reported(s: Meter, seat: int, missing: int = 1) -> Entry:
    """A batch's entry by which a seat reports updates, the first one's alone unless told."""
    return signed(s, seat, missing.to_bytes(32, "big"), ActKind.MISSING)


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
        s.settle()
        half = n // 2  # of the seats report one update, which therefore stays; most rounds need no report
        s.do("reportMissingMany", number, [reported(s, seat) for seat in range(half)])
        ((reports, _),) = s.notes.pop("reportMissingMany")
        s.skip()
        s.do("propose", 0, b"\x01" * 32, b"", by=key_of(0).address)
        s.skip()
    spent = s.take()
    out = {name: sum(gas for gas, _ in calls) for name, calls in spent.items()}
    found = {name: round(out[name] / n) for name in ("commitMany", "revealMany")}
    found |= {name: round(out[name] / size) for name in ("commitScoresMany", "revealScoresMany")}
    return {**found, "reportMissingMany": round(reports / half), "all-in": round(sum(out.values()) / n)}


def actions(evm: AnvilEvm, n: int) -> dict[str, int]:
    """Gas of every action at n seats."""
    rng = np.random.default_rng(n)
    size = 15 if n == 128 else 5 if n >= 10 else 3
    s = Meter.create(evm, committee=size, min_reveals=size, max_attempts=8)
    out = {"deploy (one clone)": 0}
    another = replace(s.terms, label=bytes(31) + b"\x01")  # the same terms have a federation already
    s.factory.send("create", another.as_tuple(), by=STRANGER)
    out["deploy (one clone)"] = evm.gas
    out["take a seat"] = seating(s.another())
    s.take()
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
    s.to_settle({seat: random_update(rng) for seat in range(n)}).settle()
    for seat in (0, 2):  # two seats share a slot; these do not
        s.do("reportMissing", seat, 1 << (n - 1), by=operator(seat))
    (first_report, _), (report, _) = s.take()["reportMissing"]
    out["reportMissing, a round's first"], out["reportMissing"] = first_report, report
    s.skip()
    s.propose(s.aggregate(), 0)
    s.skip()
    batched(s, rng, n)
    whole, reveals = batched(s, rng, n)
    out["commit + reveal, batched"] = out["commit"] + round(reveals / n)
    out["all-in per participant, batched"] = round(whole / n)
    everything = [g for calls in (first, steady) for c in calls.values() for g, _ in c]
    out["most of any call above"] = max(everything)
    return out


def seating(s: Meter) -> int:
    """Gas of all that `ape run join` sends for the first seat: the allowance, then seat and deposits of its operator."""
    stake, deposits = s.terms.min_stake, s.terms.demands_to_pay() * s.terms.demand_deposit
    s.token.send("mint", owner(0), stake + deposits, by=owner(0))
    s.token.send("approve", s.federation.address, stake + deposits, by=owner(0))
    approved = s.evm.gas
    calls = [("join", owner(0), operator(0), stake, b""), ("give", operator(0), deposits)]
    s.do("multicall", [s.federation.data(*call) for call in calls], by=owner(0))
    return approved + s.evm.gas


def largest(evm: AnvilEvm) -> dict[str, dict[str, int]]:
    """Gas of each kind of relayed act at its largest: of a seat's first round, whose records are empty, at 128 seats, with the
    longest locators, and of reports that name everybody. first: sent alone; more: of each further one in a batch."""
    n, rng = 128, np.random.default_rng(3)
    s = with_keys(Meter.create(evm, committee=15, min_reveals=15).join(n).fund(), n)
    s.open()
    number, found = s.round.number, {}

    def send(function: str, entries: list, *named: int) -> None:
        s.take()
        for part in (entries[:1], entries[1:]):
            s.do(function, *named, part)
        (first, _), (rest, _) = s.take()[function]
        found[function] = {"first": first, "more": -(-rest // (len(entries) - 1))}

    send("commitMany", commitments(s, {seat: random_update(rng) for seat in range(n)}, LOCATOR), number)
    s.skip()
    send("revealMany", openings(s, LOCATOR))
    s.skip()
    send("commitScoresMany", score_commitments(s, dict.fromkeys(s.draw(), b"\xff" * n)), number)
    s.skip()
    send("revealScoresMany", score_openings(s))
    s.skip()
    s.settle()
    send("reportMissingMany", [reported(s, seat, 2**n - 1) for seat in range(n // 2 + 1)], number)  # the last one excludes all
    return found


def answers(evm: AnvilEvm, depth: int) -> dict[str, int]:
    """Gas of a demand for a leaf of a proposal on a tree of this depth, and of its answer; the path is synthetic."""
    rng = np.random.default_rng(depth)
    path = tuple(rng.bytes(32) for _ in range(depth))
    model = random_model(rng)
    s = Meter.create(evm, model, depth=depth, challenge_window=3600).join(3).fund()
    s.to_propose({seat: random_update(rng) for seat in range(3)})
    s.do("propose", 0, root_from(model, 0, path), b"", by=operator(0))
    s.rich(CHALLENGER)
    s.take()
    s.do("demand", 0, 0, 0, by=CHALLENGER)
    s.do("answer", 0, 0, 0, model, b"".join(path), by=operator(0))
    return {name: calls[0][0] for name, calls in s.take().items()}


def challenge(evm: AnvilEvm, n: int, depth: int) -> tuple[int, int]:
    """(gas, bytes of calldata) of a challenge against n accepted updates on a tree of this depth; the paths are synthetic."""
    rng = np.random.default_rng(depth)
    leaf = int(rng.integers(0, 1 << depth))

    def part(content: bytes) -> tuple[bytes, bytes]:
        path = tuple(rng.bytes(32) for _ in range(depth))
        return content + b"".join(path), root_from(content, leaf, path)

    previous, genesis = part(random_model(rng))
    s = Meter.create(evm, random_model(rng), depth=depth, challenge_window=3600)
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
    s.skip()
    last, root = part(random_model(rng))
    s.do("propose", 0, root, b"", by=operator(0))
    s.take()
    s.do("challenge", leaf, 100, b"".join(shown) + previous + last, by=CHALLENGER)
    return s.take()["challenge"][0]


def deployments(evm: AnvilEvm) -> dict[str, int]:
    """Gas of what all federations share, in each mode, and of the play money."""
    places: dict[str, str] = {}
    out = {}
    for name, others in ARGUMENTS.items():
        places[name] = evm.deploy(CODE.get(name, name), *(places[other] for other in others)).address
        out[name] = evm.gas
    evm.deploy("TestToken")
    return {**out, "TestToken": evm.gas}


def masked(evm: AnvilEvm, n: int) -> dict[str, int]:
    """Gas per participant of a steady masked round whose committee are all seats, or the largest odd part of them up to 15, by
    the same calls as in an open round of as many seats; batches are sent by a relay, and `direct` by each seat itself."""
    size = min(15, n - 1 + n % 2)
    terms = {"committee": size, "min_reveals": n, "max_seats": n}
    keys = {seat: RoundKey(seat + 1) for seat in range(n)}
    s = with_keys(Meter.create(evm, mode=Mode.MASKED, **terms).join(n).fund(), n)
    for direct in (False, False, True):  # the first round fills empty storage
        s.take()
        f = s.federation
        s.do("multicall", [*([f.data("finalize")] if s.round.live else []), f.data("openRound")])
        _in_parts(s, "announceMany", [signed(s, i, key.public, ActKind.ANNOUNCE) for i, key in keys.items()], direct)
        s.skip()
        s.updates, s.scores = {seat: np.random.default_rng(seat).bytes(512) for seat in keys}, {}
        _in_parts(s, "commitMany", commitments(s, s.updates), direct)
        s.skip()
        _in_parts(s, "revealMany", openings(s), direct)
        s.skip()
        _in_parts(s, "commitScoresMany", score_commitments(s, dict.fromkeys(s.draw(), b"\xff")), direct)
        s.skip()
        _in_parts(s, "revealScoresMany", score_openings(s), direct)
        s.skip()
        s.settle()
        s.skip()
        s.do("propose", 0, b"\x01" * 32, b"", by=key_of(0).address)
        s.skip()
        spent = {name: sum(gas for gas, _ in calls) for name, calls in s.take().items()}
        if not direct:
            out = {name: round(spent[name] / n) for name in ("announceMany", "commitMany", "revealMany")}
            out |= {name: round(spent[name] / size) for name in ("commitScoresMany", "revealScoresMany")}
            out["all-in"] = round(sum(spent.values()) / n)
    return {**out, "all-in, direct": round(sum(spent.values()) / n)}


def announcements(evm: AnvilEvm) -> dict[str, int]:
    """Gas of announced keys at their largest, as `largest` has the other acts."""
    n = 128
    s = with_keys(Meter.create(evm, mode=Mode.MASKED).join(n).fund(), n)
    s.open()
    entries = [signed(s, i, RoundKey(i + 1).public, ActKind.ANNOUNCE) for i in range(n)]
    s.take()
    for part in (entries[:1], entries[1:]):
        s.do("announceMany", s.round.number, part)
    (first, _), (rest, _) = s.take()["announceMany"]
    return {"first": first, "more": -(-rest // (n - 1))}


def _in_parts(s: Meter, function: str, entries: list, each: bool) -> None:
    number = () if function.startswith("reveal") else (s.round.number,)
    for part in [[entry] for entry in entries] if each else [entries]:
        s.do(function, *number, part)


def masked_challenge(evm: AnvilEvm, n: int, depth: int) -> tuple[int, int]:
    """As `challenge`, against n masked updates."""
    rng = np.random.default_rng(depth)
    leaf = int(rng.integers(0, 1 << depth))

    def part(content: bytes) -> tuple[bytes, bytes]:
        path = tuple(rng.bytes(32) for _ in range(depth))
        return content + b"".join(path), root_from(content, leaf, path)

    previous, genesis = part(random_model(rng))
    terms = {"depth": depth, "challenge_window": 3600, "min_reveals": n, "max_seats": n}
    s = Meter.create(evm, random_model(rng), mode=Mode.MASKED, **{**terms, "committee": min(15, n - 1 + n % 2)})
    s.terms = replace(s.terms, genesis=genesis, label=bytes(31) + b"\x02")
    made = s.factory.send("create", s.terms.as_tuple(), by=STRANGER)[0][1]["federation"]
    s.federation = evm.at("MaskedFederation", made)
    with_keys(s.join(n).fund(), n)
    shown, roots = zip(*[part(rng.bytes(512)) for _ in range(n)], strict=True)
    s.open()
    s.do("announceMany", 1, [signed(s, i, RoundKey(i + 1).public, ActKind.ANNOUNCE) for i in range(n)])
    s.skip()
    s.do("commitMany", 1, [signed(s, i, s.commitment(i, roots[i])) for i in range(n)])
    s.skip()
    s.do("revealMany", [(i, roots[i], salt(i), b"") for i in range(n)])
    s.skip()
    s.do("commitScoresMany", 1, score_commitments(s, dict.fromkeys(s.draw(), b"\xff")))
    s.skip()
    s.do("revealScoresMany", score_openings(s))
    s.skip()
    s.settle()
    s.skip()
    last, root = part(random_model(rng))
    s.do("propose", 0, root, b"", by=key_of(0).address)
    s.take()
    s.do("challenge", leaf, 100, b"".join(shown) + previous + last, by=CHALLENGER)
    return s.take()["challenge"][0]


def masked_part(evm: AnvilEvm) -> dict:
    """What the masked mode adds to the table."""
    challenges = {
        f"{n} seats, 34M parameters": dict(zip(("gas", "bytes"), masked_challenge(evm, n, 17), strict=True))
        for n in MASKED_SEATS
    }
    rounds = {f"{n} seats": masked(evm, n) for n in MASKED_SEATS}
    return {"masked": rounds, "masked challenge": challenges, "announced at most": announcements(evm)}


def table_of(evm: AnvilEvm) -> dict:
    """The whole table under the rules of an engine."""
    try:
        table: dict = {"deploy": deployments(evm)}
        table["actions"] = {str(n): actions(evm, n) for n in SEATS}
        table["relayed"] = {f"{n} seats, committee of {size}": relayed(evm, n, size) for n, size in RELAYED}
        table["relayed at most"] = largest(evm)
        table["answers"] = {str(depth): answers(evm, depth) for depth in ANSWERED}
        table["challenge"] = {
            f"{n} seats, {name} parameters": dict(zip(("gas", "bytes"), challenge(evm, n, d), strict=True))
            for n in SEATS
            for name, d in DEPTHS.items()
        }
        return {**table, **masked_part(evm)}
    finally:
        evm.close()


def measure() -> dict:
    """The table under today's rules and the next ones."""
    return {"values": VALUES, TODAY: table_of(AnvilEvm(fork=TODAY)), NEXT: table_of(NextRules())}


def markdown(table: dict) -> str:
    """Each figure of today's beside what it will be."""
    today, then = table[TODAY], table[NEXT]

    def head(first: str, columns: list[str]) -> list[str]:
        return [
            "",
            f"| {first} | " + " | ".join(f"{c} | {NEXT}" for c in columns) + " |",
            "|---|" + "---:|" * (2 * len(columns)),
        ]

    def row(name: str, figures: list[tuple[int, int]]) -> str:
        return f"| {name} | " + " | ".join(f"{now:,} | {later:,}" for now, later in figures) + " |"

    lines = [f"Gas under today's rules, {TODAY}, and beside it under those of {NEXT}: {table['values']}."]
    lines += head("gas", [f"{n} seats" for n in SEATS])
    for name in today["actions"][str(SEATS[0])]:
        lines.append(row(name, [(today["actions"][str(n)][name], then["actions"][str(n)][name]) for n in SEATS]))
    lines += head("deployed once for all federations", ["gas"])
    lines += [row(name, [(now, then["deploy"][name])]) for name, now in today["deploy"].items()]
    kinds = ["commitMany", "revealMany", "commitScoresMany", "revealScoresMany", "reportMissingMany", "all-in"]
    lines += head("relayed, a participant or validator", kinds)
    for name, now in today["relayed"].items():
        lines.append(row(name, [(now[kind], then["relayed"][name][kind]) for kind in kinds]))
    lines += head("an act as large as it can be, relayed in a seat's first round", kinds[:-1])
    largest_of = today["relayed at most"], then["relayed at most"]
    for name, key in (("alone", "first"), ("each further one in a batch", "more")):
        lines.append(row(name, [tuple(table[kind][key] for table in largest_of) for kind in kinds[:-1]]))
    lines += head("a leaf of a model", ["demand", "answer"])
    for depth, now in today["answers"].items():
        lines.append(row(f"depth {depth}", [(now[call], then["answers"][depth][call]) for call in ("demand", "answer")]))
    lines += ["", f"| challenge | gas | {NEXT} | bytes |", "|---|---:|---:|---:|"]
    for name, c in today["challenge"].items():
        lines.append(f"| {name} | {c['gas']:,} | {then['challenge'][name]['gas']:,} | {c['bytes']:,} |")
    kinds = [*today["masked"]["4 seats"]]
    lines += head("masked, a participant or validator", kinds)
    for name, now in today["masked"].items():
        lines.append(row(name, [(now[kind], then["masked"][name][kind]) for kind in kinds]))
    lines += ["", f"| challenge of a masked round | gas | {NEXT} | bytes |", "|---|---:|---:|---:|"]
    for name, c in today["masked challenge"].items():
        lines.append(f"| {name} | {c['gas']:,} | {then['masked challenge'][name]['gas']:,} | {c['bytes']:,} |")
    return "\n".join(lines) + "\n"


def only_masked() -> dict:
    """The shipped table, with deployments and the masked mode measured anew."""
    table = json.loads(SHIPPED.read_text())
    for rules, engine in ((TODAY, AnvilEvm(fork=TODAY)), (NEXT, NextRules())):
        try:
            table[rules] |= {"deploy": deployments(engine), **masked_part(engine)}
        finally:
            engine.close()
    return table


if __name__ == "__main__":
    result = only_masked() if sys.argv[1:] == ["masked"] else measure()
    SHIPPED.write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "gas.md").write_text(markdown(result))
    sys.stdout.write(markdown(result))
