"""A headless browser for the tests that look at pages; skipped, with the reason printed, where there is none.

With STGCN_LENS_REQUIRE_BROWSER set, as in CI, a missing browser is a failure.
"""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


# A module at a time: two synchronous drivers in one thread refuse each other.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = f"no browser: none of {', '.join(NAMES)} is on the PATH (apt-get install chromium)"
        (pytest.fail if os.environ.get("STGCN_LENS_REQUIRE_BROWSER") else pytest.skip)(missing)
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def until(page: Any, condition: str, arg: Any = None) -> None:
    """Wait up to five seconds for a condition; asked from outside, as the page's own policy forbids it to evaluate."""
    for _ in range(100):
        if page.evaluate(condition, arg):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {condition}")


def colours(page: Any, selector: str = "canvas.sl-view") -> dict[str, int]:
    """How often each colour occurs in a canvas; a blank canvas has one."""
    return page.locator(selector).first.evaluate(
        """canvas => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const seen = {};
            for (let i = 0; i < data.length; i += 4) {
                const key = `${data[i]},${data[i + 1]},${data[i + 2]},${data[i + 3]}`;
                seen[key] = (seen[key] ?? 0) + 1;
            }
            return seen;
        }"""
    )


def unreadable(page: Any, within: str, least: float = 4.5) -> list[list[Any]]:
    """Words in a part of a page whose contrast with the ground behind them is too low, each with its contrast.

    WCAG 2.2, contrast (minimum); words of controls that are switched off are left out, as there.
    """
    return page.evaluate(
        """([within, least]) => {
            const paper = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d",
                { willReadFrequently: true });
            const over = (colours) => {  // what colours, the lowest first, look like on top of each other
                paper.clearRect(0, 0, 1, 1);
                for (const colour of colours) { paper.fillStyle = colour; paper.fillRect(0, 0, 1, 1); }
                return [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3);
            };
            const light = (rgb) => rgb.map((c) => c / 255)
                .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const found = [];
            for (const root of document.querySelectorAll(within)) {
                const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
                while (walker.nextNode()) {
                    const text = walker.currentNode.textContent.trim(), node = walker.currentNode.parentElement;
                    if (!text || !node.checkVisibility() || node.closest(":disabled, script, style, svg")) continue;
                    if (!node.getClientRects().length) continue;
                    const grounds = [];
                    const { x, y, width, height } = node.getBoundingClientRect();
                    for (let up = node; up; up = up.parentElement) {
                        const box = up.getBoundingClientRect(), right = x + width / 2, down = y + height / 2;
                        if (box.left <= right && right <= box.right && box.top <= down && down <= box.bottom)
                            grounds.unshift(getComputedStyle(up).backgroundColor);  // not of those it hangs beside
                    }
                    const ground = over(["white", ...grounds]);
                    const ink = over([`rgb(${ground})`, getComputedStyle(node).color]);
                    const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
                    const contrast = (high + 0.05) / (low + 0.05);
                    if (contrast < least) found.push([text.slice(0, 60), Number(contrast.toFixed(2))]);
                }
            }
            return found;
        }""",
        [within, least],
    )
