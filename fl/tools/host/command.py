"""What `ape run host` does, step by step: deploy if asked, remember, listen, invite, serve."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fl.errors import TaskError, TermsError, TreatyError
from fl.learning.data.table import table_address
from fl.log import Log
from fl.network import ape_accounts
from fl.network.rpc import Rpc, on_loopback
from fl.network.stores.files import write_durably
from fl.network.stores.local import LocalStore
from fl.protocol.mode import mode_of
from fl.tools.cli.options import Key
from fl.tools.federation.deploy import deploy, remember, tried_task
from fl.tools.federation.invitation import Place
from fl.tools.federation.pace import pace_here
from fl.tools.federation.sponsor import fund
from fl.tools.federation.terms_file import PRESETS, everybody, read_terms
from fl.tools.federation.windows import said_windows
from fl.tools.host.host import Running, Settings, hasten
from fl.tools.host.web import Address

INVITE = Path("invite.json")
ROUNDS_FUNDED = 1000  # with play money, where no amount is named
TOKEN_FILE = "host-token"  # beside the store, so that a host that is started again keeps its token


def run(key: Key, given: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Runs until interrupted. Raises TreatyError."""
    ape_accounts.quiet()
    if given["rounds"] and not given["budget"]:
        raise TermsError("--rounds sends transactions: say with --budget ETHER how much gas may cost; nothing was sent")
    store = LocalStore(given["store"])
    where = Address(given["listen"], given["port"], given["certificate"], given["certificate_key"], given["proxy"])
    others = tuple(Place.read(word, "--also") for word in given["also"])
    node = ape_accounts.node_url()
    if given["block_seconds"]:  # before the windows are derived
        hasten(Rpc([node]), given["block_seconds"])
    federation = _federation(key, given, store, say)
    with ape_accounts.hushed():
        signer = ape_accounts.AccountSigner(key.open())
    local = on_loopback(node)
    settings = Settings(
        federation,
        (node,),
        store.path,
        given["sources"],
        where=where,
        url=given["url"],
        owner=given["owner"],
        others=others,
        hints=given["hints"] or ((node,) if local else ()),
        days=given["days"],
        token=token_in(store.path.parent) if given["private"] else "",
        page=not given["no_page"],
        metrics=given["metrics"],
        budget=int(given["budget"] * 10**18),
        rounds=given["rounds"],
        keep_rounds=given["keep_rounds"],
        keep_bytes=given["keep_bytes"],
        confirmations=1 if local else 2,
        poll=0.5 if local else 2.0,
    )
    running = Running(settings, signer, Log())
    if (invitation := running.invite()) is not None:
        invitation.write(INVITE)
        say(f"words: {invitation.words}    (read them to your participants by telephone)")
        say(f"invitation, also in {INVITE}:")
        say(invitation.link())
    else:
        say(f"no invitation: {signer.address} is not the sponsor {running.reader.terms.sponsor}")
    say(f"hosting {federation} at {running.url}; Ctrl-C ends it")
    running.serve(say)


def _federation(key: Key, given: Mapping[str, Any], store: LocalStore, say: Callable[[str], None]) -> str:
    """The federation's address: as given, or of the one that is deployed now."""
    if (given["task"] or given["data"]) and given["federation"]:
        raise TermsError("give --data or --task to deploy a federation, or --federation for one that stands; nothing was sent")
    if bool(given["data"]) != bool(given["target"]) or (given["data"] and given["task"]):
        raise TermsError("give --data TABLE with --target COLUMN, or --task; nothing was sent")
    if given["data"]:
        given = {**given, "task": table_address(given["data"], given["target"], given["drop"])}
    if not given["task"]:
        return str(given["federation"])
    everyone = everybody(given["seats"]) if given["private_sum"] else {}
    terms = PRESETS[given["preset"]] | everyone | (read_terms(given["terms"]) if given["terms"] else {})
    try:
        task = tried_task(given["task"])
    except TaskError as error:  # with what to write on this command's line
        raise TaskError(re.sub(r"\bdrop=", "--drop ", str(error)) if given["data"] else str(error)) from error
    if "token" in terms and not given["fund"]:
        raise TermsError("the terms name a token: say with --fund how much of it to pay into the pool; nothing was sent")
    pace = pace_here(given["preset"], task, given["training"])
    say("deploying the contracts")
    with ape_accounts.hushed():
        done = deploy(task, terms, key.open(), store, pace=pace, mode=mode_of(given["private_sum"]), **key.options)
        remember(done, Path("deployments"), ape_accounts.network_choice(), [str(store.path)])
        reader = ape_accounts.federation(done.federation)
        for line in said_windows(reader.terms, pace):
            say(line)
        most = ROUNDS_FUNDED * reader.terms.round_cost(reader.terms.min_reveals)
        amount = given["fund"] or str(most // 10**reader.denomination.decimals)
        for line in fund(key, done.federation, amount, mint="token" not in terms).lines[:1]:
            say(line)
    return done.federation


def token_in(folder: Path) -> str:
    """The token of the host whose store lies in this folder. Raises TreatyError for an empty one, which everybody has."""
    path = folder / TOKEN_FILE
    if not path.is_file():
        write_durably(path, secrets.token_urlsafe(24).encode(), mode=0o600)
    if not (token := path.read_text().strip()):
        raise TreatyError(f"{path} is empty, and the host would be open to everybody: remove it; nothing was started")
    return token
