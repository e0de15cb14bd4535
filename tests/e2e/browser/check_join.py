"""The participant's page in a real browser, with a wallet of the test's that hands everything on to the node."""

from __future__ import annotations

import json

import pytest
from chrome import CONTRAST, OVERFLOWING, console, emulate, until
from support.system import SPONSOR, UNIT, address, owner

NEWCOMER = address("newcomer")

# An EIP-1193 provider over the node, which holds every key; `wallet` lets a test make it refuse or change its network.
WALLET = """
window.wallet = { account: %(account)s, chain: null, decline: null, asked: [], heard: {} };
window.ethereum = {
  on: (name, hear) => { (wallet.heard[name] ||= []).push(hear); },
  async request({ method, params = [] }) {
    wallet.asked.push([method, params]);
    if (wallet.decline === method) throw { code: 4001, message: "User rejected the request." };
    if (method === "eth_requestAccounts") return [wallet.account];
    if (method === "eth_chainId" && wallet.chain) return wallet.chain;
    if (method === "wallet_switchEthereumChain") {
      wallet.chain = null;
      for (const hear of wallet.heard.chainChanged || []) hear(params[0].chainId);
      return null;
    }
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const headers = { "Content-Type": "application/json" };
    const answer = await (await fetch("%(node)s", { method: "POST", headers, body })).json();
    if (answer.error) throw answer.error;
    return answer.result;
  },
};
"""


class Page:
    """The page as a participant uses it."""

    def __init__(self, browser, live):
        self.browser, self.live = browser, live

    def open(self, account: str = NEWCOMER, chain: str | None = None) -> Page:
        # A wallet extension is not bound by the page's policy; the test's stands in the page, so the policy is lifted.
        self.browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        source = WALLET % {"account": json.dumps(account.lower()), "node": self.live.node}
        source += f"wallet.chain = {json.dumps(chain)};"
        added = self.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        self.browser.get(self.live.url + "join")
        self.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]})
        return self

    def do(self, script: str, *args):
        return self.browser.execute_script(script, *args)

    def click(self, selector: str) -> None:
        self.do("document.querySelector(arguments[0]).click()", selector)

    def connect(self) -> Page:
        self.click("#connect")
        self.hears("Connected")
        return self

    def agree(self) -> Page:
        self.click("#agreed")
        return self

    def fill(self, field: str, value: str) -> None:
        self.do("document.getElementById(arguments[0]).value = arguments[1]", field, value)

    def press(self, form: str) -> None:
        assert not self.do("return document.querySelector(`#${arguments[0]} button`).disabled", form)
        self.click(f"#{form} button")

    def said(self) -> str:
        return self.do("return document.getElementById('said').textContent")

    def hears(self, text: str) -> str:
        return until(self.browser, lambda: text in self.said() and self.said())

    def text(self, id_: str) -> str:
        return self.do("return document.getElementById(arguments[0]).textContent", id_)

    def sent(self) -> int:
        return self.do("return wallet.asked.filter(([m]) => m === 'eth_sendTransaction').length")

    def shown(self) -> set[str]:
        return set(self.do("return [...document.querySelectorAll('form')].filter((f) => !f.hidden).map((f) => f.id)"))


def deposits(live) -> int:
    """What joining gives the operator."""
    terms = live.system.terms
    return terms.demands_to_pay() * terms.demand_deposit


@pytest.fixture
def page(browser, live):
    console(browser)
    emulate(browser, 360)
    yield Page(browser, live)
    assert [line for line in console(browser) if live.node not in line] == []
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})


@pytest.fixture
def rich(live):
    """The newcomer has ether and 1,000 tokens."""
    system = live.system
    system.evm.rpc("anvil_setBalance", NEWCOMER, hex(10**18))
    held = system.token.call("balanceOf", NEWCOMER)
    system.token.send("mint", NEWCOMER, 1000 * UNIT - held, by=SPONSOR)


def test_without_a_wallet__the_page_says_so__under_its_own_policy(browser, live, page):
    browser.get(live.url + "join")
    assert not page.do("return document.getElementById('account').offsetHeight")  # nothing half-filled to be seen
    page.click("#connect")
    assert page.hears("No wallet was found in this browser")
    assert page.shown() == {"join"} and page.do("return document.querySelector('#join button').disabled")


def test_page__is_legible_on_a_phone_and_by_night(browser, live, page):
    for dark in (False, True):
        emulate(browser, 360, dark=dark)
        page.open().connect()
        assert page.do("return document.documentElement.scrollWidth") <= 360 and page.do(OVERFLOWING) == []
        contrast, where = page.do(CONTRAST)
        assert contrast >= 4.5, where


def test_declined_connection__changes_nothing(page):
    page.open()
    page.do("wallet.decline = 'eth_requestAccounts'")
    page.click("#connect")
    assert page.hears("you declined in the wallet. Nothing was sent") and page.do(
        "return document.getElementById('account').hidden"
    )


def test_wrong_network__is_told__and_can_be_switched(page):
    page.open(chain="0x1")
    page.click("#connect")
    assert page.hears("The wallet is on chain 1; this federation is on chain 31337")
    page.agree()
    assert page.do("return document.querySelector('#join button').disabled")
    page.click("#switch")
    page.hears("Connected")
    assert not page.do("return document.querySelector('#join button').disabled")


