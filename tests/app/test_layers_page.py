"""The page of layers: curves of a class and of controls, clips on a plane, a group and its mean map."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app import analysis, curves, embedding, sources
from stgcn_lens.explain.groups import mean_map
from tests.app import made
from tests.app.test_pages import errors, words


def rows_of(run: Path) -> list[dict]:
    return json.loads((run / "layers.json").read_text())


def test_the_curve_of_a_class_is_that_of_its_clips(whole):
    rows = rows_of(whole)
    table = curves.of_class(rows, 1)
    for measure, label in curves.MEASURES.items():
        shown = table[table["measure"] == label].set_index("layer")
        for row in rows:
            if row[f"{measure}_per_class"][1] is None:  # no edge of the class has weight here
                assert row["layer"] not in shown.index
                continue
            line = shown.loc[row["layer"]]
            assert line["value"] == row[f"{measure}_per_class"][1]
            assert line["ci_low"] <= line["value"] <= line["ci_high"]
            assert line["chance"] == row["chance_per_class"][1]
    assert curves.of_class([{"layer": "input"}], 0).empty
    assert curves.of_class(rows, 99).empty


def test_controls_come_from_the_study_and_from_nowhere_else(whole):
    rows = rows_of(whole)
    study = made.depth(rows, ("clap",))
    everyone = curves.of_controls(study)
    assert set(everyone["control"]) == {"untrained network"}
    assert everyone["layer"].tolist() == [row["layer"] for row in rows]
    assert (everyone["value"] == 0.5).all()
    assert (curves.of_controls(study, "clap")["value"] == 0.25).all()
    for none in (None, {}, {"networks": None}, {"networks": {"untrained": {}}}):
        assert curves.of_controls(none).empty
        assert curves.of_controls(none, "clap").empty


def test_clips_lie_where_the_means_of_their_windows_lie(whole):
    stamp = sources.stamp(whole)
    positions, plane = analysis.plane(str(whole), stamp, "block_4", "pca")
    windows = np.load(whole / "embeddings/block_4/windows.npy").astype(np.float64)
    offsets = np.load(whole / "embeddings/block_4/offsets.npy")
    means = np.stack([windows[a:b].mean(axis=0) for a, b in pairwise(offsets)])
    left, values, _ = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    assert positions.tolist() == list(range(12))
    np.testing.assert_allclose(abs(plane.points), abs(left[:, :2] * values[:2]), rtol=1e-4, atol=1e-5)


def test_a_point_tells_its_class_and_whether_the_prediction_is_wrong(whole):
    source = sources.open_source(str(whole), sources.stamp(whole))
    positions, plane = analysis.plane(str(whole), source.stamp, "input", "pca")
    table = embedding.table(source.rows, positions, plane)
    with (whole / "clips.csv").open(newline="") as stream:
        told = {row["name"]: row for row in csv.DictReader(stream)}
    for _, line in table.iterrows():
        row = told[line["name"]]
        assert line["class"] == row["class_name"]
        assert line["prediction"] == ("right" if row["label"] == row["predicted"] else "wrong")


def test_a_group_shows_its_classes_and_the_mean_of_its_stored_maps(open_app, whole):
    app = open_app(whole, "layers", layer="block_6")
    assert "Draw a line" in words(app)
    rows = sources.open_source(str(whole), sources.stamp(whole)).rows
    chosen = (2, 5, 7)
    app.session_state[embedding.GROUP] = [rows[i].name for i in chosen]
    app.run()
    assert errors(app) == []
    assert "**Group of 3 clips**" in words(app)
    assert all(rows[i].class_name in words(app) for i in chosen)
    values = analysis.group_map(str(whole), sources.stamp(whole), "block_6", chosen)
    offsets, maps = np.load(whole / "saliency/block_6/offsets.npy"), np.load(whole / "saliency/block_6/maps.npy")
    np.testing.assert_allclose(values, mean_map(maps[offsets[i] : offsets[i + 1]] for i in chosen))
    _, joint = np.unravel_index(values.argmax(), values.shape)
    from stgcn_lens.skeleton import get_layout

    assert f"It peaks at the {get_layout('ntu25').joints[joint].replace('_', ' ')}" in words(app)
    next(button for button in app.button if button.label == "Let the group go").click().run()
    assert "Group of" not in words(app)


def test_a_chosen_class_has_its_curve_and_a_projection_can_be_chosen(open_app, whole):
    made_of = open_app(whole, "layers", of="throw")
    assert errors(made_of) == []
    assert made_of.selectbox("of").value == "throw"
    made_of.session_state["projection"] = "tsne"
    made_of.run()
    assert errors(made_of) == []
    assert "perplexity" in words(made_of) or "too few" in words(made_of)


def test_an_extra_that_is_not_installed_is_a_word_on_the_page_not_its_end(open_app, whole, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    app = open_app(whole, "layers")
    app.session_state["projection"] = "umap"
    app.run()
    assert errors(app) == []
    assert "pip install 'stgcn-lens[umap]'" in app.warning[0].value
    assert "kNN label error" in words(app)


@pytest.mark.parametrize("file", ["embeddings/block_10/windows.npy", "studies/layers.json"])
def test_a_broken_file_of_this_page_is_one_error_in_words(open_app, copy, file):
    made.put(copy, "layers", made.depth(rows_of(copy), ("clap",)))
    path = copy / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = errors(open_app(copy, "layers"))
    assert len(found) == 1
    assert path.name in found[0]
    assert f"{copy} --force" in found[0]


def test_many_clips_are_sampled_and_it_is_said(open_app, copy, monkeypatch):
    monkeypatch.setattr(analysis, "sample", lambda clips: np.arange(0, clips, 4))
    app = open_app(copy, "layers")
    assert errors(app) == []
    assert "3 of 12 clips, drawn by chance" in words(app)
