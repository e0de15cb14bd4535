"""`fl.load_model` and `fl.predict`: a federation's model as a PyTorch module, and its predictions for a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd

from fl.errors import TreatyError
from fl.learning.data.given_table import read_given, rows_of
from fl.learning.inference import Module, outputs_of, predictions
from fl.network.connection import connection, load_ape
from fl.network.federation import FederationReader
from fl.network.rpc import Rpc
from fl.tools.model.export import load_round
from fl.tools.model.folder import load
from fl.tools.model.predict import table
from fl.tools.model.source import from_chain


def load_model(
    where: str | Path,
    task: str | None = None,
    *,
    store: str | Sequence[str] = (),
    network: str | None = None,
    round: int | None = None,
) -> Module:
    """A model ready for use: a torch.nn.Module in eval mode.

    where: a folder that `ape run model` wrote, or a federation's address; then store names where its models are, network the
    chain, by its node's URL or by Ape's name for it (by default the one that is connected), and round the round, by default the
    last.
    task: the file of a task that is neither shipped nor a table. It is run, so read it first.

    Raises TreatyError where the model is not what the folder or the chain says."""
    if not str(where).startswith("0x") or Path(where).is_dir():
        if store or network or round is not None:
            raise TreatyError("store, network and round belong to a federation's address: a folder holds one model already")
        return load(Path(where), task).module
    stores = [store] if isinstance(store, str) else list(store)
    load_ape()
    from fl.network.ape_accounts import node  # keeps Ape out of the start-up of whoever loads a folder

    by_url = network is not None and network.startswith(("http://", "https://"))
    with nullcontext() if network is None or by_url else connection(network):
        reader = FederationReader.open(Rpc([network]) if network is not None and by_url else node(), str(where))
        return load_round(from_chain(reader, stores), round, task)


def predict(folder: str | Path, rows: pd.DataFrame | str | Path, task: str | None = None) -> pd.DataFrame:
    """Predictions by the model of a folder, with the index of the table given: `prediction`, and `p(CLASS)` for each class.

    rows: a DataFrame, or a .csv or .parquet file, with the columns that the task reads. Raises TreatyError."""
    model = load(Path(folder), task)
    if isinstance(rows, pd.DataFrame):
        given = rows_of(model.task, rows, "the table", model.config.rows, targets=False)
    else:
        given = read_given(model.task, Path(rows), model.config.rows, targets=False)
    return table(predictions(model.task, outputs_of(model.task, model.module, given.x))).set_index(given.table.index)
