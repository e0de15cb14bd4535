"""Checks that everything is ready to take part: everything that could later cost a stake or a day. Each problem is reported
with its remedy. Sends no transaction; writes one small probe file to the stores given."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from fl.errors import ChainError, TreatyError
from fl.learning.codec import to_vector
from fl.learning.data.local_rows import local_shard
from fl.learning.data.table import Table
from fl.learning.task import build
from fl.learning.task_check import check_model, check_shard, check_task, table_of
from fl.learning.task_loading import federation_task, load_task
from fl.network import gas
from fl.network.calls import chain_id, number_of
from fl.network.federation import FederationReader
from fl.network.randomness import AHEAD, KINDS, NONE, OWN, block_seconds, randomness_of
from fl.network.rpc import NodeError
from fl.network.stores.base import Store
from fl.network.stores.hosted import HostStore
from fl.network.stores.private_copy import scratch_folder
from fl.network.stores.several import federation_store, only_here, open_store
from fl.network.token import Token
from fl.protocol.artifact import Kind, pack_model, size_of
from fl.protocol.leaves import root_of
from fl.protocol.manifest import Manifest
from fl.protocol.terms import WINDOWS, check
from fl.tools.cli.amounts import show_duration, worst_case
from fl.tools.cli.network import Network
from fl.tools.cli.options import Key, Result
from fl.tools.federation.first_model import first_model
from fl.tools.federation.invitation import Place
from fl.tools.federation.status import missing, recent_events
from fl.tools.federation.without_ether import ether_to_hold, hosts_stand_in, loss_words

SKEW = 60  # seconds by which clocks may differ
LEAST = 10  # blocks that every window should hold
ROUNDS = 10  # rounds for which there should be money and disk
MARK = {"ok": "ok  ", "warn": "note", "bad": "FIX "}


@dataclass(frozen=True)
class Finding:
    """The result of one check, and what to do about it."""

    what: str
    grade: str  # ok, warn (worth knowing), bad (must be fixed first)
    text: str


@dataclass
class Visit:
    """The findings so far, and what later checks need from earlier ones."""

    network: Network
    federation: str
    account: str | None
    passphrase_file: Path | None
    stores: Sequence[str]
    task: str | None
    expect_chain: int | None
    data: Path | None = None
    factory: str | None = None
    hosts: Sequence[Place] = ()
    accept_loss: str | None = None
    reader: FederationReader | None = None
    token: Token | None = None
    address: str | None = None
    store: Store | None = None
    manifest: Manifest | None = None
    findings: list[Finding] = field(default_factory=list)

    def say(self, what: str, grade: str, text: str) -> None:
        self.findings.append(Finding(what, grade, text))


def examine(
    network: Network,
    federation: str,
    account: str | None,
    passphrase_file: Path | None,
    stores: Sequence[str],
    task: str | None,
    data: Path | None,
    expect_chain: int | None,
    factory: str | None = None,
    hosts: Sequence[Place] = (),
    accept_loss: str | None = None,
) -> Result:
    """Runs all checks; one that fails is a finding, and the others go on.

    hosts: those that relay for the participant. accept_loss: the words that accept what it may lose when all of them fail."""
    given = data, factory, hosts, accept_loss
    visit = Visit(network, federation, account, passphrase_file, stores, task, expect_chain, *given)
    for what, look in LOOKS.items():
        try:
            look(visit)
        except NodeError as error:
            why = f"{error.where} does not answer ({error.kind}: {error.text})"
            visit.say(what, "bad", f"the node {why}: start it, or give another --network")
            break  # later checks depend on this one
        except click.UsageError:
            raise
        except Exception as error:  # the doctor reports every error
            known = isinstance(error, TreatyError)
            visit.say(what, "bad", str(error) if known else f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    bad = sum(f.grade == "bad" for f in visit.findings)
    lines = [f"{MARK[f.grade]}  {f.what:11} {f.text}" for f in visit.findings]
    lines.append("ready to take part" if not bad else f"{bad} to fix before you take part")
    facts = [{"what": f.what, "grade": f.grade, "text": f.text} for f in visit.findings]
    return Result(lines, {"ready": not bad, "findings": facts}, code=int(bad > 0))


def _chain(visit: Visit) -> None:
    number = chain_id(visit.network.rpc)
    if visit.expect_chain is not None and number != visit.expect_chain:
        raise ChainError(f"this node serves chain {number}, not {visit.expect_chain}: give another --network")
    visit.say("chain", "ok", f"the node answers for chain {number}")


def _clock(visit: Visit) -> None:
    newest = visit.network.rpc("eth_getBlockByNumber", "latest", False) or {}
    behind = int(time.time()) - number_of("the newest block's time", newest.get("timestamp"))
    if visit.network.local:
        visit.say("clock", "ok", "a local chain has a clock of its own")
    elif behind > 5 * SKEW:
        message = (
            f"the newest block is {show_duration(behind)} old: the node lags, the chain halts, or this machine's clock is fast"
        )
        visit.say("clock", "bad", message)
    elif behind < -SKEW:
        visit.say("clock", "bad", f"this machine's clock is {show_duration(-behind)} slow: set it (time goes by the chain's)")
    else:
        visit.say("clock", "ok", f"the newest block is {show_duration(max(0, behind))} old")


def _federation(visit: Visit) -> None:
    visit.reader = reader = visit.network.reader(visit.federation, visit.factory)
    if broken := check(reader.terms):
        raise ChainError(
            f"its terms break rule {broken[0][0]} ({broken[0][1]}): this project's factory did not make it; stay away"
        )
    reader.check_identity()
    visit.token = Token(reader.rpc, reader.terms.token)
    if reader.concluded():
        visit.say(
            "federation", "bad", "the sponsor gave notice and no further round will open: leave and withdraw what is yours"
        )
        return
    free = reader.terms.max_seats - len(reader.seat_sets().taken)
    visit.say(
        "federation",
        "ok",
        f"{reader.address}: terms in order, {free} of {reader.terms.max_seats} seats free; "
        f"{worst_case(reader.terms, visit.token.denomination)}",
    )


def _windows(visit: Visit) -> None:
    """Whether every window of the terms holds enough blocks of this chain, as it made them lately."""
    reader = visit.reader
    if reader is None:
        return
    if visit.network.local:
        visit.say("windows", "ok", "a local chain makes blocks as they are needed")
        return
    if (made := reader.head().number) < LEAST:
        visit.say("windows", "warn", f"the chain has {made} blocks: too few to measure how many a window holds")
        return
    each = block_seconds(reader.rpc)
    short = [(name, window) for name in WINDOWS if (window := getattr(reader.terms, name)) < LEAST * each]
    for name, window in short:
        count = int(window / each)
        blocks = f"{count} block{'' if count == 1 else 's'} of {each:.1f} s"
        visit.say(
            "windows",
            "bad",
            f"{name} {window} s holds {blocks}, and {LEAST} are needed to act in time: "
            "terms never change, so join a federation with longer windows",
        )
    if not short:
        visit.say("windows", "ok", f"a block takes {each:.1f} s, and every window holds at least {LEAST}")


def _draw(visit: Visit) -> None:
    reader = visit.reader
    if reader is None:
        return
    if visit.network.local:
        visit.say("draw", "ok", "a local chain makes up its randomness")
        return
    chain, delay = randomness_of(reader.rpc), reader.terms.draw_delay
    after, window = round(delay * chain.block_seconds), reader.terms.draw_window
    took = f"draw_delay, {delay} blocks, takes {show_duration(after)} of the {show_duration(window)} for the draw"
    if chain.kind == NONE or window <= after:
        visit.say("draw", "bad", f"{KINDS[NONE] if chain.kind == NONE else took}: every round would be void; stay away")
        return
    visit.say("draw", "ok" if chain.kind == OWN else "warn", f"{KINDS[chain.kind]}; {took}")
    if window < chain.longest_draw(delay):
        visit.say("draw", "warn", f"{took}: a few missed blocks void a round, which costs nobody stake, but its pay")
    if after <= AHEAD:
        known = f"who builds the blocks of Ethereum is known {show_duration(AHEAD)} ahead"
        visit.say("draw", "warn", f"{took}, and {known}: whoever closes a round may aim at a block of its own")
    if window - after > chain.kept * chain.block_seconds:
        lasts = show_duration(round(chain.kept * chain.block_seconds))
        visit.say("draw", "warn", f"a draw that nobody makes within {lasts} starts over, with other randomness")


def _account(visit: Visit) -> None:
    if visit.account is None:
        visit.say("account", "warn", "not looked at: give --account ALIAS")
        return
    visit.address = str(Key(visit.account, visit.passphrase_file).open(visit.network.local).address)
    visit.say("account", "ok", f"{visit.account} signs for {visit.address}")
    rpc = visit.network.rpc
    ether = number_of("eth_getBalance", rpc("eth_getBalance", visit.address, "latest"))
    price = number_of("eth_gasPrice", rpc("eth_gasPrice"))
    need, least = ROUNDS * gas.ROUND * price, ether_to_hold(price)
    stand_in = visit.reader is not None and hosts_stand_in(visit.reader, visit.accept_loss, visit.hosts)
    grade = "ok" if ether >= need else "warn" if ether >= least or stand_in else "bad"
    remedy = "" if grade == "ok" else ": send it some"
    if ether < least:
        remedy = (
            f"{remedy}; when no host relays, a seat without gas misses its reveal and loses stake, and it never proposes, "
            "demands, answers or challenges"
        )
    if grade == "bad" and visit.reader is not None:
        words = loss_words(visit.reader)
        remedy += f". Or name two hosts of different owners (--relay URL=OWNER) and accept the loss: --accept-loss {words!r}"
    message = f"{ether / 1e18:.6f} ETH; {ROUNDS} rounds of all duties take about {need / 1e18:.6f} at the current price{remedy}"
    visit.say("gas money", grade, message)


def _hosts(visit: Visit) -> None:
    """Whether the hosts say that they relay, which a seat without ether lives by."""
    for place in visit.hosts:
        says = HostStore(place.url).says()
        relay = says.get("relay")
        if not says:
            visit.say("host", "warn", f"{place.url} of {place.owner} does not answer as a host")
        elif not isinstance(relay, dict) or relay.get("budget_left") == "0":
            why = "relays nothing" if relay is None else "has spent its budget for gas"
            visit.say("host", "warn", f"{place.url} of {place.owner} {why}: this seat's acts need another host, or ether")
        else:
            visit.say("host", "ok", f"{place.url} of {place.owner} relays, as it says")


def _seat(visit: Visit) -> None:
    reader, token = visit.reader, visit.token
    if reader is None or token is None or visit.address is None:
        return
    sets = reader.seat_sets()
    held = reader.seats(sets.taken)
    mine = [s for s, info in held.items() if visit.address in (info.owner, info.operator)]
    for s in mine:
        stake = token.denomination.show(held[s].stake)
        role = " and ".join(r for r in ("owner", "operator") if getattr(held[s], r) == visit.address)
        state = "leaving" if s in sets.leaving else "whole" if s in sets.eligible else "below the minimum: top up"
        visit.say("seat", "ok" if s in sets.eligible else "bad", f"{role} of seat {s}, {stake} staked, {state}")
        if s not in sets.leaving:
            _deposits(visit, reader, token, s, held[s].operator)
    if mine:
        return
    balance, allowance = token.held_by(visit.address), token.allowance(visit.address, reader.address)
    demands, has = reader.terms.demands_to_pay(), token.denomination.show(balance)
    deposits = demands * reader.terms.demand_deposit
    least = f"a stake of at least {token.denomination.number(reader.terms.min_stake)}"
    if deposits:
        least += f" and {token.denomination.number(deposits)} for the deposits of {demands} demands"
    if balance < reader.terms.min_stake + deposits:
        visit.say("seat", "bad", f"none, and {has} for {least}: get tokens ({token.address})")
    else:
        enough = allowance >= reader.terms.min_stake + deposits
        allowed = "approved already" if enough else "join asks for the allowance itself"
        visit.say("seat", "ok", f"none yet; {has} for {least} ({allowed}): `ape run join`")


def _deposits(visit: Visit, reader: FederationReader, token: Token, seat: int, operator: str) -> None:
    """Whether a seat's operator can pay the deposits of the longest walk to a hidden wrong number, plus one."""
    demands, deposit = reader.terms.demands_to_pay(), reader.terms.demand_deposit
    if deposit == 0:
        return
    credit, tokens, show = reader.credit(operator), token.held_by(operator), token.denomination.show
    has = f"the operator of seat {seat} has {show(credit)} of credit and {show(tokens)}"
    if (lacking := demands * deposit - credit - tokens) > 0:
        pay = f"pay with `ape run topup --seat {seat} --deposits {-(-lacking // deposit)}`"
        message = (
            f"{has}; {demands} demands take {show(demands * deposit)}, and without them a hidden model cannot be forced open"
        )
        visit.say("deposits", "bad", f"{message}: {pay}")
    else:
        visit.say("deposits", "ok", f"{has}, enough for the deposits of {demands} demands")


