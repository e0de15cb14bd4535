"""What a federation will cost before it exists: gas, ether, bytes and time, and what each role can earn and lose.

Gas is what `make gas` measured (fl.network.gas), by the rules of the connected chain and by Amsterdam's. What a rollup charges
for execution and for bytes on L1 is fl.tools.cli.prices. Others differ and prices change: the output calls this an estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fl.network import gas, identity
from fl.network.denomination import Denomination
from fl.protocol.mode import Mode
from fl.protocol.terms import Terms
from fl.tools.cli.amounts import show_duration
from fl.tools.cli.prices import ENVELOPE, Prices

WORD, SELECTOR, LOCATOR, HEADER = 32, 4, 64, 672


def bytes_of(call: str, seats: int, committee: int) -> int:
    """Approximate size of the signed transaction, including a locator where one is allowed."""
    words = {"commit": 3, "reveal": 5, "commitScores": 3, "revealScores": 4, "propose": 6, "join": 5, "claim": 2}
    data = SELECTOR + WORD * words.get(call, 0)
    if call == "draw":
        data += 2 * WORD + HEADER
    if call in ("reveal", "propose"):
        data += LOCATOR
    if call == "revealScores":
        data += -(-seats // WORD) * WORD
    if call == "settle":
        data += WORD * (2 + committee * (2 + -(-seats // WORD)))
    return ENVELOPE + data


def calls_of_round(seats: int, committee: int) -> dict[str, int]:
    """How often each call is made when everybody acts and sends their own transactions."""
    once = dict.fromkeys(("openRound", "close", "draw", "settle", "propose", "finalize"), 1)
    return {**once, "commit": seats, "reveal": seats, "commitScores": committee, "revealScores": committee}


def deployment_gas(rules: str, *, own_factory: bool, own_token: bool, mode: Mode = Mode.OPEN) -> dict[str, int]:
    """Gas of what a deployment sends, by name."""
    parts = [*(["TestToken"] if own_token else []), *(identity.contracts(mode) if own_factory else [])]
    return {**{name: gas.deployment(name, rules) for name in parts}, "create": gas.creation(rules)}


def estimate(
    terms: Terms,
    seats: int,
    prices: Prices,
    denomination: Denomination,
    *,
    rules: str,
    own_factory: bool,
    own_token: bool,
    mode: Mode = Mode.OPEN,
) -> dict[str, Any]:
    """The whole estimate as facts. rules: the connected chain's. Amounts of tokens are exact text."""
    tokens, committee = denomination.number, terms.committee
    deployment = deployment_gas(rules, own_factory=own_factory, own_token=own_token, mode=mode)
    all_deployed = sum(deployment.values())
    cost = tokens(terms.round_cost(seats))
    calls = calls_of_round(seats, committee)
    round_gas = {by: sum(n * gas.gas_of(call, seats, by) for call, n in calls.items()) for by in gas.RULES}
    round_bytes = sum(n * bytes_of(call, seats, committee) for call, n in calls.items())
    l2 = sum(n * prices.rollup(gas.gas_of(call, seats, rules), bytes_of(call, seats, committee)) for call, n in calls.items())

    one = {call: gas.gas_of(call, seats, rules) for call in gas.CALLS}
    proof = {"answer": gas.answer(terms.depth, rules), "challenge": gas.challenge(terms.depth, seats, rules)}
    trainer = one["commit"] + one["reveal"]
    validator = one["commitScores"] + one["revealScores"]
    pays = {  # what a token must be worth, in ether, so that each amount covers the gas it is for
        name: prices.mainnet(proof[call]) * 10**denomination.decimals / amount if amount else None
        for name, call, amount in (
            ("demand_deposit", "answer", terms.demand_deposit),
            ("challenge_fee", "challenge", terms.challenge_fee),
        )
    }
    return {
        "seats": seats,
        "deployment": {"gas": deployment, "total_gas": all_deployed, "eth": prices.mainnet(all_deployed)},
        "rules": rules,
        "next_rules": {
            "name": gas.NEXT,
            "deployment_gas": sum(deployment_gas(gas.NEXT, own_factory=own_factory, own_token=own_token).values()),
            "round_gas": round_gas[gas.NEXT],
        },
        "round": {
            "gas": round_gas[rules],
            "eth": prices.mainnet(round_gas[rules]),
            "bytes": round_bytes,
            "l2_eth": l2,
            "seconds": terms.shortest_round(),
            "seconds_at_most": terms.longest_round(),
            "pool": cost,
        },
        "proof_gas": proof,
        "token_must_be_worth": pays,
        "roles": {
            "participant": {
                "earns_at_most": tokens(terms.trainer_rate),
                "loses": f"{tokens(terms.no_reveal_slash)} if it commits and does not reveal",
                "gas": trainer,
            },
            "validator": {
                "earns_at_most": tokens(terms.validator_rate),
                "loses": f"{tokens(terms.no_scores_slash)} if it is drawn and does not score",
                "gas": validator,
            },
            "proposer": {
                "earns_at_most": tokens(terms.proposer_fee),
                "loses": f"{tokens(terms.fraud_slash)} for a wrong model, or one that nobody can open",
                "gas": one["propose"],
            },
            "challenger": {
                "earns_at_most": tokens(terms.challenge_fee),
                "loses": f"{tokens(terms.demand_deposit)} for a demand that is answered",
                "gas": proof["challenge"],
            },
            "sponsor": {
                "earns_at_most": "0",
                "loses": f"up to {cost} a round, paid for what was done; the rest pays for later rounds",
                "gas": None,
            },
        },
    }


