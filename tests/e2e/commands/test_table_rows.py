"""A federation of a table: participants bring tables of their own, and read before they stake what the task cannot use."""

import pytest
from support.cli import remembered, signed

pytestmark = pytest.mark.xdist_group("commands")


def table(sex: tuple[str, str] = ("F", "M"), unit: float = 1.0, odd: int = 0) -> str:
    rows = [f"{sex[i % 2]},{(150 + i % 40) * unit:g},{int(i % 3 == 0)}" for i in range(120 - odd)]
    rows += [f"unknown,{170 * unit:g},0"] * odd
    return "\n".join(["sex,height,sick", *rows]) + "\n"


@pytest.fixture(scope="module")
def federation(commands) -> str:
    commands.write("sponsor.csv", table())
    task = "table:sponsor.csv?target=sick&sex=F|M&height=140..200"
    done = commands("deploy", *signed(0), "--task", task, "--store", "table-store")
    assert done.code == 0, done.err
    return remembered(commands)[-1]["federation"]


def lines(done) -> list[str]:
    return [line for line in done.out.splitlines() if line[6:17].strip() in ("data", "task")]


def test_doctor__tells_what_a_table_means_to_the_task(commands, federation):
    def doctor(text: str) -> tuple[int, list[str]]:
        commands.write("mine.csv", text)
        done = commands("doctor", "--federation", federation, "--store", "table-store", "--data", "mine.csv")
        return done.code, lines(done)

    code, said = doctor(table())
    assert code == 0 and [line[:4] for line in said] == ["ok  ", "ok  "], said
    assert said[-1].endswith("the task takes every row of mine.csv: 97 to train on and 23 to score with")
    code, said = doctor(table(odd=12))
    assert code == 0 and [line[:4] for line in said] == ["ok  ", "note", "ok  "], said
    assert "column sex: 12 of 120 rows; the first says unknown" in said[1]
    for wrong, column in ((table(sex=("male", "female")), "sex"), (table(unit=0.01), "height")):
        code, said = doctor(wrong)
        assert code == 1 and said[-1].startswith("FIX ") and f"column {column}: 120 of 120 rows" in said[-1], said


def test_participate__takes_the_manifest_s_columns__and_refuses_another_meaning(commands, federation):
    done = commands("join", "--federation", federation, *signed(1), "--mint")
    assert done.code == 0, done.err
    call = ["participate", "--federation", federation, *signed(1), "--store", "table-store", "--journal", "mine", "--once"]
    commands.write("mine.csv", table(sex=("male", "female")))
    done = commands(*call, "--data", "mine.csv")
    assert done.code == 1 and "column sex: 120 of 120 rows" in done.err and "(F, M)" in done.err
    done = commands(*call)
    assert done.code == 1 and "without rows: give yours with --data TABLE" in done.err
    commands.write("mine.csv", table(odd=12))
    done = commands(*call, "--data", "mine.csv")
    assert done.code == 0, done.err
    assert "column sex: 12 of 120 rows" in done.err and "97 rows to train on, 23 to score with" in done.err
