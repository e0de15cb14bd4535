"""Deploys a federation: token, implementation, factory, federation. It is the same on any network."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from fl.errors import ChainError, TermsError, UserCodeError
from fl.learning.codec import depth_of, parameters_of, to_vector
from fl.learning.data.table import Table
from fl.learning.task import Task, build
from fl.learning.task_check import check_model, check_task, table_of
from fl.learning.task_loading import load_task
from fl.network import ape_accounts, identity
from fl.network.denomination import PLAY, Denomination
from fl.network.explorer import explorer_of, publish_all
from fl.network.randomness import KINDS, NONE, Randomness, randomness_of
from fl.network.rpc import DEV_CHAINS
from fl.network.stores import cid
from fl.network.stores.base import Store, canonical
from fl.network.stores.files import write_durably
from fl.network.stores.several import is_public
from fl.network.token import Token
from fl.protocol.allowlist import Allowlist
from fl.protocol.artifact import Kind, pack_model
from fl.protocol.leaves import root_of
from fl.protocol.manifest import (
    DEFAULT_GATE,
    DEFAULT_SCORE,
    MASKED_GATE,
    MASKED_SCORE,
    Manifest,
    check_terms,
    gate_rule,
    score_rule,
)
from fl.protocol.mode import Mode
from fl.protocol.terms import AMOUNTS, WINDOWS, ZERO_ADDRESS, Terms, check
from fl.tools.cli.amounts import parse_amount
from fl.tools.cli.options import Result
from fl.tools.cli.prices import Prices
from fl.tools.cli.remembered import Remembered
from fl.tools.federation.chain_copy import try_on_copy
from fl.tools.federation.cost_estimate import deployment_gas, estimate, ether, lines_of
from fl.tools.federation.deployment import Deployment
from fl.tools.federation.terms_file import DEFAULTS
from fl.tools.federation.windows import PACES, Pace, said_windows, windows


def manifest_of(task: Task, seed: int, gate: str = DEFAULT_GATE, mode: Mode = Mode.OPEN) -> Manifest:
    """Everything off-chain that participants must agree on, except where files are stored. In masked mode there is no gate.
    Raises ManifestError if the task's own facts cannot be stated."""
    gate, score = (gate, DEFAULT_SCORE) if mode is Mode.OPEN else (MASKED_GATE, MASKED_SCORE)
    stated = Manifest(
        task=task.name,
        metric=task.metric,
        training=task.training.shared(),
        parameters=parameters_of(build(task, seed)),
        max_exponent=task.max_exponent,
        genesis_seed=seed,
        gate=gate_rule(gate),
        score=score_rule(score),
    )
    return Manifest.parse({**stated.to_json(), **task.facts()})


def tried_task(name: str) -> Task:
    """The task of this name, checked on its rows if they are here; a sponsor need not hold any. Raises TaskError."""
    task = load_task(name)
    if isinstance(task, Table) and task.frame.empty:  # stated whole, without rows
        check_model(task)
        return task
    try:
        table = table_of(task)
    except UserCodeError:  # data() fails: there are no rows here
        check_model(task)
        return task
    check_task(task, table)
    return task


def make_terms(
    given: dict[str, Any],
    task: Task,
    sponsor: str,
    token: str,
    manifest: bytes,
    genesis: bytes,
    denomination: Denomination = PLAY,
    pace: Pace = PACES["laptop"],
) -> Terms:
    """Terms from defaults, a terms file, the task, and the pace that windows left out follow from. Raises TermsError that lists
    every broken rule."""
    chosen = {**DEFAULTS, **given}
    depth = depth_of(build(task, 0))
    chosen |= windows(pace, chosen, depth)
    for name in AMOUNTS:
        chosen[name] = parse_amount(chosen[name], denomination.decimals, name)
    if isinstance(owners := chosen.get("allowlist"), tuple):
        if len(owners) < chosen["min_reveals"]:
            wanted = f"a round needs {chosen['min_reveals']} seats (min_reveals), one for each owner"
            raise TermsError(f"allowlist: {wanted}, but the list has only {len(owners)}: admit more")
        chosen["allowlist"] = Allowlist.of(owners).root
    facts = {"sponsor": sponsor, "admission": ZERO_ADDRESS, "allowlist": bytes(32), **chosen}
    facts |= {"token": token, "manifest": manifest, "genesis": genesis}
    facts |= {"depth": depth, "max_exponent": task.max_exponent}
    terms = Terms(**facts)
    broken = check(terms, denomination.show)
    if broken:
        raise TermsError(
            ("no federation can be made with these terms: ") + "; ".join(f"{remedy} (rule {n})" for n, remedy in broken)
        )
    return terms


