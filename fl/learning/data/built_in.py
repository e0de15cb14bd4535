"""Named parts of a task's built-in data, for trying things out; apart from tables, so that a daemon needs no pandas."""

from __future__ import annotations

from fl.errors import TaskError
from fl.learning.data.partition import Shard, split
from fl.learning.task import Task
from fl.learning.task_check import table_of


def built_in_shard(task: Task, shard: str, seed: int) -> Shard:
    """The part INDEX/N, or the one of an owner's name. Raises TaskError with the remedy."""
    name, _, count = shard.partition("/")
    table = table_of(task)
    if name.isdecimal() and count.isdecimal() and int(name) < int(count):
        return split(table, int(count), None, seed).shards[int(name)]
    named = {s.name: s for s in split(table, max(1, len(table.owners)), None, seed).shards} if table.owners else {}
    if shard not in named:
        result = f" or one of {', '.join(named)}" if named else ""
        raise TaskError(f"no shard {shard!r} of task {task.name}: give INDEX/N with INDEX below N, such as 0/4{result}")
    return named[shard]
