"""A federation for the owners on a list: the sponsor writes the list down, each owner joins with the same file."""

import json

import pytest
from support.cli import Commands, remembered

from fl.protocol.allowlist import Allowlist

pytestmark = pytest.mark.xdist_group("commands")

DEPLOY = ["deploy", "--account", "TEST::0", "--task", "linear"]
ODD = "0x" + "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # of EIP-55's own examples
BENT = ODD.replace("aAeb", "aaeb")


@pytest.fixture(scope="module")
def owners(commands: Commands) -> list[str]:
    return [str(account) for account in commands.web3.eth.accounts[1:5]]


@pytest.fixture(scope="module")
def members(commands: Commands, owners: list[str]) -> str:
    lines = ["# our hospitals", "", owners[0].lower(), f"{owners[1]}  # the second", *owners[2:]]
    return commands.write("members.txt", "\n".join(lines))


@pytest.fixture(scope="module")
def federation(commands: Commands, members: str, tmp_path_factory) -> str:
    """Deployed from a terms file that names the list beside it."""
    terms = commands.write("listed.yaml", f"allowlist: {members}\n")
    done = commands(*DEPLOY, "--terms", terms, "--store", tmp_path_factory.mktemp("listed"))
    assert done.code == 0, done.err
    return remembered(commands)[-1]["federation"]


@pytest.fixture
def join(commands: Commands, federation: str):
    """Joins as TEST::INDEX; what a test did is undone after it."""
    before = commands.web3.provider.make_request("evm_snapshot", [])["result"]
    yield lambda index, *words: commands("join", "--federation", federation, "--account", f"TEST::{index}", "--mint", *words)
    commands.web3.provider.make_request("evm_revert", [before])


def nonce(commands: Commands, index: int) -> int:
    return commands.web3.eth.get_transaction_count(commands.web3.eth.accounts[index])


def root_of(commands: Commands, federation: str) -> bytes:
    return commands.contract("Federation", federation).functions.terms().call()[3]


def test_owners_on_the_list__join_with_the_list(commands, federation, members, join, owners):
    for index in (1, 2, 3, 4):
        done = join(index, "--allowlist", members, "--json")
        assert done.code == 0 and json.loads(done.out)["owner"] == owners[index - 1], done.err
    again = join(3, "--allowlist", members, "--another")
    assert again.line == (
        f"Error: {owners[2]} holds seat 2 already, and an allowlist allows one each: top it up, or withdraw it first"
    )


def test_proof_made_elsewhere__is_taken(join, owners):
    proof = Allowlist.of(owners).proof(owners[0]).hex()
    assert join(1, "--evidence", "0x" + proof).code == 0


@pytest.mark.parametrize("written", ["list", "root"])
def test_terms__a_list_in_place__or_a_ready_root__say_the_same(commands, federation, owners, written, tmp_path):
    quoted = [f'"{owner}"' for owner in reversed(owners)]
    text = f"[{', '.join(quoted)}]" if written == "list" else f'"0x{Allowlist.of(owners).root.hex()}"'
    done = commands(*DEPLOY, "--terms", commands.write("same.yaml", f"allowlist: {text}\n"), "--store", tmp_path)
    assert done.code == 0, done.err
    assert (
        root_of(commands, remembered(commands)[-1]["federation"]) == root_of(commands, federation) == Allowlist.of(owners).root
    )


def test_list__lies_beside_the_terms_that_name_it(commands, owners, tmp_path):
    (tmp_path / "members.txt").write_text("\n".join(owners[:3]))
    (tmp_path / "terms.yaml").write_text("allowlist: members.txt\n")
    assert commands(*DEPLOY, "--dry-run", "--seats", "3", "--terms", tmp_path / "terms.yaml").code == 0


