"""In a real browser: a click on a point plays its clip, a click on a curve goes to its layer, a file comes down."""

from pathlib import Path
from typing import Any

from tests.app.test_browser import address, visit  # noqa: F401 (fixtures)
from tests.browser import colours

STILL = (
    "() => document.querySelector('.stApp').dataset.testScriptState === 'notRunning'"
    " && !document.querySelector('[data-stale=true]')"
)
PATIENCE = 120_000  # milliseconds: the first page compiles what tells the votes, and other work may have the cores


def mark(page: Any, chart: int, words: str) -> Any:
    """A point of a chart by what it says of itself."""
    return page.locator("[data-testid=stVegaLiteChart]").nth(chart).locator(f"svg path[aria-label*='{words}']").first


def test_a_click_on_a_point_plays_its_clip_and_one_on_a_curve_goes_to_its_layer(visit):  # noqa: F811
    page = visit("/layers")
    page.set_default_timeout(PATIENCE)
    mark(page, 0, "layer: block_4").click(force=True)
    page.wait_for_url("**layer=block_4*")
    page.locator(".sl-scope").get_by_text("at block_4").wait_for()
    before = page.locator(".sl-title").first.inner_text()
    points = page.locator("[data-testid=stVegaLiteChart]").nth(1).locator("svg path[aria-label*='prediction:']")
    other = next(
        label
        for label in (point.get_attribute("aria-label") for point in points.all())
        if f"name: {before};" not in label
    )
    name = next(part.removeprefix("name: ") for part in other.split("; ") if part.startswith("name: "))
    mark(page, 1, f"name: {name};").click(force=True)
    page.wait_for_url(f"**clip={name}*")
    page.locator(".sl-title").get_by_text(name).wait_for()
    assert len(colours(page)) > 20

    again = visit(page.url.removeprefix(page.url.split("/layers")[0]))
    again.set_default_timeout(PATIENCE)
    again.locator(".sl-title").get_by_text(name).wait_for()
    again.locator(".sl-scope").get_by_text("at block_4").wait_for()


def test_a_box_makes_a_group_that_is_kept_at_another_layer(visit):  # noqa: F811
    page = visit("/layers")
    page.set_default_timeout(PATIENCE)
    mark(page, 1, "prediction:").wait_for()
    page.wait_for_function(STILL)  # what is drawn meanwhile can move the chart away from under the mouse
    page.wait_for_timeout(500)
    box = page.locator("[data-testid=stVegaLiteChart]").nth(1).bounding_box()
    page.mouse.move(box["x"] + 6, box["y"] + 6)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] - 12, steps=6)
    page.mouse.up()
    said = page.get_by_text("Group of")
    said.wait_for()
    members = said.inner_text()
    mark(page, 0, "layer: block_2").click(force=True)
    page.wait_for_url("**layer=block_2*")
    page.get_by_text("clips at block_2 for their predicted classes").wait_for()
    assert page.get_by_text("Group of").inner_text() == members


def test_a_click_on_a_neighbour_in_the_graph_goes_to_its_clip(visit):  # noqa: F811
    page = visit("/neighbours?layer=block_5")
    page.set_default_timeout(PATIENCE)
    page.locator(".sl-subtitle").first.wait_for()
    label = mark(page, 0, "steps away: 1").get_attribute("aria-label")
    name = next(part.removeprefix("name: ") for part in label.split("; ") if part.startswith("name: "))
    mark(page, 0, f"name: {name};").click(force=True)
    page.wait_for_url(f"**clip={name}*")
    page.locator(".sl-subtitle").get_by_text(f"this clip · {name}").wait_for()


def test_a_figure_and_a_film_come_down_under_names_that_say_what_they_are(visit):  # noqa: F811
    page = visit("/layers?layer=block_3")
    page.set_default_timeout(PATIENCE)
    page.locator(".sl-title").first.wait_for()
    name = page.locator(".sl-title").first.inner_text()
    starts = {"SVG": b"<svg", "Film as GIF": b"GIF89a"}
    for place, label in ((0, "SVG"), (2, "Film as GIF")):
        opener = page.get_by_test_id("stPopover").nth(place).locator("button").first
        opener.click()
        with page.expect_download(timeout=PATIENCE) as coming:
            page.get_by_test_id("stDownloadButton").get_by_text(label, exact=True).locator("visible=true").click()
        assert coming.value.suggested_filename.startswith(f"small-{name}-block_3-gradcam-")
        assert Path(coming.value.path()).read_bytes().startswith(starts[label])
        opener.click()
