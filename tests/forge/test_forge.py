"""The second suite, in Solidity: written apart from the first and run by forge, so that one misreading does not blind both."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FAILING = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
contract WrongTest {
    function test_twoIsThree() external pure { require(2 == 3); }
}
"""


def forge(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """`forge test`, by the native program: npm's wrapper exits 0 whatever happens."""
    native = ROOT / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin"
    env = {name: value for name, value in os.environ.items() if not name.startswith("FOUNDRY_")}
    env |= {"FOUNDRY_CONFIG": str(config), "PATH": f"{native}{os.pathsep}{env['PATH']}"}
    return subprocess.run(["forge", "test"], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.xdist_group("forge")
def test_the_solidity_suite__is_green():
    result = forge(HERE / "foundry.toml", ROOT)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    assert "0 failed, 0 skipped" in result.stdout


@pytest.mark.xdist_group("forge")
def test_a_failing_solidity_test__is_noticed(tmp_path):
    (tmp_path / "Wrong.t.sol").write_text(FAILING)
    solc = ROOT / ".solcx" / "solc-v0.8.37"
    (tmp_path / "foundry.toml").write_text(
        f'[profile.default]\nsrc = "."\ntest = "."\nlibs = []\noffline = true\nsolc = "{solc}"\n'
    )
    result = forge(tmp_path / "foundry.toml", tmp_path)
    assert result.returncode == 1 and "1 failed" in result.stdout, result.stdout + result.stderr
