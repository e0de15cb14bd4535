"""What an owner does with a seat: join, top up, claim pay, leave, withdraw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fl.errors import ChainError, TermsError
from fl.network import ape_accounts
from fl.network.calls import number_of
from fl.network.events import Event
from fl.network.federation import FederationReader
from fl.network.stores.several import federation_store
from fl.network.token import Token
from fl.protocol import seats
from fl.protocol.allowlist import Allowlist, admits
from fl.protocol.artifact import Kind
from fl.protocol.mode import Mode
from fl.protocol.phases import phase_and_end
from fl.tools.cli.amounts import parse_amount, show_duration, worst_case
from fl.tools.cli.options import Key, Result, say_first
from fl.tools.federation.allowlist_file import read_owners
from fl.tools.federation.partners import lines_of, seated

OWN_SECONDS = 60  # of waiting for a transaction that an earlier call sent

Called = tuple[str, tuple[Any, ...]]  # a function of the federation, and its arguments


def join(
    key: Key,
    federation: str,
    *,
    stake: str | None = None,
    operator: str | None = None,
    evidence: str = "",
    allowlist: Path | None = None,
    stores: Sequence[str] = (),
    another: bool = False,
    deposits: int | None = None,
    approve: bool = False,
    mint: bool = False,
    factory: str | None = None,
) -> Result:
    """Takes a seat, and gives its operator the deposits of so many demands (None: as many as a checker should be able to pay).
    Everything that can be checked is checked before anything is sent."""
    reader, account = ape_accounts.federation(federation, factory), key.open()
    reader.check_identity()
    terms = reader.terms
    token = Token(reader.rpc, terms.token)
    amount = terms.min_stake if stake is None else parse_amount(stake, token.denomination.decimals, "--stake")
    if amount < terms.min_stake:
        least = token.denomination.show(terms.min_stake)
        raise TermsError(f"--stake {stake}: this federation requires at least {least}")
    hot = account.address if operator is None else address_given(operator, "--operator")
    wait_for_own(reader, account.address)
    if reader.concluded():
        raise ChainError(
            "the sponsor has given notice and no further round will open: nothing was sent; join another federation"
        )
    mine = reader.seats_of(account.address)
    if mine and any(terms.allowlist):
        raise ChainError(
            f"{account.address} holds seat {mine[0]} already, and an allowlist allows one each: top it up, or withdraw it first"
        )
    if mine and not another:
        raise ChainError(
            f"{account.address} holds seat {mine[0]} already: nothing was sent; top it up, or add --another for one more"
        )
    if len(reader.seat_sets().taken) >= terms.max_seats:
        raise ChainError(f"all {terms.max_seats} seats are taken: nothing was sent; wait until somebody leaves")
    if stores:  # before staking, people should be able to read what the federation is about
        store, _ = federation_store(terms, stores)
        store.get(terms.genesis, Kind.MODEL, terms.depth)
    args = (account.address, hot, amount, evidence_of(terms.allowlist, account.address, evidence, allowlist))
    demands = terms.demands_to_pay() if deposits is None else deposits
    given = demands * terms.demand_deposit
    calls: list[Called] = [("join", args), *([("give", (hot, given))] if given else [])]
    worst = worst_case(terms, token.denomination)
    sent = pay(key, account, reader, token, amount + given, calls, approve=approve, mint=mint, first=worst)
    (seat,) = [event.fields["seat"] for event in _events(reader, sent[-1], "Joined")][-1:]
    facts = {"seat": int(seat), "owner": account.address, "operator": hot, "stake": str(amount), "given": str(given)}
    facts |= {"worst_loss": str(terms.worst_loss()), "longest_lock": terms.longest_round()}
    show = token.denomination.show
    lines = [f"seat {seat}: {show(amount)} staked, operated by {hot}; it counts from the next round"]
    if reader.mode is Mode.MASKED:
        lines += ["operators seated now; compare the words with each partner by telephone before you run a daemon for them:"]
        lines += [f"  {line}" for line in lines_of(seated(reader))]
    if given:
        lines.append(f"{show(given)} given to the operator's credit, for the deposits of {demands} demands")
    return Result([*lines, told_costs(sent)], {**facts, **costs(sent)})


def top_up(
    key: Key,
    federation: str,
    seat: int | None,
    amount: str | None = None,
    *,
    deposits: int | None = None,
    approve: bool = False,
    mint: bool = False,
    factory: str | None = None,
) -> Result:
    """Adds stake to a seat, or gives its operator the deposits of so many demands, or both."""
    reader, account = ape_accounts.federation(federation, factory), key.open()
    reader.check_identity()
    token = Token(reader.rpc, reader.terms.token)
    more = 0 if amount is None else parse_amount(amount, token.denomination.decimals, "--amount")
    if amount is not None and more == 0:
        raise TermsError("--amount 0: give more than 0")
    chosen = own_seat(reader, account.address, seat)
    hot = reader.seats([chosen])[chosen].operator
    given = (deposits or 0) * reader.terms.demand_deposit
    if deposits and not given:
        raise TermsError(f"--deposits {deposits}: demands take no deposit in this federation; leave it out")
    calls: list[Called] = [("topUp", (chosen, more))] if more else []
    if given:
        calls.append(("give", (hot, given)))
    sent = pay(key, account, reader, token, more + given, calls, approve=approve, mint=mint)
    show, number = token.denomination.show, token.denomination.number
    stake, credit = reader.seats([chosen])[chosen].stake, reader.credit(hot)
    lines = []
    if more:
        lines.append(f"seat {chosen}: {show(more)} added, {number(stake)} staked")
        if stake < reader.terms.min_stake:
            lines[0] += f"; still below the minimum of {number(reader.terms.min_stake)}"
    if given:
        lines.append(f"seat {chosen}: {show(given)} given to its operator {hot}, which has {number(credit)} for deposits now")
    facts = {"seat": chosen, "stake": str(stake), "given": str(given), "credit": str(credit), **costs(sent)}
    return Result([*lines, told_costs(sent)], facts)


def leave(key: Key, federation: str, seat: int | None) -> Result:
    """Takes the seat out from the next round on, for good."""
    reader, account = ape_accounts.federation(federation), key.open()
    chosen = own_seat(reader, account.address, seat)
    sent = [send(key, account, reader, "exit", chosen)]
    free = _free_in(reader, chosen)
    when = "now" if free == 0 else f"when the round ends, in {show_duration(free)} at the latest"
    message = f"seat {chosen} leaves: `ape run withdraw` pays out stake and unclaimed pay {when}"
    return Result([message, told_costs(sent)], {"seat": chosen, "withdraw_in_seconds": free, **costs(sent)})


def withdraw(key: Key, federation: str, seat: int | None, to: str | None) -> Result:
    """Withdraws stake and unclaimed pay of a seat that has left."""
    reader, account = ape_accounts.federation(federation), key.open()
    token = Token(reader.rpc, reader.terms.token)
    chosen = own_seat(reader, account.address, seat)
    target = account.address if to is None else address_given(to, "--to")
    hot = reader.seats([chosen])[chosen].operator
    sent = [send(key, account, reader, "withdraw", chosen, target)]
    (event,) = _events(reader, sent[0], "Withdrawn")
    stake, earned = int(event.fields["stake"]), int(event.fields["earned"])
    message = f"seat {chosen}: {token.denomination.number(stake)} of stake and {token.denomination.number(earned)} of pay"
    lines = [f"{message} ({token.denomination.symbol}) went to {target}"]
    if credit := reader.credit(hot):
        lines.append(f"{token.denomination.show(credit)} are its operator's credit: `ape run claim` with the key of {hot}")
    facts = {"seat": chosen, "stake": str(stake), "earned": str(earned), "to": target, **costs(sent)}
    return Result([*lines, told_costs(sent)], facts)


def claim(key: Key, federation: str, seat: int | None, to: str | None, *, take_credit: bool = False) -> Result:
    """Claims what the account's seats earned, and its credit (what it was given, fees for fraud proofs, returned deposits).

    An account that operates a seat keeps its credit, which pays the deposits of demands, unless take_credit says otherwise.
    """
    reader, account = ape_accounts.federation(federation), key.open()
    token = Token(reader.rpc, reader.terms.token)
    target = account.address if to is None else address_given(to, "--to")
    mine = reader.seats_of(account.address)
    if seat is not None:
        mine = [own_seat(reader, account.address, seat)]
    owed = {s: held.earned for s, held in reader.seats(mine).items()}
    credit = reader.credit(account.address)
    stays = credit > 0 and seat is None and not take_credit and _needs_credit(reader, account.address)
    taken = credit if seat is None and not stays else 0
    calls: list[Called] = [("claim", (s, target)) for s, amount in owed.items() if amount]
    if taken:
        calls.append(("claimCredit", (target,)))
    total = sum(owed.values()) + taken
    facts: dict[str, Any] = {"seats": {str(s): str(a) for s, a in owed.items()}, "credit": str(credit), "to": target}
    kept = f"{token.denomination.show(credit)} of credit stay for the deposits of demands; --credit takes them, too"
    rest = [kept] if stays else []
    if not calls:
        return Result(
            ["nothing to claim: no round has paid yet, or what it paid was claimed; no stake is touched", *rest],
            {**facts, "claimed": "0", "transactions": [], "gas": 0},
        )
    data = [reader.interface.call(name, *args) for name, args in calls]
    sent = [send(key, account, reader, "multicall", data)]
    message = f"{token.denomination.show(total)} went to {target}"
    return Result([message, *rest, told_costs(sent)], {**facts, "claimed": str(total), **costs(sent)})


def wait_for_own(reader: FederationReader, account: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Until nothing of the account is under way: what an earlier call sent before it ended may still take the seat or be its
    allowance, and a second one would be in its way. Raises ChainError if it takes too long."""
    for _ in range(OWN_SECONDS):
        mined, sent = (
            number_of("eth_getTransactionCount", reader.rpc("eth_getTransactionCount", account, which))
            for which in ("latest", "pending")
        )
        if sent <= mined:
            return
        sleep(1.0)
    raise ChainError(
        f"{account} has a transaction that no block holds yet (nonce {mined}): call again once one does; nothing was sent"
    )


