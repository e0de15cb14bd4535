"""Everything a fresh clone needs, into the project folder alone; a second call skips what is done.

Standard library only, and syntax that old Pythons can read, so that an unfit one can be told so in one line.
"""

from __future__ import print_function  # noqa: UP010  an old Python must get as far as its one line

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys

TYPE_CHECKING = False  # the typing module's own name for it; old Pythons lack that module
if TYPE_CHECKING:
    from typing import Any, Callable, List, Tuple  # noqa: F401, UP035  the type comments below read them

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(HOME, ".venv")
STAMPS = os.path.join(VENV, "stamps")
BIN = os.path.join(VENV, "bin")
SOLC = "0.8.37"


def path(*parts):
    # type: (*str) -> str
    return os.path.join(HOME, *parts)


def pinned(package):
    # type: (str) -> str
    """The package and its version as pyproject.toml has them."""
    with open(path("pyproject.toml")) as source:
        found = re.search(r'^  "(%s==[^"]+)",' % package, source.read(), re.MULTILINE)
    if found is None:
        fail("pyproject.toml does not pin %s" % package)
        return ""
    return found.group(1)


def fail(message):
    # type: (str) -> None
    sys.exit("set-up: " + message)


def run(what, remedy, *command, **kwargs):
    # type: (str, str, *str, **Any) -> None
    """Run a command quietly; when it fails, one line that says what to do, and the log's place for the curious."""
    print("set-up: " + what, flush=True)
    env = dict(os.environ, PATH=BIN + os.pathsep + os.environ["PATH"], npm_config_cache=path(".venv", "npm"))
    env.update(UV_CACHE_DIR=path(".venv", "uv"), PIP_CACHE_DIR=path(".venv", "pip"))
    log = os.path.join(VENV, "setup.log") if os.path.isdir(VENV) else os.devnull
    with open(log, "ab") as out:
        code = subprocess.call(command, cwd=HOME, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **kwargs)
    if code:
        fail("%s failed: %s (details: .venv/setup.log)" % (what, remedy))


def done(name, *inputs):
    # type: (str, *str) -> Tuple[bool, Callable[[], None]]
    """Whether the step ran on these very inputs; returns (bool, a function that records it)."""
    digest = hashlib.sha256()
    for item in inputs:
        digest.update(open(item, "rb").read() if os.path.isfile(item) else item.encode())
    stamp = os.path.join(STAMPS, name)
    same = os.path.isfile(stamp) and open(stamp).read() == digest.hexdigest()

    def record():
        # type: () -> None
        os.makedirs(STAMPS, exist_ok=True)
        with open(stamp, "w") as out:
            out.write(digest.hexdigest())

    return same, record


