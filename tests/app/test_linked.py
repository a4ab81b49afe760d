"""In a real browser: a click on a point plays its clip, a click on a curve goes to its layer, a file comes down."""

import math
from pathlib import Path
from typing import Any

from tests.app.test_browser import address, visit  # noqa: F401 (fixtures)
from tests.browser import colours

STILL = (
    "() => document.querySelector('.stApp').dataset.testScriptState === 'notRunning'"
    " && !document.querySelector('[data-stale=true]')"
)
# The plane of points lies in a shadow root, on a canvas: where each point is, by its name, in pixels of the page.
POINTS = """
() => {
  const deep = (root) => root.querySelector(".sc-over")
    ?? [...root.querySelectorAll("*")].filter((n) => n.shadowRoot).map((n) => deep(n.shadowRoot)).find(Boolean);
  const canvas = deep(document), scatter = canvas?.closest(".sc-box").parentNode.__scatter;
  if (!scatter?.points) return null;
  const box = canvas.getBoundingClientRect();
  return scatter.points.names.map((name, i) => ({ name, at: scatter.place(i).map((v, d) => v + [box.x, box.y][d]) }));
}
"""
PATIENCE = 120_000  # milliseconds: the first page compiles what tells the votes, and other work may have the cores


def still(page: Any) -> None:
    """Wait until nothing moves any more under the mouse."""
    page.wait_for_function(STILL)
    page.wait_for_timeout(500)


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
    page.wait_for_function(POINTS)
    still(page)
    points = page.evaluate(POINTS)
    apart = lambda one: min(math.dist(one["at"], each["at"]) for each in points if each is not one)  # noqa: E731
    other = max((point for point in points if point["name"] != before), key=apart)
    name = other["name"]
    page.mouse.move(*other["at"])
    page.locator(".sc-tip").get_by_text(name).wait_for()
    page.mouse.click(*other["at"])
    page.wait_for_url(f"**clip={name}*")
    page.locator(".sl-title").get_by_text(name).wait_for()
    assert len(colours(page)) > 20

    again = visit(page.url.removeprefix(page.url.split("/layers")[0]))
    again.set_default_timeout(PATIENCE)
    again.locator(".sl-title").get_by_text(name).wait_for()
    again.locator(".sl-scope").get_by_text("at block_4").wait_for()


def test_a_lasso_makes_a_group_that_is_kept_at_another_layer(visit):  # noqa: F811
    page = visit("/layers")
    page.set_default_timeout(PATIENCE)
    page.wait_for_function(POINTS)
    still(page)
    points = page.evaluate(POINTS)
    middle = [sum(point["at"][d] for point in points) / len(points) for d in (0, 1)]
    far = sorted(points, key=lambda point: math.dist(point["at"], middle))
    # A circle round the middle, half way between two points: what lies in it is known.
    split = max(
        range(2, len(far) - 1), key=lambda i: math.dist(far[i]["at"], middle) - math.dist(far[i - 1]["at"], middle)
    )
    radius = (math.dist(far[split]["at"], middle) + math.dist(far[split - 1]["at"], middle)) / 2
    on = [
        (middle[0] + radius * math.cos(i / 20 * math.tau), middle[1] + radius * math.sin(i / 20 * math.tau))
        for i in range(40)
    ]
    page.mouse.move(*on[0])
    page.mouse.down()
    for spot in on[:20]:
        page.mouse.move(*spot)
    page.mouse.up()
    said = page.get_by_text("Group of")
    said.wait_for()
    assert f"Group of {split} clips" in said.inner_text()
    members = said.inner_text()
    mark(page, 0, "layer: block_2").click(force=True)
    page.wait_for_url("**layer=block_2*")
    page.get_by_text("clips at block_2 for their predicted classes").wait_for()
    assert page.get_by_text("Group of").inner_text() == members


def test_the_points_can_be_walked_by_keys(visit):  # noqa: F811
    page = visit("/layers")
    page.set_default_timeout(PATIENCE)
    page.wait_for_function(POINTS)
    still(page)
    page.locator(".sc-over").focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    name = page.locator(".sc-tip").inner_text().split(" · ")[0]
    assert name in {point["name"] for point in page.evaluate(POINTS)}
    page.keyboard.press("Enter")
    page.locator(".sl-title").get_by_text(name).wait_for()


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