def ether(amount: float, prices: Prices) -> str:
    """Ether, and what it is worth."""
    return f"{amount:.6f} ETH (${prices.dollars(amount):,.2f} at ${prices.eth_price:g} for one)"


def lines_of(facts: dict[str, Any], prices: Prices, symbol: str) -> list[str]:
    """The estimate as lines for people."""

    def money(eth: float) -> str:
        return ether(eth, prices)

    one, n = facts["round"], facts["seats"]
    whole = facts["deployment"]
    parts = ", ".join(f"{what} {used:,}" for what, used in whole["gas"].items())
    quick, slow = show_duration(one["seconds"]), show_duration(one["seconds_at_most"])
    lines = [
        f"deployment  {whole['total_gas']:,} gas ({parts}): {money(whole['eth'])} at {prices.gas_price:g} gwei",
        f"a round of {n} seats, everybody sending their own transactions:",
        f"  gas       {one['gas']:,}: {money(one['eth'])} in all, {money(one['eth'] / n)} a seat, at {prices.gas_price:g} gwei",
        f"  rollup    some {money(one['l2_eth'])} in all for gas at {prices.l2_gas_price:g} gwei and {one['bytes']:,} bytes "
        f"(mainnet gas {prices.gas_price:g}, blob gas {prices.blob_price:g} gwei)",
        f"  time      {quick} when everybody acts at once, {slow} at most",
        f"  pool      sets aside {one['pool']} {symbol}; what is not earned pays for later rounds",
        *_deposits(facts, money),
        *_next_rules(facts),
        f"a round for each role ({symbol}):",
    ]
    for role, part in facts["roles"].items():
        spends = f"; {part['gas']:,} gas, {money(prices.mainnet(part['gas']))}" if part["gas"] else ""
        lines.append(f"  {role:11} earns up to {part['earns_at_most']}, loses {part['loses']}{spends}")
    return lines


def _deposits(facts: dict[str, Any], money: Callable[[float], str]) -> list[str]:
    """What a token must be worth for the amounts that are to cover somebody's gas."""
    lines = []
    for name, call in (("demand_deposit", "answer"), ("challenge_fee", "challenge")):
        worth, used = facts["token_must_be_worth"][name], facts["proof_gas"][call]
        covers = "covers nothing: it is 0" if worth is None else f"covers it if a token is worth at least {money(worth)}"
        lines.append(f"  {call:9} takes {used:,} gas; {name} {covers}")
    return lines


def _next_rules(facts: dict[str, Any]) -> list[str]:
    """The next fork's figures, where the chain has not got there yet."""
    then = facts["next_rules"]
    if facts["rules"] == then["name"]:
        return []
    return [
        f"under the rules of {then['name'].capitalize()}, the next fork: deployment {then['deployment_gas']:,} gas, "
        f"a round {then['round_gas']:,}"
    ]
