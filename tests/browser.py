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
