"""`import fl`: public names, loaded when they are used; the notebook goes from a table to a model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fl
from fl.errors import TaskError

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "fl" / "guides" / "quickstart.ipynb"
RUN = """
import json, sys
from pathlib import Path
import fl
light = [name for name in ("torch", "ape", "pandas", "web3") if name in sys.modules]
sys.path.insert(0, {tests!r})
from support.notebooks import run
names = {{}}
result = run(Path({notebook!r}), names)
federation = names["federation"]
import torch
x = torch.zeros(2, 4)
print("TOLD " + json.dumps({{
    "light": light,
    "shown": result,
    "cheat": federation.seats.loc[3].to_dict(),
    "rounds": federation.rounds.reset_index().to_dict("list"),
    "same": bool(torch.equal(federation.model(x), names["model"](x))),
    "eval": not names["model"].training,
    "new": fl.predict(names["folder"], names["new"]).to_dict("list"),
}}, default=str))
"""


def test_names__are_all_there__and_a_wrong_one_is_said():
    assert {"Task", "Data", "LocalTraining", "simulate", "load_model", "predict"} <= set(dir(fl))
    from fl.learning.task import Task

    assert fl.Task is Task
    with pytest.raises(AttributeError, match="has no attribute 'train': its public names are Data, LocalTraining"):
        fl.train  # noqa: B018


def test_simulate__says_what_is_wrong_with_its_arguments(tmp_path):
    with pytest.raises(TaskError, match="trim 'mean': give a number of seats"):
        fl.simulate("linear", trim="mean", out=tmp_path)
    with pytest.raises(TaskError, match="target and owner belong to a DataFrame"):
        fl.simulate("linear", target="y", out=tmp_path)
    with pytest.raises(TaskError, match="adversary 'evil:1': give KIND:COUNT"):
        fl.simulate("linear", adversaries={"evil": 1}, out=tmp_path)


def test_notebook__has_no_outputs():
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5 and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


@pytest.mark.xdist_group("commands")
def test_notebook__goes_from_a_table_to_a_model__in_any_folder(tmp_path):
    """In a process of its own, started elsewhere and without env.sh: as Jupyter starts it in the notebook's folder."""
    code = RUN.format(tests=str(ROOT / "tests"), notebook=str(NOTEBOOK))
    env = {name: value for name, value in os.environ.items() if name not in ("SOLCX_BINARY_PATH", "APE_FOUNDRY_HOST")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "round 3: " in done.stdout
    result = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))[5:])
    assert result["light"] == []
    assert (result["cheat"]["kind"], result["cheat"]["rounds_accepted"]) == ("sign_flip", 0)
    assert result["rounds"]["round"] == [0, 1, 2, 3] and result["rounds"]["AUC"][3] > max(0.85, result["rounds"]["AUC"][0])
    assert result["same"] and result["eval"]
    assert result["new"]["prediction"] == ["no", "yes"] and list(result["new"]) == ["prediction", "p(no)", "p(yes)"]
    page = next(shown for shown in result["shown"] if shown.startswith("<iframe"))
    assert "srcdoc=" in page and "<script" not in page
    assert any("models" in shown and "checks" in shown for shown in result["shown"])
