"""A federation on one screen: phase, people, money, scores and model, as the chain has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fl.agents.record.history import told_left_out, told_reports
from fl.agents.record.seat_metrics import published
from fl.network.calls import number_of
from fl.network.denomination import Denomination
from fl.network.events import Event
from fl.network.federation import FederationReader, Head, SeatSets
from fl.network.stores.base import Store
from fl.protocol.committee import unpack
from fl.protocol.enums import Offence
from fl.protocol.phases import Phase, RoundFacts, phase_and_end
from fl.protocol.seats import contains, from_bitmap
from fl.tools.cli.amounts import show_duration
from fl.tools.cli.options import Result
from fl.tools.federation.relayed_acts import Relayed, relayed_acts, told_relayed

SHOWN = 16  # rows of seats that fit on one screen
NEXT = {
    Phase.ANNOUNCE: "seats announce keys for their masks",
    Phase.COMMIT: "active seats commit",
    Phase.REVEAL: "committed seats reveal, or are slashed",
    Phase.DRAW: "anybody closes, then draws the committee",
    Phase.SCORE_COMMIT: "the committee commits to scores",
    Phase.SCORE_REVEAL: "the committee reveals scores, or is slashed",
    Phase.SETTLE: "anybody settles; pay is final from there",
    Phase.SHOW: "seats fetch the accepted updates; those that a majority cannot get are left out",
    Phase.PROPOSE: "an eligible seat proposes the next model",
    Phase.CHALLENGE: "anybody may disprove the proposal",
    Phase.FINAL: "anybody finalizes",
    Phase.VOID: "anybody finalizes; nobody is paid",
}


Reasons = Mapping[int, Mapping[int, str]]  # by round and seat, why an update was left out


def status(reader: FederationReader, reasons: Callable[[], Reasons] | None = None, store: Store | None = None) -> Result:
    """Reads everything at one block. reasons: finds out from a store; it is asked only if this round left somebody out.
    store: where seats' own metrics are looked for.

    Raises ChainError if the node does not answer."""
    head = reader.head()
    terms, facts, sets = reader.terms, reader.round_facts(head), reader.seat_sets(head)
    phase, end = phase_and_end(facts, terms, head.time)
    accounting, concluded = reader.accounting(head), reader.concluded(head)
    events = recent_events(reader, facts)
    able = len(sets.eligible)
    result: dict[str, Any] = {
        "federation": reader.address,
        "chain_id": reader.chain_id,
        "time": head.time,
        "round": facts.number,
        "phase": phase.name.lower(),
        "ends": end or None,
        "ends_in_seconds": end - head.time if end else None,
        "next_round": None if facts.live else _next_round(reader, concluded, able, accounting.available),
        "concluded": concluded,
        "model": reader.model(head).hex(),
        "token": {"address": terms.token, **asdict(reader.denomination)},
        "accounting": {name: str(amount) for name, amount in asdict(accounting).items()},
        "round_cost": str(terms.round_cost(facts.active.bit_count() if facts.live else able)),
        "seats": _seats(reader, facts, sets, head, events),
        "left_out": {},
        "seat_metrics": {},
        "slashes": _slashes(facts, events),
        "missing": [asdict(one) for one in missing(facts, events)],
        "proposal": _proposal(facts),
        "relayed": [asdict(one) for one in relayed_acts(reader, events)],
    }
    number = facts.number - facts.live
    if store is not None and number:
        operators = {seat["seat"]: seat["operator"] for seat in result["seats"]}
        found = published(store, reader.chain_id, reader.address, number, reader.model(head), operators)
        result["seat_metrics"] = {str(seat): {"round": number, **asdict(m)} for seat, m in found.items()}
    if reasons is not None and any(seat["score"] == 0 for seat in result["seats"]):
        result["left_out"] = {str(seat): why for seat, why in reasons().get(facts.number, {}).items()}
    return Result(_screen(result, reader.denomination), result)


@dataclass(frozen=True)
class Missing:
    """An update that was accepted in this round, and whose file seats reported missing.

    reports, revealed: how many did, of how many who could. left_out: whether they were more than half."""

    seat: int
    reports: int
    revealed: int
    left_out: bool

    def told(self) -> str:
        if self.left_out:
            return f"the update of {told_left_out(self.seat, self.reports, self.revealed)}"
        by = told_reports(self.reports, self.revealed)
        return f"the update of seat {self.seat} stays in the model: {by}, and it takes more than half to leave it out"


def recent_events(reader: FederationReader, facts: RoundFacts) -> list[Event]:
    """The events of the last two rounds at least."""
    return reader.events_since(facts.opened_at - reader.terms.longest_round()) if facts.number else []


def missing(facts: RoundFacts, events: list[Event]) -> list[Missing]:
    """Whose accepted updates were reported missing in this round, or the last one."""
    reports = Counter(
        seat
        for event in events
        if event.name == "MissingReported" and event.fields["round"] == facts.number
        for seat in from_bitmap(event.fields["missing"])
    )
    revealed = facts.revealed.bit_count()
    return [Missing(seat, n, revealed, not contains(facts.accepted, seat)) for seat, n in sorted(reports.items())]


def _next_round(reader: FederationReader, concluded: bool, able: int, pool: int) -> str:
    """Whether the next round can open, and what it waits for."""
    if concluded:
        return "none: the sponsor gave notice"
    if able < (least := reader.terms.min_reveals):
        return f"waits for seats: {able} of at least {least} can take part"
    if (cost := reader.terms.round_cost(able)) > pool:
        needs = reader.denomination.show(cost)
        return f"waits for money: the pool must hold what a round of {able} may cost ({needs})"
    return "anybody may open it now"


def _slashes(facts: RoundFacts, events: list[Event]) -> list[dict[str, Any]]:
    """Who was slashed in this round or the one before, and what for."""
    opened = max((i for i, e in enumerate(events) if e.name == "RoundOpened"), default=0)
    found = [(facts.number - (i < opened), e.fields) for i, e in enumerate(events) if e.name == "Slashed"]
    return [{"seat": f["seat"], "amount": str(f["amount"]), "why": Offence(f["offence"]).told(number)} for number, f in found]


def _seats(
    reader: FederationReader, facts: RoundFacts, sets: SeatSets, head: Head, events: list[Event]
) -> list[dict[str, Any]]:
    committee = unpack(facts.committee, facts.committee_size) if facts.committee_size else []
    medians, revealed = _medians(facts, events)
    places = range(len(committee))
    records = reader.read_all([("scoreRecordOf", (place,)) for place in places], head) if committee else []
    scored = {seat: int(state) for seat, (state, _) in zip(committee, records, strict=True)}
    found: list[dict[str, Any]] = []
    for seat, held in (reader.seats(sets.taken, head) if sets.taken else {}).items():
        active = contains(facts.active, seat) and facts.number > 0
        found.append(
            {
                "seat": seat,
                "owner": held.owner,
                "operator": held.operator,
                "ether": _ether(reader, held.operator) if len(found) < SHOWN else None,
                "stake": str(held.stake),
                "earned": str(held.earned),
                "standing": _standing(seat in sets.eligible, seat in sets.leaving),
                "update": ("nothing", "committed", "revealed")[held.record] if active else "not in this round",
                "validator": ("drawn", "committed", "revealed")[scored[seat]] if seat in scored else None,
                "score": medians[revealed.index(seat)] if seat in revealed else None,
            }
        )
    return found


def _ether(reader: FederationReader, account: str) -> str:
    """The ether of an operator in wei, as text."""
    return str(number_of("eth_getBalance", reader.rpc("eth_getBalance", account, "latest")))


def _standing(eligible: bool, leaving: bool) -> str:
    return "leaving" if leaving else "whole" if eligible else "stake too small"


def _medians(facts: RoundFacts, events: list[Event]) -> tuple[list[int], list[int]]:
    """(this round's median scores, the seats they belong to), from the event of its settlement."""
    if not facts.settled_at or facts.voided:
        return [], []
    settled = [e for e in events if e.name == "Settled" and e.fields["round"] == facts.number]
    return (list(settled[0].fields["medians"]), from_bitmap(facts.revealed)) if settled else ([], [])


def _proposal(facts: RoundFacts) -> dict[str, Any] | None:
    if not facts.proposed_at:
        return None
    root = facts.proposal.hex()
    return {"seat": facts.proposer, "attempt": facts.attempts, "root": root, "open_demands": facts.open_demands}


def _screen(given: dict[str, Any], denomination: Denomination) -> list[str]:
    symbol = denomination.symbol

    def amount(units: str) -> str:
        return denomination.number(int(units))

    phase = Phase[given["phase"].upper()]
    clock = f", {show_duration(given['ends_in_seconds'])} left" if given["ends"] else ""
    what = NEXT.get(phase) or f"no round is open; the next one: {given['next_round']}"
    accounting = given["accounting"]
    lines = [
        f"federation  {given['federation']} on chain {given['chain_id']}",
        f"round {given['round']:<5} {given['phase'].replace('_', ' ')}{clock}: {what}",
        f"model       {given['model']}",
        f"pool        {amount(accounting['pool'])} {symbol}; kept for later rounds {amount(accounting['kept'])}; "
        f"a round sets aside up to {amount(given['round_cost'])}; "
        f"in the open round {amount(accounting['pot'])}",
        f"stakes      {amount(accounting['stakes'])} {symbol}; unclaimed pay {amount(accounting['earned'])}; "
        f"credits {amount(accounting['credit'])}; slashed {amount(accounting['slashed'])}; "
        f"deposits {amount(accounting['deposits'])}",
    ]
    if given["concluded"]:
        lines.append("notice      the sponsor gave notice: no further round opens")
    if proposal := given["proposal"]:
        demands = f", {proposal['open_demands']} demands open" if proposal["open_demands"] else ""
        lines.append(f"proposal    {proposal['root']} by seat {proposal['seat']}, attempt {proposal['attempt']}{demands}")
    if given["seats"]:
        lines.append(
            f"{'seat':>4}  {'owner':42}  {'stake':>12}  {'pay':>10}  {'standing':15}  {'update':17}  {'scores':9}  score"
        )
    for s in given["seats"][:SHOWN]:
        score = "-" if s["score"] is None else str(s["score"])
        lines.append(
            f"{s['seat']:>4}  {s['owner']:42}  {amount(s['stake']):>12}  {amount(s['earned']):>10}  {s['standing']:15}  "
            f"{s['update']:17}  {s['validator'] or '-':9}  {score}"
        )
    if nothing := [str(s["seat"]) for s in given["seats"] if s["score"] == 0]:
        cause = "nobody could read the update, or the gate left it out"
        lines.append(f"scored 0    in round {given['round']}, and paid nothing: seat {', '.join(nothing[:SHOWN])} ({cause})")
    if poor := [str(s["seat"]) for s in given["seats"] if s["ether"] == "0"]:
        what = "a relay must send their commits, reveals and scores; they propose, demand and challenge nothing"
        lines.append(f"no ether    the operator of seat {', '.join(poor)}: {what}")
    lines += [f"relayed     {told}" for told in told_relayed([Relayed(**one) for one in given["relayed"]])]
    for seat, m in [*given["seat_metrics"].items()][:SHOWN]:
        alone = "" if m["shared"] is None else f", {m['shared']:.4f} with the shared model alone"
        lines.append(f"measured    seat {seat}, round {m['round']}: {m['value']:.4f} on {m['rows']:,} rows of its own{alone}")
    for seat, why in [*given["left_out"].items()][:SHOWN]:
        lines.append(f"left out    seat {seat}: {why}")
    for slash in given["slashes"][:SHOWN]:
        lines.append(f"slashed     seat {slash['seat']}, {amount(slash['amount'])} {symbol}: {slash['why']}")
    for one in given["missing"][:SHOWN]:
        lines.append(f"{'excluded' if one['left_out'] else 'reported':11} {Missing(**one).told()}")
    if len(given["seats"]) > SHOWN:
        lines.append(f"      and {len(given['seats']) - SHOWN} more: see --json")
    return lines