def test_no_ether__is_told_before_anything_is_signed(page):
    page.open(owner(3)).connect()
    assert "this account has no ether to pay for gas" in page.said()
    page.agree()
    page.press("join")
    assert page.hears("Not done: the account has no ether to pay for gas.") and page.sent() == 0


def test_join__needs_the_reader_s_consent(page, rich):
    page.open().connect()
    assert page.do("return document.querySelector('#join button').disabled")
    page.agree()
    assert not page.do("return document.querySelector('#join button').disabled")


@pytest.mark.parametrize(
    "stake, message",
    [
        ("5000", "Not done: the account holds 1000 TTT, but this takes {} TTT. Nothing was sent."),
        ("1000", "Not done: the account holds 1000 TTT, but this takes {} TTT. Nothing was sent."),
        ("99.5", "Not done: the stake is below the minimum of 100 TTT. Nothing was sent."),
        ("a lot", "Not done: give an amount such as 100 or 12.5."),
    ],
)
def test_join__with_a_stake_that_does_not_fit__is_refused_before_anything_is_signed(live, page, rich, stake, message):
    page.open().connect().agree()
    page.fill("join-amount", stake)
    page.press("join")
    if "{}" in message:
        message = message.format(int(stake) + deposits(live) // UNIT)
    assert page.hears("Not done") == message and page.sent() == 0


def test_join__with_an_operator_that_is_no_address__is_refused(page, rich):
    page.open().connect().agree()
    page.fill("join-operator", "0x12")
    page.press("join")
    assert page.hears("Not done: give an address") and page.sent() == 0


def test_join__that_the_reader_declines__takes_nothing(live, page, rich):
    page.open().connect().agree()
    page.do("wallet.decline = 'eth_sendTransaction'")
    page.press("join")
    assert page.hears("Not done: you declined in the wallet. Nothing was sent, nothing was lost.")
    assert live.system.token.call("balanceOf", NEWCOMER) == 1000 * UNIT
    assert live.system.token.call("allowance", NEWCOMER, live.system.federation.address) == 0


def test_life_of_a_seat__join_top_up_leave_withdraw(live, page, rich):
    system = live.system
    operator = address("machine")
    page.open().connect().agree()
    assert page.text("seats") == "none" and page.shown() == {"join"}
    page.fill("join-amount", "150")
    page.fill("join-operator", operator)
    page.press("join")
    page.hears("You have a seat.")
    seat = system.seat(5)
    assert (seat.owner, seat.operator, seat.stake) == (NEWCOMER, operator, 150 * UNIT)
    assert system.see("credits", operator) == deposits(live) > 0
    assert system.token.call("allowance", NEWCOMER, system.federation.address) == 0  # no more than was needed
    assert page.text("seats") == "seat 5: stake 150 TTT, pay to claim 0 TTT" and page.shown() == {"join", "topUp", "exit"}

    page.fill("topUp-amount", "12.5")
    page.press("topUp")
    page.hears("The stake was added.")
    assert system.seat(5).stake == 162 * UNIT + UNIT // 2

    page.press("exit")
    page.hears("Your seat is leaving.")
    assert page.shown() == {"join", "withdraw"} and system.sets()[2] >> 5 & 1
    page.press("withdraw")
    page.hears("Stake and pay are in your account.")
    assert system.token.call("balanceOf", NEWCOMER) == 1000 * UNIT - deposits(live) and page.text("seats") == "none"


def test_withdraw__while_the_round_lasts__is_refused_in_words(live, page):
    system = live.system
    system.evm.rpc("anvil_setBalance", owner(4), hex(10**18))
    system.open()
    page.open(owner(4)).connect()
    page.press("exit")
    page.hears("Your seat is leaving.")
    page.press("withdraw")
    assert page.hears("the round that this seat takes part in is not over") and page.sent() == 1
    while system.phase.name not in ("VOID", "FINAL"):
        system.skip()
    system.do("finalize")


def test_pay__is_claimed_by_its_owner(live, page):
    system = live.system
    system.evm.rpc("anvil_setBalance", owner(1), hex(10**18))
    system.to_challenge(live.updates(9, seats=4)).finish()
    earned, held = system.seat(1).earned, system.token.call("balanceOf", owner(1))
    assert earned > 0
    page.open(owner(1)).connect()
    assert "claim" in page.shown() and "claimCredit" not in page.shown()
    page.press("claim")  # taking out needs no consent
    page.hears("Your pay is in your account.")
    assert system.token.call("balanceOf", owner(1)) == held + earned and system.seat(1).earned == 0


def test_credit__is_claimed(live, page):
    system = live.system
    wrong = bytes([1]) + system.model[1:]
    system.to_challenge(live.updates(11, seats=4), proposal=wrong)
    caught = address("checker")
    system.evm.rpc("anvil_setBalance", caught, hex(10**18))
    system.do("challenge", 0, 0, system.proof(), by=caught)
    page.open(caught).connect()
    assert page.text("credit") == "5 TTT"
    page.press("claimCredit")
    page.hears("Your credit is in your account.")
    assert system.token.call("balanceOf", caught) == 5 * UNIT