# ---- shared with the sponsor's commands


def pay(
    key: Key,
    account: Any,
    reader: FederationReader,
    token: Token,
    amount: int,
    calls: Sequence[Called],
    *,
    approve: bool,
    mint: bool,
    first: str = "",
) -> list[Any]:
    """Makes calls that together take `amount` from the account: with a permit in one transaction, else after an approval.

    first: a line that is said before anything is signed.
    """
    sent = []
    held = token.held_by(account.address)
    if first and (mint or held >= amount):
        say_first(first)
    if held < amount and mint:
        sent.append(token.mint(account, amount - held, **key.options))
        held = token.held_by(account.address)
    if held < amount:
        has, needs = map(token.denomination.show, (held, amount))
        raise ChainError(
            f"{account.address} holds {has} and needs {needs}: get tokens first ({token.address}); nothing was sent"
        )
    if token.allowance(account.address, reader.address) < amount:
        permit = None if approve else token.permit(account, reader.address, amount)
        if permit is None:
            sent.append(token.approve(account, reader.address, amount, **key.options))
        else:
            calls = [("permit", permit.as_args()), *calls]
    if len(calls) == 1:
        ((function, args),) = calls
        return [*sent, send(key, account, reader, function, *args)]
    data = [reader.interface.call(name, *given) for name, given in calls]
    return [*sent, send(key, account, reader, "multicall", data)]


