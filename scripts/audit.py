"""ape run audit: recomputes a whole federation from its events and its store."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from fl.errors import AuditError, TreatyError
from fl.tools.cli import options
from fl.tools.cli.network import Network, ReadingCommand


@click.command(cls=ReadingCommand, short_help="Recompute a federation from events and store.")
@click.option("--summary", type=click.Path(path_type=Path), help="The summary.json that a simulation wrote, in its folder.")
@options.read_federation
@options.factory
@click.option("--store", "stores", multiple=True, metavar="PLACE", help="The federation's store. Repeatable; tried in order.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def cli(
    network: Network, summary: Path | None, federation: str | None, factory: str | None, stores: tuple[str, ...], as_json: bool
) -> None:
    """Rebuilds every round from its events: who was entitled to act and when, draws, scores, pay, slashes, models, and what the
    committee let in. Says for each part whether it agrees, names the first difference and exits with 1 if there is one. Give
    either --summary, or --federation and --store."""
    from fl.tools.audit.auditor import audit_federation, audit_summary
    from fl.tools.audit.verdict import Verdict, lines

    try:
        if summary and not federation:
            verdict = audit_summary(summary)
        elif federation and stores and not summary:
            verdict = audit_federation(network.reader(federation, factory), stores)
        else:
            raise TreatyError("give --summary FILE, or --federation ADDRESS with --store PLACE")
    except TreatyError as error:
        if as_json:
            click.echo(json.dumps(asdict(Verdict.failed(error))))
        raise click.ClickException(f"audit failed: {error}") from error
    if as_json:
        click.echo(json.dumps(asdict(verdict)))
    else:
        for line in lines(verdict):
            click.echo(line)
    if not verdict.passed:
        raise click.ClickException(str(AuditError(f"audit failed: {verdict.difference}")))
