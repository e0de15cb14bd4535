"""The live page in a real browser: it keeps up with a federation on a node, and the reader keeps their place."""

from __future__ import annotations

import pytest
from chrome import CHARTS, OVERFLOWING, emulate, until

pytestmark = pytest.mark.usefixtures("quiet")


def test_page__keeps_up_with_a_running_federation(browser, live):
    emulate(browser, 360)
    browser.get(live.url)

    def text(where: str = "main") -> str:
        return browser.execute_script(
            "return document.querySelector(arguments[0])?.textContent.replace(/\\s+/g, ' ') || ''", where
        )

    assert "waiting for the first round" in text("h1")
    until(browser, lambda: text("#live") == "between rounds")
    system = live.system
    system.open().commit(live.updates(1))
    until(browser, lambda: "round 1 is running" in text("h1") and "committed5 of 5" in text("#round-1"))
    assert "commit" in text(".now")
    system.skip()
    system.reveal(0, 1, 2, 3)
    until(browser, lambda: "round 1, reveal" in text("#live"))
    system.skip()
    committee = system.draw()
    until(browser, lambda: "Seat 4 lost 10 TTT of its stake" in text(".lead"))
    system.commit_scores({seat: bytes([200]) * 4 for seat in committee})
    system.skip()
    system.reveal_scores()
    system.skip()
    system.settle()
    system.skip()
    system.propose(system.aggregate())
    until(browser, lambda: "round 1, challenge" in text("#live"))
    system.finish()
    until(browser, lambda: "what happened in one round" in text("h1"))
    assert "4 of 5 updates entered the model" in text("#round-1") and text("#live") == "between rounds"


def test_reader__keeps_their_place__and_what_they_opened(browser, live):
    live.round(2)
    emulate(browser, 1000)
    browser.get(live.url)
    until(browser, lambda: browser.execute_script("return !!document.querySelector('#round-2')"))
    browser.execute_script("document.querySelector('#terms details').open = true")
    browser.execute_script("document.querySelector('#cost').scrollIntoView({ behavior: 'instant' })")
    browser.execute_script("document.querySelector('#cost .scroll').scrollLeft = 7; document.body.mark = 1")
    top = "return document.querySelector('#cost').getBoundingClientRect().top"
    before, y = browser.execute_script(top), browser.execute_script("return window.scrollY")
    live.round(3)
    until(browser, lambda: browser.execute_script("return !!document.querySelector('#round-3')"))
    assert browser.execute_script(top) == pytest.approx(before, abs=2) and browser.execute_script("return window.scrollY") > y
    assert browser.execute_script("return document.querySelector('#terms details').open")
    assert browser.execute_script("return document.body.mark") == 1  # the page was never loaded anew


def test_page__is_drawn_whole_on_a_phone(browser, live):
    emulate(browser, 360, dark=True)
    browser.get(live.url)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    assert browser.execute_script(OVERFLOWING) == []
    charts = browser.execute_script(CHARTS)
    assert len(charts) >= 4 and all(c["drawn"] > 8 and not c["cut"] for c in charts)
    assert (
        browser.execute_script("return [...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href'))")[-1]
        == "join"
    )
