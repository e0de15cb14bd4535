"""The token of a private host: made once, and never nothing."""

import pytest

from fl.errors import TreatyError
from fl.tools.host.command import TOKEN_FILE, token_in


def test_token__is_the_same_after_a_restart__and_nobody_else_reads_it(tmp_path):
    made = token_in(tmp_path)
    assert len(made) == 32 and token_in(tmp_path) == made
    assert (tmp_path / TOKEN_FILE).stat().st_mode & 0o777 == 0o600


def test_token__that_was_half_written__does_not_open_the_host_to_everybody(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        for writing in ("os.fdopen", "pathlib.Path.write_text"):
            patched.setattr(writing, lambda *_: pytest.fail("it stops here"))
        with pytest.raises(pytest.fail.Exception):
            token_in(tmp_path)
    assert len(token_in(tmp_path)) == 32
    (tmp_path / TOKEN_FILE).write_text("\n")
    with pytest.raises(TreatyError, match=r"host-token is empty, and the host would be open to everybody: remove it"):
        token_in(tmp_path)
