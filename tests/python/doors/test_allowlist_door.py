"""A federation for the owners on a list: the sponsor writes the list down, each owner joins with the same file."""

import json

import pytest
from harness import Doors, remembered

from fl.protocol.allowlist import Allowlist

pytestmark = pytest.mark.xdist_group("doors")

DEPLOY = ["deploy", "--account", "TEST::0", "--task", "linear"]
ODD = "0x" + "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # of EIP-55's own examples
BENT = ODD.replace("aAeb", "aaeb")


@pytest.fixture(scope="module")
def owners(doors: Doors) -> list[str]:
    return [str(account) for account in doors.web3.eth.accounts[1:5]]


@pytest.fixture(scope="module")
def members(doors: Doors, owners: list[str]) -> str:
    lines = ["# our hospitals", "", owners[0].lower(), f"{owners[1]}  # the second", *owners[2:]]
    return doors.write("members.txt", "\n".join(lines))


@pytest.fixture(scope="module")
def federation(doors: Doors, members: str, tmp_path_factory) -> str:
    """Deployed from a terms file that names the list beside it."""
    terms = doors.write("listed.yaml", f"allowlist: {members}\n")
    done = doors(*DEPLOY, "--terms", terms, "--store", tmp_path_factory.mktemp("listed"))
    assert done.code == 0, done.err
    return remembered(doors)[-1]["federation"]


@pytest.fixture
def join(doors: Doors, federation: str):
    """Joins as TEST::INDEX; what a test did is undone after it."""
    before = doors.web3.provider.make_request("evm_snapshot", [])["result"]
    yield lambda index, *words: doors("join", "--federation", federation, "--account", f"TEST::{index}", "--mint", *words)
    doors.web3.provider.make_request("evm_revert", [before])


def nonce(doors: Doors, index: int) -> int:
    return doors.web3.eth.get_transaction_count(doors.web3.eth.accounts[index])


def root_of(doors: Doors, federation: str) -> bytes:
    return doors.contract("Federation", federation).functions.terms().call()[4]


def test_owners_on_the_list__join_with_the_list(doors, federation, members, join, owners):
    for index in (1, 2, 3, 4):
        done = join(index, "--allowlist", members, "--json")
        assert done.code == 0 and json.loads(done.out)["owner"] == owners[index - 1], done.err
    again = join(3, "--allowlist", members, "--another")
    assert again.line == (
        f"Error: {owners[2]} holds seat 2 already, and an allowlist gives one each: top it up, or withdraw it first"
    )


def test_proof_made_elsewhere__is_taken(join, owners):
    proof = Allowlist.of(owners).proof(owners[0]).hex()
    assert join(1, "--evidence", "0x" + proof).code == 0


@pytest.mark.parametrize("written", ["list", "root"])
def test_terms__a_list_in_place__or_a_ready_root__say_the_same(doors, federation, owners, written, tmp_path):
    quoted = [f'"{owner}"' for owner in reversed(owners)]
    text = f"[{', '.join(quoted)}]" if written == "list" else f'"0x{Allowlist.of(owners).root.hex()}"'
    done = doors(*DEPLOY, "--terms", doors.write("same.yaml", f"allowlist: {text}\n"), "--store", tmp_path)
    assert done.code == 0, done.err
    assert root_of(doors, remembered(doors)[-1]["federation"]) == root_of(doors, federation) == Allowlist.of(owners).root


def test_list__lies_beside_the_terms_that_name_it(doors, owners, tmp_path):
    (tmp_path / "members.txt").write_text("\n".join(owners[:3]))
    (tmp_path / "terms.yaml").write_text("allowlist: members.txt\n")
    assert doors(*DEPLOY, "--dry-run", "--seats", "3", "--terms", tmp_path / "terms.yaml").code == 0


