"""Sentences for the contracts' errors: what happened, what it means for stake and money, and what to do.

A rejected call changes nothing on the chain. It costs at most the gas of a failed transaction, and none if it was
rejected before it was sent. Each sentence says the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fl.log import clock_time
from fl.network.denomination import Denomination
from fl.protocol.phases import Phase

_AMOUNTS = ("amount", "minimum", "maximum", "pool", "cost", "expected", "received", "allowance", "needed", "balance")
ARTIFACTS = ("the proposed model", "the previous model", "an update")

# By the name of the error in the contracts; the {fields} are those of the interfaces.
SENTENCES = {
    # seats and money
    "NotOwner": "seat {seat} belongs to {owner}, not to {caller}: sign with the owner's account",
    "NotOperator": "seat {seat} is operated by {operator}, not by {caller}: use that account, or have the owner set another",
    "SeatNotTaken": "nobody holds seat {seat}: look at `ape run status` for your seat's number",
    "SeatsFull": "all {maxSeats} seats are taken: your stake was not taken; wait until somebody leaves",
    "NotAdmitted": (
        "{account} is not admitted: your stake was not taken; give --allowlist FILE, "
        "or --evidence from whoever runs the admission contract"
    ),
    "AlreadySeated": "{owner} already holds seat {seat}, and an allowlist allows one each: your stake was not taken",
    "StakeTooSmall": "a stake of {amount} is below the minimum of {minimum}: nothing was taken; give at least the minimum",
    "TopUpTooSmall": "{amount} is below {minimum}, the least that can be added to a stake: nothing was taken; give more",
    "OperatorUnchanged": "{operator} already operates seat {seat}: nothing was changed; there is nothing to do",
    "OwnerUnchanged": "{owner} already owns seat {seat}: nothing was changed; give another --new-owner",
    "SignatureExpired": (
        "the new owner's signature was valid until {deadline}, and it is {time}: nothing was changed; ask it to sign again"
    ),
    "SignatureUsed": "this signature has handed a seat over before: nothing was changed; ask the new owner to sign again",
    "WrongSignature": (
        "{account} did not sign this handover: nothing was changed; compare seat, owners, operator, stake and deadline"
    ),
    "AmountTooLarge": "{amount} is more than the maximum of {maximum}: nothing was taken; give less",
    "AlreadyLeaving": "seat {seat} is already leaving: nothing was taken; withdraw once its last round is over",
    "NotLeaving": "seat {seat} has not asked to leave: run `ape run leave` first; your stake is unchanged",
    "StillEngaged": "seat {seat} takes part in round {round}: your stake is safe, and you can withdraw it once that round ends",
    "NothingToPay": "there is nothing to pay out: everything earned has already been claimed",
    "ZeroAddress": "the address is zero: give another one; nothing was taken",
    "ZeroAmount": "the amount is zero: give a larger one; nothing was taken",
    "WrongAmountReceived": (
        "{received} arrived where {expected} were sent: tokens that charge a transfer fee are not accepted; nothing was taken"
    ),
    "PermitFailed": (
        "the signature allows {allowance}, but {amount} are needed: sign again, or approve first; nothing was taken"
    ),
    "ERC20InsufficientAllowance": "{spender} may take {allowance}, but {needed} are needed: approve first; nothing was taken",
    "ERC20InsufficientBalance": "{sender} holds {balance}, but {needed} are needed: get tokens first; nothing was taken",
    "SafeERC20FailedOperation": "the token {token} rejected the transfer: nothing was taken; check balance and allowance",
    "ReentrancyGuardReentrantCall": "the token called back into the federation: nothing was changed; do not use this token",
    # a round
    "WrongPhase": (
        "this call belongs to phase {expected}, but the round is in phase {actual}: nothing was lost; see `ape run status`"
    ),
    "WrongRound": "this call is for round {given}, but the contract is in round {actual}: nothing was lost; drop it",
    "WrongAttempt": (
        "this call is for proposal {given} of the round, and now it would have to name proposal {actual}: nothing was lost"
    ),
    "NotActive": (
        "seat {seat} takes no part in round {round}, because it joined later, is leaving, or lacks stake: no stake is at risk"
    ),
    "TooManyEntries": "a batch of {given} has more than {maximum} entries: nothing was done; send several",
    "GasTooLow": "a part of the batch needs {needed} gas: nothing was done; send it with more gas",
    "CommitmentUnchanged": "seat {seat} has already made this commitment in round {round}: nothing more to do",
    "NotRevealed": "seat {seat} revealed nothing in round {round}, so its report does not count: nothing is lost",
    "ReportUnchanged": (
        "the report of seat {seat} adds nothing in round {round}: it made it before, or others have reported enough; "
        "nothing more to do"
    ),
    "NothingCommitted": "seat {seat} committed nothing in round {round}: there is nothing to reveal, and no slash",
    "AlreadyRevealed": "seat {seat} has already revealed in round {round}: nothing more to do",
    "WrongOpening": "root or salt do not match the commitment: take both from the seat's journal",
    "ZeroRoot": "the root is zero: give the root of a file",
    "LocatorTooLong": "a locator of {length} bytes is longer than {maximum}: leave it out, since the root is enough",
    "AlreadyClosed": "round {round} is already closed: the next call is draw",
    "NotClosed": "round {round} is not closed: close it first",
    "DrawTooEarly": "the draw needs block {earliest}, and this is block {blockNumber}: wait",
    "WrongHeader": (
        "the header given hashes to {actual}, and block {blockNumber} has {expected}: nothing was lost; fetch its header again"
    ),
    "MalformedHeader": (
        "the header of {length} bytes is not of Ethereum's form, so that no committee can be drawn on this chain: no stake is "
        "at risk, and the round ends void"
    ),
    "NotDrawn": "seat {seat} was not drawn into the committee of round {round}: it need not score and risks no slash",
    "WrongScoresLength": "{actual} scores were given for {expected} revealed seats: give one byte for each",
    "WrongScores": (
        "the score vector at position {position} is not the one its validator revealed: "
        "take the vectors from the events, in order"
    ),
    "NotEligible": "seat {seat} may not propose: it is leaving or lacks stake; top up first",
    "ProposerFell": "a proposal of seat {seat} was refuted in this round: it may propose again in the next one",
    "LeafOutOfRange": "leaf {leaf} does not exist: give a number below {leaves}",
    "CoordinateOutOfRange": "coordinate {coordinate} does not exist: give a number below 256",
    "WrongProofLength": "the proof has {actual} bytes and {expected} are needed: open every accepted update and both models",
    "WrongLeaf": "the opened leaf of {artifact} (seat {seat}) does not lead to its root: fetch the file again",
    "CoordinateCorrect": "the proposed number is correct ({value}): there is nothing to refute, and only gas was lost",
    "DemandTooLate": ("demands are accepted before {last}, and it is {time}: too little of the window is left to answer one"),
    "DemandOpen": "that leaf of {artifact} (seat {seat}, leaf {leaf}) has already been demanded: wait for the answer",
    "NoDemand": "no demand is open for leaf {leaf} of {artifact} (seat {seat})",
    "AnswerTooLate": "the answer was due at {deadline}, and it is {time}: anybody may expire the demand now",
    "AnswerPending": "the demand can be answered until {deadline}, and it is {time}: wait",
    "NotAccepted": "seat {seat} has no accepted update that can be demanded: for a model give seat 0",
    "ProposalStands": (
        "attempt {attempt} of round {round} still stands: your deposit is safe; reclaim it once that attempt has been decided"
    ),
    # the sponsor
    "NotSponsor": "only the sponsor {sponsor} may do that, not {caller}",
    "AlreadyConcluded": "the sponsor has already given notice and no further round opens: claim and withdraw what is yours",
    "NotConcluded": "the pool is returned only after notice has been given: run `ape run conclude` first",
    "TooFewSeats": "{eligible} seats are ready and {minimum} are needed: wait until others join or top up",
    "PoolTooSmall": "the pool holds {pool} and a round needs {cost}: fund it; no stake is touched",
    # the factory
    "BadTerms": "the terms break rule {rule} of TermsRules.sol: nothing was deployed",
    "NoRandomness": (
        "this chain's blocks carry no randomness ({prevRandao}), so that nobody could draw a committee: nothing was created; "
        "choose another chain"
    ),
    "NoCode": "no contract at {implementation}: deploy the implementation first",
    "NoDisputes": "no contract at {disputes}: deploy Disputes first",
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
    counts = name != "WrongAmountReceived" and name.startswith(("Wrong", "Locator", "TooFew", "TooMany", "Gas"))
    if key in ("time", "last", "deadline") and isinstance(value, int):
        return clock_time(value)
    if key in _AMOUNTS and isinstance(value, int) and not counts:
        return denomination.show(value)
    return str(value)
