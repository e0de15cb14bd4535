"""The page: facts folded from events, sentences that say them, drawings without scripts, and nothing from outside unescaped."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import Markup
from support.evm import contract_types
from support.manifests import manifest
from support.pages import KNOWN, START, TERMS, Book, facts, federation, play
from support.system import UNIT

from fl.errors import TreatyError
from fl.network.events import Event
from fl.protocol.enums import Offence
from fl.protocol.phases import Phase
from fl.tools.audit.measured import PrivacySpent
from fl.tools.audit.verdict import Judgement, Verdict
from fl.tools.cli.prices import Prices
from fl.tools.report import charts, render, text
from fl.tools.report.facts import ACTS, FUNCTIONS, OFFENCES, Known, functions_of
from fl.tools.report.render import page, picture


class Seen(HTMLParser):
    """What a browser would see: tags in order, and the text outside style."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words += data + " "


def said(text: str) -> str:
    return " ".join(Seen(text.split("</style>")[1]).words.split())


# ---- facts


def test_people__are_those_who_joined__and_a_seat_taken_again_is_somebody_else():
    people = facts().people
    assert [(p.name, p.gone, p.stake) for p in people] == [
        ("Cleveland", True, 0),
        ("Hungary", False, 200 * UNIT),
        ("the forger", False, 150 * UNIT),
        ("the silent", False, 190 * UNIT),
        ("VA Long Beach", False, 200 * UNIT),
        ("seat 0, again", False, 300 * UNIT),
    ]
    assert people[0].pay > 0 and people[5].pay == 0 and people[5].medians == {}


