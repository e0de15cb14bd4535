"""When a reporter reports what: at half of Show, once, what it lacks then."""

from dataclasses import replace

import pytest
from support.in_process import InProcessFederation

from fl.agents.record.view import View
from fl.agents.roles.reporter import Reporter
from fl.agents.runtime.actions import Call, Look, Wait
from fl.protocol.artifact import Kind
from fl.protocol.phases import Phase
from fl.protocol.seats import to_bitmap

HIDDEN = 2


@pytest.fixture(scope="module")
def show(tmp_path_factory) -> tuple[InProcessFederation, View]:
    """A federation at the beginning of Show, and what anybody sees."""
    federation = InProcessFederation(tmp_path_factory.mktemp("show"), honest=5, rounds=1)
    loop = federation.loop
    while (view := loop.look()).phase is not Phase.SHOW:
        if not loop.act():
            loop.wait(view)
    return federation, view


@pytest.fixture
def hidden(show, tmp_path):
    """(the view, with a record of its own; a way to hide the file and one to bring it back)."""
    federation, view = show
    root = view.round.reveals[HIDDEN].root
    path, away = federation.store.path / f"{root.hex()}.update", tmp_path / "away"

    def hide() -> None:
        path.rename(away)

    def back() -> None:
        if away.is_file():
            away.rename(path)

    yield replace(view, record=view.record.copy(), history=view.history.copy()), hide, back
    back()
    assert federation.store.has(root, Kind.UPDATE)


def at(view: View, part: float) -> View:
    """The same view at this part of Show."""
    begins = view.phase_end - view.terms.show_window
    head = replace(view.snapshot.head, time=begins + int(part * view.terms.show_window))
    return replace(view, snapshot=replace(view.snapshot, head=head))


def looked(reporter: Reporter, view: View) -> None:
    """The worker's part, as the executor does it."""
    (look,) = reporter.decide(view)
    assert isinstance(look, Look)
    reporter.journal.mkdir(exist_ok=True)
    for name, data in look.run(view).items():
        (reporter.journal / name).write_bytes(data)


def test_reporter__with_every_file__says_nothing(hidden, tmp_path):
    view, _, _ = hidden
    reporter = Reporter(0, tmp_path / "0")
    assert reporter.decide(at(view, 0)) == []
    looked(reporter, at(view, 0.5))
    assert reporter.decide(at(view, 0.6)) == []


def test_reporter__waits_for_half_of_show__and_reports_what_it_lacks_then(hidden, tmp_path):
    view, hide, _ = hidden
    hide()
    reporter = Reporter(0, tmp_path / "0")
    (wait,) = reporter.decide(at(view, 0.49))
    assert isinstance(wait, Wait) and wait.until == at(view, 0.5).time and "of seats 2 cannot be fetched" in wait.why
    looked(reporter, at(view, 0.5))
    (call,) = reporter.decide(at(view, 0.5))
    assert isinstance(call, Call) and call.function == "reportMissing"
    assert call.args == (1, 0, to_bitmap([HIDDEN])) and call.relay_until == at(view, 0.75).time


def test_reporter__reports_once__and_the_same_after_a_restart__whatever_came_meanwhile(hidden, tmp_path):
    view, hide, back = hidden
    hide()
    looked(Reporter(0, tmp_path / "0"), at(view, 0.5))
    back()
    anew = Reporter(0, tmp_path / "0")
    (call,) = anew.decide(at(view, 0.9))
    assert call.args == (1, 0, to_bitmap([HIDDEN]))
    view.round.reports[0] = [HIDDEN]
    assert anew.decide(at(view, 0.9)) == []


def test_reporter__whose_missing_file_a_majority_reported__sends_nothing(hidden, tmp_path):
    view, hide, _ = hidden
    hide()
    reporter = Reporter(0, tmp_path / "0")
    looked(reporter, at(view, 0.5))
    view.round.accepted, view.round.excluded = [0, 1, 3, 4], [HIDDEN]
    assert reporter.decide(at(view, 0.6)) == []


def test_reporter__that_did_not_reveal__or_outside_show__sends_nothing(hidden, tmp_path):
    view, hide, _ = hidden
    hide()
    assert Reporter(9, tmp_path / "9").decide(at(view, 0.5)) == []
    assert Reporter(0, tmp_path / "0").decide(at(view, 1.01)) == []


def test_file_that_came_back_before_half__is_not_reported(hidden, tmp_path):
    view, hide, back = hidden
    hide()
    reporter = Reporter(0, tmp_path / "0")
    assert isinstance(reporter.decide(at(view, 0.2))[0], Wait)
    back()
    looked(reporter, at(view, 0.5))
    assert reporter.decide(at(view, 0.5)) == []
