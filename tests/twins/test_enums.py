"""The enumerations of fl/protocol/enums.py and phases.py are the contracts', name by name, in their order."""

import re
from enum import IntEnum
from pathlib import Path

import pytest

from fl.protocol.enums import Artifact, Offence, RecordState
from fl.protocol.phases import Phase

CONTRACTS = Path(__file__).parents[2] / "contracts"


def members(source: str, name: str) -> list[str]:
    """The members of a Solidity enum as Python spells them: NoReveal is NO_REVEAL."""
    body = re.search(rf"enum {name} \{{(.*?)\}}", re.sub(r"//.*", "", source), re.DOTALL)
    assert body, f"no enum {name}"
    return [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper() for word in re.findall(r"\w+", body[1])]


@pytest.mark.parametrize(
    "twin, file", [(Offence, "IStakes.sol"), (Artifact, "IFederation.sol"), (Phase, "IFederation.sol")], ids=lambda x: str(x)
)
def test_enum__is_the_contract_s(twin: type[IntEnum], file: str):
    assert [m.name for m in twin] == members((CONTRACTS / "interfaces" / file).read_text(), twin.__name__)
    assert [m.value for m in twin] == list(range(len(twin)))


def test_record_states__are_the_library_s():
    source = (CONTRACTS / "libraries" / "Records.sol").read_text()
    found = {name: int(value) for name, value in re.findall(r"uint256 internal constant (\w+) = (\d+);", source)}
    assert found == {state.name: state.value for state in RecordState}


def test_members__sees_another_order():
    assert members("enum Offence {\n NoScores, // one\n NoReveal\n}", "Offence") == ["NO_SCORES", "NO_REVEAL"]
