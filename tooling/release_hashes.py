"""Compiles the contracts of a federation afresh, without Ape, compares them with the packaged bytecode, and writes their hashes
and addresses to contracts/release.md: `make release-hashes`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak

from fl.network import explorer, identity

HOME = Path(__file__).resolve().parents[1]
TARGET = HOME / "contracts" / "release.md"
SETTINGS = explorer.SETTINGS | {"remappings": ["@openzeppelin/=.openzeppelin/"]}
HEAD = """# Bytecode of this version

solc 0.8.37, OpenZeppelin 5.7.0, with the settings of `tooling/release_hashes.py`. `make release-hashes` compiles the sources
afresh, compares the result with the packaged bytecode and writes this page; a test compares the page, the packaged bytecode and
what Ape compiled. The addresses hold on every chain that has the deployer (see [Identity](README.md#identity)). Runtime code is
hashed with zeros where the constructor fills in an address.

| contract | address | keccak256 of the creation code | keccak256 of the runtime code |
|---|---|---|---|
"""


def written() -> str:
    """The page, from the packaged bytecode."""
    rows = []
    for name in identity.ARGUMENTS:
        code = identity.code_of(name)
        hashes = (keccak(part).hex() for part in (code.creation, code.runtime))
        rows.append(f"| {name} | `{identity.address_of(name)}` | {' | '.join(f'`{digest}`' for digest in hashes)} |\n")
    return HEAD + "".join(rows)


def compiled_afresh() -> dict[str, str]:
    """The creation code of each contract, from the sources."""
    return {name: found["evm"]["bytecode"]["object"] for name, found in outputs("evm.bytecode.object").items()}


def outputs(wanted: str, **settings: Any) -> dict[str, dict[str, Any]]:
    """What the compiler gives for each contract. settings: other ones than those of a release."""
    files = {name: f"contracts/{name}.sol" for name in identity.compiled()}
    sources = {file: {"content": (HOME / file).read_text()} for file in files.values()}
    selection = {file: {name: [wanted]} for name, file in files.items()}
    asked = {"language": "Solidity", "sources": sources, "settings": SETTINGS | settings | {"outputSelection": selection}}
    command = [str(HOME / ".solcx" / "solc-v0.8.37"), "--standard-json", "--base-path", "."]
    done = subprocess.run(command, input=json.dumps(asked), cwd=HOME, capture_output=True, text=True, check=True)
    contracts = json.loads(done.stdout)["contracts"]
    return {name: contracts[file][name] for name, file in files.items()}


if __name__ == "__main__":
    packaged = {name: code.creation.hex() for name, code in identity.compiled().items()}
    if wrong := [name for name, code in compiled_afresh().items() if code != packaged[name]]:
        sys.exit(f"the packaged bytecode of {', '.join(wrong)} is not what its sources give: python tooling/abi.py")
    TARGET.write_text(written())
    print(TARGET.relative_to(HOME), "is what the sources give")
