"""Set-up on an unfit machine: one line that says what to do, nothing half done."""

import importlib.util
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Disk = namedtuple("Disk", "total used free")


def loaded():
    """tooling/setup.py as a module."""
    spec = importlib.util.spec_from_file_location("treaty_setup", ROOT / "tooling" / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """tooling/setup.py, at home in an empty folder."""
    module = loaded()
    venv = tmp_path / ".venv"
    for name, value in {"HOME": tmp_path, "VENV": venv, "STAMPS": venv / "stamps", "BIN": venv / "bin"}.items():
        monkeypatch.setattr(module, name, str(value))
    for name in ("requirements.txt", "pyproject.toml", "package-lock.json"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return module


def refusal(call) -> str:
    with pytest.raises(SystemExit) as stop:
        call()
    result = str(stop.value)
    assert result.startswith("set-up: ") and "\n" not in result
    return result


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 13), (4, 0)])
def test_unfit_python__is_told_which_fits(setup, monkeypatch, version, tmp_path):
    monkeypatch.setattr(sys, "version_info", version)
    result = refusal(setup.main)
    assert f"Python {version[0]}.{version[1]} does not fit: install Python 3.11 or 3.12" in result
    assert not (tmp_path / ".venv").exists()


def test_full_disk__is_told_how_much_is_needed(setup, monkeypatch, tmp_path):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda place: Disk(10, 10, 10**8))
    assert "make room for 3 GB" in refusal(setup.main)
    assert not (tmp_path / ".venv").exists()


def test_no_venv_module__is_told_what_to_install(setup, monkeypatch):
    monkeypatch.setattr(setup.subprocess, "call", lambda *a, **k: 1)
    assert "install the venv module of Python (Debian: apt-get install python3-venv)" in refusal(setup.python_packages)


def test_no_network__is_told_to_check_it__and_where_the_log_is(setup, tmp_path, monkeypatch):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho no route to host >&2\nexit 1\n")
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    result = refusal(setup.python_packages)
    assert "check the network and the free disk space (3 GB), then call again (details: .venv/setup.log)" in result
    assert "no route to host" in (tmp_path / ".venv" / "setup.log").read_text()
    assert not (tmp_path / ".venv" / "stamps").exists()  # the next call tries again


def test_no_chain_for_the_platform__is_told_where_it_comes_from(setup, tmp_path, monkeypatch):
    (tmp_path / "node_modules").mkdir()
    monkeypatch.setattr(setup, "done", lambda name, *inputs: (True, lambda: None))
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    assert "install Foundry" in refusal(setup.node_packages)


def test_no_python_at_all__is_told_by_make(tmp_path):
    done = subprocess.run(
        ["make", "-C", ROOT, "setup", "PYTHON=/nowhere/python3"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode != 0 and "no Python: install Python 3.11 or 3.12" in done.stderr


def test_ready_set_up__does_nothing_again():
    module = loaded()
    # A set-up that compiles anew would take the contracts away from the tests beside this one.
    assert module.done("contracts", module.path("tooling", "solc.js"), *module.contracts())[0], (
        "the contracts have changed since set-up: run make setup"
    )
    done = subprocess.run(["make", "-C", ROOT, "setup"], capture_output=True, text=True)
    assert done.returncode == 0 and "set-up:" not in done.stdout


def test_bytecode__of_the_project_and_its_packages__is_there(setup, tmp_path, monkeypatch):
    """Also where Python itself may not write any."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(ROOT / ".venv" / "bin")
    (tmp_path / ".venv" / "stamps").mkdir()
    for folder in ("fl", "scripts"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text("ONE = 1\n")
    asked, call = [], setup.subprocess.call

    def compile_project_only(words, **options):
        asked.append(words[-1])
        return 0 if "-x" in words else call(words, **options)

    monkeypatch.setattr(setup.subprocess, "call", compile_project_only)
    setup.bytecode()
    setup.bytecode()
    assert [len(list((tmp_path / folder).rglob("*.pyc"))) for folder in ("fl", "scripts")] == [1, 1]
    assert [word.endswith("site-packages") for word in asked] == [True, False, False]  # the packages once
