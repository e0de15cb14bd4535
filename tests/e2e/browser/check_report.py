"""The report in a real browser: quiet console, every chart drawn and legible, no sideways scrolling on a phone, dark, paper."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise

import pytest
from chrome import CHARTS, CONTRAST, OVERFLOWING, console, emulate
from support.manifests import manifest
from support.pages import KNOWN, Book, facts, play

from fl.tools.report.facts import Known
from fl.tools.report.render import page

EVIL = '"><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"><svg onload="window.hacked = 3">'


def crowd() -> Book:
    """As large as it gets in a file: 128 seats, 14 rounds."""
    book = Book()
    for s in range(128):
        book.note("Joined", seat=s, owner="0x" + "00" * 20, operator="", stake=10**20)
    for number in range(1, 15):
        play(book, number, list(range(128)), silent=(5, 77))
    return book


CASES = {
    "result": (KNOWN, None),
    "empty": (Known(), Book()),
    "evil": (replace(KNOWN, names=dict.fromkeys(range(5), EVIL), metric=EVIL, manifest=manifest(task=EVIL)), None),
    "long": (
        replace(KNOWN, names=dict.fromkeys(range(5), "W" * 400), metric="M" * 400, manifest=manifest(task="t" * 400)),
        None,
    ),
    "crowd": (Known(), crowd()),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, (known, book) in CASES.items():
        (folder / f"{name}.html").write_text(page(facts(known, book)))
    return folder


@pytest.fixture(params=CASES)
def opened(request, browser, files):
    console(browser)
    emulate(browser, 1200)
    browser.get(f"file://{files}/{request.param}.html")
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    yield request.param
    assert console(browser) == []


@pytest.mark.parametrize("width", [320, 360, 414, 768, 1200, 1920])
def test_nothing_scrolls_sideways__and_every_chart_is_drawn(browser, opened, width):
    emulate(browser, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(OVERFLOWING) == []
    charts = browser.execute_script(CHARTS)
    titles = [c["title"] for c in charts]
    assert len(titles) == len(set(titles)) and bool(titles) == (opened != "empty")
    if opened == "result":
        assert len(titles) == 7
    for c in charts:
        assert c["drawn"] > 8 and c["width"] > 200 and c["height"] > 40 and c["cut"] == [], c
        assert c["small"] > 9, c  # letters that can be read


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1200])
def test_text__stands_out_from_its_ground__light_and_dark(browser, opened, width, dark):
    emulate(browser, width, dark=dark)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 150) == dark
    contrast, where = browser.execute_script(CONTRAST)
    assert contrast >= 4.5, where


def test_paper__is_white__shows_the_wide_charts_and_no_links(browser, opened):
    emulate(browser, 360, dark=True, media="print")
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    assert browser.execute_script(style, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script(style, "nav", "display") == "none"
    if opened != "empty":
        assert browser.execute_script(style, ".wide", "display") == "block"
        assert browser.execute_script(style, ".slim", "display") == "none"
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF") and len(printed) > 15_000


def test_nothing_from_outside_runs(browser, opened):
    assert browser.execute_script(
        "return window.hacked === undefined && document.scripts.length === 0 && document.images.length === 0"
    )


def test_reader_without_eyes__finds_names_and_headings(browser, opened):
    unnamed = (
        "return [...document.querySelectorAll('svg[role=img]')].filter((s) => !s.querySelector('title')?.textContent).length"
    )
    assert browser.execute_script(unnamed) == 0
    levels = browser.execute_script("return [...document.querySelectorAll('h1,h2,h3')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    bare = "return [...document.querySelectorAll('th')].filter((h) => !h.scope).length"
    assert browser.execute_script(bare) == 0 and browser.execute_script("return document.documentElement.lang") == "en"
