"""The quality of each model of a local federation, measured where all tables are at hand: on rows that nobody trains on."""

from __future__ import annotations

from collections.abc import Iterable

from fl.errors import TreatyError
from fl.learning.data.partition import Part, Shard, held_out_of, split
from fl.learning.evaluator import Evaluator
from fl.learning.task import Task
from fl.learning.task_check import table_of
from fl.network.stores.base import Store
from fl.protocol.artifact import Kind, parse_model
from fl.tools.model.card import Measured


class Meter:
    """Measures models by their roots. rows: whose rows they are, for people."""

    def __init__(self, task: Task, part: Part, rows: str, store: Store, depth: int):
        self.task, self.part, self.rows, self.store, self.depth = task, part, rows, store, depth
        self.evaluator = Evaluator(task)
        self.metrics: dict[int, float] = {}

    @staticmethod
    def of_shards(task: Task, shards: Iterable[Shard], store: Store, depth: int) -> Meter:
        """On the rows that the participants keep back to score others with."""
        part = held_out_of(shards)
        rows = (
            f"on {len(part)} rows of all participants that nobody trained on; they scored each other's updates with these rows"
        )
        return Meter(task, part, rows, store, depth)

    @staticmethod
    def of_task(task: Task, seats: int, seed: int, store: Store, depth: int) -> Meter:
        """On the test rows of the task's own table."""
        part = split(table_of(task), seats, None, seed).test
        return Meter(task, part, f"on {len(part)} test rows of the task's own table", store, depth)

    def measure(self, number: int, root: bytes) -> str:
        """The metric of the model after a round, for people."""
        try:
            model = parse_model(self.store.get(root, Kind.MODEL, self.depth), self.depth)
            self.metrics[number] = value = self.evaluator.metric(model, self.part)
        except TreatyError as error:  # it says less, and the federation goes on
            return f"{self.task.metric} not measured: {error}"
        return f"{self.task.metric} {value:.4f}"

    def measured(self) -> Measured:
        """For the model's card."""
        return Measured(self.rows, self.metrics)
