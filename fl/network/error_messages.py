"""What the contract's refusals mean to a person: what happened, what it does to stake and money, what to do.

A refused call changes nothing on the chain; it costs the gas of a failed transaction at most,
and none if it was refused before it was sent. Each sentence says the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fl.network.denomination import Denomination
from fl.protocol.phases import Phase

_AMOUNTS = ("amount", "minimum", "maximum", "pool", "cost", "expected", "received", "allowance", "needed", "balance")
ARTIFACTS = ("the proposed model", "the previous model", "an update")

# By the contract's name of the error; {fields} as in the interfaces.
SENTENCES = {
    # seats and money
    "NotOwner": "seat {seat} belongs to {owner}, not to {caller}: sign with the owner's account",
    "NotOperator": "seat {seat} is operated by {operator}, not by {caller}: use that account, or let the owner set another",
    "SeatNotTaken": "nobody holds seat {seat}: look at `ape run status` for your seat's number",
    "SeatsFull": "all {maxSeats} seats are taken: your stake was not taken; wait until somebody leaves",
    "NotAdmitted": "{account} is not admitted: your stake was not taken; give --allowlist FILE, or the keeper's --evidence",
    "AlreadySeated": "{owner} holds seat {seat} already, and an allowlist gives one each: your stake was not taken",
    "StakeTooSmall": "a stake of {amount} is below the minimum of {minimum}: nothing was taken; give at least the minimum",
    "AmountTooLarge": "{amount} is more than the {maximum} that fit: nothing was taken; give less",
    "AlreadyLeaving": "seat {seat} is leaving already: nothing was taken; withdraw once its last round is over",
    "NotLeaving": "seat {seat} has not asked to leave: run `ape run leave` first; the stake stays where it is",
    "StillEngaged": "seat {seat} takes part in round {round}: your stake is safe, and free once that round ends",
    "NothingToPay": "there is nothing to pay out: everything earned was claimed already",
    "ZeroAddress": "an address is missing: give one that is not zero; nothing was taken",
    "ZeroAmount": "the amount is zero: give one above it",
    "WrongAmountReceived": "{received} arrived where {expected} were sent: a token that takes a fee is refused; nothing taken",
    "PermitFailed": "the signature gives an allowance of {allowance}, {amount} are needed: sign anew, or approve first",
    "ERC20InsufficientAllowance": "{spender} may take {allowance}, {needed} are needed: approve first; nothing was taken",
    "ERC20InsufficientBalance": "{sender} holds {balance}, and {needed} are needed: get tokens first; nothing was taken",
    "SafeERC20FailedOperation": "the token {token} refused the transfer: nothing was taken; check balance and allowance",
    "ReentrancyGuardReentrantCall": "the token called back into the federation: do not use it",
    # a round
    "WrongPhase": "this is for the phase {expected}, but the round is in {actual}: nothing was lost; see `ape run status`",
    "NotActive": "seat {seat} is not part of round {round}: it joined later, is leaving, or lacks stake",
    "NothingCommitted": "seat {seat} committed nothing in round {round}: nothing to reveal, and no slash for it",
    "AlreadyRevealed": "seat {seat} has revealed in round {round} already: all is well",
    "WrongOpening": "this does not open the commitment: root or salt are not those committed; look into the seat's journal",
    "ZeroRoot": "the root is zero: give the root of a file",
    "LocatorTooLong": "a locator of {length} bytes is longer than {maximum}: leave it out, the root is enough",
    "AlreadyClosed": "round {round} is closed already: draw is next",
    "NotClosed": "round {round} is not closed: close it first",
    "DrawTooEarly": "block {blockNumber} is too early for the draw, which needs block {earliest}: wait for it",
    "NotDrawn": "seat {seat} was not drawn into the committee of round {round}: it owes no scores",
    "WrongScoresLength": "{actual} scores for {expected} revealed seats: give one byte for each",
    "WrongScores": "the vector at place {position} is not what its validator revealed: take them from the events, in order",
    "NotEligible": "seat {seat} may not propose: it is leaving or lacks stake; top up first",
    "ProposerFell": "seat {seat} had a proposal refuted this round and may not try again in it",
    "LeafOutOfRange": "leaf {leaf} is not below {leaves}",
    "CoordinateOutOfRange": "coordinate {coordinate} is not below 256",
    "WrongProofLength": "a proof of {actual} bytes where {expected} are wanted: open every accepted update and both models",
    "WrongLeaf": "the opened leaf of {artifact} (seat {seat}) does not lead to its root: fetch the file anew",
    "CoordinateCorrect": "the proposed number is right ({value}): nothing to refute, and nothing lost but gas",
    "DemandTooLate": "no demand is taken from time {last} on, it is {time}: too little of the window is left to answer it",
    "DemandOpen": "that leaf of {artifact} (seat {seat}, leaf {leaf}) is demanded already: wait for the answer",
    "NoDemand": "no demand is open for leaf {leaf} of {artifact} (seat {seat})",
    "AnswerTooLate": "the answer was due at {deadline}, it is {time}: the demand may be expired now",
    "AnswerPending": "there is time to answer until {deadline}, it is {time}: wait",
    "NotAccepted": "seat {seat} has no accepted update to demand: for a model give seat 0",
    "ProposalStands": "the proposal of round {round}, attempt {attempt} still stands: your deposit is safe meanwhile",
    # the sponsor
    "NotSponsor": "only the sponsor {sponsor} may do that, not {caller}",
    "AlreadyConcluded": "the sponsor gave notice already: no further round opens; what is yours can be claimed and withdrawn",
    "NotConcluded": "the pool is returned only after notice: run `ape run conclude` first",
    "TooFewSeats": "{eligible} seats are ready and {minimum} are needed: wait for others to join or to top up",
    "PoolTooSmall": "the pool holds {pool} and a round sets aside {cost}: fund it; no stake is touched",
    # the factory
    "BadTerms": "the terms break rule {rule} of TermsRules.sol: nothing was deployed",
    "NoCode": "no contract at {implementation}: deploy the implementation first",
}


def explain(name: str, fields: Mapping[str, Any], denomination: Denomination) -> str | None:
    """One sentence for an error of the contracts, its amounts in the federation's token; None for one that is not theirs."""
    sentence = SENTENCES.get(name)
    if sentence is None:
        return None
    return f"{sentence.format(**{key: _shown(name, key, value, denomination) for key, value in fields.items()})} ({name})"


def _shown(name: str, key: str, value: Any, denomination: Denomination) -> str:
    if name == "WrongPhase":
        return Phase(value).name.lower().replace("_", " ")
    if key == "artifact":
        return ARTIFACTS[value]
    counts = name != "WrongAmountReceived" and name.startswith(("Wrong", "Locator", "TooFew"))
    if key in _AMOUNTS and isinstance(value, int) and not counts:
        return denomination.show(value)
    return str(value)
