"""The file of partners: what it may hold, and what goes with which federation."""

from __future__ import annotations

import pytest
from support.in_process import InProcessFederation, reader_of
from support.keys import key_of

from fl.errors import ChainError, TermsError
from fl.protocol.mode import Mode
from fl.tools.cli.partners import read_partners
from fl.tools.federation.deploy import manifest_of
from fl.tools.federation.partners import check_mode, check_partners, lines_of, seated, warnings_of

ADDRESSES = [key_of(seat).address for seat in range(4)]


def test_a_file__is_addresses__with_comments_and_words_for_people(tmp_path):
    path = tmp_path / "partners.txt"
    path.write_text(
        f"# the four\n\n{ADDRESSES[0]}\n{ADDRESSES[1].lower()}  Basel, apple pear fig plum\n{ADDRESSES[2]} # Bern\n"
    )
    assert read_partners(path) == tuple(ADDRESSES[:3])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0x12\n", "line 1: '0x12' is not an address"),
        ("\n".join([*ADDRESSES, ADDRESSES[1].lower()]), "line 5: .* stands there twice"),
        ("\n".join(ADDRESSES[:2]), "names 2 operators, .* name 3 to 128"),
        ("", "names 0 operators"),
        ("#" * 70_000, "names 0 operators"),
    ],
)
def test_a_bad_file__is_refused_with_the_line(tmp_path, text, why):
    (path := tmp_path / "partners.txt").write_text(text)
    with pytest.raises(TermsError, match=why):
        read_partners(path)


def test_a_missing_file__is_named(tmp_path):
    with pytest.raises(TermsError, match=r"partners\.txt cannot be read"):
        read_partners(tmp_path / "partners.txt")


@pytest.fixture(scope="module")
def federations(tmp_path_factory):
    return {m: InProcessFederation(tmp_path_factory.mktemp(m.value), rounds=1, mode=m) for m in Mode}


def test_partners__belong_to_a_masked_federation__and_name_the_operator(federations):
    masked, open_ = (federations[m] for m in (Mode.MASKED, Mode.OPEN))
    reader, some = reader_of(masked.system), tuple(ADDRESSES)
    check_partners(some, ADDRESSES[2].lower(), masked.manifest, reader)
    check_partners((), ADDRESSES[2], open_.manifest, reader_of(open_.system))
    with pytest.raises(TermsError, match="this federation is open"):
        check_partners(some, ADDRESSES[2], open_.manifest, reader_of(open_.system))
    with pytest.raises(TermsError, match="does not name your own operator"):
        check_partners(some, key_of(9).address, masked.manifest, reader)
    with pytest.raises(TermsError, match=f"you must say with whom.*{ADDRESSES[3]} [a-z]+ [a-z]+ [a-z]+ [a-z]+"):
        check_partners((), ADDRESSES[0], masked.manifest, reader)
    assert seated(reader) == some


def test_a_manifest_of_the_other_mode__is_refused(federations):
    for mode, other in ((Mode.OPEN, Mode.MASKED), (Mode.MASKED, Mode.OPEN)):
        reader = reader_of(federations[mode].system)
        check_mode(federations[mode].manifest, reader)
        with pytest.raises(ChainError, match=f"says that updates are {other.value}, and the contract is for {mode.value}"):
            check_mode(manifest_of(federations[mode].task, 0, mode=other), reader)


def test_words__differ_by_address_and_not_by_case():
    first, second = lines_of((ADDRESSES[0], ADDRESSES[1]))
    assert first.split()[1:] != second.split()[1:] and len(first.split()) == 5
    assert next(lines_of((ADDRESSES[0].lower(),))).split()[1:] == first.split()[1:]


def test_three_partners__are_warned_of_two_that_talk():
    assert len([*warnings_of(tuple(ADDRESSES[:3]))]) == 2 and len([*warnings_of(tuple(ADDRESSES))]) == 1
