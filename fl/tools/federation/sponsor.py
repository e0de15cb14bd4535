"""What a sponsor does: fund rounds to come, and give notice. A contract as sponsor gets the calls to make instead."""

from __future__ import annotations

from typing import Any

from fl.errors import ChainError, TermsError
from fl.network.ape_accounts import FederationClient
from fl.network.token import Token
from fl.protocol import seats
from fl.protocol.phases import Phase, phase_and_end
from fl.tools.cli.amounts import parse_amount
from fl.tools.cli.options import Key, Result
from fl.tools.federation.seats import costs, pay, send, told_costs


def fund(key: Key | None, federation: str, amount: str, *, approve: bool = False, mint: bool = False) -> Result:
    """Adds to the pool. Without a key: the calls for a contract to make."""
    client = FederationClient(federation)
    token = Token(client.terms.token)
    units = parse_amount(amount, token.denomination.decimals, "--amount")
    if units == 0:
        raise TermsError("--amount 0: give more than 0")
    if client.concluded():
        raise ChainError(
            "the sponsor has given notice and no further round will open: nothing was taken; fund another federation"
        )
    if key is None:
        calls = [(token.address, token.approve_data(client.address, units)), (client.address, _data(client, "fund", units))]
        return _calls(calls)
    account = key.open()
    sent = pay(key, account, client, token, units, "fund", (units,), approve=approve, mint=mint)
    pool = client.pool()
    active = len(seats.from_bitmap(client.seat_sets()[1]))
    cost = client.terms.round_cost(max(active, client.terms.min_reveals))
    lasts = (
        f"enough for {pool // cost} rounds of {max(active, client.terms.min_reveals)} seats" if cost else "rounds cost nothing"
    )
    told = f"the pool holds {token.denomination.show(pool)}: {lasts}"
    return Result([told, told_costs(sent)], {"pool": str(pool), "rounds": pool // cost if cost else None, **costs(sent)})


def conclude(key: Key | None, federation: str) -> Result:
    """Gives notice; once no round is open, returns what is left in the pool to the sponsor."""
    client = FederationClient(federation)
    token = Token(client.terms.token)
    terms, facts = client.terms, client.facts()
    phase, _ = phase_and_end(facts, terms, client.moment()[0])
    names = [] if client.concluded() else ["conclude"]
    if phase in (Phase.FINAL, Phase.VOID):
        names.append("finalize")
    idle = phase in (Phase.IDLE, Phase.FINAL, Phase.VOID)
    pool = client.pool() + (_unspent(client) if phase in (Phase.FINAL, Phase.VOID) else 0)
    if idle and pool:
        names.append("refund")
    owed = idle and (pool or int(client.contract.credits(terms.sponsor)))
    data = [_data(client, name) for name in names] + ([_data(client, "claimCredit", terms.sponsor)] if owed else [])
    if key is None:
        if not data:
            raise ChainError("notice was given already and nothing is left to return: nothing to do")
        return _calls([(client.address, call) for call in data])
    account = key.open()
    if account.address != terms.sponsor:
        raise ChainError(f"the sponsor is {terms.sponsor}, not {account.address}: sign with its account, or give --calldata")
    before = token.held_by(terms.sponsor)
    sent = [send(key, account, client, "multicall", data)] if data else []
    back = token.held_by(terms.sponsor) - before
    lines = ["notice is given: no further round opens"]
    if back:
        lines.append(f"{token.denomination.show(back)} of the pool came back to {terms.sponsor}")
    elif not idle:
        lines.append(f"round {facts.number} still runs: call again when it is over, for what is left in the pool")
    return Result([*lines, *([told_costs(sent)] if sent else [])], {"concluded": True, "returned": str(back), **costs(sent)})


def _unspent(client: FederationClient) -> int:
    """What an ended round, not yet booked, still holds: its pot goes back to the pool, but for the proposer's fee."""
    return client.accounting().pot


def _data(client: FederationClient, function: str, *args: Any) -> bytes:
    return bytes(getattr(client.contract, function).encode_input(*args))


def _calls(calls: list[tuple[str, bytes]]) -> Result:
    facts = [{"to": to, "value": "0", "data": "0x" + data.hex()} for to, data in calls]
    lines = [f"{i}. to {call['to']}, value 0, data {call['data']}" for i, call in enumerate(facts, 1)]
    return Result(["calls for the sponsor's contract, in this order:", *lines], {"calls": facts})