def test_pay__is_trainer_and_validator_and_proposer():
    forged = {p.name: p for p in facts().people}
    medians = forged["VA Long Beach"].medians
    whole = sum(10 * UNIT * m // 255 for m in medians.values())
    assert set(medians) == {1, 2} and whole > 0
    assert forged["VA Long Beach"].pay == whole + 2 * UNIT  # it proposed both models
    validator = forged["Hungary"]
    assert validator.medians == {1: 0, 2: 0} and validator.pay == 2 * UNIT  # left out twice; a validator twice


def test_slashes__carry_their_round():
    result = {p.name: [(s.round, s.amount, s.offence) for s in p.slashes] for p in facts().people if p.slashes}
    assert result == {
        "the silent": [(2, 10 * UNIT, "committed and did not reveal")],
        "the forger": [(2, 50 * UNIT, "proposed a wrong model, or one it could not open")],
    }


def test_rounds__have_states_phases_and_acts():
    first, second, third = facts().rounds
    assert (first.state, second.state, third.state) == ("final", "final", "void")
    assert [s.phase for s in first.spans] == [
        "commit",
        "reveal",
        "draw",
        "score commit",
        "score reveal",
        "settle",
        "show",
        "propose",
        "challenge",
    ]
    assert [s.phase for s in second.spans][-4:] == ["propose", "challenge", "propose", "challenge"]
    assert (first.spans[0].start, first.spans[0].end) == (first.log.opened_at, first.log.opened_at + TERMS.commit_window)
    assert [d.seat for d in second.acts if d.what == "revealed"] == [0, 1, 2, 4] and second.fallen == [2]
    assert all(s.end >= s.start for r in facts().rounds for s in r.spans)


def test_running_round__has_its_phase_and_end():
    book = federation()
    book.note("RoundOpened", round=4, active=0b110, base=b"\x0c" * 32, pot=UNIT, openedAt=book.clock)
    result = facts(book=book, time=book.clock + 5, phase=Phase.COMMIT, phase_end=book.clock + 500)
    assert (result.rounds[-1].state, result.rounds[-1].phase, result.rounds[-1].ends) == ("running", "commit", book.clock + 500)
    assert result.rounds[2].state == "void" and "round 4 is in its commit phase" in text.opening(result)[0]


def test_agreement__is_distance_from_medians__and_disputes_are_counted():
    first = facts().rounds[0]
    revealed, medians = first.log.revealed, first.log.medians
    others = [i for i, s in enumerate(revealed) if s != 0]
    assert first.distances[0] == sum(abs(first.log.scores[0][i] - medians[i]) for i in others) / 4
    assert first.disputed == 0
    book = Book()
    for s in range(3):
        book.note("Joined", seat=s, owner="0x" + "00" * 20, operator="", stake=UNIT)
    play(book, 1, [0, 1, 2])
    spoilt = [replace(e, fields={**e.fields, "scores": b"\1\1\0"}) if e.name == "ScoresRevealed" else e for e in book.events]
    last = max(i for i, e in enumerate(spoilt) if e.name == "ScoresRevealed")
    spoilt[last] = replace(spoilt[last], fields={**spoilt[last].fields, "scores": b"\0\1\1"})
    book.events = spoilt
    assert facts(book=book).rounds[0].disputed == 1  # of seat 0's: 2 says out, 1 says in


@pytest.mark.parametrize(
    "names, result",
    [
        (["Committed"], "commit"),
        (["Slashed", "Closed"], "close"),
        (["Finalized", "RoundOpened"], "finalize + openRound"),
        (["Committed"] * 5, "5 commit"),
        (["Slashed"], "other"),
    ],
)
def test_function__is_told_by_what_a_transaction_left(names, result):
    assert functions_of([Event(n, {}, 1, i, "0x1") for i, n in enumerate(names)]) == result


# ---- words


def test_opening__says_who_what_trouble_and_money():
    result = " ".join(text.opening(facts()))
    assert "Six participants, two of them cheats, trained one model together in three rounds" in result
    assert "Measured by AUC, the model went from 0.500 to 0.800" in result and "0.650 on average" in result
    assert "The forger lost 50 TTT of its stake: it proposed a wrong model" in result
    assert "the silent lost 10 TTT of its stake: it committed and did not reveal" in result
    assert "One round was void and paid nobody." in result and "60 was slashed and went to nobody in the federation" in result


def test_opening__before_anything_happened():
    assert text.opening(facts(Known(), Book())) == ["Nobody has joined yet. No round has been opened so far."]
    assert "waiting for the first round" in said(page(facts(Known(), Book())))


@pytest.mark.parametrize(
    "audit, kind, result",
    [
        (None, "none", "so nothing was recomputed"),
        (
            Verdict(True, checks={"events": 2, "models": 1}),
            "passed",
            "recomputed committees, scores, pay, stakes and models from the public record, 3 facts",
        ),
        (
            Verdict(True, checks={"events": 2}, parts={"models": Judgement(True, unknown=("round 1: the model",))}),
            "passed",
            "2 facts, and found no difference. For one other fact a file is not in the store.",
        ),
        (Verdict(False, difference="round 2: model: recomputed aa"), "failed", "round 2: model: recomputed aa"),
    ],
)
def test_audit__is_said_as_it_is(audit, kind, result):
    given = facts(replace(KNOWN, audit=audit))
    assert text.audited(given)[0] == kind and result in text.audited(given)[1]
    assert f'class="verdict {kind}"' in page(given) and result in said(page(given))


@pytest.mark.parametrize("seconds, result", [(0, "0 s"), (61, "1 min 1 s"), (7200, "2 h"), (90061, "1 d 1 h"), (-5, "0 s")])
def test_lasting__two_largest_units(seconds, result):
    assert text.lasting(seconds) == result


# ---- prices


def test_prices__mainnet_and_rollup():
    prices = Prices(gas_price=2, l2_gas_price=0.01, blob_price=0.5, eth_price=1000)
    assert prices.dollars(prices.mainnet(500_000)) == pytest.approx(1.0)
    data = (0.8365 * 200 - 42.5856) * (16 * 2 * 0.002269 + 0.5 * 1.055762)
    assert prices.data_fee(200) == pytest.approx(data) and prices.data_fee(10) == prices.data_fee(150)
    assert prices.rollup(100_000, 200) == pytest.approx((1000 + data) * 1e-9)
    text = said(page(facts(), prices))
    assert "2 gwei per gas on mainnet" in text and "ether at $1,000" in text and "assumptions" in text


@pytest.mark.parametrize("price", [{"gas_price": -1}, {"eth_price": float("nan")}, {"blob_price": float("inf")}])
def test_prices__that_are_none_are_refused(price):
    with pytest.raises(TreatyError, match="give a price of at least 0"):
        Prices(**price)


# ---- drawings


def drawings(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r'<svg class="chart".*?</svg>', text, re.S)]