@pytest.mark.parametrize(
    "index, words, message",
    [
        (5, ["--allowlist", "members.txt"], "{me} is not on members.txt, and terms never change: sign with an account that is"),
        (1, ["--allowlist", "fewer.txt"], "--allowlist fewer.txt is another list: its root is 0x"),
        (1, ["--allowlist", "gone.txt"], "no allowlist gone.txt: give a file with one address a line"),
        (1, ["--allowlist", "."], ". cannot be read as an allowlist: "),
        (1, ["--allowlist", "members.txt", "--evidence", "00"], "--allowlist makes the evidence itself: leave --evidence out"),
        (1, [], "only owners on its allowlist may join here: give --allowlist FILE with its sponsor's list"),
        (
            1,
            ["--evidence", "00" * 32],
            "--evidence is not a proof that {me} is on this federation's allowlist: give --allowlist",
        ),
    ],
)
def test_join__without_a_proof__is_refused_before_anything_is_sent(commands, join, members, owners, index, words, message):
    commands.write("fewer.txt", "\n".join(owners[:3]))
    before = nonce(commands, index)
    message = message.format(me=commands.web3.eth.accounts[index])
    assert join(index, *words).line.startswith(f"Error: {message}") and nonce(commands, index) == before


def test_join__where_no_list_is__wants_none(commands, members, tmp_path):
    assert commands(*DEPLOY, "--store", tmp_path).code == 0
    open_to_all = remembered(commands)[-1]["federation"]
    done = commands("join", "--federation", open_to_all, "--account", "TEST::1", "--mint", "--allowlist", members)
    assert done.line == "Error: --allowlist members.txt: this federation has no allowlist; leave it out"


ONE, TWO = "0x" + "12" * 20, "0x" + "34" * 20
KINDS = (
    "is a list of addresses, the name of a file with one a line, or a Merkle root (0x and 64 hexadecimal digits), addresses "
    "and root in quotes; not "
)


@pytest.mark.parametrize(
    "lines, message",
    [
        ([ONE, "# one", "", "0x12"], "list.txt, line 4: '0x12' is not a valid address: write 0x and 40 hexadecimal digits"),
        ([ONE, f"{TWO}, {ONE}"], f"list.txt, line 2: '{TWO}, {ONE}' is not a valid address"),
        ([ONE[2:]], f"list.txt, line 1: '{ONE[2:]}' is not a valid address"),
        ([ONE, TWO, ONE], f"list.txt, line 3: {ONE} is already at list.txt, line 1: leave one of them out"),
        ([ODD, ODD.lower()], f"list.txt, line 2: {ODD} is already at list.txt, line 1"),
        ([BENT], f"list.txt, line 1: the capitals of {BENT} do not match its checksum: something was mistyped, copy it again"),
        (["# nobody", ""], "list.txt holds no address: write one a line"),
        (b"\xff\xfe", "list.txt cannot be read as an allowlist: "),
    ],
)
def test_list__with_a_fault__is_refused_with_its_line(commands, lines, message):
    before = nonce(commands, 0)
    commands.write("list.txt", lines if isinstance(lines, bytes) else "\n".join(lines))
    done = commands(*DEPLOY, "--terms", commands.write("list.yaml", "allowlist: list.txt"))
    assert done.line.startswith(f"Error: list.yaml: allowlist cannot be made: {message}") and nonce(commands, 0) == before


@pytest.mark.parametrize(
    "text, message",
    [
        (
            f"['{ONE}', {TWO}]",
            f"cannot be made: entry 2: {int(TWO, 16)} is not a valid address: write 0x and 40 hexadecimal digits, in quotes",
        ),
        (f"['{ONE}', '{ONE}']", f"cannot be made: entry 2: {ONE} is already at entry 1: leave one of them out"),
        ("gone.txt", "cannot be made: no allowlist gone.txt: give a file with one address a line"),
        ("[]", KINDS + "[]"),
        (f"'{ONE}'", KINDS + f"'{ONE}'"),
        (f"{{{ONE}: 1}}", KINDS + "{"),
        ('"\\0"', "cannot be made: \ufffd cannot be read as an allowlist"),
    ],
)
def test_terms__with_a_wrong_allowlist__are_refused(commands, text, message):
    done = commands(*DEPLOY, "--terms", commands.write("list.yaml", f"allowlist: {text}"))
    assert done.line.startswith(f"Error: list.yaml: allowlist {message}")


def test_list__too_short_for_a_round__is_refused(commands, owners):
    terms = f"allowlist: ['{owners[0]}', '{owners[1]}']\n"
    done = commands(*DEPLOY, "--terms", commands.write("list.yaml", terms))
    result = "allowlist: a round needs 3 seats (min_reveals), one for each owner, but the list has only 2: admit more"
    assert done.line == f"Error: {result}"
