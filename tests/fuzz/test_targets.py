"""Each target of the fuzzer takes bytes that Hypothesis finds; `make fuzz` runs them for longer, guided by coverage."""

import json

import pytest
from fuzz.targets import SEEDS, TARGETS
from hypothesis import given
from hypothesis import strategies as st

# Shapes that a parser reads further into than into noise.
WORD = st.one_of(st.integers(0, 40), st.integers(0, 2**256 - 1)).map(lambda n: n.to_bytes(32))
NAMES = st.sampled_from(["topics", "data", "task", "error", "code"]) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0x", "0x00", "0x1"]),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)
BYTES = st.one_of(
    st.binary(max_size=600),
    st.lists(WORD, max_size=40).map(b"".join),
    st.text(max_size=300).map(lambda t: t.encode(errors="surrogatepass")),
    st.text("a,b\n\"'0.;\r\t-e", max_size=200).map(str.encode),
    JSON.map(lambda value: json.dumps(value).encode()),
)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_target__takes_any_bytes(target):
    given(BYTES)(target)()


@pytest.mark.parametrize("name", SEEDS)
def test_seed__is_sound__and_so_is_what_is_left_of_it(name):
    """Each target takes its seed, cut off anywhere and with any byte changed."""
    seed = SEEDS[name]
    for data in (seed, *(seed[:at] for at in range(0, len(seed), 1 + len(seed) // 40))):
        TARGETS[name](data)
    for at in range(0, len(seed), 1 + len(seed) // 40):
        TARGETS[name](seed[:at] + bytes([seed[at] ^ 0x15]) + seed[at + 1 :])