def test_every_drawing__has_title_and_description__and_is_whole():
    found = drawings(page(facts()))
    assert len(found) == 2 * (1 + 3 + 1 + 1 + 1)  # curve, three rounds, pay, agreement, gas; wide and slim
    for svg in found:
        assert svg[0].tag == "title" and svg[0].text and svg[1].tag == "desc" and svg[1].text
        assert svg.get("aria-labelledby") == f"{svg[0].get('id')} {svg[1].get('id')}"
        _, _, wide, tall = map(float, svg.get("viewBox").split())
        for e in svg.iter():
            for side, most in (("x", wide), ("cx", wide), ("x1", wide), ("x2", wide), ("y", tall), ("cy", tall)):
                if e.get(side) is not None and e.tag != "pattern":
                    assert -1 <= float(e.get(side)) <= most + 1, (svg[0].text, e.tag, side, e.get(side))


def test_ids__are_unique_on_a_page():
    ids = [v for k, v in Seen(page(facts())).attributes if k == "id"]
    assert len(ids) == len(set(ids)) > 20


def test_timeline__marks_every_act():
    given = facts()
    result = drawings(page(given))
    for r in given.rounds:
        wide = next(d for d in result if d[0].text.startswith(f"Round {r.number}:"))
        marks = [e for e in wide.iter() if "sign" in (e.get("class") or "")]
        assert len(marks) == len(r.acts)


def test_timeline__its_two_times_share_a_line_only_where_both_fit():
    bands = [charts.Band("commit", 0, 60), charts.Band("reveal", 60, 120)]
    begin, end = "26 Nov 2026 17:10 UTC", "4 h 30 min later"
    lines = {}
    for drawn in drawings(charts.timeline(["VA Long Beach"], bands, [], "Round", "", begin, end)):
        at = {e.text: float(e.get("y")) for e in drawn.iter() if e.tag == "text"}
        lines[float(drawn.get("viewBox").split()[2])] = at[end] - at[begin]
    assert [lines[width] > 10 for width in sorted(lines)] == [True, False]


def test_curve__draws_every_line_and_level():
    wide = next(d for d in drawings(page(facts())) if d[0].text == "How the model learned")
    assert [e.get("class") for e in wide.iter() if e.tag == "path"] == ["curve k0", "curve k1", "curve k2"]
    assert [e.get("class") for e in wide.iter() if e.tag == "line"].count("level") == 1
    texts = [e.text for e in wide.iter() if e.tag == "text"]
    assert {"this federation", "all data in one place", "honest only, in floats", "local only, average"} <= set(texts)


def test_picture__stands_alone():
    drawn = ElementTree.fromstring(picture(facts()))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg" and drawn.get("viewBox") == "-16 -12 752 328"
    assert "prefers-color-scheme: dark" in drawn[0].text and len(picture(facts())) < 30_000
    with pytest.raises(TreatyError, match="no picture: no model was measured"):
        picture(facts(Known()))


def test_curves__of_a_number_too_large_to_differ_from_its_neighbours():
    for value in (1e17, -1e30, 1e250):
        assert "<svg" in charts.curves([charts.Line("a", [value, value], 0)], "t", "d", "x")


def test_curves__with_one_value_or_none_or_nan():
    one = charts.curves([charts.Line("a", [0.5], 0)], "t", "d", "x")
    assert len(drawings(str(one))) == 2
    holes = charts.curves([charts.Line("a", [0.5, None, float("nan"), 0.7], 0)], "t", "d", "x")
    assert "nan" not in holes and len(drawings(str(holes))) == 2
    assert charts.curves([charts.Line("a", [None], 0)], "t", "d", "x") == ""


@pytest.mark.parametrize("low, high", [(0, 1), (0.457, 0.872), (-3, 12_000), (1e-9, 2e-9), (5, 5)])
def test_ticks__cover_what_they_are_for(low, high):
    result = charts.ticks(low, high)
    assert result[0] <= low and result[-1] >= high and len(result) <= 9 and result == sorted(result)


def test_many_seats__become_lanes_by_act():
    book = Book()
    for s in range(60):
        book.note("Joined", seat=s, owner="0x" + "00" * 20, operator="", stake=UNIT)
    play(book, 1, list(range(60)))
    given = facts(Known(), book)
    wide = next(d for d in drawings(page(given)) if d[0].text.startswith("Round 1:"))
    assert float(wide.get("viewBox").split()[3]) < 300
    assert len([e for e in wide.iter() if "sign" in (e.get("class") or "")]) == len(given.rounds[0].acts)