def check_draw(terms: Terms, chain: Randomness) -> None:
    """Whether committees can be drawn on this chain under these terms. Raises ChainError or TermsError."""
    if chain.kind == NONE:
        raise ChainError(f"{KINDS[NONE]}: nothing was sent; choose another chain")
    least = round(chain.longest_draw(terms.draw_delay))
    if terms.draw_window < least:
        blocks = f"{terms.draw_delay} blocks (draw_delay) of {chain.block_seconds:.3g} seconds"
        raise TermsError(
            f"draw_window: {terms.draw_window} seconds are too few on this chain, since three times {blocks} take {least}: "
            "give that many, or a smaller draw_delay; nothing was sent"
        )


@dataclass(frozen=True)
class Draft:
    """Everything that is known before anything is sent."""

    terms: Terms  # token: a stand-in if one is still to be deployed
    genesis: bytes  # the file
    manifest: Manifest
    denomination: Denomination
    maker: Any | None  # the factory, if one stands
    own_token: bool

    def gas(self, rules: str) -> dict[str, int]:
        """What the deployment takes, by name."""
        own = {"own_factory": self.maker is None, "own_token": self.own_token}
        return deployment_gas(rules, **own, mode=self.manifest.mode)


def draft(
    task: Task,
    given: dict[str, Any],
    sponsor: str,
    *,
    seed: int = 0,
    gate: str = DEFAULT_GATE,
    factory: str | None = None,
    public: Sequence[str] = (),
    pace: Pace = PACES["laptop"],
    mode: Mode = Mode.OPEN,
) -> Draft:
    """Checks all that can be checked; sends nothing and writes nothing. Raises TermsError or ChainError."""
    genesis = pack_model(to_vector(build(task, seed)))
    if odd := [place for place in public if not is_public(place)]:
        raise TermsError(f"--public {odd[0]}: others must be able to reach it; give an address such as https:// or s3://")
    genesis_cid = cid.to_text(cid.cid_of(genesis))
    manifest = replace(manifest_of(task, seed, gate, mode), genesis_cid=genesis_cid, stores=tuple(public))
    token, denomination = "0x" + "11" * 20, PLAY
    if "token" in given:
        erc20 = Token(ape_accounts.node(), given["token"])
        token, denomination = erc20.address, erc20.denomination
    digest = sha256(canonical(manifest.to_json())).digest()
    terms = make_terms(
        given, task, str(given.get("sponsor", sponsor)), token, digest, root_of(genesis, Kind.MODEL), denomination, pace
    )
    if terms.admission != ZERO_ADDRESS and not ape_accounts.code_at(terms.admission):
        raise TermsError(
            f"admission: no contract at {terms.admission} on chain {ape_accounts.chain_id()}: leave it out, or give one"
        )
    if ape_accounts.chain_id() not in DEV_CHAINS:
        check_draw(terms, randomness_of(ape_accounts.node()))
    check_terms(manifest, terms)
    maker, known = None, identity.Maker.own(mode).factory
    if factory is not None:
        maker = ape_accounts.attach("FederationFactory", factory, "factory")
        ape_accounts.read(maker.implementation, "factory")
    elif ape_accounts.code_at(known):
        maker = ape_accounts.attach("FederationFactory", known, "factory")
    if maker is not None and "token" in given and ape_accounts.code_at(stands := _address(maker, terms)):
        raise TermsError(f"a federation under these very terms stands at {stands}: use it, or add a label for another one")
    return Draft(terms, genesis, manifest, denomination, maker, "token" not in given)


def _address(maker: Any, terms: Terms) -> str:
    """Where a factory creates the federation of these terms."""
    return identity.Maker(str(maker.address), str(maker.implementation())).address(terms)


