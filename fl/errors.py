"""The errors that Treaty raises. Each message names the input that was wrong and the remedy."""

from __future__ import annotations


def plain(text: str) -> str:
    """Untrusted text (a token's symbol, a manifest's word, a node's reason) without characters that control a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class TreatyError(Exception):
    """The base of all errors. The request was rejected and nothing was changed."""

    def __str__(self) -> str:
        return "\n".join(map(plain, super().__str__().split("\n")))


class ArtifactError(TreatyError):
    """Bytes that are not an update or a model of this federation."""


class NumberError(TreatyError):
    """A number that fixed point cannot represent: NaN, infinite or out of range."""


class TermsError(TreatyError):
    """Terms that break a rule, so that no federation can be made with them."""


class ManifestError(TreatyError):
    """A manifest that this version of Treaty cannot follow."""


class TaskError(TreatyError):
    """A task, split or setting that is invalid."""


class UserCodeError(TaskError):
    """A task's own code (data, model, loss, metric, training) failed when it was called, or returned something unusable.

    A call into a task's code raises no other error. It concerns that call only: other roles of the same seat continue.
    """


class UndefinedMetricError(UserCodeError):
    """A metric that these rows do not have, such as an AUC of rows that are all of one class."""


class PrivacyError(TreatyError):
    """A privacy guarantee that cannot be given with these settings or this model."""


class StoreError(TreatyError):
    """Content that is missing, too large, or does not match its name."""


class AlteredError(StoreError):
    """Content that is there and does not match its name."""


class StoreSilentError(StoreError):
    """A store that did not answer; it may answer later."""


class NoRoomError(TreatyError):
    """This machine has no room for a file. The store is not at fault, and the file is not missing."""


class ChainError(TreatyError):
    """The chain rejected a call, or a node returned something that cannot be true."""


class ContractError(ChainError):
    """A contract that rejected a call, or that is not the expected contract. The node is not at fault."""


class AuditError(TreatyError):
    """A record that differs from what was recomputed from its own parts."""
