"""What can be taken away: files are what their names say, hold what the page shows, and are named for it."""

import json
from io import BytesIO

import altair as alt
import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image

from app import compute, panels, scenes, sources, takeaway
from stgcn_lens.viz import player, theme
from tests.app import made
from tests.app.test_pages import errors

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def chart() -> alt.LayerChart:
    table = pd.DataFrame({"layer": ["input", EVIL], "error": [0.5, 0.25]})
    base = alt.Chart(table).encode(x="layer:N", y="error:Q")
    rule = alt.Chart(pd.DataFrame({"layer": ["input"]})).mark_rule().encode(x="layer:N")
    return (rule + base.mark_line() + base.mark_point()).properties(height=120)


def test_a_chart_is_a_png_an_svg_and_its_numbers(chart):
    with Image.open(BytesIO(takeaway.png(chart, "#0f1216"))) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert picture.convert("RGB").getpixel((2, 2)) == (0x0F, 0x12, 0x16)
    drawn = takeaway.svg(chart, "#ffffff").decode()
    assert drawn.startswith("<svg")
    assert "input" in drawn
    assert EVIL not in drawn
    table = pd.read_csv(BytesIO(takeaway.numbers(chart)))
    assert table["error"].tolist() == [0.5, 0.25]
    assert table["layer"].tolist() == ["input", EVIL]


@pytest.fixture
def shown(whole) -> panels.Shown:
    source = sources.open_source(str(whole), sources.stamp(whole))
    return panels.panel(source, source.rows[0], "block_7", subtitle="a")


def test_the_arrays_are_those_that_play(shown):
    with np.load(BytesIO(takeaway.npz([shown.filmed])), allow_pickle=False) as arrays:
        clip = shown.filmed.clip
        np.testing.assert_array_equal(arrays["xyz"], clip.xyz)
        np.testing.assert_array_equal(arrays["valid"], clip.valid)
        assert arrays["joints"].tolist() == list(clip.skeleton.joints)
        map = arrays["map_block_7"]
        np.testing.assert_allclose(arrays["saliency"], map / (map.max() or 1), atol=1e-6)
        assert arrays["probabilities"].sum() == pytest.approx(1)
    with np.load(BytesIO(takeaway.npz([shown.filmed, shown.filmed])), allow_pickle=False) as two:
        np.testing.assert_array_equal(two["clip_1_xyz"], two["clip_2_xyz"])


def test_a_strip_has_frames_in_which_somebody_is_there(shown):
    figure = takeaway.strip(shown.filmed)
    captions = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert len(captions) == 7
    seconds = [float(text.removesuffix(" s")) for text in captions]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= shown.filmed.clip.frames / shown.filmed.clip.fps


def test_names_say_model_clip_layer_and_method_and_fit_every_disk(whole, monkeypatch):
    source = sources.open_source(str(whole), sources.stamp(whole))
    row = source.rows[0]
    monkeypatch.setattr(st, "session_state", {"selection": made.selection(source, row, "block_7")})
    assert takeaway.stem("film") == f"small-{row.name}-block_7-gradcam-film"
    evil = type(row)(row.number, 0, f"../..\\{EVIL}:*?" + "x" * 99, 0, "", "", 0, 0.0)
    monkeypatch.setattr(st, "session_state", {"selection": made.selection(source, evil, "input")})
    name = takeaway.stem("film")
    assert not set('/\\<>:"|?*') & set(name)
    assert not name.startswith(".")
    assert len(name) < 150


def test_the_player_as_a_page_holds_the_same_clip(shown):
    scene = player.scene([shown.panel], scope="what it is relative to", height=300)
    text = takeaway.alone(scene, "a title").decode()
    assert json.dumps(shown.panel["xyz"])[1:-1] in text
    assert "what it is relative to" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("page", ["layers", "neighbours"])
def test_every_figure_table_and_clip_of_a_page_is_offered(open_app, whole, page):
    app = open_app(whole, page)
    assert errors(app) == []
    labels = [element.proto.label for element in app.get("download_button")]
    figures = {"layers": 3, "neighbours": 3}[page]
    assert labels.count("PNG") == labels.count("SVG") == labels.count("Numbers as CSV") == figures
    for label in ("Film as GIF", "Player as HTML", "Film strip as SVG", "Arrays as NPZ", "This view as HTML"):
        assert labels.count(label) == 1
    assert f"{page.capitalize()} as CSV" in labels


@pytest.mark.parametrize(
    ("page", "figures", "query"),
    [
        ("clip", 0, {}),
        ("clip", 0, {"view": "layers"}),
        ("clip", 0, {"view": "compare"}),
        ("what_if", 2, {}),
    ],
)
def test_what_plays_is_offered_on_these_pages_too(open_app, whole, page, figures, query):
    app = open_app(whole, page, **query)
    assert errors(app) == []
    labels = [element.proto.label for element in app.get("download_button")]
    assert labels.count("PNG") == figures
    assert labels.count("This view as HTML") == (page != "clip")
    for label in ("Film as GIF", "Player as HTML", "Film strip as PNG", "Arrays as NPZ"):
        assert labels.count(label) == 1


def test_all_layers_together_become_one_film(whole):
    source = sources.open_source(str(whole), sources.stamp(whole))
    seen = compute.explain(source, source.rows[0], None)
    all_layers = [scenes.Shown(seen, layer, layer, source.classes) for layer in seen.maps]
    films = scenes.films(all_layers)
    scene = scenes.play(all_layers, height=165, heat=False)
    frames = takeaway._film("gif", takeaway._pictures(films, scene["scope"], theme.LIGHT), 10)
    with Image.open(BytesIO(frames)) as film:
        assert film.n_frames == seen.clip.frames
        assert film.width > 5 * 60
    with np.load(BytesIO(takeaway.npz(films)), allow_pickle=False) as arrays:
        for number, layer in enumerate(seen.maps, 1):
            np.testing.assert_array_equal(arrays[f"clip_{number}_map_{layer}"], seen.maps[layer])


def test_a_panel_shows_the_method_and_the_classes_that_are_asked_for(whole):
    source = sources.open_source(str(whole), sources.stamp(whole))
    row = source.rows[0]
    shown = panels.panel(source, row, "block_7", panels.Asked("layercam", 2, 1))
    expected = compute.explain(source, row, 2, "layercam", 1)
    np.testing.assert_array_equal(shown.filmed.arrays["map_block_7"], expected.maps["block_7"])
    classes = source.classes
    assert f"layercam of “{classes[2]}” over “{classes[1]}” at block_7" in shown.scope
    # A class over itself would be an empty map: it is held against nothing.
    alone = panels.panel(source, row, "block_7", panels.Asked("layercam", 2, 2))
    plain = compute.explain(source, row, 2, "layercam")
    np.testing.assert_array_equal(alone.filmed.arrays["map_block_7"], plain.maps["block_7"])


@pytest.mark.parametrize(("method", "shown"), [("hirescam", "hirescam"), ("shapley_parts", "gradcam")])
def test_the_neighbours_are_painted_by_the_chosen_method_if_it_answers_at_once(open_app, whole, method, shown):
    app = open_app(whole, "neighbours", method=method)
    assert errors(app) == []
    assert panels.Asked.of(app.session_state["selection"]).method == shown
    film = next(element.proto for element in app.get("download_button") if element.proto.label == "Film as GIF")
    assert f"-{shown}-" in film.id
