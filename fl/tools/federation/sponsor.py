"""What a sponsor does: fund future rounds, and give notice. If the sponsor is a contract, the calls are printed instead."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fl.errors import ChainError, TaskError, TermsError
from fl.network import ape_accounts
from fl.network.federation import FederationReader
from fl.network.token import Token
from fl.protocol.phases import Phase, phase_and_end
from fl.tools.cli.amounts import parse_amount
from fl.tools.cli.options import Key, Result
from fl.tools.federation.seats import calls_for, costs, pay, send, told_costs
from fl.tools.federation.stopping import Stop

POLL = 5.0  # seconds between two looks


def fund(
    key: Key | None,
    federation: str,
    amount: str,
    *,
    approve: bool = False,
    mint: bool = False,
    factory: str | None = None,
) -> Result:
    """Adds to the pool. Without a key, returns the calls for a contract to make."""
    reader = ape_accounts.federation(federation, factory)
    reader.check_identity()
    token = Token(reader.rpc, reader.terms.token)
    units = parse_amount(amount, token.denomination.decimals, "--amount")
    if units == 0:
        raise TermsError("--amount 0: give more than 0")
    if reader.concluded():
        raise ChainError(
            "the sponsor has given notice and no further round will open: nothing was taken; fund another federation"
        )
    if key is None:
        calls = [(token.address, token.approve_data(reader.address, units)), (reader.address, _data(reader, "fund", units))]
        result = calls_for("the sponsor", calls)
        if (held := token.held_by(reader.terms.sponsor)) < units:
            lacks = f"the sponsor {reader.terms.sponsor} holds {token.denomination.show(held)}, and this takes"
            note = (
                f"{lacks} {token.denomination.show(units)}: send it the rest first, or whoever makes the calls sees them fail"
            )
            return Result([*result.lines, note], {**result.facts, "lacks": str(units - held)})
        return result
    account = key.open()
    sent = pay(key, account, reader, token, units, [("fund", (units,))], approve=approve, mint=mint)
    pool = reader.accounting().available
    active = len(reader.seat_sets().eligible)
    cost = reader.terms.round_cost(max(active, reader.terms.min_reveals))
    lasts = (
        f"enough for {pool // cost} rounds of {max(active, reader.terms.min_reveals)} seats" if cost else "rounds cost nothing"
    )
    message = f"the pool holds {token.denomination.show(pool)}: {lasts}"
    return Result([message, told_costs(sent)], {"pool": str(pool), "rounds": pool // cost if cost else None, **costs(sent)})


def wait_until_enough(
    reader: FederationReader,
    stop: Stop,
    stores: Sequence[str | Path],
    task: str | None,
    say: Callable[[str], None],
) -> None:
    """Returns when the models have become good enough, or no better, or somebody gave notice. Raises TreatyError if nothing
    can be measured, since it would wait for ever."""
    from fl.tools.report.live import Source  # loads torch, which giving notice does without

    if not stores:
        raise TaskError("--until-metric and --patience measure models: give --store PLACE, where they are; nothing was sent")
    source, told = Source(reader, stores, task, held_out=True), 0
    while not reader.concluded():
        source.look()
        metrics = source.measured()
        if not metrics and source.history.seats:
            raise TaskError(
                "the models cannot be measured: give --task FILE with rows that nobody trains on; nothing was sent, and "
                "rounds go on"
            )
        for number, value in [*metrics.items()][told:]:
            say(f"round {number}: {value:.4f} on {source.measured_on}")
        told = len(metrics)
        if why := stop.reason([*metrics.values()], higher=source.higher_is_better):
            say(f"giving notice: {why}")
            return
        time.sleep(POLL)


def conclude(key: Key | None, federation: str) -> Result:
    """Gives notice; once no round is open, returns what is left in the pool to the sponsor."""
    reader = ape_accounts.federation(federation)
    token = Token(reader.rpc, reader.terms.token)
    head = reader.head()
    terms, facts, accounting = reader.terms, reader.round_facts(head), reader.accounting(head)
    phase, _ = phase_and_end(facts, terms, head.time)
    names = [] if reader.concluded() else ["conclude"]
    if phase in (Phase.FINAL, Phase.VOID):
        names.append("finalize")
    idle = phase in (Phase.IDLE, Phase.FINAL, Phase.VOID)
    # The pot of an ended round whose end nobody has recorded yet is kept and then burnt, unless nobody revealed an update.
    pot = accounting.pot if phase in (Phase.FINAL, Phase.VOID) else 0
    if idle and accounting.available + pot:
        names.append("refund")
    nobody_revealed = facts.close_block and not facts.revealed
    owed = idle and (accounting.pool or reader.credit(terms.sponsor) or (pot and nobody_revealed))
    data = [_data(reader, name) for name in names] + ([_data(reader, "claimCredit", terms.sponsor)] if owed else [])
    if key is None:
        if not data:
            raise ChainError("notice was given already and nothing is left to return: nothing to do")
        return calls_for("the sponsor", [(reader.address, call) for call in data])
    account = key.open()
    if account.address != terms.sponsor:
        raise ChainError(f"the sponsor is {terms.sponsor}, not {account.address}: sign with its account, or give --calldata")
    before = token.held_by(terms.sponsor)
    sent = [send(key, account, reader, "multicall", data)] if data else []
    back = token.held_by(terms.sponsor) - before
    lines = ["notice is given: no further round opens"]
    if back:
        lines.append(f"{token.denomination.show(back)} of the pool came back to {terms.sponsor}")
    elif not idle:
        lines.append(f"round {facts.number} still runs: call again when it is over, for what is left in the pool")
    return Result([*lines, *([told_costs(sent)] if sent else [])], {"concluded": True, "returned": str(back), **costs(sent)})


def _data(reader: FederationReader, function: str, *args: Any) -> bytes:
    return reader.interface.call(function, *args)
