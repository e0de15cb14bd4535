"""The table in README.md says what the attacks' headers say."""

from attacks.gallery import README, headers, written


def test_table_and_files__agree():
    assert README.read_text() == written(), "run: PYTHONPATH=tests python tests/attacks/gallery.py"


def test_gallery__holds_what_was_promised():
    assert len(headers()) >= 24
