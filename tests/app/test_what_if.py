"""The What if page: what it says is what the network, the graphs and the definitions say of the edited clip."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from app import edited, live, sources
from app.edited import NOISE, PACE
from stgcn_lens.data.edits import Edits, edit
from stgcn_lens.data.transforms import prepare
from stgcn_lens.models.checkpoints import load
from stgcn_lens.skeleton import get_layout
from tests.app.test_pages import errors, words


def probabilities(run: Path, name: str, edits: Edits) -> dict[str, float]:
    """By the network alone."""
    loaded = load(run)
    clip = sources.open_source(str(run), sources.stamp(run)).clips
    sample = prepare(edit(clip[clip.index(name)], edits), loaded.preprocessing, loaded.bodies)
    with torch.no_grad():
        odds = torch.softmax(loaded.model(torch.from_numpy(sample.x)[None])[0], dim=0).tolist()
    return dict(zip(loaded.classes, odds, strict=True))


@pytest.mark.parametrize(
    ("widgets", "edits", "said"),
    [
        ({"freeze": ["whole_left_arm", "head"]}, {"freeze": None}, "With the left arm, head held still"),
        ({"noise": "5_dB"}, {"noise": 5.0}, "With noise at 5 dB"),
        (
            {"hide": ["right_wrist"], "drop": "40_percent"},
            {"hide": ("right_wrist",), "drop": 0.4},
            "right wrist hidden",
        ),
        ({"mirror": True}, {"mirror": True}, "With left and right swapped"),
    ],
)
def test_what_the_page_says_is_what_the_network_says_of_the_edited_clip(open_app, whole, widgets, edits, said):
    app = open_app(whole, "what_if")
    name = app.selectbox("clip").value
    for key, value in widgets.items():
        kind = {"mirror": app.toggle, "noise": app.selectbox, "drop": app.selectbox}.get(key, app.multiselect)
        kind(key).set_value(value)
    app.run()
    assert errors(app) == []
    if "freeze" in edits:
        layout = get_layout("ntu25")
        edits = {"freeze": (*(layout.joints[j] for j in layout.parts["left_arm"]), "head")}
    now, was = probabilities(whole, name, Edits(**edits)), probabilities(whole, name, Edits())
    best, before = max(now, key=now.get), max(was, key=was.get)
    text = words(app)
    assert said in text
    assert f"the model says **{best}** ({now[best]:.0%})" in text
    if best == before:
        assert f"as before ({was[before]:.0%})" in text
    else:
        assert f"instead of **{before}** ({was[before]:.0%})" in text


def test_unchanged_the_neighbours_are_those_of_the_graph_and_all_stay(open_app, whole):
    app = open_app(whole, "what_if", layer="block_5")
    with (whole / "clips.csv").open(newline="") as stream:
        names = [row["name"] for row in csv.DictReader(stream)]
    order = np.load(whole / "embeddings" / "clips.npy")
    i = [names[n] for n in order].index(app.selectbox("clip").value)
    graph = np.load(whole / "graphs" / "block_5.npz")
    table = app.dataframe[0].value
    assert table["clip"].tolist() == [names[order[j]] for j in graph["indices"][i]]
    np.testing.assert_allclose(table["as recorded"], graph["distances"][i], rtol=1e-4)
    np.testing.assert_array_equal(table["as recorded"], table["changed"])
    assert set(table[""]) == {"stays"}


def test_changed_neighbours_come_and_go_and_are_measured_from_both_clips(open_app, whole):
    before = open_app(whole, "what_if").dataframe[0].value
    app = open_app(whole, "what_if", freeze="whole left arm", noise="0 dB")
    assert app.multiselect("freeze").value == ["whole_left_arm"]
    assert app.selectbox("noise").value == "0_dB"
    table = app.dataframe[0].value
    assert set(table[table[""] != "comes"]["clip"]) == set(before["clip"])
    now = table[table[""] != "goes"]
    assert len(now) == len(before)
    assert now["changed"].is_monotonic_increasing
    assert (table[table[""] == "goes"]["changed"] >= now["changed"].max()).all()
    assert (table[table[""] == "comes"]["as recorded"] >= before["as recorded"].max()).all()
    assert f"{(table[''] == 'stays').sum()} of {len(before)} stay" in words(app)
    assert "The change moved the clip by" in words(app)


def test_a_turn_that_preprocessing_undoes_is_said_to_be_undone(open_app, whole):
    app = open_app(whole, "what_if", rotate="45")
    assert "The preprocessing undoes this change" in words(app)
    app.toggle("mirror").set_value(True).run()
    assert "The preprocessing undoes this change" not in words(app)


def test_all_edits_can_be_undone_at_once(open_app, whole):
    app = open_app(whole, "what_if", mirror="true", noise="20 dB", drop="30 %", hide="head", rotate="30")
    assert "left and right swapped" in words(app)
    next(button for button in app.button if button.label == "Undo all").click().run()
    assert errors(app) == []
    assert "As recorded the model says" in words(app)
    assert not app.toggle("mirror").value


def test_every_choice_of_a_widget_is_an_edit_that_can_be_made(whole):
    source = sources.open_source(str(whole), sources.stamp(whole))
    clip = source.clip(source.rows[0])
    for level in NOISE.values():
        assert edit(clip, Edits(noise=level)).frames == clip.frames
    for lost in edited.LOST.values():
        assert edit(clip, Edits(drop=lost)).frames == clip.frames
    lengths = [edit(clip, Edits(slow=pace)).frames for pace in PACE.values()]
    assert lengths == sorted(lengths)
    assert clip.frames in lengths


def test_the_demo_models_clips_have_neighbours_though_they_are_in_no_run(open_app, whole, monkeypatch):
    monkeypatch.setattr(sources, "CHECKPOINT", whole)
    app = open_app(None, "what_if")
    assert errors(app) == []
    table = app.dataframe[0].value
    assert len(table) == live.DEMO_K
    assert app.selectbox("clip").value not in set(table["clip"])
    app.multiselect("freeze").set_value(["whole_right_leg"]).run()
    assert errors(app) == []
    assert "With the right leg held still" in words(app)


def test_without_embeddings_all_but_the_neighbours_is_there(open_app, copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    for stage in ("embed", "graph", "explain"):
        manifest["stages"].pop(stage)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    for name in ("embeddings", "graphs", "saliency"):
        shutil.rmtree(copy / name)
    app = open_app(copy, "what_if", mirror="true")
    assert errors(app) == []
    assert "the model says" in words(app)
    assert [element.value for element in app.info] == [
        f"No clip of this run is embedded yet: `stgcn-lens embed {copy}`"
    ]


def test_a_large_layer_is_searched_only_when_asked(open_app, whole, monkeypatch):
    monkeypatch.setattr(live, "AT_ONCE", 10)
    app = open_app(whole, "what_if", layer="block_2")
    assert not app.dataframe
    app.toggle("search").set_value(True).run()
    assert len(app.dataframe[0].value) == 4


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("embeddings/block_10/windows.npy", "windows.npy"),
        ("embeddings/block_10/offsets.npy", "offsets.npy"),
        ("model.safetensors", "weights"),
    ],
)
def test_a_broken_file_is_one_error_in_words(open_app, copy, file, says):
    path = copy / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = errors(open_app(copy, "what_if"))
    assert len(found) == 1
    assert says in found[0]
    assert "Traceback" not in found[0]


def test_embeddings_of_other_clips_are_refused(open_app, copy):
    path = copy / "embeddings" / "block_10" / "offsets.npy"
    np.save(path, np.load(path)[:-1])
    assert "are of other clips" in errors(open_app(copy, "what_if"))[0]


def test_a_run_without_a_model_says_so(open_app, copy):
    (copy / "model.safetensors").unlink()
    app = open_app(copy, "what_if")
    assert errors(app) == []
    assert "without a model" in app.info[0].value
