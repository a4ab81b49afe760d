"""Journeys through the later pages in a real browser: a confusion explained, a clip changed, a recording brought."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from app import uploads
from tests.app.test_browser import PATIENCE, address, visit  # noqa: F401 (fixtures)
from tests.browser import colours


def first_confused(run: Path) -> str:
    """The clip that the page lists first: of the most frequent confusion, that of the surest answer."""
    with (run / "clips.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test" and row["label"] != row["predicted"]]
    pair = lambda row: (int(row["label"]), int(row["predicted"]))  # noqa: E731
    counts = Counter(map(pair, rows))
    most = min(counts, key=lambda one: (-counts[one], one))
    return max((row for row in rows if pair(row) == most), key=lambda row: float(row["confidence"]))["name"]


def patient(page):
    """The page, given time: the first visit starts torch, numba and the model."""
    page.set_default_timeout(4 * PATIENCE)
    return page


def settled(page) -> None:
    """Wait until the script behind the page has come to its end."""
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")


def test_from_the_matrix_to_a_clip(visit, whole):  # noqa: F811
    page = patient(visit("/confusions"))
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    page.get_by_text(re.compile("clips are taken for another class, most often")).wait_for()
    page.get_by_role("button", name=re.compile("Explain from")).wait_for()
    settled(page)
    assert len(colours(page)) > 20
    # The table is drawn on a canvas: its first line's box is a little below its head.
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 52)
    page.wait_for_url(lambda url: "confusions" not in url)
    page.get_by_text(first_confused(whole)).first.wait_for()
    page.get_by_text("✗ wrong").wait_for()


def test_from_a_confusion_to_its_explanation(visit, whole):  # noqa: F811
    page = patient(visit("/confusions"))
    page.get_by_role("button", name=re.compile("Explain from")).click()
    page.get_by_text(re.compile(r"taken for '.*' \(split 'test'\)")).wait_for()
    (file,) = (whole / "confusions").glob("*--*.json")
    told = json.loads(file.read_text())
    assert page.get_by_text(told["text"]).is_visible()
    assert told["true"] in page.url or "true=" not in page.url


def test_a_change_is_kept_in_the_link_and_shown_in_step(visit):  # noqa: F811
    page = patient(visit("/what_if"))
    page.locator("canvas.sl-view").nth(1).wait_for()
    page.get_by_role("button", name="Pause").click()
    page.locator(".sl-slider").first.fill("5")
    assert colours(page, "canvas.sl-view >> nth=0") == colours(page, "canvas.sl-view >> nth=1")
    page.get_by_text("Mirror left and right").click()
    page.get_by_text("With left and right swapped the model says").wait_for()
    page.wait_for_url("**mirror=true*")
    settled(page)
    page.locator(".sl-slider").first.fill("5")
    assert colours(page, "canvas.sl-view >> nth=0") != colours(page, "canvas.sl-view >> nth=1")
    again = patient(visit("/what_if?mirror=true&freeze=whole+left+arm&noise=20+dB"))
    again.get_by_text("With the left arm held still, noise at 20 dB and left and right swapped").wait_for()


def test_a_recording_is_brought_and_a_broken_one_is_refused_in_words(visit, tmp_path: Path):  # noqa: F811
    page = patient(visit("/data"))
    with page.expect_download() as sample:
        page.get_by_role("button", name="A sample to try").click()
    assert Path(sample.value.path()).read_bytes() == uploads.sample()
    page.locator("input[type=file]").set_input_files(
        {"name": uploads.SAMPLE, "mimeType": "text/plain", "buffer": uploads.sample()}
    )
    page.get_by_text("No fault was found.").wait_for()
    page.get_by_text("the model takes this clip for").wait_for()
    page.locator("canvas.sl-view").wait_for()
    assert len(colours(page)) > 20

    other = patient(visit("/data"))
    broken = {"name": "<b>cut.skeleton", "mimeType": "text/plain", "buffer": uploads.sample()[:3000]}
    other.locator("input[type=file]").set_input_files(broken)
    other.get_by_text("This cannot be read").wait_for()
    assert other.get_by_text("cut mid-frame").is_visible()
    assert other.get_by_test_id("stAlert").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_later_pages_open_without_trouble_light_and_dark(visit, scheme):  # noqa: F811
    page = patient(visit("/confusions", color_scheme=scheme))
    for path in ("confusions", "what_if", "data", "runs"):
        page.goto(re.sub(r"/[a-z_]*(\?.*)?$", f"/{path}", page.url))
        page.get_by_test_id("stMain").locator("[data-testid=stMarkdown]:visible").first.wait_for()
        settled(page)
        assert page.get_by_test_id("stAlertContentError").count() == 0
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")
        assert wide, f"{path} is wider than the window"
