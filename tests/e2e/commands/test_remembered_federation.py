"""Which federation and which node a command means, where its line does not say so."""

import os

import pytest
from support.cli import Commands, Outcome, once, remembered, signed

pytestmark = pytest.mark.xdist_group("commands")

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def made(commands, tmp_path) -> str:
    """The federation that the folder remembers; nothing else is in the environment."""
    done = commands("deploy", *signed(0), "--task", "linear", "--store", tmp_path / "store", "--network", commands.node)
    assert done.code == 0, done.err
    return remembered(commands)[-1]["federation"]


def seated(commands: Commands, made: str) -> None:
    assert commands("join", "--federation", made, *signed(1), "--mint").code == 0


def daemon(commands: Commands, tmp_path, *words: object) -> Outcome:
    """A daemon that does what is due now and ends."""
    call = ["participate", *signed(1), "--shard", "0/3", "--once", "--journal", tmp_path / "journal"]
    return once(*call, *words, folder=commands.folder)


def test_join_and_participate__need_no_address_in_the_sponsor_s_folder__and_say_what_they_take_from_it(
    commands, made, tmp_path
):
    said = f"as remembered in deployments/current.json: federation {made}, network {commands.node.split('//')[1]}"
    store = f", store {tmp_path / 'store'}"
    joined = commands("join", *signed(1), "--mint")
    assert joined.code == 0 and f"{said}{store}\n" in joined.err, joined
    ran = daemon(commands, tmp_path)
    assert ran.code == 0 and f"{said}{store}\n" in ran.err and f"federation {made} on chain 31337" in ran.out + ran.err, ran
    for words in (["fund", *signed(0), "--mint", "--amount", "5"], ["claim", *signed(1)]):
        done = commands(*words)
        assert done.code == 0 and said in done.err, done


def test_what_the_line_gives__is_not_taken_from_the_folder__and_the_rest_is_told(commands, made, tmp_path):
    """A folder may come from a stranger with its file, whose node shows a chain of the stranger's own."""
    remembered_in = "as remembered in deployments/current.json:"
    node, stores = f"network {commands.node.split('//')[1]}", f"store {tmp_path / 'store'}"
    given = {"--federation": made, "--network": commands.node, "--store": tmp_path / "store"}
    for words, taken in (
        (["--federation"], f"{remembered_in} {node}, {stores}\n"),
        (["--network"], f"{remembered_in} federation {made}, {stores}\n"),
        (["--store"], f"{remembered_in} federation {made}, {node}\n"),
        (["--federation", "--network", "--store"], ""),
    ):
        done = commands("status", *(part for word in words for part in (word, given[word])))
        assert done.code == 0 and done.err == taken, (words, done)


def test_address_that_is_given__is_the_one_that_counts(commands, made):
    done = commands("join", "--federation", "0x" + "12" * 20, *signed(1), "--mint")
    assert done.code == 1 and made not in done.err and "no federation at 0x1212" in done.err


def test_what_cannot_be_undone__wants_the_address_or_a_yes(commands, made):
    seated(commands, made)
    for command in ("leave", "conclude", "handover"):
        done = commands(command, *signed(1))
        assert done.code == 2 and f"federation {made}, network" in done.err and "cannot be undone: add --yes" in done.err, (
            command
        )
    done = commands("leave", *signed(1), "--yes")
    assert done.code == 0 and f"federation {made}, network" in done.err and "leaves" in done.out, done
    assert commands("conclude", *signed(0), "--yes").code == 0


def test_host__asks_for_no_federation_where_it_deploys_one(commands, tmp_path):
    done = commands("host", *signed(0), "--data", tmp_path / "gone.csv", "--target", "sick")
    assert done.code == 1 and "no table" in done.err and "remember" not in done.err, done
    done = commands("host", *signed(0), "--data", tmp_path / "gone.csv")
    assert done.code == 1 and "give --data TABLE with --target COLUMN, or --task; nothing was sent" in done.err, done


def test_host_of_a_participant__copies_what_all_need_from_the_stores_that_its_folder_remembers(commands, made, tmp_path):
    """It listens afterwards, which this port does not let it do."""
    commands.pass_time(1)
    words = ["host", *signed(1), "--port", "99999", "--store"]
    done = commands(*words, tmp_path / "mine")
    assert done.code == 1 and "cannot be served on" in done.err and f"store {tmp_path / 'store'}" in done.err, done
    assert {path.suffix for path in (tmp_path / "mine").iterdir()} == {".json", ".model"}
    (tmp_path / "empty").mkdir()
    done = commands(*words, tmp_path / "other", "--federation", made, "--from", tmp_path / "empty")
    assert done.code == 1 and "ask its owner to publish it" in done.err, done


def test_folder_that_remembers_nothing__asks_for_the_address(commands, made):
    (commands.folder / "deployments" / "current.json").unlink()
    for command in ("join", "participate", "fund", "topup", "claim", "withdraw", "leave", "conclude", "handover"):
        done = commands(command, *signed(1), *(["--amount", "5"] if command == "fund" else []))
        assert done.code == 2 and "Missing option '--federation': give ADDRESS" in done.err, done


def test_participate__takes_a_node_by_network_as_by_rpc(commands, made, tmp_path):
    seated(commands, made)
    for words in (["--network", commands.node], ["--rpc", commands.node]):
        ran = daemon(commands, tmp_path, "--federation", made, "--store", tmp_path / "store", *words)
        assert ran.code == 0 and "on chain 31337" in ran.out + ran.err, ran
        nowhere = daemon(commands, tmp_path, "--federation", made, words[0], NOBODY)
        assert nowhere.code == 1 and "127.0.0.1:1" in nowhere.err and "refused" in nowhere.err, nowhere


@pytest.mark.parametrize("variable", ["TREATY_NETWORK", "TREATY_RPC"])
def test_nodes__may_stand_in_the_environment(commands, made, tmp_path, monkeypatch, variable):
    seated(commands, made)
    words = "--federation", made, "--store", tmp_path / "store"
    assert variable not in os.environ
    monkeypatch.setenv(variable, commands.node)
    ran = daemon(commands, tmp_path, *words)
    assert ran.code == 0, ran
    monkeypatch.setenv(variable, NOBODY)
    assert "127.0.0.1:1" in daemon(commands, tmp_path, *words).err
    if variable == "TREATY_NETWORK":  # of the commands that send, too
        done = once("topup", "--federation", made, *signed(1), "--amount", "5", folder=commands.folder)
        assert done.code == 1 and "the node 127.0.0.1:1 does not answer" in done.err, done