def _missing(visit: Visit) -> None:
    """Whose accepted updates the others could not get in this round, or the last one."""
    reader = visit.reader
    if reader is None or not (facts := reader.round_facts()).number:
        return
    reported = missing(facts, recent_events(reader, facts))
    held = reader.seats([one.seat for one in reported])
    for one in reported:
        own = visit.address in (held[one.seat].owner, held[one.seat].operator)
        remedy = "; this seat is yours: give its daemon a --store that others reach" if own else ""
        visit.say("updates", "warn", f"in round {facts.number} {one.told()}{remedy}")


def _stores(visit: Visit) -> None:
    if not visit.stores:
        visit.say(
            "store", "bad", "none given: give --store FOLDER, ipfs://127.0.0.1:5001 or another; see `ape run doctor --help`"
        )
        return
    probe = pack_model(to_vector(build(load_task("linear"), 0)))
    root = root_of(probe, Kind.MODEL)
    for word in visit.stores:
        try:
            store = open_store([word])
            if isinstance(store, HostStore) and visit.reader is not None and store.is_host():
                store.get(visit.reader.terms.genesis, Kind.MODEL, visit.reader.terms.depth)
                visit.say("store", "ok", f"{word}: provides the first model; a host takes what this seat reveals")
            elif store.writable:
                store.put(probe, Kind.MODEL)
                store.get(root, Kind.MODEL, 0)
                visit.say("store", "ok", f"{word}: a file was written and read back")
            elif visit.reader is not None:
                store.get(visit.reader.terms.genesis, Kind.MODEL, visit.reader.terms.depth)
                visit.say("store", "ok", f"{word}: provides the first model")
        except TreatyError as error:
            others = [open_store([other]) for other in visit.stores if other != word]
            host = isinstance(open_store([word]), HostStore)
            replaced = host and any(isinstance(other, HostStore) and other.is_host() for other in others)
            visit.say("store", "warn" if replaced else "bad", str(error))  # a daemon goes on without one of several hosts
    opened = {word: open_store([word]) for word in visit.stores}
    taking = [word for word, store in opened.items() if store.writable]
    hosted = any(isinstance(store, HostStore) and store.is_host() for store in opened.values())
    if taking and not hosted and not visit.network.local and all(map(only_here, taking)):
        risk = "an update that the committee cannot fetch is scored 0 and not paid"
        remedy = "share or serve it, or add a store that others reach, such as ipfs://127.0.0.1:5001 or s3://BUCKET/FOLDER"
        visit.say(
            "store", "warn", f"others may not be able to read {', '.join(taking)}, which is on this machine: {risk}; {remedy}"
        )
    if not taking:
        visit.say("store", "bad", "all can only be read: add one that takes your updates, such as a folder that you serve")


