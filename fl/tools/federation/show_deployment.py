"""What a person reads after a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from fl.network.denomination import Denomination
from fl.protocol.terms import AMOUNTS, Terms
from fl.tools.audit.export import terms_to_json
from fl.tools.cli.options import Result
from fl.tools.cli.tables import new_table
from fl.tools.federation.deployment import Deployment


def deployment_facts(deployment: Deployment, terms: Terms, stores: Sequence[str]) -> Result:
    """The same for scripts, with the stores that have the manifest."""
    return Result([], {**asdict(deployment), "stores": list(stores), "terms": terms_to_json(terms)})


def show_deployment(deployment: Deployment, terms: Terms, denomination: Denomination) -> None:
    """Prints the addresses of a new deployment, its terms and its gas."""
    console = Console(soft_wrap=True, width=max(Console().width, 100))
    for name in ("federation", "factory", "implementation", "disputes", "token", "manifest", "genesis"):
        console.print(f"{name:15} {getattr(deployment, name)}", highlight=False)
    table = new_table("Terms", "term", "value")
    for name, value in terms_to_json(terms).items():
        table.add_row(name, escape(denomination.show(int(value)) if name in AMOUNTS else value))
    console.print(table)
    console.print(f"gas: {', '.join(f'{what} {gas:,}' for what, gas in deployment.gas.items())}", highlight=False)
