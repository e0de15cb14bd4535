"""A network for Python code that is not an `ape run` command: the project's tools are found, Ape is loaded, a node answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from fl.errors import ChainError

LOCAL = "ethereum:local:foundry"
CONFIG = "ape-config.yaml"


@contextmanager
def connection(network: str = LOCAL) -> Iterator[None]:
    """Connected to a network for the time of the block; by default to a local chain of its own. Raises ChainError."""
    load_ape()
    from fl.network import ape_accounts  # keeps Ape out of start-up

    try:
        found = ape_accounts.network(network, ends=True)
        with found:
            yield
    except ape_accounts.NO_SUCH_NETWORK as error:
        raise ChainError(f"no network {network!r}: {error}; `ape networks list` lists all of them") from error


def load_ape() -> None:
    """Imports Ape where it finds the project, whatever the present folder is: it takes the folder that it is first used in for
    its project, and never looks again. Raises ChainError where there is no project."""
    home = project_folder()
    _find_tools(home)
    with chdir(home):
        from fl.network import ape_accounts  # keeps Ape out of start-up

        if (other := ape_accounts.project_folder()) != home:
            raise ChainError(f"Ape works for another project already, {other}: restart Python, and use fl before Ape")


def project_folder() -> Path:
    """The folder with contracts and configuration: the one that this code lies in, else the present one. Raises ChainError."""
    for folder in (Path(__file__).parents[2], Path.cwd(), *Path.cwd().parents):
        if (folder / CONFIG).is_file() and (folder / "contracts").is_dir():
            return folder
    raise ChainError(
        "no contracts are here, which a local chain needs: run this in the project's own folder, after `make setup`"
    )


def _find_tools(home: Path) -> None:
    """What env.sh does for a shell: compiler, local chain and Ape's data of the project, unless you chose others."""
    tools = [home / ".venv" / "bin", home / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin"]
    known = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*(str(tool) for tool in tools if str(tool) not in known), *known])
    os.environ.setdefault("SOLCX_BINARY_PATH", str(home / ".solcx"))
    os.environ.setdefault("APE_DATA_FOLDER", str(home / ".ape"))