# ---- a page from outside's words

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


SPENT = PrivacySpent(
    "sgd",
    noise=0.91,
    spent=1.25,
    epsilon=8.0,
    delta=1e-5,
    rounds=(1, 2),
    sat_out=(3,),
    series={1: 0.8, 2: 1.25},
    statements={},
)


def evil() -> Known:
    names = dict.fromkeys(range(5), EVIL)
    baselines = replace(KNOWN.baselines, local_only={EVIL: 0.5})
    gas = {EVIL: KNOWN.gas["commit"]}
    audit = Verdict(False, 0, "", {EVIL: 1}, {EVIL: Judgement(False, EVIL, (EVIL,))}, (EVIL,), EVIL)
    return replace(
        KNOWN,
        names=names,
        kinds=dict.fromkeys(range(5), EVIL),
        metric=EVIL,
        measured_on=EVIL,
        baselines=baselines,
        gas=gas,
        manifest=manifest(task=EVIL),
        audit=audit,
        privacy={EVIL: replace(SPENT, mechanism=EVIL)},
        commands=(EVIL,),
    )


@pytest.mark.parametrize("live", [False, True])
def test_names_tasks_and_whatever_else_comes_from_outside__stay_text(live):
    text = page(facts(evil()), live=live)
    seen = Seen(text)
    assert seen.tags.count("script") == (1 if live else 0) and "img" not in seen.tags
    assert not [k for k, _ in seen.attributes if k.startswith("on")]
    assert text.count("&lt;script&gt;alert(1)") > 20


def test_page__runs_no_script_and_asks_no_network():
    text = page(facts())
    seen = Seen(text)
    assert "script" not in seen.tags and "link" in seen.tags
    assert [v for k, v in seen.attributes if k == "href" and not v.startswith(("#", "data:"))] == []
    assert [k for k, _ in seen.attributes if k in ("src", "srcset", "action")] == []
    assert "url(http" not in text and "@import" not in text and "default-src &#39;none&#39;" in text
    assert len(text) < 300_000


def test_names__that_are_long_are_cut():
    long = page(
        facts(replace(KNOWN, names=dict.fromkeys(range(5), "x" * 5000), metric="z" * 5000, manifest=manifest(task="y" * 5000)))
    )
    assert not [letter for letter in "xyz" if letter * 200 in long]


def test_page__is_the_same_twice():
    assert page(facts()) == page(facts())


def test_privacy__is_told_when_the_summary_has_it():
    assert "no privacy budget is claimed" in said(page(facts()))
    result = said(page(facts(replace(KNOWN, privacy={"Cleveland": SPENT}))))
    assert "Cleveland 1.25 8 1e-05 each row 0.91 2 3" in result and "no privacy budget" not in result
    drawn = page(facts(replace(KNOWN, privacy={"Cleveland": SPENT})))
    assert [f"Cleveland, round {n}: {e}" in drawn for n, e in ((0, 0), (1, 0.8), (2, 1.25))] == [False, True, True]
    assert "Epsilon spent after each round, at the end: Cleveland 1.25." in drawn and "budget 8" in drawn


def test_moment__is_told_in_utc():
    assert text.moment(START) == "15 Jan 2027 08:00 UTC" and text.moment(0) == "unknown"


def test_markup__given_as_a_name_is_still_text():
    assert "<b>" not in str(charts.bars([("<b>x</b>", 1, 0)], "t", "d", "g", "b", str))
    assert isinstance(charts.bars([("x", 1, 0)], "t", "d", "g", "b", str), Markup)


# ---- maps that name events and functions


def test_maps_of_events_and_functions__name_what_the_contract_has():
    abi = contract_types()["Federation"].abi
    events, functions = ({entry["name"] for entry in abi if entry["type"] == kind} for kind in ("event", "function"))
    untold = {"Credited", "CreditUsed", "Excluded", "Slashed", "Voided"}  # what another event's function does beside
    assert set(FUNCTIONS) == events - untold
    assert set(FUNCTIONS.values()) <= functions and set(render.GAS_KIND) <= functions
    assert set(ACTS) <= events and set(OFFENCES) == set(Offence)
