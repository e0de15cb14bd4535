"""The packaged interface of a federation is the one that the compiler gives."""

from support.evm import contract_types

from fl.network.abi import Interface, federation_abi
from tooling import abi


def test_packaged_interface__is_the_compiled_one():
    assert abi.TARGET.read_text() == abi.written(abi.compiled()), "ape compile --force && python tooling/abi.py"


def test_packaged_interface__says_the_same_calls_events_and_errors_as_the_whole_one():
    ours, whole = Interface(federation_abi()), Interface(contract_types()["Federation"].abi)
    assert set(ours.topics) == set(whole.topics) and set(ours._errors) == set(whole._errors)
    assert {n: ours.call(n) for n, e in ours._functions.items() if not e["inputs"]} == {
        n: whole.call(n) for n, e in whole._functions.items() if not e["inputs"]
    }