def _model(visit: Visit) -> None:
    reader = visit.reader
    if reader is None or not visit.stores:
        return
    visit.store, visit.manifest = federation_store(reader.terms, visit.stores)
    visit.store.get(reader.terms.genesis, Kind.MODEL, reader.terms.depth)
    visit.say("model", "ok", f"manifest and first model are there: task {visit.manifest.task}")


def _task(visit: Visit) -> None:
    if visit.reader is None or not (visit.task or visit.manifest):
        return
    task = federation_task(visit.manifest, visit.task) if visit.manifest else load_task(str(visit.task))
    name = visit.task or task.name
    if visit.manifest:
        first_model(task, visit.manifest, visit.reader.terms)
        seed = visit.manifest.genesis_seed
        visit.say("task", "ok", f"task {name} builds the federation's first model from seed {seed}, bit for bit")
    if visit.data is not None:
        shard = local_shard(task, visit.data, None, 0, partial(visit.say, "data", "warn"))
        check_shard(task, shard)
        parts = f"{len(shard.train):,} to train on and {len(shard.held_out):,} to score with"
        visit.say("data", "ok", f"the task takes every row of {visit.data}: {parts}")
        return
    if isinstance(task, Table) and task.frame.empty:
        check_model(task)
        visit.say("data", "warn", "the manifest states the columns of a table: give --data TABLE to have yours checked")
        return
    table = table_of(task)
    check_task(task, table)
    rows = len(table.x)
    visit.say("data", "ok" if rows else "bad", f"{rows:,} rows" if rows else f"task {name} finds no rows: look at its `data`")


