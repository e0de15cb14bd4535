"""The deposits for demands: whether the signing key can pay them, and what to do if it cannot."""

from __future__ import annotations

from fl.agents.record.view import View
from fl.errors import ContractError
from fl.log import Log
from fl.network.federation import FederationReader
from fl.network.sender import Sender
from fl.network.transactions import name_of

AT_ONCE = 64  # deposits that the federation may take


class Deposits:
    """The deposits of one key."""

    def __init__(self, node: FederationReader, sender: Sender, seat: int | None, log: Log):
        self.node, self.sender, self.seat, self.log = node, sender, seat, log

    def ready(self, view: View, amount: int) -> bool:
        """Whether a deposit can be taken now; approves it if the key holds tokens."""
        account = self.sender.signer.address
        if self.node.balance(account) < amount:
            deposit = view.denomination.show(amount)
            self.log.error(f"{account} has no tokens for a demand's deposit: send it {deposit}")
            return False
        if self.node.allowance(account) >= amount:
            return True
        name = name_of(view.facts.number, view.facts.attempts, "approve", self.seat)
        if self.sender.transactions.get(name) is None:
            data = self.node.token.call("approve", self.node.address, AT_ONCE * amount)
            self.sender.send(name, view.facts.number, "approve", view.terms.token, data, view.snapshot.head, lasting=True)
        return False

    def check(self, view: View) -> None:
        """Warns if the key could not pay for the longest walk to a hidden wrong number, which takes depth + 1 demands, plus
        one demand."""
        demands = view.terms.depth + 2
        needed = demands * view.terms.demand_deposit
        account = self.sender.signer.address
        try:
            held = self.node.balance(account) if needed else 0
        except ContractError:  # a token that states no decimals is no reason to leave a seat unguarded
            return
        if held < needed:
            show = view.denomination.show
            self.log.warn(
                f"{account} holds {show(held)}, and the deposits of {demands} demands take {show(needed)}: if a proposer hides "
                f"a wrong model, this seat cannot force it open, and the model may become final; send this operator key at "
                f"least {show(needed - held)} (deposits come back, or go to whoever answers)"
            )