@pytest.mark.parametrize(
    "index, words, told",
    [
        (5, ["--allowlist", "members.txt"], "{me} is not on members.txt, and terms never change: sign with an account that is"),
        (1, ["--allowlist", "fewer.txt"], "--allowlist fewer.txt is another list: its root is 0x"),
        (1, ["--allowlist", "gone.txt"], "no allowlist gone.txt: give a file with one address a line"),
        (1, ["--allowlist", "."], ". cannot be read as an allowlist: "),
        (1, ["--allowlist", "members.txt", "--evidence", "00"], "--allowlist makes the evidence itself: leave --evidence out"),
        (1, [], "only owners on its allowlist may join here: give --allowlist FILE, the list of its sponsor"),
        (1, ["--evidence", "00" * 32], "--evidence is no proof that {me} is on this federation's allowlist: give --allowlist"),
    ],
)
def test_join__without_a_proof__is_refused_before_anything_is_sent(doors, join, members, owners, index, words, told):
    doors.write("fewer.txt", "\n".join(owners[:3]))
    before = nonce(doors, index)
    told = told.format(me=doors.web3.eth.accounts[index])
    assert join(index, *words).line.startswith(f"Error: {told}") and nonce(doors, index) == before


def test_join__where_no_list_is__wants_none(doors, members, tmp_path):
    assert doors(*DEPLOY, "--store", tmp_path).code == 0
    open_to_all = remembered(doors)[-1]["federation"]
    done = doors("join", "--federation", open_to_all, "--account", "TEST::1", "--mint", "--allowlist", members)
    assert done.line == "Error: --allowlist members.txt: this federation has no allowlist; leave it out"


ONE, TWO = "0x" + "12" * 20, "0x" + "34" * 20
KINDS = (
    "is a list of addresses, the name of a file with one a line, or a Merkle root (0x and 64 hexadecimal digits), addresses "
    "and root in quotes; not "
)


@pytest.mark.parametrize(
    "lines, told",
    [
        ([ONE, "# one", "", "0x12"], "list.txt, line 4: '0x12' is no address: write 0x and 40 hexadecimal digits"),
        ([ONE, f"{TWO}, {ONE}"], f"list.txt, line 2: '{TWO}, {ONE}' is no address"),
        ([ONE[2:]], f"list.txt, line 1: '{ONE[2:]}' is no address"),
        ([ONE, TWO, ONE], f"list.txt, line 3: {ONE} stands at list.txt, line 1 already: leave one of them out"),
        ([ODD, ODD.lower()], f"list.txt, line 2: {ODD} stands at list.txt, line 1 already"),
        ([BENT], f"list.txt, line 1: the capitals of {BENT} do not fit its digits: something was mistyped, copy it anew"),
        (["# nobody", ""], "list.txt holds no address: write one a line"),
        (b"\xff\xfe", "list.txt cannot be read as an allowlist: "),
    ],
)
def test_list__with_a_fault__is_refused_with_its_line(doors, lines, told):
    before = nonce(doors, 0)
    doors.write("list.txt", lines if isinstance(lines, bytes) else "\n".join(lines))
    done = doors(*DEPLOY, "--terms", doors.write("list.yaml", "allowlist: list.txt"))
    assert done.line.startswith(f"Error: list.yaml: allowlist cannot be made: {told}") and nonce(doors, 0) == before


@pytest.mark.parametrize(
    "text, told",
    [
        (
            f"['{ONE}', {TWO}]",
            f"cannot be made: entry 2: {int(TWO, 16)} is no address: write 0x and 40 hexadecimal digits, in quotes",
        ),
        (f"['{ONE}', '{ONE}']", f"cannot be made: entry 2: {ONE} stands at entry 1 already: leave one of them out"),
        ("gone.txt", "cannot be made: no allowlist gone.txt: give a file with one address a line"),
        ("[]", KINDS + "[]"),
        (f"'{ONE}'", KINDS + f"'{ONE}'"),
        (f"{{{ONE}: 1}}", KINDS + "{"),
        ('"\\0"', "cannot be made: \ufffd cannot be read as an allowlist"),
    ],
)
def test_terms__with_a_wrong_allowlist__are_refused(doors, text, told):
    done = doors(*DEPLOY, "--terms", doors.write("list.yaml", f"allowlist: {text}"))
    assert done.line.startswith(f"Error: list.yaml: allowlist {told}")


def test_list__too_short_for_a_round__is_refused(doors, owners):
    terms = f"allowlist: ['{owners[0]}', '{owners[1]}']\n"
    done = doors(*DEPLOY, "--terms", doors.write("list.yaml", terms))
    told = "allowlist: a round wants 3 seats (min_reveals), one for each owner, and the list has 2: admit more"
    assert done.line == f"Error: {told}"