def deploy(
    task: Task,
    given: dict[str, Any],
    account: Any,
    store: Store,
    *,
    seed: int = 0,
    gate: str = DEFAULT_GATE,
    factory: str | None = None,
    public: Sequence[str] = (),
    publish: str | None = None,
    pace: Pace = PACES["laptop"],
    mode: Mode = Mode.OPEN,
    **options: Any,
) -> Deployment:
    """Deploys what is missing and creates the federation; `account` pays. Genesis model and manifest go to the store.

    publish: submit the sources to a block explorer afterwards, whose API's address this is, empty for Etherscan. options: for
    every transaction."""
    gas: dict[str, int] = {}
    checked = draft(task, given, account.address, seed=seed, gate=gate, factory=factory, public=public, pace=pace, mode=mode)
    here = ape_accounts.chain_id()
    explorer = None if publish is None else explorer_of(here, publish, ape_accounts.is_local())
    need = ape_accounts.gas_price() * sum(checked.gas(ape_accounts.rules()).values())
    if (held := ape_accounts.ether_of(account.address)) < need:
        message = f"{account.address} holds {held / 1e18:.6f} ETH and needs some {need / 1e18:.6f} for gas"
        raise ChainError(f"{message}: send it some; nothing was sent")
    store.put(checked.genesis, Kind.MODEL)
    store.put_manifest(checked.manifest)

    def put(name: str, *args: Any) -> Any:
        instance, gas[name] = ape_accounts.deploy(account, name, *args, **options)
        return instance

    token = put("TestToken").address if checked.own_token else checked.terms.token
    maker = checked.maker or _own_factory(account, gas, put, options, mode)
    terms = replace(checked.terms, token=token)
    try:
        receipt = ape_accounts.transact(maker.create, terms.as_tuple(), sender=account, **options)
    except ChainError as error:
        raise ChainError(f"{error}; the factory {maker.address} stands: call again, with --factory if yours") from error
    gas["create"] = int(receipt.gas_used)
    federation = _address(maker, terms)  # whoever created it, should somebody have been faster
    implementation = str(maker.implementation())
    disputes = str(ape_accounts.contract("Federation").at(implementation).disputes())
    if explorer is not None:
        places = disputes, implementation, str(maker.address)
        stand = dict(zip(identity.contracts(mode), places, strict=True))
        for line in publish_all(explorer, stand):
            print(line, file=sys.stderr)
    facts = here, federation, str(maker.address), implementation, disputes, token
    return Deployment(*facts, terms.manifest.hex(), terms.genesis.hex(), gas, int(receipt.block_number))


def _own_factory(account: Any, gas: dict[str, int], put: Any, options: dict[str, Any], mode: Mode) -> Any:
    """A factory and what it needs, at their recomputed addresses where the chain has the deployer."""
    if not ape_accounts.put_deployer(account, **options):
        made: dict[str, Any] = {}
        for name in identity.contracts(mode):
            made[name] = put(identity.CODE.get(name, name), *(made[other].address for other in identity.ARGUMENTS[name]))
        return made[identity.FACTORIES[mode]]
    for name in identity.contracts(mode):
        address, used = ape_accounts.deploy_known(account, name, **options)
        gas |= {name: used} if used else {}
    return ape_accounts.attach("FederationFactory", address, "factory")


def dry_run(checked: Draft, pace: Pace, seats: int, prices: Prices, sender: str) -> Result:
    """What it would cost and how long its windows are, and what becomes of it on a copy of the chain; nothing is sent."""
    if not checked.terms.min_reveals <= seats <= checked.terms.max_seats:
        least, most = checked.terms.min_reveals, checked.terms.max_seats
        raise TermsError(f"--seats {seats}: these terms allow {least} to {most}")
    own = {"own_factory": checked.maker is None, "own_token": checked.own_token}
    mode = checked.manifest.mode
    facts = estimate(checked.terms, seats, prices, checked.denomination, rules=ape_accounts.rules(), **own, mode=mode)
    factory = None if checked.maker is None else str(checked.maker.address)
    tried = try_on_copy(
        checked.terms, sender, factory, own_token=checked.own_token, denomination=checked.denomination, mode=mode
    )
    lines = [*lines_of(facts, prices, checked.denomination.symbol), *said_windows(checked.terms, pace)]
    lines += [*tried.lines(lambda used: ether(prices.mainnet(used), prices)), "nothing was sent"]
    windows = {name: getattr(checked.terms, name) for name in WINDOWS}
    return Result(lines, {**facts, "windows": windows, "tried": tried.facts()})


def remember(deployment: Deployment, folder: Path, network: str, stores: Sequence[str]) -> Path:
    """Adds a deployment to `folder`/<chain id>.json, and makes it what this folder's commands read; returns the file. One that
    is damaged is moved aside: the contracts are paid for, and their addresses must not be lost."""
    path = folder / f"{deployment.chain_id}.json"
    try:
        known = [*json.loads(path.read_bytes())["all"]] if path.is_file() else []
    except (ValueError, LookupError, TypeError, RecursionError):
        known = []
        os.replace(path, path.with_name(f"{path.name}.damaged"))
    write_durably(path, canonical({"all": [*known, asdict(deployment)]}))
    Remembered(deployment.federation, network, tuple(stores)).keep()
    return path
