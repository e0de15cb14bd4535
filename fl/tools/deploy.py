"""Putting a federation on a chain: token, implementation, factory, federation. The same on any network."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from fl.errors import TermsError
from fl.learning.codec import depth_of, parameters_of, to_vector
from fl.learning.gate import DEFAULT, gate_named
from fl.learning.task import Task, build
from fl.network import chain
from fl.network.store import LocalStore, canonical, write_durably
from fl.protocol.artifact import Kind, pack_model
from fl.protocol.fixed_point import FRACTION_BITS
from fl.protocol.terms import ZERO_ADDRESS, Terms, check

SINK = "0x000000000000000000000000000000000000dEaD"
TOKEN = 10**18

# What a laptop's federation runs under; a terms file changes what it names. Amounts in whole tokens, times in seconds.
DEFAULTS: dict[str, Any] = {
    "trim": 0,
    "max_seats": 128,
    "min_reveals": 3,
    "committee": 3,
    "max_attempts": 3,
    "commit_window": 3600,
    "reveal_window": 1800,
    "draw_window": 3600,
    "score_commit_window": 1800,
    "score_reveal_window": 1800,
    "settle_window": 3600,
    "propose_window": 1800,
    "challenge_window": 7200,
    "answer_window": 300,
    "min_stake": 100,
    "no_reveal_slash": 10,
    "no_scores_slash": 10,
    "fraud_slash": 50,
    "challenge_fee": 5,
    "demand_deposit": 0.2,
    "trainer_rate": 10,
    "validator_rate": 2,
    "strictness": 2,
    "proposer_fee": 1,
}
AMOUNTS = (
    "min_stake",
    "no_reveal_slash",
    "no_scores_slash",
    "fraud_slash",
    "challenge_fee",
    "demand_deposit",
    "trainer_rate",
    "validator_rate",
    "proposer_fee",
)
ADDRESSES = ("token", "sponsor", "sink", "admission")
DERIVED = ("manifest", "genesis", "depth", "max_exponent")


@dataclass(frozen=True)
class Deployment:
    """What was put where."""

    chain_id: int
    federation: str
    factory: str
    implementation: str
    token: str
    manifest: str
    genesis: str
    gas: dict[str, int]


def manifest_of(task: Task, seed: int, gate: str = DEFAULT) -> dict[str, object]:
    """Everything off-chain that participants must agree on, as facts."""
    model = build(task, seed)
    return {
        **task.facts(),
        "parameters": parameters_of(model),
        "fraction_bits": FRACTION_BITS,
        "max_exponent": task.max_exponent,
        "genesis_seed": seed,
        "gate": gate,
        "score": "leave-one-out share of the loss, remembered with 0.9 a round, a fifth of it upon the public prior of scores",
        "version": 1,
    }


def read_terms(path: Path) -> dict[str, Any]:
    """A terms file in YAML, checked for names and kinds. Raises TermsError that names the line's key and the remedy."""
    try:
        given = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise TermsError(f"no terms file {path}: write one, or leave --terms out for the defaults") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TermsError(f"{path} cannot be read as a terms file: {error}") from error
    except yaml.YAMLError as error:
        raise TermsError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict):
        raise TermsError(f"{path}: a terms file holds `name: value` lines")
    known = {f.name for f in fields(Terms)}
    for name, value in given.items():
        if name not in known:
            raise TermsError(f"{path}: no term is called {name!r}; known are {', '.join(sorted(known))}")
        _check_kind(f"{path}: {name}", name, value)
    return given


def _check_kind(where: str, name: str, value: Any) -> None:
    if name in DERIVED:
        raise TermsError(f"{where} follows from the task: leave it out")
    if name in ADDRESSES:
        if not (isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]{40}", value)):
            raise TermsError(f"{where} is an address, 0x and 40 hexadecimal digits, in quotes; not {value!r}")
    elif name == "allowlist":
        if not (isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]{64}", value)):
            raise TermsError(f"{where} is a Merkle root, 0x and 64 hexadecimal digits, in quotes; not {value!r}")
    elif not isinstance(value, int | float) or isinstance(value, bool):
        raise TermsError(f"{where} is a number, not {value!r}")
    elif not math.isfinite(value):
        raise TermsError(f"{where} is a finite number, not {value!r}")
    elif name not in AMOUNTS and not isinstance(value, int):
        raise TermsError(f"{where} is a whole number, not {value!r}")


def make_terms(given: dict[str, Any], task: Task, sponsor: str, token: str, manifest: bytes, genesis: bytes) -> Terms:
    """Defaults, a terms file's choices and what follows from the task. Raises TermsError that lists every broken rule."""
    chosen = {**DEFAULTS, **given}
    for name in AMOUNTS:
        chosen[name] = int(Decimal(str(chosen[name])) * TOKEN)
    if isinstance(chosen.get("allowlist"), str):
        chosen["allowlist"] = bytes.fromhex(chosen["allowlist"][2:])
    facts = {"sponsor": sponsor, "sink": SINK, "admission": ZERO_ADDRESS, "allowlist": bytes(32), **chosen}
    facts |= {"token": token, "manifest": manifest, "genesis": genesis}
    facts |= {"depth": depth_of(build(task, 0)), "max_exponent": task.max_exponent}
    terms = Terms(**facts)
    broken = check(terms)
    if broken:
        raise TermsError("these terms make no federation: " + "; ".join(f"{remedy} (rule {n})" for n, remedy in broken))
    return terms


def deploy(
    task: Task,
    given: dict[str, Any],
    account: Any,
    store: LocalStore,
    *,
    seed: int = 0,
    gate: str = DEFAULT,
    factory: str | None = None,
    **options: Any,
) -> Deployment:
    """Deploys what is missing and creates the federation; `account` pays. Genesis model and manifest go to the store."""
    gas: dict[str, int] = {}
    gate_named(gate)  # refuses one that nobody knows

    def put(name: str, *args: Any) -> Any:
        instance, gas[name] = chain.deploy(account, name, *args, **options)
        return instance

    genesis = store.put(pack_model(to_vector(build(task, seed))), Kind.MODEL)
    manifest = store.put_manifest(manifest_of(task, seed, gate))
    # Terms are checked before anything is paid for.
    draft = make_terms(given, task, str(given.get("sponsor", account.address)), "0x" + "11" * 20, manifest, genesis)
    maker = None
    if factory is not None:
        maker = chain.attach("FederationFactory", factory, "factory")
        implementation = str(chain.read(maker.implementation, "factory"))
    token = given.get("token") or put("TestToken").address
    if maker is None:
        implementation = put("Federation").address
        maker = put("FederationFactory", implementation)
    terms = replace(draft, token=token)
    receipt = chain.transact(maker.create, terms.as_tuple(), sender=account, **options)
    gas["create"] = int(receipt.gas_used)
    federation = str(receipt.events.filter(maker.Created)[0].federation)
    return Deployment(chain.chain_id(), federation, maker.address, implementation, token, manifest.hex(), genesis.hex(), gas)


def remember(deployment: Deployment, folder: Path) -> Path:
    """Adds a deployment to `folder`/<chain id>.json; returns the file."""
    path = folder / f"{deployment.chain_id}.json"
    known = json.loads(path.read_text()) if path.is_file() else []
    write_durably(path, canonical({"all": [*(known["all"] if known else []), asdict(deployment)]}))
    return path
