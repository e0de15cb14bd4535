"""Commands on a federation whose token has six decimals: 100 tokens are 100 everywhere, not a millionth of a millionth."""

import re
from pathlib import Path

import pytest
from support.cli import Commands, signed
from support.mistakes import non_standard_token

from fl.network.denomination import Denomination

pytestmark = pytest.mark.xdist_group("commands")

TERMS = "token: '{}'\nmin_stake: 100\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return Path(tmp_path_factory.mktemp("six") / "store")


@pytest.fixture(scope="module")
def federation(commands: Commands, store: Path) -> str:
    """Three seats of 100, 100 and 150.5 tokens; a pool of 1,000."""
    token = non_standard_token(commands, "SixDecimalsToken")
    terms = commands.write("six.yaml", TERMS.format(token))
    words = ["deploy", *signed(0), "--task", "linear", "--terms", terms, "--store", store]
    assert "a round for each role (SIX):\n  participant earns up to 10, loses 10 if" in commands(*words, "--dry-run").out
    done = commands(*words)
    assert done.code == 0 and re.search("min_stake +│? *100 SIX", done.out), done.out + done.err
    address = re.search(r"federation +(0x\w+)", done.out)[1]
    for seat, stake in enumerate((100, 100, 150.5)):
        joined = commands("join", "--federation", address, *signed(seat + 1), "--mint", "--stake", stake)
        worst, taken, given, _ = joined.out.splitlines()
        assert worst.startswith("in one round a seat loses 60 SIX at most") and taken.startswith(
            f"seat {seat}: {stake} SIX staked"
        )
        assert given.startswith("0.4 SIX given to the operator's credit")
    funded = commands("fund", "--federation", address, *signed(0), "--mint", "--amount", 1000)
    assert funded.out.startswith("the pool holds 1,000 SIX: enough for "), funded.err
    return address


@pytest.fixture
def here(commands, federation):
    return lambda command, *words: commands(command, "--federation", federation, *words)


def test_join__says_what_is_missing_in_tokens(here):
    assert "requires at least 100 SIX" in here("join", *signed(5), "--stake", 99).line
    assert "holds 0 SIX and needs 100.4 SIX" in here("join", *signed(5)).line
    assert (
        "none, and 0 SIX for a stake of at least 100 and 0.4 for the deposits of 2 demands: get"
        in here("doctor", *signed(5), "--store", "nowhere").out
    )


def test_refusal_of_the_contract__is_in_tokens(here):
    most = Denomination(6, "SIX").show(2**96 - 1 - 100 * 10**6)
    refused = here("topup", *signed(1), "--mint", "--amount", "1e23")
    assert re.search(rf"100,000,[0,]+ SIX is more than the maximum of {most}: nothing was taken", refused.line), refused.line


def test_status__in_tokens(here):
    done = here("status")
    assert (
        "pool        1,000 SIX; kept for later rounds 0; a round sets aside up to " in done.out
        and "stakes      350.5 SIX; unclaimed pay 0;" in done.out
    )
    assert re.search(r"   0  0x\w{40} +100 +0  whole", done.out), done.out


def test_report_and_watch__in_tokens(here, store, tmp_path):
    done = here("report", "--store", store, "--out", tmp_path / "page.html")
    assert done.code == 0, done.err
    page = (tmp_path / "page.html").read_text()
    assert "<td>150.5</td>" in page and "<td>100 SIX</td>" in page and "Amounts are in SIX, which has 6 decimals" in page
    shown = here("watch", "--once")
    assert re.search("participants \\(amounts in SIX\\)", shown.out) and re.search(r"seat 2 .* 150\.5 ", shown.out), shown.out
