"""Who was left out of the model, by how many reports, and why: in plain words wherever a federation is shown."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from support.in_process import InProcessFederation

from fl.agents.runtime.news import News
from fl.log import Log
from fl.tools.audit.export import round_facts
from fl.tools.cli.prices import Prices
from fl.tools.federation import doctor
from fl.tools.federation.status import missing, status
from fl.tools.report import text
from fl.tools.report.facts import Facts, Known, gather
from fl.tools.report.render import page
from fl.tools.report.watch import Screen, terminal

TOLD = "seat 4 is left out of the model and keeps its pay: 3 of 5 seats reported that its file is missing"


@pytest.fixture(scope="module")
def left_out(tmp_path_factory) -> InProcessFederation:
    folder = tmp_path_factory.mktemp("left_out")
    federation = InProcessFederation(folder, "heart", honest=4, kinds=["hides_accepted"], rounds=1)
    federation.run()
    return federation


def shown(federation: InProcessFederation) -> Facts:
    node, history = federation.loop.node, federation.loop.history
    place = node.chain_id, node.address, node.terms
    return gather(*place, history, node.times(history.events), Known(), denomination=node.denomination)


def test_status__says_who_is_left_out__and_why(left_out):
    result = status(left_out.loop.node)
    assert (
        "excluded    the update of seat 4 is left out of the model and keeps its pay: "
        "3 of 5 seats reported that its file is missing"
    ) in result.lines
    assert result.facts["missing"] == [{"seat": 4, "reports": 3, "revealed": 5, "left_out": True}]


def test_status__says_what_too_few_reported(left_out):
    facts = left_out.loop.node.round_facts()
    first = next(e for e in left_out.events() if e.name == "MissingReported")
    (one,) = missing(SimpleNamespace(number=1, revealed=facts.revealed, accepted=facts.accepted | 16), [first])
    assert one.told() == (
        "the update of seat 4 stays in the model: 1 of 5 seats reported that its file is missing, and it takes more than half "
        "to leave it out"
    )


@pytest.mark.parametrize("seat, remedy", [(0, ""), (4, "; this seat is yours: give its daemon a --store that others reach")])
def test_doctor__says_it__and_tells_the_author_what_to_do(left_out, seat, remedy):
    said, node = [], left_out.loop.node
    visit = SimpleNamespace(reader=node, address=node.seats([seat])[seat].operator, say=lambda *facts: said.append(facts))
    doctor._missing(visit)
    told = "in round 1 the update of seat 4 is left out of the model and keeps its pay: 3 of 5 seats reported that its file"
    assert said == [("updates", "warn", f"{told} is missing{remedy}")]


def test_report_and_watch__say_it(left_out):
    facts = shown(left_out)
    (round_,) = facts.rounds
    assert text.status(round_) == f"4 of 5 updates entered the model; {TOLD}"
    assert f"In round 1, {TOLD}." in text.opening(facts)
    assert "show" in [span.phase for span in round_.spans] and round_.left_out == []
    whole = page(facts)
    assert whole.count(TOLD) >= 2 and "reported that it cannot get the update of seat 4" in " ".join(w for _, w in facts.latest)
    assert any(what == f"round 1: {TOLD}" for _, what in facts.latest)
    screen = Screen(SimpleNamespace(), Prices())
    screen.facts = facts
    out = io.StringIO()
    Console(file=out, width=300).print(terminal(screen))
    assert TOLD in out.getvalue()


def test_summary_s_facts__tell_excluded_from_left_out(left_out):
    facts = round_facts(left_out.loop.history.rounds[0])
    assert (facts["accepted"], facts["left_out"], facts["excluded"]) == ((0, 1, 2, 3), (), {4: 3})
    history = left_out.loop.history
    assert left_out.record.reasons(history, history.rounds[0]) == {}  # the committee left nobody out


@pytest.mark.parametrize("seat", [0, 4])
def test_daemon__tells_it_once(left_out, seat):
    out = io.StringIO()
    view, news = left_out.loop.look(), News(seat, Log(out))
    news.tell(view)
    news.tell(view)
    assert out.getvalue().count(TOLD) == 1
    assert ("give a --store that others can reach" in out.getvalue()) is (seat == 4)
