"""The service files that ship: each command in them is one that exists, with options that it has. Where a builder is installed,
it reads them too."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SERVICE = ROOT / "tooling" / "service"


def fits(words: list[str]) -> bool:
    """Whether a command of ours has these options."""
    source = (ROOT / "scripts" / f"{words[0]}.py").read_text()
    return all(f'"{word}"' in source for word in words[1:] if word.startswith("--"))


def test_unit__starts_a_command_that_exists__again_and_again__as_nobody_special():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(SERVICE / "treaty-seat.service")
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    service = unit["Service"]
    words = shlex.split(shlex.split(service["ExecStart"])[2])
    assert fits(words[words.index("run") + 1 :]) and not fits(["take-part", "--no-such-option"])
    assert service["Restart"] == "always" and service["NoNewPrivileges"] == "yes" and service["User"] != "root"
    assert service["PrivateTmp"] == "no"  # the lock that keeps a second daemon off the seat is there
    if tool := shutil.which("systemd-analyze"):
        done = subprocess.run([tool, "verify", SERVICE / "treaty-seat.service"], capture_output=True, text=True)
        assert "Unknown key" not in done.stderr, done.stderr


def test_compose__has_three_participants__who_share_the_invitation_alone():
    compose = yaml.safe_load((SERVICE / "compose.yaml").read_text())
    participants = compose["services"]
    assert len(participants) == 3 and set(compose["volumes"]) == set(participants)
    writable = [volume for p in participants.values() for volume in p["volumes"] if not volume.endswith(":ro")]
    assert sorted(writable) == sorted(f"{name}:/data" for name in participants)
    shared = set.intersection(*(set(p["volumes"]) for p in participants.values()))
    assert shared == {"./invite.json:/in/invite.json:ro"}
    for participant in participants.values():
        assert fits(participant["command"]) and participant["restart"] == "always"
        assert (SERVICE / participant["build"]["context"] / participant["build"]["dockerfile"]).is_file()


INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "ENTRYPOINT"}


def test_dockerfile__is_well_formed__and_runs_as_nobody_special():
    lines = [line for line in (SERVICE / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    assert {line.split()[0] for line in lines} <= INSTRUCTIONS and lines[0].startswith("FROM python:3.12")
    entry = json.loads(lines[-1].removeprefix("ENTRYPOINT "))
    assert entry[:2] == ["/bin/sh", "-c"] and "ape run" in entry[2]
    user = next(i for i, line in enumerate(lines) if line.startswith("USER"))
    assert lines[user] == "USER treaty" and not any(re.match("USER root", line) for line in lines[user:])
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", ".ape", "taking-part"} <= set(ignored)  # keys never enter an image


def builder() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.mark.skipif(not builder(), reason="no builder is here")
def test_image__is_built():
    done = subprocess.run(["docker", "build", "-q", "-f", SERVICE / "Dockerfile", ROOT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
