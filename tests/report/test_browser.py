"""The report in a real headless browser: what it draws, what it answers to, and that it needs no network."""

from collections.abc import Iterator
from typing import Any

import pytest

from stgcn_lens.runs import Run


@pytest.fixture
def opened(browser: Any, built: Run) -> Iterator[tuple[Any, list[str], list[str]]]:
    """The page, what went wrong on it, and what it asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{built / 'report.html'}")
    page.wait_for_selector("canvas.sl-view")
    yield page, wrong, asked
    page.close()


def picture(page: Any, selector: str) -> str:
    """All pixels of the first canvas that matches."""
    return page.evaluate("selector => document.querySelector(selector).toDataURL()", selector)


def colours(page: Any, selector: str) -> int:
    return page.evaluate(
        """selector => {
          const canvas = document.querySelector(selector);
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        selector,
    )


def test_the_page_opens_without_a_fault_and_without_the_network(opened: tuple[Any, list[str], list[str]]) -> None:
    page, wrong, asked = opened
    assert page.locator("canvas.sl-view").count() == 4
    assert colours(page, "canvas.sl-view") > 20
    assert colours(page, "canvas.sl-strip") > 1
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(100)
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_choosing_a_layer_changes_the_skeletons_and_the_tables(opened: tuple[Any, list[str], list[str]]) -> None:
    page, wrong, _ = opened
    before = picture(page, "canvas.sl-view")
    assert page.locator("[data-layer=block_3]").is_visible()
    assert not page.locator("[data-layer=block_1]").is_visible()
    page.locator("#watch .picker input[value=block_3]").focus()
    page.keyboard.press("ArrowLeft")  # by keyboard: to block_2
    page.keyboard.press("ArrowLeft")
    assert picture(page, "canvas.sl-view") != before
    assert page.locator("[data-layer=block_1]").is_visible()
    assert not page.locator("[data-layer=block_3]").is_visible()
    assert page.locator("#joints .picker input:checked").get_attribute("value") == "block_1"
    page.locator("#joints .picker span", has_text="block_3").click()
    assert picture(page, "canvas.sl-view") == before
    assert wrong == []


def test_a_skeleton_moves_on_the_space_bar(opened: tuple[Any, list[str], list[str]]) -> None:
    page, _, _ = opened
    before = picture(page, "canvas.sl-view")
    page.locator("canvas.sl-view").first.focus()
    page.keyboard.press("ArrowRight")
    assert picture(page, "canvas.sl-view") != before


def test_tables_sort_by_value_both_ways_from_the_keyboard(opened: tuple[Any, list[str], list[str]]) -> None:
    page, _, _ = opened

    def column(number: int) -> list[str]:
        return page.locator(f"#layers tbody tr > :nth-child({number})").all_inner_texts()

    names = column(1)
    assert names == ["input", "block_1", "block_2", "block_3", "logits"]
    heading = page.locator("#layers th button", has_text="kNN error")
    heading.focus()
    page.keyboard.press("Enter")
    assert column(1) == names[::-1]
    assert page.locator("#layers th[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert column(1) == names
    page.locator("#layers th button", has_text="layer").first.click()
    assert column(1) == names  # by depth, not by spelling: logits stays last


def test_a_missing_value_sorts_last_both_ways(opened: tuple[Any, list[str], list[str]]) -> None:
    page, _, _ = opened
    heading = page.locator("#accuracy th button", has_text="precision")
    for _ in range(2):
        heading.click()
        assert page.locator("#accuracy tbody tr th").all_inner_texts()[-1] == "sit & rest"


def test_dark_readers_get_light_ink_on_dark_ground(browser: Any, built: Run) -> None:
    def light(page: Any, what: str) -> list[float]:
        """Mean of red, green, blue of ground, text and the ink of the first figure."""
        return page.evaluate(
            """what => ["body", "body", "figure svg text"].map((selector, i) => {
              const style = getComputedStyle(document.querySelector(selector));
              const colour = [style.backgroundColor, style.color, style.fill][i];
              return colour.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
            })""",
            what,
        )

    for scheme, dark in (("light", False), ("dark", True)):
        page = browser.new_page(color_scheme=scheme)
        page.goto(f"file://{built / 'report.html'}")
        ground, words, ink = light(page, scheme)
        assert (ground < 60) == dark
        assert (words > 180) == dark
        assert (ink > 180) == dark
        page.close()
