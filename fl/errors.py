"""One root for everything that Treaty refuses, and small named causes. Each message names the input and the remedy."""

from __future__ import annotations


def plain(text: str) -> str:
    """A stranger's text (a token's symbol, a manifest's word, a node's reason) as one line that commands no terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class TreatyError(Exception):
    """Something was refused; nothing was changed."""

    def __str__(self) -> str:
        return "\n".join(map(plain, super().__str__().split("\n")))


class ArtifactError(TreatyError):
    """Bytes that are no update or model of this federation."""


class NumberError(TreatyError):
    """A number that fixed point cannot hold: NaN, infinite or out of range."""


class TermsError(TreatyError):
    """Terms that no federation can be made of."""


class ManifestError(TreatyError):
    """A manifest that this version of Treaty cannot follow."""


class TaskError(TreatyError):
    """A task, split or setting that does not fit."""


class UserCodeError(TaskError):
    """A task's own code (data, model, loss, metric, training) that failed when it was called, or returned what is of no use.

    The one error that a call into somebody's task raises. It concerns that call alone: other roles of the same seat go on.
    """


class UndefinedMetricError(UserCodeError):
    """A metric that these rows do not have, such as an AUC of rows that are all of one class."""


class PrivacyError(TreatyError):
    """A promise that cannot be kept, or a model that cannot keep it."""


class StoreError(TreatyError):
    """Content that is missing, too large, or not what its name says."""


class StoreSilentError(StoreError):
    """A store that did not answer; it may later."""


class NoRoomError(TreatyError):
    """This machine cannot hold what a store shows: no fault of the store, and no sign that a file is missing."""


class ChainError(TreatyError):
    """The chain refused, or said something that cannot be true."""


class ContractError(ChainError):
    """A contract that refused, or that is not what it was taken for; the node did its part."""


class AuditError(TreatyError):
    """The record differs from what its own parts recompute to."""
