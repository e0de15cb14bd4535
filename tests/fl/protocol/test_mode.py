"""What the modes share and what differs between them: kinds of files, the next model, one parameter of it."""

import numpy as np
import pytest
from support.system import BASE_TERMS, random_model, random_update

from fl.errors import ArtifactError
from fl.protocol.artifact import Kind, leaf_bytes, parse_model
from fl.protocol.mode import Mode


def files_of(mode: Mode, rng: np.random.Generator, depth: int) -> list[bytes]:
    return [random_update(rng, depth) if mode is Mode.OPEN else rng.bytes(512 << depth) for _ in range(3)]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("depth", [0, 2])
def test_the_next_model__is_the_same__whole_by_leaf_and_by_parameter(mode, depth):
    rng = np.random.default_rng(4)
    base, files = random_model(rng, depth), files_of(mode, rng, depth)
    whole = mode.next_file(base, files, BASE_TERMS)
    for leaf in range(1 << depth):
        parts = [leaf_bytes(file, mode.kind, leaf) for file in files]
        before = leaf_bytes(base, Kind.MODEL, leaf)
        assert mode.next_file(before, parts, BASE_TERMS) == leaf_bytes(whole, Kind.MODEL, leaf)
        for coordinate in (0, 31, 255):
            values = [mode.number_in(part, coordinate, BASE_TERMS.max_exponent) for part in parts]
            previous = int(parse_model(before, 0)[coordinate])
            result = mode.next_parameter(previous, values, BASE_TERMS.trim, BASE_TERMS.max_exponent)
            assert result == parse_model(leaf_bytes(whole, Kind.MODEL, leaf), 0)[coordinate]


@pytest.mark.parametrize("mode", Mode)
def test_no_update__leaves_the_model(mode):
    base = random_model(np.random.default_rng(1))
    assert mode.next_file(base, [], BASE_TERMS) == base


@pytest.mark.parametrize("size", [0, 1000, 3 * 1024])
def test_a_base_that_is_no_model__is_refused(size):
    with pytest.raises(ArtifactError):
        Mode.MASKED.next_file(bytes(size), [bytes(512)], BASE_TERMS)


def test_masked_files_of_another_length__are_refused():
    base = random_model(np.random.default_rng(1))
    with pytest.raises(ArtifactError, match="masked update of 264 bytes; depth 0 needs 512"):
        Mode.MASKED.next_file(base, [bytes(264)], BASE_TERMS)
