"""A stranger's text (a manifest's word, a node's reason, a task's name) reaches a terminal as letters: it moves no cursor,
hides no line, and forges none in a log."""

import io
from dataclasses import replace

import pytest
from support.manifests import manifest
from support.pages import KNOWN, facts

from fl.errors import TaskError, plain
from fl.log import Log
from fl.tools.audit.verdict import Judgement, Verdict, lines
from fl.tools.cli.network import say_remembered
from fl.tools.cli.remembered import Remembered

STRANGE = "lin\x1b[2Jear\n2026-01-01T00:00:00Z info reveal mined\r\x9b31m\u202e"


def harmless(text: str) -> bool:
    return all(c.isprintable() for c in text)


@pytest.mark.parametrize("text", ["10 TTT of 3 €, 數據 – ok", "", "a b"])
def test_plain__leaves_letters_of_any_script(text):
    assert plain(text) == text


def test_plain__keeps_one_line(text=STRANGE):
    assert harmless(plain(text)) and len(plain(text)) == len(text)


def test_refusal__that_cites_a_stranger():
    result = str(TaskError(f"the manifest says {STRANGE}"))
    assert harmless(result.replace("\n", "")) and "lin\N{REPLACEMENT CHARACTER}[2Jear" in result


def test_log__has_one_line_for_each_fact():
    log = Log(io.StringIO())
    log.warn(f"node 10.0.0.1 refused: {STRANGE}", transaction=STRANGE)
    assert log.out.getvalue().count("\n") == 1 and harmless(log.out.getvalue().rstrip("\n"))


def test_audit__of_a_record_with_a_strange_event():
    found = Verdict(False, 1, STRANGE, {STRANGE: 1}, {"events": Judgement(False, STRANGE, (STRANGE,))}, (STRANGE,), STRANGE)
    assert all(map(harmless, lines(found)))


def test_folder__that_is_about_a_strange_federation(capsys):
    say_remembered(Remembered(STRANGE, STRANGE, (STRANGE,)), federation=True, network=True, stores=True)
    assert harmless(capsys.readouterr().err.rstrip("\n"))


def test_page__of_a_manifest_with_a_strange_task():
    result = facts(replace(KNOWN, manifest=manifest(task=STRANGE), metric=STRANGE))
    assert harmless(result.task) and harmless(result.metric)
