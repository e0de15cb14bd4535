"""The audit judges order, money, models and the committee apart: whatever is changed is named in its part, and in no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.in_process import InProcessChain, InProcessFederation, reader_of
from support.manifests import manifest
from support.relayed_record import HANDED, NEW_OWNER, handed_over
from support.system import SPONSOR, STRANGER, System, owner

from fl.errors import AuditError
from fl.network.events import Event
from fl.network.federation import FederationReader
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind
from fl.protocol.enums import Artifact, Offence
from fl.protocol.manifest import gate_rule
from fl.protocol.terms import ZERO_ADDRESS
from fl.tools.audit.auditor import EVENTS, Auditor
from fl.tools.audit.export import BlockFacts
from fl.tools.audit.money import Money
from fl.tools.audit.rules import Rules
from fl.tools.audit.verdict import Verdict, lines

JUDGED = ("events", "money", "models", "committee")
NOBODY_KNOWN = "0x" + "ab" * 20
NO_MODEL = bytes(1024)  # of zeros


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> InProcessFederation:
    """Two rounds with a poisoner, a seat that commits and does not reveal, and one that proposes a wrong model."""
    kinds = ["sign_flip", "no_reveal", "wrong_model"]
    federation = InProcessFederation(tmp_path_factory.mktemp("played"), "heart", honest=4, kinds=kinds, rounds=2)
    federation.run()
    assert federation.audit().parts.keys() == set(JUDGED)
    return federation


@pytest.fixture(scope="module")
def hidden(tmp_path_factory) -> InProcessFederation:
    """A round whose first proposal falls because nobody shows a leaf of it."""
    federation = InProcessFederation(tmp_path_factory.mktemp("hidden"), honest=4, kinds=["withhold"], rounds=1)
    federation.run()
    assert {"Demanded", "DepositReclaimed"} <= {event.name for event in federation.events()}
    return federation


def differing(verdict: Verdict) -> set[str]:
    return {name for name, part in verdict.parts.items() if not part.agrees}


def changed(events: list[Event], name: str, which: int, change: Callable[[dict], dict]) -> list[Event]:
    """The events with the fields of the `which`-th of that name changed."""
    at = [i for i, event in enumerate(events) if event.name == name][which]
    fields = {**events[at].fields, **change(dict(events[at].fields))}
    return [*events[:at], replace(events[at], fields=fields), *events[at + 1 :]]


def more(field: str) -> Callable[[dict], dict]:
    return lambda facts: {field: facts[field] + 1}


# ---- every event, changed


FALSE: list[tuple[str, str, int, Callable[[dict], dict]]] = [
    # part, event, which one, change
    ("events", "Joined", 0, lambda f: {"stake": 1}),
    ("events", "Joined", -1, lambda f: {"seat": 9}),
    ("events", "RoundOpened", 0, more("openedAt")),
    ("events", "RoundOpened", 0, lambda f: {"active": f["active"] ^ 64}),
    ("events", "RoundOpened", 1, lambda f: {"base": bytes(32)}),
    ("events", "Committed", 0, lambda f: {"seat": 77}),
    ("events", "Committed", 0, lambda f: {"commitment": bytes(32)}),
    ("events", "Committed", 0, lambda f: {"round": 2}),
    ("events", "Revealed", 0, lambda f: {"salt": bytes(32)}),
    ("events", "Revealed", 0, lambda f: {"locator": b"\x01"}),
    ("events", "Closed", 0, more("closeBlock")),
    ("events", "Drawn", 0, lambda f: {"seed": bytes(32)}),
    ("events", "Drawn", 0, lambda f: {"prevRandao": bytes(32)}),
    ("events", "Drawn", 0, lambda f: {"committee": f["committee"] | 1}),
    ("events", "ScoresCommitted", 0, lambda f: {"commitment": bytes(32)}),
    ("events", "ScoresRevealed", 0, lambda f: {"salt": bytes(32)}),
    ("events", "Proposed", 0, more("attempt")),
    ("events", "Proposed", 1, lambda f: {"seat": 6}),  # whose proposal had fallen
    ("events", "ProposalFell", 0, lambda f: {"seat": 0}),
    ("events", "Finalized", 0, lambda f: {"adopted": False}),
    ("money", "RoundOpened", 0, more("pot")),
    ("money", "Funded", 0, more("amount")),
    ("money", "Settled", 0, more("paid")),
    ("money", "Settled", 0, lambda f: {"medians": bytes([f["medians"][0] ^ 1]) + f["medians"][1:]}),
    ("money", "Settled", 0, lambda f: {"validatorPay": (f["validatorPay"][0] + 1, *f["validatorPay"][1:])}),
    ("money", "Slashed", 0, more("amount")),
    ("money", "Slashed", 0, more("stake")),
    ("money", "Slashed", 0, lambda f: {"seat": 0}),
    ("money", "Slashed", 0, lambda f: {"offence": int(Offence.NO_SCORES)}),
    ("money", "Slashed", -1, lambda f: {"offence": int(Offence.NO_REVEAL)}),
    ("money", "Credited", 0, more("amount")),
    ("money", "Credited", 0, lambda f: {"account": NOBODY_KNOWN}),
    ("money", "ProposalFell", 0, lambda f: {"by": NOBODY_KNOWN}),
]


@pytest.mark.parametrize("part, name, which, change", FALSE, ids=[f"{p}-{n}-{i}" for i, (p, n, _, _) in enumerate(FALSE)])
def test_audit__names_a_changed_event_in_its_part(played, part, name, which, change):
    verdict = played.judged(changed(played.events(), name, which, change))
    assert not verdict.passed and part in differing(verdict) and verdict.difference


@pytest.mark.parametrize(
    "part, name, change",
    [
        ("money", "Settled", more("paid")),
        ("money", "Credited", more("amount")),
        ("events", "RoundOpened", more("openedAt")),
        ("events", "Drawn", lambda f: {"seed": bytes(32)}),
    ],
)
def test_audit__of_one_false_fact__leaves_the_other_parts_alone(played, part, name, change):
    assert differing(played.judged(changed(played.events(), name, 0, change))) == {part}


@pytest.mark.parametrize(
    "name", sorted({"Joined", "Committed", "Revealed", "Slashed", "Credited", "Closed", "Drawn", "Finalized"})
)
def test_audit__notices_a_missing_event(played, name):
    events = played.events()
    at = next(i for i, event in enumerate(events) if event.name == name)
    assert not played.judged([*events[:at], *events[at + 1 :]]).passed


def test_audit__notices_an_event_that_no_federation_has__and_stops(played):
    events = played.events()
    odd = replace(events[4], name="Minted", fields={"amount": 1})
    verdict = played.judged([*events[:4], odd, *events[5:]])
    assert differing(verdict) == {"events"} and "Minted: no event of a federation has this name" in verdict.difference
    assert all("everything from there on" in verdict.parts[part].unknown[0] for part in JUDGED[1:])


# ---- who is left out


@pytest.fixture(scope="module")
def excluded(tmp_path_factory) -> InProcessFederation:
    """Two rounds with a seat that hides its update once it is accepted."""
    folder = tmp_path_factory.mktemp("excluded")
    federation = InProcessFederation(folder, "heart", honest=4, kinds=["hides_accepted"], rounds=2)
    federation.run()
    assert [log.excluded for log in federation.loop.history.rounds] == [[4], [4]]
    return federation


def test_audit__of_an_excluded_update__passes__and_says_who_reported_it(excluded):
    verdict = excluded.judged()
    assert differing(verdict) == set() and verdict.checks["reports"] == 6
    told = "seat 4 is left out of the model and keeps its pay: 3 of 5 seats reported that its file is missing"
    assert verdict.notes == (f"round 1: {told}", f"round 2: {told}")
    (unknown, _) = verdict.parts["committee"].unknown  # of this round alone: later ones are judged
    assert unknown == "round 1: which updates the gate lets in (the update of seat 4 was excluded and is not there)"


@pytest.mark.parametrize(
    "name, which, change",
    [
        ("Excluded", 0, lambda f: {"accepted": f["accepted"] & ~1}),
        ("Excluded", 0, lambda f: {"accepted": f["accepted"] | 16}),
        ("MissingReported", 0, lambda f: {"seat": 77}),
        ("MissingReported", 1, lambda f: {"seat": 0}),  # which had reported it
        ("MissingReported", 0, lambda f: {"missing": 0}),
        ("MissingReported", 0, lambda f: {"missing": 32}),  # no seat
        ("MissingReported", 2, lambda f: {"missing": 1}),
    ],
)
def test_audit__notices_who_is_left_out_without_the_reports__or_reports_without_right(excluded, name, which, change):
    assert "events" in differing(excluded.judged(changed(excluded.events(), name, which, change)))


def test_audit__notices_a_report_that_is_missing__and_an_exclusion_that_did_not_happen(excluded):
    events = excluded.events()
    for name in ("MissingReported", "Excluded"):
        at = next(i for i, event in enumerate(events) if event.name == name)
        assert "events" in differing(excluded.judged([*events[:at], *events[at + 1 :]])), name


def test_audit__notices_a_report_outside_show(excluded):
    events, reader = excluded.events(), excluded.loop.node
    block = next(event.block for event in events if event.name == "MissingReported")
    verdict = audited(excluded, events, Altered(reader, at=block, shift=reader.terms.show_window))
    assert "event MissingReported: it came in phase propose" in verdict.parts["events"].difference


def test_audit__of_an_excluded_update_that_is_there_after_all__says_so(tmp_path):
    federation = InProcessFederation(tmp_path, "heart", honest=4, kinds=["hides_accepted"], rounds=1)
    federation.run()
    federation.store.put((federation.folder / "4" / "1.update").read_bytes(), Kind.UPDATE)
    verdict = federation.judged()
    assert verdict.passed and not verdict.unknown
    assert verdict.notes[0].endswith("it is there now: it came late, their stores were down, or they lied")


def test_every_event_of_the_contract__is_looked_at():
    books = (Rules, Money, Auditor)
    looked = {name for name in EVENTS if any(hasattr(book, f"{when}_{name}") for book in books for when in ("before", "after"))}
    assert looked == EVENTS


# ---- when, and from what


def test_audit__notices_an_act_outside_its_phase(played):
    events, reader = played.events(), played.loop.node
    terms = reader.terms
    for name, shift in [
        ("Committed", terms.commit_window),
        ("Revealed", -terms.reveal_window),
        ("Proposed", -terms.commit_window),
    ]:
        block = next(event.block for event in events if event.name == name)

        verdict = audited(played, events, Altered(reader, at=block, shift=shift))
        assert differing(verdict) == {"events"}, name


def test_audit__notices_a_committee_that_no_block_seeded(played):
    events, reader = played.events(), played.loop.node
    verdict = audited(played, events, Altered(reader, header=lambda header: header[:-1] + bytes([header[-1] ^ 1])))
    assert differing(verdict) == {"events"} and verdict.difference.startswith("round 1: header of block ")
    verdict = played.judged(changed(events, "Drawn", 0, lambda f: {"prevRandao": bytes(32)}))
    assert differing(verdict) == {"events"} and verdict.difference.startswith("round 1: randomness of block ")


@dataclass
class Altered:
    """A chain whose blocks are told otherwise."""

    reader: FederationReader
    at: int = -1
    shift: int = 0
    header: Callable[[bytes], bytes] = lambda header: header

    def block(self, number: int) -> BlockFacts:
        facts = self.reader.block(number)
        return BlockFacts(number, facts.time + self.shift * (number == self.at), facts.hash)

    def __post_init__(self) -> None:
        change = self.header
        self.header = lambda number: change(self.reader.header(number))


def audited(federation: InProcessFederation, events: list[Event], blocks: Any) -> Verdict:
    node = federation.loop.node
    return Auditor(node.chain_id, node.address, node.terms, federation.store, blocks).run(events)


def test_audit__goes_by_the_part_of_a_commitment_that_the_chain_keeps(played):
    """Anybody can commit to another end of a commitment than the one it opens with: the contract does not see it."""
    events = changed(played.events(), "Committed", 0, lambda f: {"commitment": f["commitment"][:28] + bytes(4)})
    assert played.judged(events).passed


# ---- who is slashed for fraud, and why


def test_audit__notices_a_fraud_slash_for_a_right_model(played):
    """The fallen root is compared with the recomputed one."""
    log = played.loop.history.rounds[0]
    assert [p.fell for p in log.proposals] == [True, False]
    verdict = played.judged(changed(played.events(), "Proposed", 0, lambda f: {"root": log.model}))
    assert differing(verdict) == {"money"} and "slashed for a wrong model, and its model was right" in verdict.difference


def test_audit__notices_a_fraud_slash_without_a_fall__and_a_fall_without_a_slash(played):
    events = played.events()
    fell = next(i for i, event in enumerate(events) if event.name == "ProposalFell")
    without = played.judged([*events[: fell + 1], *events[fell + 3 :]])
    assert "was not slashed although its proposal fell" in without.parts["money"].difference
    other = played.judged([*events[:fell], *events[fell + 1 :]])
    assert "slashed without right: no proposal of it fell" in other.parts["money"].difference


def test_audit__knows_a_demand_that_nobody_answered(hidden):
    assert differing(hidden.judged()) == set()
    events = hidden.events()
    early = changed(events, "Demanded", 0, lambda f: {"deadline": f["deadline"] + 10**6})
    assert "events" in differing(hidden.judged(early))
    theirs = changed(events, "DepositReclaimed", 0, lambda f: {"by": NOBODY_KNOWN})
    assert {"events", "money"} <= differing(hidden.judged(theirs))
    elsewhere = changed(events, "Demanded", 0, lambda f: {"artifact": int(Artifact.UPDATE), "seat": 99})
    assert "events" in differing(hidden.judged(elsewhere))


# ---- money that is not the federation's


def test_audit__of_a_contract_that_somebody_gave_a_token_unit__passes_with_a_note(played):
    system = played.system
    held = reader_of(system).accounting()
    auditor = Auditor.of(played.loop.node, played.store)
    auditor.run(played.events())
    auditor.compare_accounting(replace(held, held=held.held + 1))
    verdict = auditor.verdict()
    assert verdict.passed and verdict.notes[-1].startswith("the contract holds 1 token units more than its accounting")
    auditor.compare_accounting(replace(held, held=held.held - 1))
    assert differing(auditor.verdict()) == {"money"}


def test_donation__on_the_chain__is_a_note(tmp_path):
    federation = InProcessFederation(tmp_path, honest=3, rounds=1)
    federation.run()
    system = federation.system
    system.token.send("mint", STRANGER, 1, by=STRANGER)
    system.token.send("transfer", system.federation.address, 1, by=STRANGER)
    verdict = federation.judged()
    assert verdict.passed and "1 token units more" in verdict.notes[-1]


def test_purses__are_compared_with_the_chain(played):
    reader, auditor = played.loop.node, Auditor.of(played.loop.node, played.store)
    auditor.run(played.events())
    seats = reader.seats(reader.seat_sets().taken)
    credits = {account: reader.credit(account) for account in auditor.money.credits}
    auditor.compare_purses(seats, credits)
    assert auditor.verdict().passed and auditor.verdict().checks["accounts"] == len(credits) > 0
    account = next(iter(credits))
    for lie in (
        (seats, {**credits, account: credits[account] + 1}),
        ({**seats, 0: replace(seats[0], earned=seats[0].earned + 1)}, credits),
        ({**seats, 0: replace(seats[0], operator=NOBODY_KNOWN)}, credits),
        ({seat: facts for seat, facts in seats.items() if seat}, credits),
    ):
        auditor = Auditor.of(reader, played.store)
        auditor.run(played.events())
        auditor.compare_purses(*lie)
        assert differing(auditor.verdict()) == {"money"}


def test_payouts__are_what_the_purses_held(tmp_path):
    federation = InProcessFederation(tmp_path, honest=3, kinds=["wrong_model"], rounds=1)
    federation.run()
    system = federation.system
    system.do("claim", 0, owner(0), by=owner(0))
    system.do("exit", 1, by=owner(1))
    system.do("withdraw", 1, owner(1), by=owner(1))
    system.do("sweep")
    system.do("conclude", by=SPONSOR)
    system.do("refund")
    system.do("claimCredit", SPONSOR, by=SPONSOR)
    assert federation.audit().passed
    for name, field in [
        ("Claimed", "amount"),
        ("Withdrawn", "stake"),
        ("Withdrawn", "earned"),
        ("Swept", "amount"),
        ("Refunded", "amount"),
        ("CreditClaimed", "amount"),
    ]:
        verdict = federation.judged(changed(federation.events(), name, -1, more(field)))
        assert differing(verdict) == {"money"}, name


def test_purse_that_is_full__pays_the_owner_s_credit(tmp_path):
    """A purse holds 96 bits: at the highest rate, and the best score, it is full after 255 rounds."""
    store, none = LocalStore(tmp_path), bytes(264)
    model = NO_MODEL
    store.put(none, Kind.UPDATE)
    store.put(model, Kind.MODEL)
    name = store.put_manifest(manifest(gate=gate_rule("none")))
    rates = {"trainer_rate": 2**88, "validator_rate": 0, "proposer_fee": 0}
    system = System.create(InProcessChain(), model=model, manifest=name, max_seats=3, **rates)
    system.join(3).fund(2**100)
    for _ in range(256):
        system.to_propose(dict.fromkeys(range(3), none), score=255).propose(model).finish()
    reader = reader_of(system)
    events = reader.new_events()
    credited = [event for event in events if event.name == "Credited"]
    assert [event.fields["amount"] for event in credited] == [2**88] * 3

    def judged(events: list[Event]) -> Verdict:
        auditor = Auditor.of(reader, store)
        auditor.run(events)
        auditor.compare_accounting(reader.accounting())
        seats = reader.seats(reader.seat_sets().taken)
        auditor.compare_purses(seats, {account: reader.credit(account) for account in auditor.money.credits})
        return auditor.verdict()

    assert judged(events).passed, judged(events).difference
    assert "money" in differing(judged([event for event in events if event != credited[1]]))
    assert "money" in differing(judged(changed(events, "Credited", 1, lambda f: {"account": owner(0)})))


# ---- who owns a seat, and who sends its acts


@pytest.fixture(scope="module")
def relayed(tmp_path_factory) -> tuple[FederationReader, LocalStore, list[Event]]:
    """A round sent in batches by a stranger, with a seat that goes to another owner meanwhile."""
    system, store = handed_over(tmp_path_factory.mktemp("relayed"))
    reader = reader_of(system)
    return reader, store, reader.new_events()


def test_audit__of_acts_that_others_sent__and_a_seat_handed_over__passes(relayed):
    reader, store, events = relayed
    handed = next(event for event in events if event.name == "HandedOver")
    auditor = Auditor.of(reader, store)
    assert auditor.run(events[: events.index(handed) + 1]).passed
    assert auditor.history.seats[HANDED].owner == handed.fields["owner"] == NEW_OWNER.address
    auditor = Auditor.of(reader, store)
    auditor.run(events)
    auditor.compare_accounting(reader.accounting())
    auditor.compare_purses(reader.seats(reader.seat_sets().taken), {})
    assert auditor.verdict().passed, auditor.verdict().difference


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda f: {"from": NOBODY_KNOWN}, "the owner that handed it over"),
        (lambda f: {"owner": f["from"]}, "had this owner before"),
        (lambda f: {"owner": ZERO_ADDRESS}, "the owner or operator is nobody"),
        (lambda f: {"operator": ZERO_ADDRESS}, "the owner or operator is nobody"),
    ],
    ids=["from", "same", "no owner", "no operator"],
)
def test_audit__names_a_changed_handover(relayed, change, said):
    reader, store, events = relayed
    verdict = Auditor.of(reader, store).run(changed(events, "HandedOver", 0, change))
    assert differing(verdict) == {"events"} and said in verdict.difference


def test_audit__names_a_handover_of_a_leaving_seat(relayed):
    reader, store, events = relayed
    handed = next(event for event in events if event.name == "HandedOver")
    leaving = replace(handed, name="Leaving", fields={"seat": HANDED}, index=-1)
    at = events.index(handed)
    verdict = Auditor.of(reader, store).run([*events[:at], leaving, *events[at:]])
    assert f"event HandedOver: seat {HANDED} is leaving" in verdict.difference


# ---- files that nobody shows


def test_round_that_nobody_can_read__leaves_open_only_what_depends_on_it(played):
    log = played.loop.history.rounds[0]
    path = played.store.path / f"{log.reveals[log.accepted[0]].root.hex()}.update"
    whole = path.read_bytes()
    try:
        path.unlink()
        verdict = played.judged()
        assert verdict.passed and differing(verdict) == set()
        assert not any("validator" in what for what in verdict.parts["money"].unknown)
        assert verdict.parts["models"].unknown == ("round 1: the model, because a file that it is made of is not there",)
        assert verdict.parts["committee"].unknown[0].startswith(f"round 1, seat {log.accepted[0]}: its update was accepted")
        assert verdict.checks["models"] == 1  # round 2 is recomputed from the model that round 1 ended with
        assert list(lines(verdict))[-1].startswith("audit passed: 2 rounds, ")
        path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        verdict = played.judged()
        assert differing(verdict) == {"committee"} and "does not hash to its name" in verdict.difference
    finally:
        path.write_bytes(whole)


def test_model_that_nobody_shows__is_not_known(played):
    first, second = (log.model for log in played.loop.history.rounds)
    path = played.store.path / f"{first.hex()}.model"
    whole = path.read_bytes()
    try:
        path.unlink()
        verdict = played.judged()
        assert verdict.passed and verdict.model == second.hex()
        assert len(verdict.parts["models"].unknown) == 2  # itself, and what was made of it
        path.write_bytes(whole[:-1])
        assert differing(played.judged()) == {"models"}
    finally:
        path.write_bytes(whole)


def test_wrong_model_that_became_final__is_the_models_difference_alone(tmp_path):
    """Nobody checked while it could be challenged."""
    store, updates = LocalStore(tmp_path), {seat: bytes([0] * 8 + [seat + 1] * 256) for seat in range(3)}
    model, wrong = NO_MODEL, b"\x01" + bytes(1023)
    for data, kind in [(model, Kind.MODEL), (wrong, Kind.MODEL), *((data, Kind.UPDATE) for data in updates.values())]:
        store.put(data, kind)
    name = store.put_manifest(manifest(256, gate=gate_rule("none")))
    system = System.create(InProcessChain(), model=model, manifest=name)
    system.join(3).fund()
    system.to_propose(updates).propose(wrong).finish()
    system.to_propose(updates)
    store.put(system.aggregate(), Kind.MODEL)
    system.propose(system.aggregate()).finish()
    verdict = Auditor.of(reader_of(system), store).run(reader_of(system).new_events())
    assert differing(verdict) == {"models"} and verdict.difference.startswith("round 1: model: recomputed ")


def test_committee_that_let_in_what_the_gate_leaves_out__is_the_committee_s_difference_alone(tmp_path):
    store = LocalStore(tmp_path)
    updates = {seat: bytes([0] * 8 + [seat + 1] * 256) for seat in range(4)} | {4: bytes([0] * 8 + [0x80] * 256)}
    for data, kind in [(NO_MODEL, Kind.MODEL), *((data, Kind.UPDATE) for data in updates.values())]:
        store.put(data, kind)
    name = store.put_manifest(manifest(256, gate=gate_rule("none")))
    system = System.create(InProcessChain(), model=NO_MODEL, manifest=name)
    system.join(5).fund()
    system.to_propose(updates)
    store.put(system.aggregate(), Kind.MODEL)
    system.propose(system.aggregate()).finish()
    verdict = Auditor.of(reader_of(system), store).run(reader_of(system).new_events())
    assert differing(verdict) == {"committee"} and verdict.difference.endswith("recorded [0, 1, 2, 3, 4]")


# ---- the manifest and the terms


@pytest.mark.parametrize("facts", [{"max_exponent": 3}, {"parameters": 257}], ids=str)
def test_manifest__that_contradicts_the_terms__is_named(tmp_path, facts):
    store = LocalStore(tmp_path)
    store.put(NO_MODEL, Kind.MODEL)
    name = store.put_manifest(manifest(**{"parameters": 2, **facts}))
    system = System.create(InProcessChain(), model=NO_MODEL, manifest=name)
    verdict = Auditor.of(reader_of(system), store).run([])
    assert differing(verdict) == {"models"} and "manifest" in verdict.difference


def test_terms_that_break_a_rule__and_a_manifest_that_is_none(tmp_path, played):
    node = played.loop.node
    with pytest.raises(AuditError, match="the terms break rule 10"):
        Auditor(1, node.address, replace(node.terms, max_seats=0), played.store, node)
    with pytest.raises(AuditError, match="the store lacks a file that the chain names"):
        Auditor(1, node.address, node.terms, LocalStore(tmp_path), node)
