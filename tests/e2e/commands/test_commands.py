"""The commands as people use them, tried from outside: simulate, audit, deploy; and one clear line for whatever is wrong."""

import json
import re
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from support.cli import Outcome, once, project, remembered, roots
from support.second_verifier import verify

import fl
from fl.network.stores.local import LocalStore
from fl.protocol.artifact import Kind

pytestmark = pytest.mark.xdist_group("commands")

SIMULATE = ["simulate", "--task", "linear", "--seats", "3", "--rounds", "2", "--seed", "1", "--out"]
DEPLOY = ["deploy", "--account", "TEST::0", "--task", "linear"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """What the real command wrote, on a node that it started itself."""
    folder = tmp_path_factory.mktemp("simulated")
    done = once(*SIMULATE, folder / "out", folder=project(folder / "project", "auto"))
    assert done.code == 0, done.err
    assert "audit passed" in done.out and f"{folder}/out/summary.json" in done.out
    return folder / "out"


@pytest.fixture(scope="module")
def summary(simulated) -> dict:
    return json.loads((simulated / "summary.json").read_text())


# ---- simulate

SUMMARY = (
    "plan metric higher_is_better chain_id federation deployment token terms start rounds seats adversaries totals gas times "
    "baselines accounting audit version"
)
A_ROUND = (
    "number metric seat_metrics model_root active revealed accepted left_out excluded committee scores voided adopted proposer "
    "fallen gas"
)
A_SEAT = "seat name kind owner stake scores pay slashes gas privacy"
TOTALS = "final model_root parameters model_bytes paid slashed gas"
BASELINES = "local_only pooled float_fedavg curves"
FIELDS = {"": SUMMARY, "rounds": A_ROUND, "seats": A_SEAT, "totals": TOTALS, "baselines": BASELINES}


@pytest.mark.parametrize("part", FIELDS)
def test_summary__has_its_fields(summary, part):
    whole = summary[part] if part else summary
    for one in whole if isinstance(whole, list) else [whole]:
        assert set(one) == set(FIELDS[part].split())


def test_summary__tells_what_was_asked_and_what_came_of_it(summary):
    rounds, seats, totals = summary["rounds"], summary["seats"], summary["totals"]
    plan = {key: summary["plan"][key] for key in ("task", "seats", "rounds", "seed", "adversaries")}
    assert plan == {"task": "linear", "seats": 3, "rounds": 2, "seed": 1, "adversaries": []}
    assert [r["number"] for r in rounds] == [1, 2] and [s["seat"] for s in seats] == [0, 1, 2]
    for r in rounds:
        assert r["active"] == r["revealed"] == sorted(r["committee"]) == sorted([*r["accepted"], *r["left_out"]]) == [0, 1, 2]
        assert {seat for seat, score in r["scores"].items() if 1 <= score <= 255} == {str(seat) for seat in r["accepted"]}
        # Of three seats the gate may leave out one, where their few rows ask for opposite changes.
        assert r["adopted"] and not r["voided"] and len(r["accepted"]) >= 2 and r["fallen"] == []
    assert (totals["model_root"], totals["final"]) == (rounds[-1]["model_root"], rounds[-1]["metric"])
    assert totals["final"] < 0.01 < 1 < summary["start"]
    assert set(summary["baselines"]["local_only"]) == {s["name"] for s in seats}
    assert (totals["parameters"], totals["model_bytes"], totals["slashed"]) == (2, 1024, 0)
    assert totals["paid"] == pytest.approx(sum(s["pay"] for s in seats)) and min(s["pay"] for s in seats) > 0
    assert totals["gas"] > sum(s["gas"] for s in seats) > 0
    accounting = {key: int(value) for key, value in summary["accounting"].items()}
    assert sum(accounting.values()) == 2 * accounting["held"] > 0
    assert summary["audit"]["passed"] and summary["audit"]["model"] == totals["model_root"]


def test_summary_and_events__fit_their_schemas__and_a_second_verifier_agrees(simulated, summary):
    schemas = {p.name.partition(".")[0]: json.loads(p.read_text()) for p in (Path(fl.__file__).parent / "schemas").iterdir()}
    Draft202012Validator(schemas["summary"]).validate(summary)
    for line in (simulated / "events.jsonl").read_text().splitlines():
        Draft202012Validator(schemas["events"]).validate(json.loads(line))
    assert verify(simulated) == []


def test_store__holds_every_model_and_update_under_its_name(simulated, summary):
    store = LocalStore(simulated / "store")
    kinds = {kind: sorted(p.stem for p in store.path.glob(f"*.{kind.name.lower()}")) for kind in Kind}
    assert kinds[Kind.MODEL] == sorted(roots(summary)) and len(kinds[Kind.UPDATE]) == 6
    for kind, names in kinds.items():
        assert all(store.get(bytes.fromhex(name), kind, 0) for name in names)
    assert store.get_manifest(bytes.fromhex(summary["deployment"]["manifest"])).task == "linear"


def test_same_plan_again__same_roots__on_another_chain(commands, summary, tmp_path):
    done = commands(*SIMULATE, tmp_path / "again")
    assert done.code == 0, done.err
    again = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert roots(again) == roots(summary) and len(set(roots(again))) == 3
    assert [r["accepted"] for r in again["rounds"]] == [r["accepted"] for r in summary["rounds"]]

    # The page of the same federation, told by chain and store alone: measured, audited and compared anew.
    out = tmp_path / "live.html"
    result = commands(
        "report", "--json", "--federation", again["federation"], "--store", tmp_path / "again" / "store", "--out", out
    )
    assert result.code == 0, result.err
    verdict = json.loads(result.out.splitlines()[-1])
    assert (verdict["written"], verdict["rounds"], verdict["model"]) == (str(out), 2, roots(again)[-1])
    assert (verdict["audit"]["passed"], verdict["audit"]["model"]) == (True, roots(again)[-1])
    live, kept = out.read_text(), (tmp_path / "again" / "report.html").read_text()
    # Nobody knows here what participants have: nothing is called theirs, and nothing is trained for comparison.
    assert "rows that the shipped task linear sets aside for tests" in live
    assert "float FedAvg" in kept and not any(word in live for word in ("float FedAvg", "local only", "in one place"))
    own = commands.write("own.py", "from fl.learning.tasks.linear import TASK\n")
    asked = ("--federation", again["federation"], "--store", tmp_path / "again" / "store", "--task", own)
    assert commands("report", *asked, "--out", tmp_path / "own.html").code == 0
    assert "rows of the reader&#39;s own task, on which participants may have trained" in (tmp_path / "own.html").read_text()
    mine = commands.write("mine.csv", "x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(1, 6)))
    asked = (*asked[:-2], "--data", mine, "--out", tmp_path / "mine.html")
    assert commands("report", *asked).code == 0  # of a table of one's own, which stays private
    assert "the 5 rows of the reader&#39;s own table, on which" in (tmp_path / "mine.html").read_text()
    done = commands("report", *asked[:-3], tmp_path / "gone.csv", "--out", tmp_path / "gone.html")
    assert done.code == 1 and "gone.csv" in done.line and not (tmp_path / "gone.html").exists()
    for number, metric in enumerate([again["start"], *(r["metric"] for r in again["rounds"])]):
        row = f'<th scope="row">{number}</th><td>{metric:.4f}</td>'
        assert row in kept and row in live
    for seat in again["seats"]:
        assert f"{seat['pay']:.2f}".rstrip("0").rstrip(".") in live


def test_simulate__twice_into_one_folder__is_refused__and_the_first_stays(commands, simulated):
    before = (simulated / "summary.json").read_bytes()
    done = commands(*SIMULATE, simulated)
    assert (done.code, (simulated / "summary.json").read_bytes()) == (1, before)
    assert done.line == f"Error: {simulated} holds an earlier simulation: give another --out, or remove that folder"


# ---- report


def test_report__of_a_summary__is_the_page_that_simulate_wrote(commands, simulated, tmp_path):
    done = commands("report", "--summary", simulated / "summary.json", "--out", tmp_path / "page.html")
    assert done.code == 0 and done.out == f"written: {tmp_path}/page.html (audit passed)\n"
    assert (tmp_path / "page.html").read_text() == (simulated / "report.html").read_text()
    dearer = commands("report", "--summary", simulated / "summary.json", "--out", tmp_path / "dear.html", "--gas-price", 55)
    assert dearer.code == 0 and "<strong>55 gwei</strong>" in (tmp_path / "dear.html").read_text()


# ---- audit


@pytest.fixture
def copied(simulated, tmp_path) -> Path:
    return Path(shutil.copytree(simulated, tmp_path / "copy"))


def flip(path: Path, at: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


def test_audit__passes_and_counts(commands, simulated, summary):
    done = commands("audit", "--summary", simulated / "summary.json")
    accepted = sum(len(r["accepted"]) for r in summary["rounds"])
    assert done.code == 0 and "     2 models agree\n" in done.out and f"     {accepted} updates agree\n" in done.out
    assert done.out.endswith(f"audit passed: 2 rounds, model {roots(summary)[-1]}\n")


def test_audit__as_json(commands, simulated, summary):
    done = commands("audit", "--json", "--summary", simulated / "summary.json")
    result = json.loads(done.out.splitlines()[-1])
    assert (done.code, result["passed"], result["rounds"], result["model"]) == (0, True, 2, roots(summary)[-1])
    assert result["checks"] == summary["audit"]["checks"]


def files(simulated: Path, summary: dict) -> dict[str, Path]:
    store = simulated / "store"
    return {
        "genesis": store / f"{roots(summary)[0]}.model",
        "first": store / f"{roots(summary)[1]}.model",
        "last": store / f"{roots(summary)[2]}.model",
        "update": min(store.glob("*.update")),
        "manifest": store / f"{summary['deployment']['manifest']}.json",
    }


@pytest.mark.parametrize("what", ["genesis", "first", "last", "manifest"])
def test_audit__names_a_flipped_byte(commands, copied, summary, what):
    path = files(copied, summary)[what]
    flip(path)
    done = commands("audit", "--json", "--summary", copied / "summary.json")
    result = f"the store lacks a file that the chain names: {path.name} in {path.parent} does not hash to its name"
    assert done.code == 1 and done.line.startswith(f"Error: audit failed: {result}")
    verdict = json.loads(done.out.splitlines()[-1])
    assert (verdict["passed"], verdict["difference"]) == (False, done.line[21:])
    apart = {part for part, found in verdict.get("parts", {}).items() if not found["agrees"]}
    assert apart == (set() if what == "manifest" else {"models"})  # without a manifest nothing can be judged


def test_audit__names_a_flipped_byte__as_a_process_that_exits_with_one(commands, copied, summary):
    path = files(copied, summary)["update"]
    flip(path)
    done = once("audit", "--summary", copied / "summary.json", folder=commands.folder)
    assert done.code == 1 and f"{path.name} in {path.parent} does not hash to its name" in done.line


def changed(copied: Path, change) -> Path:
    path = copied / "summary.json"
    result = json.loads(path.read_text())
    change(result)
    path.write_text(json.dumps(result))
    return path


def pay_more(result: dict) -> None:
    result["seats"][1]["pay"] += 1


def score_less(result: dict) -> None:
    result["rounds"][0]["scores"]["2"] = 0


def count_otherwise(result: dict) -> None:
    result["token"]["decimals"] = 6


def hold_less(result: dict) -> None:
    result["accounting"]["held"] = str(int(result["accounting"]["held"]) - 1)


def forget_a_round(result: dict) -> None:
    del result["rounds"][1]


def another_model(result: dict) -> None:
    result["totals"]["model_root"] = "00" * 32


def another_owner(result: dict) -> None:
    result["seats"][0]["owner"] = result["seats"][1]["owner"]


def another_proposer(result: dict) -> None:
    result["rounds"][0]["proposer"] = 7


def pay_more_in_all(result: dict) -> None:
    result["totals"]["paid"] += 1


def another_federation(result: dict) -> None:
    result["deployment"]["federation"] = NOWHERE


def kinder_terms(result: dict) -> None:
    result["terms"]["fraud_slash"] = 0


LIES = {
    pay_more: "summary, seat 1: pay: recomputed ",
    score_less: "summary, round 1: scores: recomputed ",
    count_otherwise: "summary, seat 0: pay: recomputed ",
    hold_less: "the tokens held: recomputed ",
    forget_a_round: "summary: rounds: recomputed 2, recorded 1",
    another_model: "the final model: recomputed ",
    another_owner: "summary, seat 0: owner: recomputed ",
    another_proposer: "summary, round 1: proposer: recomputed ",
    pay_more_in_all: "summary, totals: paid: recomputed ",
    another_federation: "summary, deployment: federation: recomputed ",
    kinder_terms: "summary, terms: fraud slash: recomputed ",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_audit__names_a_lie_of_the_summary(commands, copied, lie):
    done = commands("audit", "--summary", changed(copied, lie))
    assert done.code == 1 and done.line.startswith(f"Error: audit failed: {LIES[lie]}")


@pytest.mark.parametrize("token", [{}, 5, {"decimals": 10**9, "symbol": "TTT"}, {"decimals": "18", "symbol": "TTT"}], ids=str)
@pytest.mark.parametrize("command", ["audit", "report"])
def test_summary__of_a_token_that_is_none__is_refused_in_one_line(commands, copied, command, token):
    summary = changed(copied, lambda result: result.update(token=token))
    done = commands(command, "--summary", summary, *(["--out", copied / "page.html"] if command == "report" else []))
    assert done.code == 1 and re.search("is not a summary of a simulation: (a token has|token|it lacks 'token)", done.line)


@pytest.mark.parametrize("line", [5, -1])
def test_audit__names_what_does_not_follow_when_an_event_is_gone(commands, copied, line):
    path = copied / "events.jsonl"
    lines = path.read_text().splitlines()
    del lines[line]
    path.write_text("\n".join(lines))
    done = commands("audit", "--summary", copied / "summary.json")
    assert done.code == 1 and done.line.startswith("Error: audit failed: ")


# ---- deploy

TERMS = "committee: 5\nmin_reveals: 7\ntrainer_rate: 2.5\ncommit_window: 1234\n"


def test_deploy__remembers__and_a_live_federation_can_be_audited(commands, tmp_path):
    store = tmp_path / "store"
    terms = commands.write("good.yaml", TERMS)
    first = commands(*DEPLOY, "--store", store, "--terms", terms)
    assert first.code == 0, first.err
    for term, value in {"committee": 5, "min_reveals": 7, "trainer_rate": "2.5 TTT", "commit_window": 1234}.items():
        assert re.search(rf"{term} +│ +{value} │", first.out)
    (result,) = remembered(commands)[-1:]
    assert f"federation      {result['federation']}" in first.out and f"genesis and manifest in {store}" in first.out
    assert sorted(p.name for p in store.iterdir()) == sorted([f"{result['genesis']}.model", f"{result['manifest']}.json"])

    live = commands("audit", "--federation", result["federation"], "--store", store)
    assert live.code == 0 and live.out.endswith(f"audit passed: 0 rounds, model {result['genesis']}\n")
    flip(store / f"{result['genesis']}.model")
    spoilt = commands("audit", "--federation", result["federation"], "--store", store)
    assert spoilt.code == 1 and f"{result['genesis']}.model in {store} does not hash to its name" in spoilt.line

    before = remembered(commands)
    second = commands(*DEPLOY, "--store", tmp_path / "second", "--factory", result["factory"], "--seed", 5)
    assert second.code == 0, second.err
    other = remembered(commands)[-1]
    assert remembered(commands) == [*before, other]
    same = {key for key in result if key != "gas" and result[key] == other[key]}
    assert same == {"chain_id", "factory", "implementation", "disputes"} and set(other["gas"]) == {"TestToken", "create"}


# ---- what is wrong, in one line


def assert_refused(done: Outcome, result: str) -> None:
    assert done.code == 1 and re.match(f"Error: {result}", done.line), done


HERE = ["--out", "never"]
NOWHERE = "0x" + "12" * 20
REFUSED = [
    (["simulate", *HERE, "--task", "hart"], "no task 'hart': give one of adapter, breast_cancer"),
    (["simulate", *HERE, "--task", "ape-config.yaml"], "ape-config.yaml is not a Python file"),
    (["simulate", *HERE, "--task", "scripts/audit.py"], "scripts/audit.py defines no TASK: end the file with TASK ="),
    (["simulate", *HERE, "--adversary", "evil:1"], r"adversary 'evil:1': give KIND:COUNT, .*; kinds are free_rider, "),
    (["simulate", *HERE, "--adversary", "sign_flip:0"], "adversary 'sign_flip:0': give KIND:COUNT"),
    (["simulate", *HERE, "--adversary", "sign_flip:many"], "adversary 'sign_flip:many': give KIND:COUNT"),
    (["simulate", *HERE, "--adversary", "noise:3", "--adversary", "scaled:1"], "4 adversaries on 4 seats: leave at least one"),
    (["simulate", *HERE, "--seats", "2"], "2 seats: give 3"),
    (["simulate", *HERE, "--seats", "129"], "129 seats: give 3 .* to 128"),
    (["simulate", *HERE, "--rounds", "0"], "0 rounds: give at least one"),
    (["simulate", *HERE, "--trim", "mean"], "--trim mean: give a number of seats to drop on each side, or 'median'"),
    (["audit"], "audit failed: give --summary FILE, or --federation ADDRESS with --store PLACE"),
    (["audit", "--federation", NOWHERE], "audit failed: give --summary FILE, or --federation ADDRESS with --store PLACE"),
    (["audit", "--summary", "gone.json"], "audit failed: no summary gone.json: give the summary.json that simulate wrote"),
    (["audit", "--federation", NOWHERE, "--store", "s"], f"audit failed: no federation at {NOWHERE} on chain 31337: check"),
    (["report"], "give --summary FILE, or --federation ADDRESS with --store PLACE"),
    (["report", "--summary", "gone.json"], "no summary gone.json: give the summary.json that simulate wrote"),
    (["report", "--summary", "ape-config.yaml"], "ape-config.yaml is damaged or not a summary of a simulation"),
    (["report", "--federation", NOWHERE, "--store", "s"], f"no federation at {NOWHERE} on chain 31337: check"),
    (["deploy", "--account", "TEST::0", "--task", "hart"], "no task 'hart'"),
    (["deploy", "--account", "nobody", "--task", "linear"], "no account 'nobody': `ape accounts list` shows all accounts"),
    ([*DEPLOY, "--terms", "gone.yaml"], "no terms file gone.yaml: write one, or leave --terms out"),
    (["compare", "--task", "hart"], "no comparison for hart: choose from linear, "),
    (["compare", "--seeds", "0"], "--seeds must be at least 1"),
    (["compare", "--needed", "--flamby"], "--needed and --flamby are different tables: give one of them"),
]


@pytest.mark.parametrize("call, message", REFUSED, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong_argument__ends_in_one_clear_line(commands, call, message):
    commands.forget()
    assert_refused(commands(*call), message)
    assert not (commands.folder / "never").exists()


@pytest.mark.parametrize(
    "text, message",
    [
        ("commitee: 3", r"terms.yaml: no term is called 'commitee': did you mean committee\?"),
        ("committee: three", "terms.yaml: committee must be a number, not 'three'"),
        ("committee: yes", "terms.yaml: committee must be a number, not True"),
        ("token: 0x12", r"terms.yaml: token must be an address \(0x and 40 hexadecimal digits\) in quotes, not 18"),
        ("- committee: 3", "terms.yaml: a terms file holds `name: value` lines"),
        ("", "terms.yaml: a terms file holds `name: value` lines"),
        (
            "committee: 4",
            r"no federation can be made with these terms: committee 4: give an odd number .* \(rule 11\); min_reveals",
        ),
        (
            "challenge_window: 600",
            r"no federation can be made with these terms: challenge_window 600 s is below 3 x 300 s .* \(rule 15\)$",
        ),
        ("min_stake: 1", r"no federation can be made with these terms: no_reveal_slash .* \(rule 17\)$"),
    ],
)
def test_wrong_terms__end_in_one_clear_line(commands, text, message):
    assert_refused(commands(*DEPLOY, "--store", "s", "--terms", commands.write("terms.yaml", text)), message)


@pytest.mark.parametrize(
    "call, message",
    [
        (["simulate"], "Missing option '--out'."),
        (["simulate", *HERE, "--seats", "many"], "'many' is not a valid integer."),
        (["audit", "--sumary", "x"], "No such option: --sumary"),
        (["report", "--summary", "x", "--eth-price", "-1"], "Invalid value for '--eth-price': -1.0 is not in the range x>=0."),
    ],
)
def test_wrong_words__end_in_the_usage(commands, call, message):
    done = commands(*call)
    assert done.code == 2 and message in done.err.splitlines()[-1]


def test_summary__without_its_record__is_refused(commands, copied):
    (copied / "events.jsonl").unlink()
    done = commands("audit", "--summary", copied / "summary.json")
    assert_refused(done, f"audit failed: no record {copied}/events.jsonl: give the complete folder")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"accounting": 5}', "null", "\0"])
def test_summary_that_is_none__is_refused(commands, copied, text):
    (copied / "summary.json").write_text(text)
    done = commands("audit", "--summary", copied / "summary.json")
    assert_refused(done, f"audit failed: {copied}/summary.json is (damaged or )?not a summary of a simulation")


FLAWS = [
    ["simulate", *HERE, "--task", "linear", "--seed", "-1"],
    ["simulate", *HERE, "--task", "broken.py"],
    ["simulate", "--task", "linear", "--out", "broken.py"],
    ["simulate", *HERE, "--adversary", "noise:²"],
    ["audit", "--summary", "."],
    ["audit", "--federation", "0x12", "--store", "s"],
    [*DEPLOY, "--store", "s", "--factory", "0x12"],
    [*DEPLOY, "--store", "s", "--factory", NOWHERE],
    [*DEPLOY, "--store", "s", "--terms", "."],
]


@pytest.mark.parametrize("call", FLAWS, ids=" ".join)
def test_wrong_argument__that_nobody_expected__ends_in_one_line(commands, call):
    commands.write("broken.py", "def (:\n")
    assert_refused(commands(*call), ".")


@pytest.mark.parametrize(
    "text",
    [
        "commit_window: 600.5",
        "min_stake: .nan",
        "min_stake: .inf",
        "allowlist: 5",
        "depth: 3",
        f"sponsor: '0x{'z' * 40}'",
        "committee: [",
        b"\xff\xfe",
    ],
    ids=str,
)
def test_wrong_terms__that_nobody_expected__end_in_one_line(commands, text):
    assert_refused(commands(*DEPLOY, "--store", "s", "--terms", commands.write("terms.yaml", text)), "terms.yaml|these terms")
