"""The app in a real browser: it opens on a moving skeleton, a layer changes the picture, a link shows the same."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.launch import command
from tests.browser import colours

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
        server.wait(10)


@pytest.fixture
def visit(browser, address: str):
    """Opens a path of the app in a fresh session; fails where anything but this machine was asked for anything."""
    contexts, strangers = [], []

    def opened(path: str = "/", **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
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
