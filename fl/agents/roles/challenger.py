"""A challenger checks every proposal: recomputes it, disproves a wrong one, and forces a withheld one open.

If the proposed file is withheld, it walks down the tree: an answered demand shows a path, and the lowest sibling that differs
from the correct tree's shows in which half the wrong leaf is. At most depth + 1 demands reach it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from fl.agents.record.history import Demanded
from fl.agents.record.view import View
from fl.agents.runtime.actions import Action, Call, Publish
from fl.protocol.artifact import LEAF_PARAMETERS, Kind, leaf_bytes, parse_model
from fl.protocol.enums import Artifact
from fl.protocol.fraud import Opened, challenge_proof
from fl.protocol.leaves import Tree
from fl.protocol.phases import Phase

MAX_DEMANDS = 64


@dataclass(frozen=True)
class Shown:
    """A leaf that an answer showed."""

    content: bytes
    path: bytes

    def show(self, leaf: int) -> bytes:
        return self.content + self.path


class Challenger:
    """Checks every proposal; demands and challenges with this agent's key. Deciding reads the round's updates and models from
    the store and rebuilds the correct model from them, once a round."""

    def decide(self, view: View) -> list[Action]:
        if view.phase is not Phase.CHALLENGE:
            return self._expired(view) if view.facts.live and view.facts.proposed_at else []
        return self._expired(view) or self._check(view)

    def _check(self, view: View) -> list[Action]:
        log, record = view.round, view.record
        proposal = log.proposal
        if proposal is None:
            return []
        roots = {seat: log.reveals[seat].root for seat in log.accepted}
        held = record.updates(roots.values())
        missing = [seat for seat, root in roots.items() if root not in held]
        if missing:
            return self._doubt(view, missing)
        right = record.next_model(log)
        if right is None:
            return self._force(view, Kind.MODEL, [(Artifact.PREVIOUS, 0)])
        tree = record.next_tree(log)
        assert tree is not None  # the correct model is known
        wrong = record.model_file(proposal.root)
        if tree.root == proposal.root:  # if its proposer withheld the file, the next round would have nothing to start with
            shown = wrong is not None and not record.store.owes(tree.root, Kind.MODEL)
            return [] if shown else [Publish(right, Kind.MODEL)]
        if wrong is not None:
            opened = Opened.of(wrong, Kind.MODEL)
            leaf = next(i for i in range(1 << tree.depth) if tree.levels[0][i] != opened.tree.levels[0][i])
            return self._challenge(view, leaf, opened, leaf_bytes(right, Kind.MODEL, leaf))
        return self._walk(view, tree, right)

    def _challenge(self, view: View, leaf: int, proposed: Opened | Shown, wanted: bytes) -> list[Action]:
        """`wanted`: the correct leaf."""
        log, record = view.round, view.record
        is_, must = parse_model(proposed.show(leaf)[: Kind.MODEL.value], 0), parse_model(wanted, 0)
        coordinate = next(i for i in range(LEAF_PARAMETERS) if is_[i] != must[i])
        files = record.updates(log.reveals[seat].root for seat in log.accepted)
        shown = {seat: answer for seat in log.accepted if (answer := _shown(view, Artifact.UPDATE, seat, leaf))}
        updates = (  # one tree at a time
            Opened.of(files[root], record.mode.kind) if (root := log.reveals[seat].root) in files else shown[seat]
            for seat in log.accepted
        )
        base = record.model_file(log.base)
        if base is None:
            return []
        proof = challenge_proof(leaf, updates, Opened.of(base, Kind.MODEL), proposed)
        return [_call(view, "challenge", leaf, coordinate, proof)]

    def _walk(self, view: View, tree: Tree, right: bytes) -> list[Action]:
        leaf = 0
        while (answer := _shown(view, Artifact.PROPOSED, 0, leaf)) is not None:
            if answer.content != (wanted := leaf_bytes(right, Kind.MODEL, leaf)):
                return self._challenge(view, leaf, answer, wanted)
            siblings = [answer.path[32 * i : 32 * (i + 1)] for i in range(tree.depth)]
            height = next(i for i in range(tree.depth) if siblings[i] != tree.path(leaf)[i])
            leaf = ((leaf >> height) ^ 1) << height
        return self._demand(view, Artifact.PROPOSED, 0, leaf)

    def _doubt(self, view: View, missing: list[int]) -> list[Action]:
        """Demands the accepted updates that the store lacks: first the leaf where the proposal deviates most from the result
        of the other updates, and after that was shown, all others at once. A wrong leaf is disproved as soon as it is shown for
        every update, so that disproving a large error does not cost a whole file."""
        log, record, terms = view.round, view.record, view.terms
        lacking = [(Artifact.UPDATE, seat) for seat in missing]
        base, proposed = record.model_file(log.base), record.model_file(log.proposals[-1].root)
        if proposed is None:  # a root without a file falls here
            return [*self._demand(view, Artifact.PROPOSED, 0, 0), *self._force(view, record.mode.kind, lacking)]
        if base is None:
            return self._force(view, record.mode.kind, lacking)
        roots = [log.reveals[seat].root for seat in log.accepted if seat not in missing]
        files = record.updates(roots)
        held = [files[root] for root in roots]
        others = record.mode.next_file(base, held, terms)
        far = parse_model(proposed, terms.depth).astype(np.int64) - parse_model(others, terms.depth)
        leaves = [int(i) for i in np.argsort(-np.abs(far).reshape(-1, LEAF_PARAMETERS).max(axis=1), kind="stable")]
        for leaf in leaves:
            shown = [answer.content for seat in missing if (answer := _shown(view, Artifact.UPDATE, seat, leaf))]
            if len(shown) == len(missing):
                parts = [leaf_bytes(file, record.mode.kind, leaf) for file in held] + shown
                before = leaf_bytes(base, Kind.MODEL, leaf)
                wanted = record.mode.next_file(before, parts, terms)
                if wanted != leaf_bytes(proposed, Kind.MODEL, leaf):
                    return self._challenge(view, leaf, Opened.of(proposed, Kind.MODEL), wanted)
        farthest = [leaf for leaf in leaves[:1] if not all(_shown(view, *what, leaf) for what in lacking)]
        return self._force(view, record.mode.kind, lacking, farthest or leaves)

    def _force(
        self, view: View, kind: Kind, lacking: Sequence[tuple[int, int]], order: Sequence[int] | None = None
    ) -> list[Action]:
        """Demands every leaf of files that the store lacks, or the leaves in `order`; each file is an artifact and a seat. A
        file whose leaves were all shown is published."""
        leaves = range(1 << view.terms.depth)
        for artifact, seat in lacking:
            shown = [answer.content for leaf in leaves if (answer := _shown(view, artifact, seat, leaf))]
            if len(shown) == len(leaves):
                return [Publish(b"".join(shown), kind)]
        wanted = ((*what, leaf) for leaf in order or leaves for what in lacking)
        return list(islice((action for what in wanted for action in self._demand(view, *what)), MAX_DEMANDS))

    def _demand(self, view: View, artifact: int, seat: int, leaf: int) -> list[Action]:
        demanded = Demanded(view.facts.attempts, artifact, seat, leaf)
        last = view.facts.proposed_at + view.terms.challenge_window - 2 * view.terms.answer_window
        if demanded in view.round.demands or view.time >= last or _shown(view, artifact, seat, leaf):
            return []
        return [
            _call(
                view, "demand", view.facts.number, view.facts.attempts, artifact, seat, leaf, deposit=view.terms.demand_deposit
            )
        ]

    def _expired(self, view: View) -> list[Action]:
        for demanded, deadline in view.round.demands.items():
            if view.time >= deadline and demanded.attempt == view.facts.attempts:
                return [_call(view, "expire", demanded.artifact, demanded.seat, demanded.leaf)]
        return []


def _shown(view: View, artifact: int, seat: int, leaf: int) -> Shown | None:
    """What an answer showed: in any attempt, except for the proposed model, so that nobody pays twice for the same leaf."""
    last = view.facts.attempts
    tries = (
        Demanded(attempt, artifact, seat, leaf) for attempt in range(last if artifact == Artifact.PROPOSED else 1, last + 1)
    )
    return next((Shown(*view.round.answers[demanded]) for demanded in tries if demanded in view.round.answers), None)


def _call(view: View, function: str, *args: object, deposit: int = 0) -> Call:
    """A call that pays whoever makes it first, and that is valid for one attempt only."""
    attempt = view.facts.attempts
    return Call(function, args, shared=True, number=attempt, attempt=attempt, deposit=deposit)
