"""Over a token of six decimals, whatever people read says 100 where 100 tokens are meant: units, pages, the live console."""

from dataclasses import replace

import pytest
from rich.console import Console
from support.in_process import InProcessFederation
from support.pages import OWNER, START, TERMS, federation
from support.system import BASE_TERMS

from fl.agents.record.history import History
from fl.network.denomination import RAW, Denomination, denomination_of
from fl.network.events import Event
from fl.protocol.terms import AMOUNTS, Terms
from fl.tools.federation.deployment import Deployment
from fl.tools.federation.show_deployment import show_deployment
from fl.tools.report.facts import Facts, Known, gather
from fl.tools.report.join_page import join_page
from fl.tools.report.render import page
from fl.tools.report.watch import Screen, terminal
from fl.tools.simulation.console import Live

SIX = Denomination(6, "SIX")
FEWER = 10**12  # units of 18 decimals in one of six


def fewer(terms: Terms) -> Terms:
    return replace(terms, **{name: getattr(terms, name) // FEWER for name in AMOUNTS})


def fewer_units(value: object) -> object:
    return tuple(v // FEWER for v in value) if isinstance(value, tuple) else value // FEWER


def facts(denomination: Denomination = SIX) -> Facts:
    """The federation made by hand, over a token of six decimals."""
    amounts = {"amount", "stake", "earned", "pot", "paid", "validatorPay"}
    book, history = federation(), History(TERMS.committee)
    for e in book.events:
        fields = {name: fewer_units(value) if name in amounts else value for name, value in e.fields.items()}
        history.apply([Event(e.name, fields, e.block, e.index, e.transaction)])
    return gather(31337, OWNER, fewer(TERMS), history, book.times, Known(), denomination=denomination, time=START)


# ---- the unit itself


@pytest.mark.parametrize(
    "units, decimals, exact, brief",
    [
        (100 * 10**6, 6, "100", "100"),
        (1, 6, "0.000001", "0.000001"),
        (1234567891, 6, "1,234.567891", "1,234.57"),
        (5 * 10**5, 8, "0.005", "0.005"),
        (123456, 8, "0.00123456", "0.0012"),
        (84 * 10**16, 18, "0.84", "0.84"),
        (2 * 10**24 + 1, 18, "2,000,000.000000000000000001", "2,000,000"),
        (0, 18, "0", "0"),
        (7, 0, "7", "7"),
    ],
)
def test_amount__is_told_exactly_and_in_brief(units, decimals, exact, brief):
    denomination = Denomination(decimals, "USDC")
    assert (denomination.number(units), denomination.show(units), denomination.brief(units)) == (exact, f"{exact} USDC", brief)


@pytest.mark.parametrize("decimals", [-1, 256, 6.0, "6", True, None, 10**9])
def test_decimals__that_are_none__are_refused(decimals):
    with pytest.raises(ValueError, match=r"^a token has 0 to 255 decimals, not "):
        Denomination(decimals, "T")


def test_token_that_says_little__is_told_in_what_is_sure():
    assert denomination_of(None, "T") is RAW and RAW.show(5) == "5 token units"
    assert denomination_of(6, None).show(10**6) == denomination_of(6, " ").show(10**6) == "1 tokens"
    assert Denomination(6, "US\x1b[31m\nDC" + "x" * 99).symbol == "US\ufffd[31m\ufffdDC" + "x" * 10


# ---- what people look at


def test_report__and_live_page():
    for live in (False, True):
        result = page(facts(), live=live)
        assert "lost 50 SIX of its stake" in result and "<td>300</td>" in result and "<td>100 SIX</td>" in result
        assert "Amounts are in SIX, which has 6 decimals" in result and "paid</dt><dd>9 SIX of a pot of 60<" in result
        assert "e-1" not in result.split("</style>")[1] and "0.0000" not in result and "TTT" not in result


def test_what_happened_last__in_tokens():
    slashed = [what for _, what in facts().latest if "slashed" in what]
    assert slashed == [
        "seat 2 was slashed 50 SIX: proposed a model in round 2 that was disproved, or that nobody could open",
        "seat 3 was slashed 10 SIX: committed in round 2 and did not reveal",
    ]


def test_terminal__of_the_watcher():
    screen = Screen(None, None)
    screen.facts = facts()
    console = Console(width=120, record=True)
    console.print(terminal(screen))
    result = console.export_text()
    assert "participants (amounts in SIX)" in result and "the silent" not in result
    assert any("0xcdcdcd" in line and " 300 " in line for line in result.splitlines())


def test_join_page__asks_for_tokens_of_the_federation():
    result = join_page(facts())
    assert "<strong>100 SIX</strong> as stake" in result and 'value="100"' in result and "(at least 100 SIX)" in result
    assert '"decimals": 6' in result and '"minStake": "100000000"' in result and '"symbol": "SIX"' in result


def test_console__of_what_was_deployed__takes_a_symbol_as_text(capsys):
    show_deployment(Deployment(1, *["0x"] * 7, {}, 1), fewer(BASE_TERMS), Denomination(6, "[red]SIX[/]"))
    assert "100 [red]SIX[/]" in capsys.readouterr().out


def test_live_console__tells_a_slash_in_the_federation_s_token(tmp_path, capsys):
    terms = {name: getattr(fewer(BASE_TERMS), name) for name in AMOUNTS}
    federation = InProcessFederation(tmp_path, honest=4, kinds=["no_reveal"], rounds=2, token="SixDecimalsToken", **terms)
    with Live(1) as live:
        federation.loop.watch = live.view
        federation.run()
    assert "seat 4 committed and did not reveal: 10 SIX slashed" in capsys.readouterr().out
