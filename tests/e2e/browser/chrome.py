"""A headless Chromium with a profile of its own, and what the checks ask of a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --hide-scrollbars
--disable-background-networking --disable-component-update --disable-sync --disable-extensions --no-default-browser-check"""


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = shutil.which("chromium") or "chromium"
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))  # else selenium looks online
    try:
        yield driver
    finally:
        driver.quit()


def emulate(driver: webdriver.Chrome, width: int, height: int = 900, *, dark: bool = False, media: str = "screen") -> None:
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})


def console(driver: webdriver.Chrome) -> list[str]:
    """What the page complained of since the last call: errors of scripts, policy and loading."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def until(driver: webdriver.Chrome, what: Callable[[], Any], seconds: float = 60) -> Any:
    """Waits for a condition; fails when it never comes."""
    return WebDriverWait(driver, seconds, poll_frequency=0.1).until(lambda _: what())


# Elements wider than the page that no scrolling box holds; what a screen reader alone sees is aside.
OVERFLOWING = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll("main *")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width && box.right > wide + 0.5 && !e.closest(".scroll");
}).map((e) => e.outerHTML.slice(0, 120));
"""

# Charts that can be seen, with what is drawn in them.
CHARTS = """
return [...document.querySelectorAll("svg.chart")].filter((s) => s.getBoundingClientRect().width).map((s) => {
  const box = s.getBoundingClientRect();
  const drawn = [...s.querySelectorAll("path, circle, rect, polygon, line, text")].filter((e) => {
    const b = e.getBoundingClientRect(), style = getComputedStyle(e);
    return (b.width || b.height) && (style.fill !== "none" || style.stroke !== "none");
  });
  const cut = [...s.querySelectorAll("text")].filter((t) => {
    const b = t.getBoundingClientRect();
    return b.left < box.left - 2 || b.right > box.right + 2;
  }).map((t) => t.textContent);
  const small = Math.min(...[...s.querySelectorAll("text")].map((t) => t.getBoundingClientRect().height));
  return { title: s.querySelector("title").textContent, width: box.width, height: box.height, drawn: drawn.length, cut, small };
});
"""

# The least contrast of any text on the page against the nearest painted ground behind it (WCAG 2.1), and whose it is.
CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function rgba(color) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}
function light([r, g, b]) {
  const f = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
}
function ground(e) {
  const layers = [];
  for (; e; e = e.parentElement) {
    const c = rgba(getComputedStyle(e).backgroundColor);
    if (c[3]) layers.push(c);
    if (c[3] === 255) break;
  }
  const over = (c, under) => c.slice(0, 3).map((v, i) => v * c[3] / 255 + under[i] * (1 - c[3] / 255));
  return layers.reverse().reduce((under, c) => under ? over(c, under) : c, null) || [255, 255, 255];
}
let least = [99, ""];
for (const e of document.querySelectorAll("main *")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.getBoundingClientRect().width || e.closest("desc, title, defs, button:disabled")) continue;
  const style = getComputedStyle(e), inside = e.closest("svg");
  if (inside && /^on/.test(e.getAttribute("class") || "")) continue;
  const a = light(rgba(inside ? style.fill : style.color)), b = light(ground(e));
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < least[0]) least = [contrast, e.outerHTML.slice(0, 160)];
}
return least;
"""
