"""Every command explains itself, and the guide names every command and what it says in JSON."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "scripts" / "README.md").read_text()
COMMANDS = sorted(p.stem for p in (ROOT / "scripts").glob("*.py") if not p.name.startswith("_"))


def command(name: str):
    spec = importlib.util.spec_from_file_location(f"command_{name}", ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cli


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command__explains_itself_and_its_options(name):
    cli = command(name)
    assert cli.short_help and cli.short_help.endswith(".") and cli.help
    options = [o for o in cli.params if o.param_type_name == "option" and not o.hidden]
    assert options and [o.name for o in options if not o.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_guide__names_every_command(name):
    assert f"`{name}`" in GUIDE


def test_guide__says_rightly_which_doors_speak_json():
    result = set()
    for line in GUIDE.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`"):
            result |= set(re.findall(r"`([\w-]+)`", cells[0] if cells[3] == "yes" else cells[3]))
    assert result & set(COMMANDS) == {name for name in COMMANDS if any(o.name == "as_json" for o in command(name).params)}


def test_completion__knows_doors_and_options():
    def complete(line: str) -> set[str]:
        env = {**os.environ, "_APE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        ape = Path(sys.executable).parent / "ape"
        done = subprocess.run([ape], cwd=ROOT, env=env, capture_output=True, text=True)
        return {word.partition(",")[2] for word in done.stdout.split()}

    assert set(COMMANDS) <= complete("ape run ")
    assert complete("ape run watch --te") == {"--terminal"}


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_commands__outside_the_project_folder__say_where_they_are(shell, tmp_path):
    call = f"cd {ROOT} && . ./env.sh && cd {tmp_path} && ape run status"
    done = subprocess.run([shell, "-c", call], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("Error: 'ape run' works in the project's folder only: cd ")
    assert done.stderr.count("\n") == 1