def _disk(visit: Visit) -> None:
    reader = visit.reader
    if reader is None:
        return
    terms = reader.terms
    per_round = terms.max_seats * size_of(Kind.UPDATE, terms.depth) + size_of(Kind.MODEL, terms.depth)
    need, free = ROUNDS * per_round, shutil.disk_usage(Path.cwd()).free
    message = f"{free / 1e9:,.1f} GB free; {ROUNDS} rounds with every seat taken fill {need / 1e9:,.3f} GB"
    visit.say("disk", "ok" if free > need else "bad", message if free > need else f"{message}: make room")
    folder = scratch_folder()
    if (room := shutil.disk_usage(folder).free) < per_round:
        message = f"{room / 1e9:,.1f} GB free in {folder}, where updates are copied; a round's fill {per_round / 1e9:,.3f} GB"
        visit.say("disk", "bad", f"{message}: make room there, or set TMPDIR")


LOOKS: dict[str, Callable[[Visit], Any]] = {
    "chain": _chain,
    "clock": _clock,
    "federation": _federation,
    "windows": _windows,
    "draw": _draw,
    "account": _account,
    "host": _hosts,
    "seat": _seat,
    "updates": _missing,
    "store": _stores,
    "model": _model,
    "task": _task,
    "disk": _disk,
}
