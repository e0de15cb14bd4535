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
    """The deposits of one key: the federation takes them from its credit, and what that lacks from its tokens."""

    def __init__(self, node: FederationReader, sender: Sender, seat: int | None, log: Log):
        self.node, self.sender, self.seat, self.log = node, sender, seat, log

    def ready(self, view: View, amount: int) -> bool:
        """Whether one more deposit can be taken now; approves what the credit lacks if the key holds tokens."""
        account = self.sender.signer.address
        sent = sum(t.function == "demand" for t in self.sender.transactions.open(account))  # each takes one, too
        lacking = max(0, (sent + 1) * amount - self.node.credit(account))
        if lacking == 0:
            return True
        if self.node.balance(account) < lacking:
            deposit = view.denomination.show(amount)
            self.log.error(f"{account} cannot pay a demand's deposit of {deposit}: {self._remedy(1)}")
            return False
        if self.node.allowance(account) >= lacking:
            return True
        name = name_of(view.facts.number, view.facts.attempts, "approve", self.seat)
        if self.sender.transactions.get(name) is None:
            data = self.node.token.call("approve", self.node.address, AT_ONCE * amount)
            self.sender.send(name, view.facts.number, "approve", view.terms.token, data, view.snapshot.head, lasting=True)
        return False

    def check(self, view: View) -> None:
        """Warns if the key could not pay for the longest walk to a hidden wrong number, plus one demand."""
        demands, deposit = view.terms.demands_to_pay(), view.terms.demand_deposit
        account = self.sender.signer.address
        try:
            has = view.own.credit + (self.node.balance(account) if deposit else 0)
        except ContractError:  # a token that states no decimals is no reason to leave a seat unguarded
            return
        if has < demands * deposit:
            show = view.denomination.show
            self.log.warn(
                f"{account} has {show(has)} as credit and tokens, and the deposits of {demands} demands take "
                f"{show(demands * deposit)}: if a proposer hides a wrong model, this seat cannot force it open, and the model "
                f"may become final; {self._remedy(-(-(demands * deposit - has) // deposit))} (deposits come back, or go to "
                "whoever answers)"
            )

    def _remedy(self, deposits: int) -> str:
        if self.seat is None:
            return "send it tokens"
        return f"the seat's owner pays with `ape run topup --seat {self.seat} --deposits {deposits}`"
