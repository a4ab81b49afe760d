"""What can be taken away: files are what their names say, hold what the page shows, and are named for it."""

import json
from io import BytesIO

import altair as alt
import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image

from app import panels, sources, takeaway
from stgcn_lens.viz import player
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
