"""A node that dies amid a call, in each of the ways in which nodes do, is named in one line, and nobody else blamed."""

import re

import pytest
from eth_account import Account
from support.cli import KEY, remembered
from support.dying_node import WAYS, Dying, dying

pytestmark = pytest.mark.xdist_group("commands")

TOLD = {
    "closed": r"unreachable: RemoteDisconnected: .*",
    "503": r"http: HTTP status 503",
    "garbage": r"garbage: no JSON: .*",
    "limit": r"rate-limited: daily request count exceeded",
}
NOTHING, PERHAPS = "nothing was sent", r"what was sent may still be mined: look at `ape run status` first"


@pytest.fixture(scope="module")
def federation(commands, tmp_path_factory) -> str:
    store = tmp_path_factory.mktemp("dying") / "store"
    assert commands("deploy", "--account", "TEST::0", "--task", "linear", "--store", store).code == 0
    commands.web3.provider.make_request("anvil_setBalance", [Account.from_key(KEY).address, hex(10**20)])
    yield remembered(commands)[-1]["federation"]
    commands.web3.provider.make_request("anvil_setBalance", [Account.from_key(KEY).address, "0x0"])


@pytest.fixture(scope="module")
def node(commands):
    with dying(commands.node) as node:
        yield node


def line(node: Dying, way: str, done: str) -> str:
    why = f"the node 127.0.0.1:{node.server_port} does not answer ({{}}): start it, or give another --network; {{}}"
    return "Error: " + re.escape(why).replace(r"\{\}", "{}").format(TOLD[way], done)


@pytest.mark.parametrize("words", [["status"], ["watch", "--once"], ["join", "--account", "warm", "--mint"]])
@pytest.mark.parametrize("lasts", [1, 4, 9])
def test_dying_node__is_told_by_its_address__wherever_it_dies(commands, federation, node, words, lasts):
    done = commands(words[0], "--federation", federation, *words[1:], "--network", node.lasts(lasts))
    assert done.code == 1 and re.fullmatch(line(node, "closed", NOTHING), done.line), done


@pytest.mark.parametrize("way", WAYS)
def test_dying_node__is_told_with_what_it_died_of(commands, federation, node, way):
    for lasts in (2, 10):
        done = commands("status", "--federation", federation, "--network", node.lasts(lasts, way))
        assert done.code == 1 and re.fullmatch(line(node, way, NOTHING), done.line), (lasts, done)


def test_dying_node__amid_sending__is_not_said_to_have_got_nothing(commands, federation, node):
    words = ["join", "--federation", federation, "--account", "warm", "--mint", "--network"]
    done = commands(*words, node.lasts(1000, last="eth_sendRawTransaction"))
    assert done.code == 1 and re.fullmatch(line(node, "closed", PERHAPS), done.line), done


def test_dying_node__in_an_audit__fails_it_and_is_named(commands, federation, node, tmp_path):
    for lasts in (2, 3):
        done = commands("audit", "--federation", federation, "--store", tmp_path, "--network", node.lasts(lasts))
        assert done.code == 1 and f"the node 127.0.0.1:{node.server_port} d" in done.line, (lasts, done)


def test_dying_node__at_the_doctor_s__ends_the_visit(commands, federation, node):
    done = commands("doctor", "--federation", federation, "--network", node.lasts(8))
    *_, last, count = done.out.splitlines()
    assert done.code == 1 and re.match(r"FIX +\w+ +the node 127\.0\.0\.1:\d+ does not answer \(unreachable: ", last), done
    assert re.fullmatch(r"\d to fix before you take part", count)


def test_dying_node__whose_address_holds_a_key__is_told_without_it(commands, federation, node):
    address = node.lasts(7).replace("http://", "http://me:secret@") + "/key?key=hidden"
    done = commands("status", "--federation", federation, "--network", address)
    assert re.fullmatch(line(node, "closed", NOTHING), done.line)
    assert not re.search("secret|hidden|/key", done.err + done.out)
