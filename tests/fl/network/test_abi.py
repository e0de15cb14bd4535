"""The packaged interface of a federation is the one that the compiler gives."""

import sys
from pathlib import Path

import pytest
from support.evm import contract_types

from fl.errors import ContractError
from fl.network.abi import Interface, federation_abi
from fl.network.token import TOKEN_ABI

sys.path.insert(0, str(Path(__file__).parents[3] / "tooling"))
import abi
import release_hashes


def test_packaged_interface__is_the_compiled_one():
    assert abi.TARGET.read_text() == abi.written(abi.compiled()), "ape compile --force && python tooling/abi.py"


def test_packaged_bytecode__is_the_compiled_one__and_its_hashes_are_on_the_page():
    assert abi.BYTECODE.read_text() == abi.bytecode(), "ape compile --force && python tooling/abi.py"
    assert release_hashes.TARGET.read_text() == release_hashes.written(), "make release-hashes"


def test_packaged_interface__says_the_same_calls_events_and_errors_as_the_whole_one():
    # The masked one's interface has all that the open one's has.
    ours, whole = Interface(federation_abi()), Interface(contract_types()["MaskedFederation"].abi)
    assert set(ours.topics) == set(whole.topics) and set(ours._errors) == set(whole._errors)
    assert {n: ours.call(n) for n, e in ours._functions.items() if not e["inputs"]} == {
        n: whole.call(n) for n, e in whole._functions.items() if not e["inputs"]
    }


@pytest.mark.parametrize("length", [0, 1, 31])
def test_result__of_too_few_bytes__is_an_error__even_after_ape_has_changed_the_decoder(length):
    import ape_ethereum.ecosystem  # noqa: F401 - from now on eth_abi decodes missing bytes as zero

    with pytest.raises(ContractError, match=f"decimals returned {length} bytes that are not its result"):
        Interface(TOKEN_ABI).result("decimals", bytes(length))