def send(key: Key, account: Any, reader: FederationReader, function: str, *args: Any) -> Any:
    """One call of the federation, confirmed."""
    return ape_accounts.call(
        "Federation", reader.address, function, *args, sender=account, denomination=reader.denomination, **key.options
    )


def _events(reader: FederationReader, receipt: Any, name: str) -> list[Event]:
    """The events of one kind that a transaction caused."""
    return [event for event in reader.events_of(str(receipt.txn_hash)) if event.name == name]


def address_given(given: str, what: str) -> str:
    """An address as somebody wrote it."""
    if not ape_accounts.is_address(given):
        raise ChainError(f"{what} {given!r} is not a valid address: give 0x and 40 hexadecimal digits")
    return given


def hexadecimal(given: str, what: str) -> bytes:
    """Bytes as somebody wrote them."""
    try:
        return bytes.fromhex(given.removeprefix("0x"))
    except ValueError:
        raise ChainError(f"{what} {given[:20]!r}...: give bytes in hexadecimal") from None


def evidence_of(root: bytes, owner: str, given: str, file: Path | None) -> bytes:
    """The owner's proof of admission: as given, or made from the list. Raises TermsError if the contract would reject it."""
    if file is None:
        proof = hexadecimal(given, "--evidence")
        if any(root) and not admits(root, owner, proof):
            if not proof:
                raise ChainError("only owners on its allowlist may join here: give --allowlist FILE with its sponsor's list")
            raise ChainError(f"--evidence is not a proof that {owner} is on this federation's allowlist: give --allowlist FILE")
        return proof
    if given:
        raise TermsError("--allowlist makes the evidence itself: leave --evidence out")
    if not any(root):
        raise TermsError(f"--allowlist {file}: this federation has no allowlist; leave it out")
    listed = Allowlist.of(read_owners(file))
    if listed.root != root:
        roots = f"its root is 0x{listed.root.hex()}, the federation's 0x{root.hex()}"
        raise TermsError(f"--allowlist {file} is another list: {roots}; ask the sponsor for the one that was deployed")
    if owner not in listed:
        raise TermsError(f"{owner} is not on {file}, and terms never change: sign with an account that is on it")
    return listed.proof(owner)


