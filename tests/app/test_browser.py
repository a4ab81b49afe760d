"""The app in a real browser: it opens on a moving skeleton, a layer changes the picture, a link shows the same."""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.launch import command
from tests.app.test_selection import EVIL, evil
from tests.browser import colours, unreadable

PATIENCE = 30_000  # milliseconds; two busy cores start a server and import torch


@pytest.fixture(scope="module")
def address(whole: Path, tmp_path_factory) -> Iterator[str]:
    """Where the app is served, started from a folder of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as stream:
        # As on a machine where it never ran: nothing in the home folder, nobody to answer a question.
        bare = {**os.environ, "HOME": str(log.parent), "BROWSER": "true"}
        streams = {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": subprocess.STDOUT}
        server = subprocess.Popen(command(whole, port), cwd=log.parent, env=bare, **streams)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture
def visit(browser, address: str):
    """Opens a path of the app in a fresh session; fails where anything but this machine was asked for anything."""
    contexts, strangers = [], []

    def opened(path: str = "/", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda r: r.url.startswith((address, "data:", "blob:", "ws:")) or strangers.append(r.url))
        page.goto(address + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert strangers == []


def test_it_opens_on_a_moving_skeleton_that_is_whole_above_the_fold(visit):
    page = visit()
    canvas = page.locator("canvas.sl-view")
    canvas.wait_for()
    assert len(colours(page)) > 50
    box, bar = canvas.bounding_box(), page.locator(".sl-scope").bounding_box()
    assert box["y"] >= 0
    assert bar["y"] + bar["height"] <= 860
    before = page.locator(".sl-count").inner_text()
    deadline = time.monotonic() + PATIENCE / 1000
    while page.locator(".sl-count").inner_text() == before:
        assert time.monotonic() < deadline, "playback does not advance"
        page.wait_for_timeout(50)
    assert page.get_by_text("Demo model – synthetic data").is_visible()  # noqa: RUF001


def test_all_pages_stand_in_the_bar_of_a_small_laptop(visit):
    page = visit("/runs")
    links = page.locator("[data-testid=stTopNavLink]")
    links.last.wait_for()
    # Those that do not fit lie unseen on the first one, behind "2 more".
    page.wait_for_function(
        "() => { const at = [...document.querySelectorAll('[data-testid=stTopNavLink]')]"
        ".map((link) => link.getBoundingClientRect());"
        "return at.length === 10 && at.every((box, i) => !i || at[i - 1].right <= box.left); }"
    )
    links.last.click(timeout=20_000)


def test_another_layer_changes_the_picture_but_neither_frame_nor_camera_and_the_link_shows_the_same(visit):
    page = visit()
    page.get_by_role("button", name="Pause").click()
    page.locator(".sl-slider").fill("12")
    page.get_by_role("button", name="Reset view").click()
    before = colours(page)
    thumb = page.get_by_test_id("stSidebar").get_by_role("slider")
    thumb.focus()
    for _ in range(3):
        thumb.press("ArrowLeft")
    subtitle = page.locator(".sl-subtitle").get_by_text("at block_7")
    subtitle.wait_for()
    shown = colours(page)
    assert shown != before
    assert page.locator(".sl-count").inner_text().startswith("frame 13 /")
    page.wait_for_url("**layer=block_7*")

    again = visit(page.url.removeprefix(page.url.split("?")[0].rstrip("/")))
    again.locator(".sl-subtitle").get_by_text("at block_7").wait_for()
    again.get_by_role("button", name="Pause").click()
    again.locator(".sl-slider").fill("12")
    assert colours(again) == shown


def test_the_neighbours_play_in_step_with_the_clip(visit):
    page = visit("/neighbours")
    page.get_by_role("button", name="Pause").click()
    clocks = page.locator(".sl-clock")
    count = clocks.count()
    assert count >= 2
    last = int(page.locator(".sl-slider").first.get_attribute("max"))
    page.locator(".sl-slider").first.fill(str(last))
    for text in clocks.all_inner_texts():
        frame, frames = text.removeprefix("frame ").split(" / ")
        assert frame == frames
    assert all(len(colours(page, f"canvas.sl-view >> nth={i}")) > 20 for i in range(count))


def test_the_curves_can_be_read_on_a_dark_page(visit):
    page = visit("/layers", color_scheme="dark")
    page.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first.wait_for()
    assert page.locator(".stApp").evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(15, 18, 22)"
    label = page.locator("[data-testid=stVegaLiteChart] svg text").first
    if label.count():
        assert label.get_attribute("fill") == "#eceff3"
    assert "Label error of 12 layers" in page.content()


def widgets(page: Any) -> dict[str, str]:
    """What every list of the sidebar shows."""
    boxes = page.get_by_test_id("stSidebar").get_by_role("combobox")
    return {box.get_attribute("aria-label") or str(i): box.input_value() for i, box in enumerate(boxes.all())}


def choose(page: Any, label: str, option: str) -> None:
    box = page.get_by_test_id("stSidebar").get_by_role("combobox", name=label)
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option, exact=True).first.wait_for()
    box.press("Enter")


def test_a_copied_url_shows_the_same_run_clip_class_method_and_view(visit):
    page = visit(reduced_motion="reduce")
    page.locator("canvas.sl-view").wait_for()
    choose(page, "Evidence for class", "throw")
    choose(page, "rather than", "clap")
    choose(page, "Method", "hirescam")
    page.locator(".sl-subtitle").get_by_text("evidence for “throw” over “clap”").wait_for()
    page.get_by_role("radio", name="compare").or_(page.get_by_role("button", name="compare")).first.click()
    page.locator("canvas.sl-view").nth(1).wait_for()
    page.wait_for_url("**view=compare*")
    for part in ("class=throw", "against=clap", "method=hirescam", "view=compare"):
        assert part in page.url
    again = visit(page.url.removeprefix(page.url.split("?")[0].rstrip("/")), reduced_motion="reduce")
    again.locator("canvas.sl-view").nth(1).wait_for()
    assert again.locator(".sl-subtitle").all_inner_texts() == page.locator(".sl-subtitle").all_inner_texts()
    assert widgets(again) == widgets(page)
    assert colours(again, "canvas.sl-heat") == colours(page, "canvas.sl-heat")


def test_a_layer_of_the_grid_opens_alone_and_is_the_chosen_one(visit):
    page = visit("/?view=layers", reduced_motion="reduce")
    page.locator("canvas.sl-view").nth(9).wait_for()
    page.get_by_role("button", name="Open block_4").click()
    page.locator(".sl-subtitle").get_by_text("at block_4").wait_for()
    page.locator("canvas.sl-view").nth(1).wait_for(state="detached")  # the grid goes a moment later
    page.wait_for_url("**layer=block_4*")
    assert "view=" not in page.url


def test_a_path_in_the_url_leads_nowhere(visit, address):
    page = visit("/?run=../../etc&clip=../../etc/passwd", reduced_motion="reduce")
    page.locator("canvas.sl-view").wait_for()
    assert page.get_by_test_id("stAlert").count() == 0
    for path in ("/app/static/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/component/../../etc/passwd"):
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(address + path, timeout=10) as answer:
            assert b"root:" not in answer.read()


def test_a_class_called_script_is_shown_and_not_run(visit, whole):
    run = evil(Path(shutil.copytree(whole, whole.with_name("evil"))))
    try:
        page = visit(f"/?run=evil&class={quote(EVIL)}", reduced_motion="reduce")
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.locator(".sl-subtitle").get_by_text(EVIL).wait_for()
        page.get_by_text("Prediction").wait_for()
        assert EVIL in page.get_by_test_id("stMain").inner_text()
        assert page.locator("script", has_text="alert(1)").count() == 0
        assert dialogs == []
    finally:
        shutil.rmtree(run)


@pytest.mark.parametrize("view", ["single", "layers", "compare"])
def test_in_a_narrow_window_nothing_sticks_out(visit, view):
    page = visit(f"/?view={view}", reduced_motion="reduce", viewport={"width": 400, "height": 800})
    page.locator("canvas.sl-view").nth({"single": 0, "layers": 9, "compare": 1}[view]).wait_for()
    page.locator("canvas.sl-view").first.scroll_into_view_if_needed()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    wide = page.get_by_test_id("stMain").evaluate(
        "main => [...main.querySelectorAll('p, button, label, canvas, svg')]"
        ".filter((n) => n.checkVisibility() && n.getBoundingClientRect().right > 401)"
        ".filter((n) => !n.closest('[data-testid=stDataFrame]'))"  # a table scrolls in its own box
        ".map((n) => n.outerHTML.slice(0, 80))"
    )
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?method=occlusion_joints"])
def test_every_word_of_the_page_can_be_read(visit, scheme, path):
    page = visit(path, color_scheme=scheme, reduced_motion="reduce")
    page.locator("canvas.sl-view").wait_for()
    page.get_by_text("Prediction").wait_for()
    assert unreadable(page, "[data-testid=stMain], [data-testid=stSidebar], [data-testid=stHeader]") == []
