"""What a federation will cost before it exists: gas, ether, bytes and time, and what each role can earn and lose.

Gas is what `make gas` measured on a real node (a test holds this table against tests/quality/gas/gas.json). What a rollup
charges for execution and for bytes on L1 is fl.tools.cli.prices. Others differ and prices change: the output calls this an
estimate.
"""

from __future__ import annotations

from typing import Any

from fl.network.denomination import Denomination
from fl.protocol.terms import Terms
from fl.tools.cli.amounts import show_duration
from fl.tools.cli.prices import ENVELOPE, Prices

DISPUTES, IMPLEMENTATION, FACTORY, CREATE, PLAY_TOKEN = 2_645_000, 4_175_000, 906_000, 366_000, 759_000
SEATS = (5, 10, 50, 128)
# The gas of one call by the number of seats, in a steady round.
GAS: dict[str, tuple[int, ...]] = {
    "openRound": (55_552, 56_022, 59_782, 67_114),
    "commit": (37_186, 37_192, 37_192, 37_192),
    "reveal": (36_536, 36_540, 36_550, 36_553),
    "close": (56_219, 70_414, 183_980, 405_451),
    "draw": (62_797, 67_875, 93_768, 158_033),
    "commitScores": (42_636, 42_950, 42_950, 44_499),
    "revealScores": (42_760, 43_604, 48_262, 58_900),
    "settle": (119_599, 183_613, 556_943, 1_903_618),
    "propose": (52_153, 52_153, 52_153, 52_153),
    "finalize": (60_215, 60_215, 60_215, 60_215),
    "join": (115_037, 109_936, 105_903, 105_351),
    "claim": (55_304, 55_304, 55_304, 55_304),
}
WORD, SELECTOR, LOCATOR, HEADER = 32, 4, 64, 672


def gas_of(call: str, seats: int) -> int:
    """Gas for a number of seats, interpolated between the table's columns and extrapolated beyond them."""
    row = GAS[call]
    i = next((i for i in range(1, len(SEATS) - 1) if seats <= SEATS[i]), len(SEATS) - 1)
    low, high = SEATS[i - 1], SEATS[i]
    return max(row[0] // 2, round(row[i - 1] + (row[i] - row[i - 1]) * (seats - low) / (high - low)))


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


def estimate(
    terms: Terms, seats: int, prices: Prices, denomination: Denomination, *, own_factory: bool, own_token: bool
) -> dict[str, Any]:
    """The whole estimate as facts. Amounts of tokens are exact text."""
    tokens, committee = denomination.number, terms.committee
    deployment = {"create": CREATE}
    if own_factory:
        deployment = {"Disputes": DISPUTES, "Federation": IMPLEMENTATION, "FederationFactory": FACTORY, **deployment}
    if own_token:
        deployment = {"TestToken": PLAY_TOKEN, **deployment}
    all_deployed = sum(deployment.values())
    cost = tokens(terms.round_cost(seats))
    calls = calls_of_round(seats, committee)
    round_gas = sum(n * gas_of(call, seats) for call, n in calls.items())
    round_bytes = sum(n * bytes_of(call, seats, committee) for call, n in calls.items())
    l2 = sum(n * prices.rollup(gas_of(call, seats), bytes_of(call, seats, committee)) for call, n in calls.items())

    one = {call: gas_of(call, seats) for call in GAS}
    trainer = one["commit"] + one["reveal"]
    validator = one["commitScores"] + one["revealScores"]
    return {
        "seats": seats,
        "deployment": {"gas": deployment, "total_gas": all_deployed, "eth": prices.mainnet(all_deployed)},
        "round": {
            "gas": round_gas,
            "eth": prices.mainnet(round_gas),
            "bytes": round_bytes,
            "l2_eth": l2,
            "seconds": terms.shortest_round(),
            "seconds_at_most": terms.longest_round(),
            "pool": cost,
        },
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
                "gas": None,
            },
            "sponsor": {
                "earns_at_most": "0",
                "loses": f"up to {cost} a round, paid for what was done; the rest pays for later rounds",
                "gas": None,
            },
        },
    }


def lines_of(facts: dict[str, Any], prices: Prices, symbol: str) -> list[str]:
    """The estimate as lines for people."""

    def money(eth: float) -> str:
        return f"{eth:.6f} ETH (${prices.dollars(eth):,.2f} at ${prices.eth_price:g} for one)"

    one, n = facts["round"], facts["seats"]
    whole = facts["deployment"]
    parts = ", ".join(f"{what} {gas:,}" for what, gas in whole["gas"].items())
    quick, slow = show_duration(one["seconds"]), show_duration(one["seconds_at_most"])
    lines = [
        f"deployment  {whole['total_gas']:,} gas ({parts}): {money(whole['eth'])} at {prices.gas_price:g} gwei",
        f"a round of {n} seats, everybody sending their own transactions:",
        f"  gas       {one['gas']:,}: {money(one['eth'])} in all, {money(one['eth'] / n)} a seat, at {prices.gas_price:g} gwei",
        f"  rollup    some {money(one['l2_eth'])} in all for gas at {prices.l2_gas_price:g} gwei and {one['bytes']:,} bytes "
        f"(mainnet gas {prices.gas_price:g}, blob gas {prices.blob_price:g} gwei)",
        f"  time      {quick} when everybody acts at once, {slow} at most",
        f"  pool      sets aside {one['pool']} {symbol}; what is not earned pays for later rounds",
        f"a round for each role ({symbol}):",
    ]
    for role, part in facts["roles"].items():
        gas = f"; {part['gas']:,} gas, {money(prices.mainnet(part['gas']))}" if part["gas"] else ""
        lines.append(f"  {role:11} earns up to {part['earns_at_most']}, loses {part['loses']}{gas}")
    return lines
