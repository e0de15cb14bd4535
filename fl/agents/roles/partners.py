"""The partners whose updates may be summed with one's own, pinned by their operators' addresses: whoever else takes part, the
seat does not. The node that shows the chain is not trusted with this: each key carries its operator's signature."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from fl.agents.record.history import RoundLog
from fl.agents.record.view import View
from fl.errors import ArtifactError
from fl.network.typed_data import signer_of
from fl.protocol.masks import Company
from fl.protocol.signatures import ActKind, act


@dataclass(frozen=True)
class Partners:
    """Operators' addresses, one's own among them, by which nobody is confused with anybody else."""

    operators: frozenset[str]

    @classmethod
    def of(cls, addresses: frozenset[str] | set[str] | list[str] | tuple[str, ...]) -> Partners:
        return cls(frozenset(address.lower() for address in addresses))

    @property
    def digest(self) -> bytes:
        """A hash of the set, (32,)."""
        return sha256("".join(sorted(self.operators)).encode()).digest()

    def company(self, view: View) -> Company:
        """Whose updates this round sums. Raises ArtifactError, for people, unless they are exactly the partners, each with a
        key that its operator signed for this round."""
        log = view.round
        signers = {seat: _signer(view, log, seat) for seat in sorted(log.keys)}
        strangers = [seat for seat, signer in signers.items() if signer not in self.operators]
        if strangers:
            raise ArtifactError(f"seat {strangers[0]} announced a key that no partner signed")
        if missing := sorted(self.operators.difference(signers.values())):
            raise ArtifactError(f"{len(missing)} of {len(self.operators)} partners announced nothing, such as {missing[0]}")
        if len(signers) != len(self.operators):
            raise ArtifactError("a partner announced for two seats")
        return Company(view.chain_id, view.federation, log.number, {seat: said.key for seat, said in log.keys.items()})


def _signer(view: View, log: RoundLog, seat: int) -> str:
    """Who signed the key that the chain shows for a seat; empty if no key did."""
    said = log.keys[seat]
    statement = act(ActKind.ANNOUNCE, view.chain_id, view.federation, log.number, seat, said.key)
    return (signer_of(statement, said.signature.whole) or "").lower()