def python_packages():
    # type: () -> None
    network = "check the network and the free disk space (3 GB), then call again"
    if not os.path.isfile(os.path.join(BIN, "python")):
        print("set-up: virtual environment", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", VENV]):
            fail("no virtual environment: install the venv module of Python (Debian: apt-get install python3-venv)")
    pip = [os.path.join(BIN, "python"), "-m", "pip", "install", "-q", "--retries", "2", "--disable-pip-version-check"]
    torch = pinned("torch")
    ready, record = done("torch", torch, sys.version)
    if not ready:
        run("PyTorch (some minutes the first time)", network, *(pip + [torch, pinned("numpy")]))
        record()
    lock = path("requirements.txt")
    ready, record = done("python", lock, path("pyproject.toml"))
    if not ready:
        run("uv", network, *(pip + ["uv==0.13.9"]))
        uv = [os.path.join(BIN, "uv"), "pip", "install", "--python", os.path.join(BIN, "python")]
        run("Python packages", network, *(uv + ["--require-hashes", "-r", lock]))
        run("the project itself", network, *(uv + ["--no-deps", "-e", ".", "--config-setting", "editable_mode=compat"]))
        record()


def bytecode():
    # type: () -> None
    """Compiles Python's sources ahead: where Python may not write, each command would compile them anew, for seconds.

    What does not compile (packages carry sources for other Pythons) is left to whoever imports it.
    """
    compile_all = [os.path.join(BIN, "python"), "-m", "compileall", "-q", "-q", "-j", "0"]
    ready, record = done("bytecode", path("requirements.txt"), pinned("torch"), sys.version)
    if not ready:
        print("set-up: bytecode", flush=True)
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = subprocess.check_output([os.path.join(BIN, "python"), "-c", code], text=True).strip()
        subprocess.call(compile_all + ["-x", "/tests?/", packages], stdin=subprocess.DEVNULL)
        record()
    subprocess.call(compile_all[:-2] + [path("fl"), path("scripts")], stdin=subprocess.DEVNULL)


def node_packages():
    # type: () -> None
    ready, record = done("node", path("package-lock.json"))
    if not ready or not os.path.isdir(path("node_modules")):
        run(
            "compiler and local chain",
            "check the network, then call again",
            os.path.join(BIN, "npm"),
            "ci",
            "--ignore-scripts",
            "--legacy-peer-deps",  # the Safe, for a test, names a library for scripts of its own
        )
        record()
    native = path("node_modules", "@foundry-rs", "anvil-linux-amd64", "bin", "anvil")
    if not os.path.isfile(native) and not shutil.which("anvil"):
        fail("no anvil for %s: install Foundry (getfoundry.sh), then call again" % platform.platform())


def compiler():
    # type: () -> None
    target = path(".solcx", "solc-v" + SOLC)
    ready, record = done("solc", SOLC, path("tooling", "solc.js"))
    if ready and os.path.isfile(target):
        return
    os.makedirs(path(".solcx"), exist_ok=True)
    for old in os.listdir(path(".solcx")):
        os.remove(path(".solcx", old))
    # The compiler's JavaScript build: locked with the other npm packages, the same bytecode everywhere.
    node = os.path.realpath(os.path.join(BIN, "node"))
    with open(target, "w") as out:
        out.write('#!/bin/sh\nexec "%s" "%s" "$@"\n' % (node, path("tooling", "solc.js")))
    os.chmod(target, 0o755)
    record()


def openzeppelin():
    # type: () -> None
    """A slim copy of what the contracts import: past 500 files Ape silently loses contracts."""
    source, target = path("node_modules", "@openzeppelin", "contracts"), path(".openzeppelin")
    wanted, queue = set(), []
    for folder in ("contracts", os.path.join("tests", "forge")):
        for place, _, names in os.walk(path(folder)):
            if ".cache" not in place:
                queue += [os.path.join(place, name) for name in names if name.endswith(".sol")]
    while queue:
        file = queue.pop()
        for name in re.findall(r'import[^;]*?"([^"]+)"', open(file).read()):
            if name.startswith("@openzeppelin/contracts/"):
                found = os.path.join(source, name[len("@openzeppelin/contracts/") :])
            elif name.startswith(".") and file.startswith(source):
                found = os.path.normpath(os.path.join(os.path.dirname(file), name))
            else:
                continue
            if found not in wanted:
                if not os.path.isfile(found):
                    fail("%s imports %s, which OpenZeppelin does not have" % (os.path.relpath(file, HOME), name))
                wanted.add(found)
                queue.append(found)
    missing = [f for f in wanted if not os.path.isfile(os.path.join(target, "contracts", os.path.relpath(f, source)))]
    for file in missing:
        copy = os.path.join(target, "contracts", os.path.relpath(file, source))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(file, copy)
    if missing:
        # Ape keeps its own copy of a dependency and would not look again.
        shutil.rmtree(path(".ape", "packages"), ignore_errors=True)
        shutil.rmtree(path("contracts", ".cache"), ignore_errors=True)


def contracts():
    # type: () -> List[str]
    """Their sources."""
    found = []
    for place, _, names in os.walk(path("contracts")):
        if ".cache" not in place:
            found += [os.path.join(place, name) for name in names if name.endswith(".sol")]
    return sorted(found)


def stale_build():
    # type: () -> None
    """Ape does not recompile a contract when only what it imports has changed: after an update everything is compiled anew."""
    same, record = done("contracts", path("tooling", "solc.js"), *contracts())
    if not same:
        shutil.rmtree(path(".build"), ignore_errors=True)
        record()


def main():
    # type: () -> None
    if not (3, 11) <= sys.version_info[:2] < (3, 13):
        fail("Python %d.%d does not fit: install Python 3.11 or 3.12, or name one with PYTHON=/path" % sys.version_info[:2])
    if shutil.disk_usage(HOME).free < 1 << 30:
        fail("less than 1 GB of disk is free here: make room for 3 GB, then call again")
    python_packages()
    bytecode()
    node_packages()
    compiler()
    openzeppelin()
    stale_build()


if __name__ == "__main__":
    main()