def own_seat(reader: FederationReader, owner: str, seat: int | None) -> int:
    """The seat named, or the only one that the account owns."""
    mine = reader.seats_of(owner)
    if seat is not None:
        if seat not in mine:
            held = reader.seats([seat])[seat].owner
            whose = "is free" if int(held, 16) == 0 else f"belongs to {held}"
            raise ChainError(f"seat {seat} {whose}: sign with its owner's account, or name another --seat")
        return seat
    if not mine:
        raise ChainError(f"{owner} holds no seat in {reader.address}: sign with the seat owner's account")
    if len(mine) > 1:
        raise ChainError(f"{owner} holds seats {', '.join(map(str, mine))}: choose one with --seat")
    return mine[0]


def _needs_credit(reader: FederationReader, account: str) -> bool:
    """Whether an account operates a seat that may have to demand leaves in a later round."""
    sets = reader.seat_sets()
    staying = reader.seats([seat for seat in sets.taken if seat not in sets.leaving])
    return not reader.concluded() and any(held.operator == account for held in staying.values())


def _free_in(reader: FederationReader, seat: int) -> int:
    """Seconds until no round needs the seat any more, at the latest; 0 means now."""
    head = reader.head()
    facts, terms, time = reader.round_facts(head), reader.terms, head.time
    if not facts.live or not seats.contains(facts.active, seat):
        return 0
    phase, _ = phase_and_end(facts, terms, time)
    if phase.name in ("FINAL", "VOID"):
        return 0
    last = facts.opened_at + terms.longest_round()
    return max(0, last - time)


def calls_for(who: str, calls: Sequence[tuple[str, bytes]]) -> Result:
    """Calls that a contract is to make, for people and for --json."""
    facts = [{"to": to, "value": "0", "data": "0x" + data.hex()} for to, data in calls]
    lines = [f"{i}. to {call['to']}, value 0, data {call['data']}" for i, call in enumerate(facts, 1)]
    return Result([f"calls for {who}'s contract, in this order:", *lines], {"calls": facts})


def costs(sent: Sequence[Any]) -> dict[str, Any]:
    """Hashes of the transactions and the gas of all, for --json."""
    return {"transactions": [str(receipt.txn_hash) for receipt in sent], "gas": sum(int(r.gas_used) for r in sent)}


def told_costs(sent: Sequence[Any]) -> str:
    """The same as one line."""
    facts = costs(sent)
    return f"{', '.join(facts['transactions'])} ({facts['gas']:,} gas)"
