"""The player in a real browser, from a file on disk: it moves, it can be steered, it names what it shows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcn_lens.viz import player, theme
from tests.browser import colours, unreadable, until
from tests.viz.bodies import NTU, saliency_of, standing
from tests.viz.test_player import EVIL


def panel(**changes: Any) -> player.Panel:
    frames, bodies = changes.pop("frames", 40), changes.pop("bodies", 1)
    xyz, valid = standing(frames, bodies)
    about = {"saliency": saliency_of(frames, bodies=bodies), "title": "wave", "subtitle": "block_7"} | changes
    return player.payload(xyz, valid, NTU, **about)


@pytest.fixture
def open_page(browser, tmp_path: Path):
    """Opens a page and, at the end of the test, sees to it that nothing was asked of a network or complained about."""
    contexts, complaints = [], []

    def opened(html: str, **options: Any) -> Any:
        context = browser.new_context(**({"viewport": {"width": 900, "height": 700}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: "readback" in message.text or complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or complaints.append(request.url))
        file = tmp_path / "player.html"
        file.write_text(html, encoding="utf-8")
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def state(page: Any) -> dict:
    return page.evaluate("document.querySelector('.sl-player').parentElement.__player.state()")


def pause(page: Any) -> None:
    page.get_by_role("button", name="Pause").click()


def test_it_plays_by_itself_and_draws_a_body(open_page):
    page = open_page(player.html(panel(), title="alone"))
    assert len(colours(page)) > 50
    before = page.locator(".sl-count").inner_text()
    until(page, "text => document.querySelector('.sl-count').textContent !== text", before)
    assert state(page)["playing"]


def test_the_whole_body_stays_inside_the_canvas_at_every_angle(open_page):
    page = open_page(player.html(panel(bodies=2), autoplay=False))
    outside = page.evaluate(
        """() => {
            const canvas = document.querySelector("canvas.sl-view"), { width: w, height: h } = canvas;
            const player = document.querySelector(".sl-player").parentElement.__player;
            const edge = [];
            for (let yaw = 0; yaw < 6.3; yaw += 0.7) for (const pitch of [-0.4, 0.1, 0.8, 1.4]) {
                Object.assign(player.view, { yaw, pitch });
                player.draw();
                const ctx = canvas.getContext("2d");
                for (const box of [[0, 0, w, 2], [0, h - 2, w, 2], [0, 0, 2, h], [w - 2, 0, 2, h]]) {
                    const { data } = ctx.getImageData(...box);
                    for (let i = 0; i < data.length; i += 4)  // the floor may leave the canvas, the dark body may not
                        if (data[i + 3] > 100 && data[i] < 60) edge.push([yaw, pitch]);
                }
            }
            return edge;
        }"""
    )
    assert outside == []


def test_the_head_is_above_the_hips_and_hovering_names_the_joints(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    found = {}
    box = page.locator("canvas.sl-view").bounding_box()
    middle = box["width"] / 2
    page.evaluate(
        "Object.assign(document.querySelector('.sl-player').parentElement.__player.view, { yaw: 0, pitch: 0 })"
    )
    for y in range(4, int(box["height"]), 8):
        page.mouse.move(box["x"] + middle, box["y"] + y)
        tip = page.locator(".sl-tip")
        if tip.is_visible():
            found.setdefault(tip.inner_text().split(" · ")[0], y)
    assert list(found) == ["head", "neck", "spine shoulder", "spine mid", "spine base"]


def test_keys_step_and_play_and_pause(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    page.locator("canvas.sl-view").focus()
    for key, frame in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 39),
        ("ArrowRight", 39),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert state(page)["frame"] == frame
    page.keyboard.press("Space")
    assert state(page)["playing"]
    page.keyboard.press("Space")
    assert not state(page)["playing"]


def test_the_slider_and_the_time_strip_seek(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    strip = page.locator(".sl-strip").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] * 0.76, strip["y"] + 10)
    assert state(page)["frame"] == 30
    page.locator(".sl-slider").fill("7")
    assert state(page)["frame"] == 7
    assert page.locator(".sl-count").inner_text() == "frame 8 / 40 · 0.23 / 1.33 s"


def test_dragging_turns_the_camera_and_reset_brings_it_back(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    before, start = colours(page), state(page)
    box = page.locator("canvas.sl-view").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 230, steps=3)
    page.mouse.up()
    assert state(page)["yaw"] - start["yaw"] == pytest.approx(1.0)
    assert colours(page) != before
    page.get_by_role("button", name="Reset view").click()
    assert state(page) == start


def test_new_data_on_the_same_root_shows_at_once_and_keeps_frame_camera_and_playback(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    page.locator(".sl-slider").fill("20")
    page.evaluate("document.querySelector('.sl-player').parentElement.__player.view.yaw = 1")
    before, kept = colours(page), state(page)
    other = player.scene([panel(saliency=saliency_of(40, joint=3), subtitle="block_8")], autoplay=False)
    page.evaluate("data => document.querySelector('.sl-player').parentElement.__player.setData(data)", other)
    assert state(page) == kept
    assert page.locator(".sl-subtitle").inner_text() == "block_8"
    after = colours(page)
    assert after != before
    page.get_by_role("button", name="Play").click()
    page.evaluate("data => document.querySelector('.sl-player').parentElement.__player.setData(data)", other)
    assert state(page)["playing"]
    pause(page)
    page.locator(".sl-slider").fill("20")
    assert colours(page) == after  # no older player draws over it
    assert page.locator("canvas.sl-view").count() == 1


def test_another_clip_starts_at_its_first_frame(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    page.locator(".sl-slider").fill("20")
    other = player.scene([panel(frames=12, title="kick")], autoplay=False)
    page.evaluate("data => document.querySelector('.sl-player').parentElement.__player.setData(data)", other)
    assert state(page)["frame"] == 0
    assert page.locator(".sl-slider").get_attribute("max") == "11"


def test_clips_of_different_length_play_by_fraction_by_second_or_by_map(open_page):
    clips = [panel(title="a"), panel(frames=20, title="b")]
    clocks = lambda page: page.locator(".sl-clock").all_inner_texts()  # noqa: E731
    page = open_page(player.html(clips, autoplay=False))
    page.locator(".sl-slider").fill("39")
    assert clocks(page) == ["frame 40 / 40", "frame 20 / 20"]
    page = open_page(player.html(clips, autoplay=False, sync="seconds"))
    page.locator(".sl-slider").fill("10")
    assert clocks(page) == ["frame 11 / 40", "frame 11 / 20"]
    page.locator(".sl-slider").fill("30")
    assert clocks(page) == ["frame 31 / 40", "frame 20 / 20"]
    mapped = panel(frames=20, title="b", frame_map=np.minimum(np.arange(40), 5))
    page = open_page(player.html([clips[0], mapped], autoplay=False))
    page.locator(".sl-slider").fill("30")
    assert clocks(page) == ["frame 31 / 40", "frame 6 / 20"]


def test_bodies_and_evidence_can_be_switched_off(open_page):
    evidence = np.zeros((40, 25, 2), bool)
    evidence[:, 11, 0] = True
    page = open_page(player.html(panel(bodies=2, evidence=evidence), autoplay=False))
    drawn = [sum(colours(page).values()) - colours(page)["0,0,0,0"]]
    for label in ("planted evidence", "body 2", "body 1"):
        page.get_by_label(label).uncheck()
        drawn.append(sum(colours(page).values()) - colours(page)["0,0,0,0"])
    assert drawn == sorted(drawn, reverse=True)
    assert len(set(drawn)) == 4


def test_a_reader_who_prefers_reduced_motion_gets_a_still_picture_that_can_be_played(open_page):
    page = open_page(player.html(panel()), reduced_motion="reduce")
    assert state(page) | {"yaw": 0, "pitch": 0} == {"frame": 0, "playing": False, "yaw": 0, "pitch": 0}
    page.get_by_role("button", name="Play").click()
    assert state(page)["playing"]


def test_a_dark_page_has_dark_ground_and_light_lines(open_page):
    page = open_page(player.html(panel(), autoplay=False), color_scheme="dark")
    style = page.evaluate(
        "(() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; })()"
    )
    assert style == ["rgb(15, 18, 22)", "rgb(236, 239, 243)"]
    assert "236,239,243,255" in colours(page)
    page.emulate_media(color_scheme="light")
    until(page, "getComputedStyle(document.querySelector('canvas.sl-view')).color === 'rgb(22, 25, 29)'")
    page.wait_for_timeout(100)
    assert "22,25,29,255" in colours(page)


def test_names_that_are_markup_are_shown_as_they_are(open_page):
    page = open_page(player.html(panel(title=EVIL, subtitle=EVIL, note=EVIL), title=EVIL, scope=EVIL, peak=EVIL))
    for place in (".sl-title", ".sl-subtitle", ".sl-note", ".sl-scope"):
        assert page.locator(place).evaluate("node => node.textContent") == EVIL
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0


def test_fragments_share_one_script_on_a_page(open_page):
    fragments = "".join(player.html(panel(title=name), standalone=False, autoplay=False) for name in ("one", "two"))
    page = open_page(f"<!doctype html><body>{fragments}{player.assets()}</body>")
    assert page.locator(".sl-title").all_inner_texts() == ["one", "two"]
    page.locator(".sl-slider").first.fill("9")
    assert [text.split(" · ")[0] for text in page.locator(".sl-count").all_inner_texts()] == [
        "frame 10 / 40",
        "frame 1 / 40",
    ]


PLAYER = "document.querySelector('.sl-player').parentElement.__player"


def heat_at(page: Any, joint: int, frame: float, frames: int = 40, tall: int = 11) -> tuple[float, float]:
    """Where a joint and a frame of the heat map are in the window."""
    page.locator("canvas.sl-heat").first.scroll_into_view_if_needed()
    box = page.locator("canvas.sl-heat").first.bounding_box()
    return box["x"] + 112 + (frame + 0.5) * (box["width"] - 112) / frames, box["y"] + (joint + 0.5) * tall


def test_a_loop_plays_its_frames_alone_and_can_be_set_moved_and_cleared_by_keys_and_by_mouse(open_page):
    page = open_page(player.html(panel(), autoplay=False))
    loop = lambda: page.evaluate(f"{PLAYER}.loop")  # noqa: E731
    page.locator("canvas.sl-view").focus()
    page.locator(".sl-slider").fill("10")
    page.keyboard.press("[")
    page.locator(".sl-slider").fill("13")
    page.get_by_role("button", name="Loop to this frame").click()
    assert loop() == {"a": 10, "b": 13}
    assert page.get_by_role("button", name="Clear the loop").inner_text() == "✕ 0.33–0.47 s"  # noqa: RUF001
    page.evaluate(
        f"(() => {{ const p = {PLAYER}, draw = p.draw; window.seen = new Set();"
        " p.draw = () => { draw(); window.seen.add(p.state().frame); }; })()"
    )
    page.get_by_role("button", name="Play").click()
    until(page, "window.seen.size >= 4 && performance.now() > (window.end ??= performance.now() + 500)")
    pause(page)
    assert set(page.evaluate("[...window.seen]")) == {10, 11, 12, 13}
    strip = page.locator(".sl-strip").bounding_box()
    x = lambda frame: strip["x"] + strip["width"] * frame / 40  # noqa: E731
    page.mouse.move(x(14), strip["y"] + 15)
    page.mouse.down()
    page.mouse.move(x(30.5), strip["y"] + 15, steps=3)
    page.mouse.up()
    assert loop() == {"a": 10, "b": 30}
    page.locator("canvas.sl-view").focus()
    page.locator(".sl-slider").fill("35")
    page.keyboard.press("[")  # past the end: the end gives way
    assert loop() == {"a": 35, "b": 39}
    page.keyboard.press("\\")
    assert loop() is None
    assert page.get_by_role("button", name="Clear the loop").is_hidden()


def test_the_heat_map_shows_the_colours_of_the_cells_tells_them_and_goes_there(open_page):
    page = open_page(player.html(panel(), autoplay=False, heat=True))
    x, y = heat_at(page, joint=11, frame=19)
    page.mouse.move(x, y)
    assert page.locator(".sl-cell").inner_text() == "right hand · frame 20 (0.63 s) · saliency 1.00"
    assert page.evaluate(f"{PLAYER}.mark") == {"m": 0, "v": 11}
    page.mouse.click(x, y)
    assert state(page)["frame"] == 19
    page.mouse.move(0, 0)
    assert page.locator(".sl-cell").is_hidden()
    page.locator(".sl-slider").fill("0")
    box = page.locator("canvas.sl-heat").bounding_box()
    colour = page.locator("canvas.sl-heat").evaluate(
        "(c, at) => [...c.getContext('2d').getImageData(at[0], at[1], 1, 1).data].slice(0, 3)",
        [round(x - box["x"]), round(y - box["y"])],
    )
    level = round(float(saliency_of(40)[19, 11, 0]) * 255)
    assert colour == theme.SALIENCY[level].tolist()
    page.locator("canvas.sl-heat").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["frame"] == 1


def test_a_joint_under_the_pointer_is_marked_in_the_heat_map_too(open_page):
    page = open_page(player.html(panel(), autoplay=False, heat=True))
    before = colours(page, "canvas.sl-heat")
    box = page.locator("canvas.sl-view").bounding_box()
    page.evaluate(f"Object.assign({PLAYER}.view, {{ yaw: 0, pitch: 0 }})")
    for y in range(4, int(box["height"]), 8):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + y)
        if page.evaluate(f"{PLAYER}.mark"):
            break
    assert page.evaluate(f"{PLAYER}.mark") == {"m": 0, "v": NTU.index("head")}
    assert colours(page, "canvas.sl-heat") != before


def test_layers_of_one_clip_play_one_frame_with_their_own_maps(open_page):
    names = [f"block_{i}" for i in range(1, 11)]
    shown = [panel(saliency=saliency_of(40, joint=j), title=name, pick=name) for j, name in enumerate(names)]
    page = open_page(player.html(shown, autoplay=False, height=160))
    page.locator(".sl-slider").fill("20")
    assert page.locator(".sl-clock").all_inner_texts() == ["frame 21 / 40"] * 10
    values = page.evaluate(f"[...Array(10).keys()].map((j) => {PLAYER}.panels()[j].clip.value(20, 0, j))")
    assert values == pytest.approx([float(saliency_of(40, joint=j)[20, j, 0]) for j in range(10)], abs=1 / 255)
    page.evaluate(f"{PLAYER}.pick = (what) => {{ window.picked = what; }}")
    page.get_by_role("button", name="Open block_7").click()
    assert page.evaluate("window.picked") == "block_7"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_on_its_ground(open_page, scheme):
    page = open_page(player.html(panel(bodies=2, note="A note."), autoplay=False, scope="a scope"), color_scheme=scheme)
    assert unreadable(page, ".sl-player") == []


def test_nothing_sticks_out_of_a_narrow_window(open_page):
    shown = [panel(title="x" * 60, subtitle="a long line of words " * 4, note="n" * 60) for _ in range(2)]
    page = open_page(player.html(shown, autoplay=False, heat=True), viewport={"width": 400, "height": 800})
    page.locator("canvas.sl-view").first.focus()
    page.keyboard.press("]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_it_says_what_it_is_to_those_who_cannot_see_it(open_page):
    page = open_page(player.html(panel(note="No positive evidence in block_7."), autoplay=False))
    assert "Moving skeleton of wave, 40 frames" in page.get_by_role("img").first.get_attribute("aria-label")
    assert page.get_by_role("status").inner_text() == "No positive evidence in block_7."
    assert page.get_by_role("slider", name="frame").count() == 1


def test_it_is_small_data():
    assert len(json.dumps(panel())) < 20_000
