"""Writes the words of contracts/libraries/TermsReader.sol anew, from the struct Terms of interfaces/IFederation.sol."""

from __future__ import annotations

import re
from pathlib import Path

CONTRACTS = Path(__file__).parents[1] / "contracts"
STRUCT = CONTRACTS / "interfaces" / "IFederation.sol"
READER = CONTRACTS / "libraries" / "TermsReader.sol"
FIELD = re.compile(r"^\s+(?:address|bytes32|uint256) (\w+);", re.MULTILINE)
WORDS = re.compile(r"    uint256 internal constant WORDS = \d+;\n\n(    uint256 internal constant \w+ = \d+;\n)+")


def field_names() -> list[str]:
    """The fields of the struct, in order."""
    struct = STRUCT.read_text().split("\nstruct Terms {\n")[1].split("\n}\n")[0]
    return FIELD.findall(struct)


def written() -> str:
    """TermsReader.sol as it should be."""
    names = field_names()
    lines = [f"    uint256 internal constant WORDS = {len(names)};\n\n"]
    for index, name in enumerate(names):
        constant = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
        lines.append(f"    uint256 internal constant {constant} = {index};\n")
    return WORDS.sub("".join(lines), READER.read_text(), count=1)


if __name__ == "__main__":
    READER.write_text(written())
