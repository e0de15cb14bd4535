"""A federation's code is two contracts, Federation and Disputes: one interface, one storage, one caller, nothing to set."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from support.evm import BUILD, LocalEvm, contract_types, refused, signature_of
from support.system import CHALLENGER, STRANGER, System

from fl.protocol.enums import Artifact
from fl.protocol.phases import Phase
from tooling.sizes import HEADROOM, LIMIT, sizes

ROOT = Path(__file__).parents[2]
PROPOSED = Artifact.PROPOSED


def functions(part: str) -> set[str]:
    """The signatures that the compiler gives a contract alone."""
    abi = json.loads(BUILD.read_text())["contractTypes"][part]["abi"]
    return {signature_of(entry) for entry in abi if entry["type"] == "function"}


def layout(part: str) -> list[tuple]:
    """What lies where in a contract's storage."""
    source = f"contracts/{part}.sol"
    request = {
        "language": "Solidity",
        "sources": {source: {"urls": [source]}},
        "settings": {
            "remappings": ["@openzeppelin/=node_modules/@openzeppelin/"],
            "outputSelection": {source: {part: ["storageLayout"]}},
        },
    }
    command = [str(ROOT / ".solcx" / "solc-v0.8.37"), "--standard-json", "--allow-paths", "."]
    done = subprocess.run(command, input=json.dumps(request), cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["contracts"][source][part]["storageLayout"]["storage"]
    bare = [(s["label"], int(s["slot"]), s["offset"], re.sub(r"\)\d+", ")", s["type"])) for s in found]
    assert len(bare) > 10  # it did look
    return bare


def test_no_function__is_in_both_parts__and_together_they_are_the_interface():
    ours, theirs = functions("Federation"), functions("Disputes")
    assert ours & theirs == set()
    assert ours | theirs == functions("IFederation")
    selectors = list(contract_types()["Federation"].selectors.values())
    assert len(selectors) == len(set(selectors)) == len(ours | theirs)


def test_all_parts__find_everything_at_the_same_place():
    assert layout("Federation") == layout("Disputes") == layout("MaskedFederation") == layout("MaskedDisputes")


def test_the_masked_parts__have_what_the_open_ones_have_and_two_functions_more():
    ours, theirs = functions("MaskedFederation"), functions("MaskedDisputes")
    assert ours & theirs == set()
    assert ours - functions("Federation") == {"announceWindow()"} and functions("Federation") <= ours
    assert {name.split("(")[0] for name in theirs - functions("Disputes")} == {"announceMany"}
    assert ours | theirs == functions("IMaskedFederation")


def test_every_contract__leaves_room_for_a_repair():
    assert {name: size for name, size in sizes().items() if size > LIMIT - HEADROOM} == {}


@pytest.fixture
def parts():
    system = System.create().join(4).fund()
    implementation = system.evm.at("Federation", system.factory.call("implementation"))
    return system, implementation, system.evm.at("Disputes", implementation.call("disputes"))


def test_the_address_of_the_other_part__is_code_that_nothing_can_change(parts):
    system, _, disputes = parts
    assert system.see("disputes") == disputes.address
    abi = contract_types()["Federation"].abi
    assert [e["name"] for e in abi if e["type"] == "function" and "isputes" in e["name"]] == ["disputes"]
    assert not [label for label, *_ in layout("Federation") if "isputes" in label]


def test_implementation__needs_the_code_of_the_other_part():
    with refused("NoDisputes", STRANGER):
        LocalEvm().deploy("Federation", STRANGER)


def test_disputes_called_at_its_own_address__refuses_everything(parts):
    system, implementation, disputes = parts
    for place in (disputes, implementation):
        data = place.type.encode
        leaf = PROPOSED, 0, 0
        with refused("WrongPhase", Phase.CHALLENGE, Phase.IDLE):
            system.evm.write(place.address, data("challenge", (0, 0, b"")), CHALLENGER)
        with refused("WrongPhase", Phase.CHALLENGE, Phase.IDLE):
            system.evm.write(place.address, data("demand", (0, 0, *leaf)), CHALLENGER)
        with refused("WrongPhase", Phase.CHALLENGE, Phase.IDLE):
            system.evm.write(place.address, data("answer", (*leaf, b"", b"")), CHALLENGER)
        with refused("NoDemand", *leaf):
            system.evm.write(place.address, data("expire", leaf), CHALLENGER)
        with refused("NoDemand", *leaf):
            system.evm.write(place.address, data("reclaim", (0, 0, *leaf)), CHALLENGER)
        for name, phase in (
            ("commitMany", Phase.COMMIT),
            ("commitScoresMany", Phase.SCORE_COMMIT),
            ("reportMissingMany", Phase.SHOW),
        ):
            with refused("WrongPhase", phase, Phase.IDLE):
                system.evm.write(place.address, data(name, (0, [])), CHALLENGER)
        for name, phase in (("revealMany", Phase.REVEAL), ("revealScoresMany", Phase.SCORE_REVEAL)):
            with refused("WrongPhase", phase, Phase.IDLE):
                system.evm.write(place.address, data(name, ([],)), CHALLENGER)
        with refused("WrongPhase", Phase.SHOW, Phase.IDLE):
            system.evm.write(place.address, data("reportMissing", (0, 0, 1)), CHALLENGER)
        with refused("NotOwner", 0, "0x" + "00" * 20, CHALLENGER):
            system.evm.write(place.address, data("handover", (0, STRANGER, STRANGER, 0, 2**40, b"", b"")), CHALLENGER)
        assert system.evm.write(place.address, data("attempt", (100_000, [data("expire", leaf)])), CHALLENGER) == []
    tried = {"challenge", "demand", "answer", "expire", "reclaim", "demandInfo", "attempt", "handover"}
    tried |= {"commitMany", "commitScoresMany", "revealMany", "revealScoresMany"}
    tried |= {"reportMissing", "reportMissingMany", "reportInfo"}
    assert {signature.split("(")[0] for signature in functions("Disputes")} == tried


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xde\xad\xbe\xef", b"\xde\xad\xbe\xef" + bytes(64)])
def test_a_call_that_neither_part_knows__is_refused(parts, data):
    system, implementation, disputes = parts
    for address in (system.federation.address, implementation.address, disputes.address):
        with refused("Bare", b""):
            system.evm.write(address, data, STRANGER)


@pytest.mark.parametrize("function", ["finalize", "challenge", ""])
def test_ether__is_refused_by_both_parts(parts, function):
    system = parts[0]
    args = (0, 0, b"") if function == "challenge" else ()
    data = system.federation.type.encode(function, args) if function else b""
    system.evm.vm.set_balance(STRANGER, 10**18)
    with pytest.raises(RuntimeError, match="Revert"):
        system.evm.vm.message_call(caller=STRANGER, to=system.federation.address, calldata=data, value=1)
    assert system.evm.vm.get_balance(system.federation.address) == 0


def test_the_other_part__acts_for_the_caller__in_a_batch_too__and_its_refusals_come_back_whole(parts, updates):
    system = parts[0]
    system.to_challenge({seat: updates[seat] for seat in range(4)})
    system.rich(CHALLENGER)
    call = system.federation.data("demand", 1, 1, PROPOSED, 0, 0)
    with refused("DemandOpen", PROPOSED, 0, 0):
        system.do("multicall", [call, call], by=CHALLENGER)
    events = system.do("multicall", [call], by=CHALLENGER)
    assert [fields["by"] for name, fields in events if name == "Demanded"] == [CHALLENGER]
    assert system.see("demandInfo", PROPOSED, 0, 0)[0] == CHALLENGER
