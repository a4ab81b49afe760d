"""Every page on a whole, a partial and a broken run: what it says, and that nothing but words goes wrong."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from app import compute, joints, sources, state

PAGES = ("clip", "layers", "neighbours")


def words(app) -> str:
    """All that the page says in markdown and captions."""
    return "\n".join(element.value for element in (*app.markdown, *app.caption)).replace("\\", "")


def errors(app) -> list[str]:
    assert not app.exception
    return [element.value for element in app.error]


@pytest.mark.parametrize("page", PAGES)
def test_a_whole_run_opens_without_a_word_of_trouble(open_app, whole, page):
    app = open_app(whole, page)
    assert errors(app) == []
    assert not app.info
    assert app.selectbox("run").value == "small"


def test_the_clip_page_says_truth_prediction_and_where_the_evidence_is(open_app, whole):
    app = open_app(whole)
    with (whole / "clips.csv").open(newline="") as stream:
        row = next(row for row in csv.DictReader(stream) if row["name"] == app.selectbox("clip").value)
    text = words(app)
    assert f"True: **{row['class_name']}**" in text
    assert f"({float(row['confidence']):.0%})" in text
    assert ("✓ right" in text) == (row["label"] == row["predicted"])
    assert re.search(
        r"At block_10 (the evidence for .* peaks in the \*\*[a-z ]+\*\* at \d+\.\d s|nothing in this clip)", text
    )
    shown = "".join(element.value for element in app.get("html"))
    assert shown.count("<tr>") == 1 + joints.MOST


def test_the_url_chooses_clip_layer_and_class(open_app, whole):
    first = open_app(whole)
    other = first.selectbox("clip").options[3]
    app = open_app(whole, clip=other, layer="block_2", **{"class": "throw"})
    assert (app.selectbox("clip").value, app.select_slider("layer").value, app.selectbox("class").value) == (
        other,
        "block_2",
        "throw",
    )
    assert "At block_2" in words(app)
    assert "*throw*" in words(app)


def test_the_selection_is_kept_from_page_to_page(open_app, whole):
    app = open_app(whole)
    app.select_slider("layer").set_value("block_3").run()
    app.switch_page("views/neighbours.py").run()
    assert app.select_slider("layer").value == "block_3"
    assert "At **block_3**" in words(app)


def test_the_layers_are_the_models_in_depth_order_between_input_and_logits(open_app, whole):
    options = open_app(whole).select_slider("layer").options
    assert options == ["input", *(f"block_{i}" for i in range(1, 11)), "logits"]


@pytest.mark.parametrize(("layer", "shown"), [("input", "block_1"), ("logits", "block_10")])
def test_a_layer_without_a_map_says_which_one_is_shown_instead(open_app, whole, layer, shown):
    text = words(open_app(whole, layer=layer))
    assert f"The {layer} layer has no map of its own" in text
    assert f"Shown: {shown}." in text


def test_clips_can_be_narrowed_to_a_class_or_to_the_wrong_ones(open_app, whole):
    app = open_app(whole)
    everything = set(app.selectbox("clip").options)
    app.selectbox("only").set_value("throw").run()
    thrown = set(app.selectbox("clip").options)
    assert thrown < everything
    assert all(name.endswith("A" + next(iter(thrown))[-3:]) for name in thrown)
    app.selectbox("only").set_value("wrongly classified").run()
    assert errors(app) == []
    with (whole / "clips.csv").open(newline="") as stream:
        wrong = {r["name"] for r in csv.DictReader(stream) if r["split"] == "test" and r["label"] != r["predicted"]}
    assert set(app.selectbox("clip").options) == (wrong or everything)


def test_what_the_layers_page_says_is_what_the_run_holds(open_app, whole):
    app = open_app(whole, "layers")
    rows = json.loads((whole / "layers.json").read_text())
    first, last = (row["knn_label_error"]["value"] for row in (rows[0], rows[-1]))
    assert f"from **{first:.2f}** (input) to **{last:.2f}** (logits)" in words(app)
    assert ("does not fall" in words(app)) == (last >= first)
    table = app.dataframe[0].value
    assert list(table["layer"]) == [row["layer"] for row in rows]
    shown = [float(text.split()[0]) for text in table["NNK error"]]
    assert shown == [round(row["nnk_label_error"]["value"], 3) for row in rows]


def test_the_neighbours_are_those_of_the_graph(open_app, whole):
    app = open_app(whole, "neighbours", layer="block_5")
    graph = np.load(whole / "graphs" / "block_5.npz")
    order = np.load(whole / "embeddings" / "clips.npy")
    with (whole / "clips.csv").open(newline="") as stream:
        names = [row["name"] for row in csv.DictReader(stream)]
    i = [names[n] for n in order].index(app.selectbox("clip").value)
    expected = {
        names[order[j]]: (w, d)
        for j, w, d in zip(graph["indices"][i], graph["nnk_weights"][i], graph["distances"][i], strict=True)
        if w > 0
    }
    table = app.dataframe[0].value
    assert {name: (w, d) for name, w, d in zip(table["clip"], table["weight"], table["distance"], strict=True)} == {
        name: pytest.approx(value) for name, value in expected.items()
    }
    assert table["weight"].is_monotonic_decreasing


def test_the_saliency_shown_is_the_saliency_stored(whole):
    from stgcn_lens.data.transforms import prepare
    from stgcn_lens.explain.upsample import to_clip, to_frames
    from stgcn_lens.models.checkpoints import load

    source = sources.open_source(str(whole), sources.stamp(whole))
    loaded = load(whole)
    for position in (0, 3):
        row = source.rows[position]
        seen = compute.explain(source, row, None)
        sample = prepare(source.clip(row), loaded.preprocessing, loaded.bodies)
        for layer in ("block_1", "block_6", "block_10"):
            offsets = np.load(whole / "saliency" / layer / "offsets.npy")
            stored = np.load(whole / "saliency" / layer / "maps.npy")[offsets[position] : offsets[position + 1]]
            on_clip = to_clip(
                to_frames(stored, loaded.model.strides[layer], sample.frames), sample.source, seen.clip.frames
            )
            np.testing.assert_allclose(seen.maps[layer], on_clip[..., : seen.clip.bodies], atol=1e-6 * on_clip.max())


def _without(run: Path, *stages: str, files: tuple[str, ...] = ()) -> Path:
    manifest = json.loads((run / "manifest.json").read_text())
    for stage in stages:
        manifest["stages"].pop(stage)
    (run / "manifest.json").write_text(json.dumps(manifest))
    for name in files:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return run


TRAINED = {"stages": ("embed", "graph", "explain"), "files": ("embeddings", "graphs", "saliency", "layers.json")}


@pytest.mark.parametrize(
    ("page", "commands"), [("clip", []), ("layers", ["graph", "explain"]), ("neighbours", ["graph"])]
)
def test_a_run_that_is_only_trained_says_which_command_makes_the_rest(open_app, copy, page, commands):
    run = _without(copy, *TRAINED["stages"], files=TRAINED["files"])
    app = open_app(run, page)
    assert errors(app) == []
    assert [re.search(r"`(.*)`", element.value).group(1) for element in app.info] == [
        f"stgcn-lens {command} {run}" for command in commands
    ]


def test_a_run_without_a_model_still_plays_its_clips(open_app, copy):
    gone = ("embeddings", "graphs", "saliency", "layers.json", "model.json", "model.safetensors", "clips.csv")
    run = _without(copy, "train", "embed", "graph", "explain", files=gone)
    app = open_app(run)
    assert errors(app) == []
    assert f"`stgcn-lens train --data DATA --out {run}`" in app.info[0].value


@pytest.mark.parametrize(
    ("file", "page", "says"),
    [
        ("manifest.json", "clip", "not JSON"),
        ("clips.csv", "clip", "clips.csv"),
        ("model.safetensors", "clip", "weights"),
        ("layers.json", "layers", "layers.json"),
        ("graphs/block_10.npz", "neighbours", "block_10.npz"),
        ("saliency/block_10/class_by_joint.npy", "layers", "class_by_joint.npy"),
    ],
)
def test_a_broken_file_is_one_error_in_words(open_app, copy, file, page, says):
    path = copy / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if file == "clips.csv":
        path.write_text("nothing,of\nthe,kind\n")
    found = errors(open_app(copy, page))
    assert len(found) == 1
    assert says in found[0]
    assert "Traceback" not in found[0]


def test_a_folder_that_is_no_run_is_one_error_in_words(open_app, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "not a run folder" in errors(open_app(tmp_path / "empty"))[0]


def test_layers_are_shown_though_the_clips_are_gone(open_app, copy):
    shutil.rmtree(copy / "data")
    app = open_app(copy, "layers")
    assert errors(app) == []
    assert "kNN label error" in words(app)
    assert "clips of this run cannot be read" in errors(open_app(copy, "clip"))[0]


def test_without_any_run_the_demo_model_shows_synthetic_clips(open_app, whole, monkeypatch):
    monkeypatch.setattr(sources, "CHECKPOINT", whole)
    app = open_app(None)
    assert errors(app) == []
    assert app.selectbox("run").value == state.DEMO
    assert state.SYNTHETIC in words(app)
    assert len(app.selectbox("clip").options) >= 20
    assert "the evidence for" in words(app) or "nothing in this clip" in words(app)
    for page in ("layers", "neighbours"):
        app.switch_page(f"views/{page}.py").run()
        assert errors(app) == []
        assert "`stgcn-lens demo`" in app.info[0].value


def test_without_run_and_checkpoint_a_clip_plays_all_the_same(open_app, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "CHECKPOINT", tmp_path / "none")
    app = open_app(None)
    assert errors(app) == []
    assert "No model here yet" in app.info[0].value


def test_the_runs_of_a_folder_can_be_chosen_newest_first(open_app, whole, copy, monkeypatch):
    app = open_app(copy)
    assert app.selectbox("run").options == ["copy", state.DEMO]
    assert sources.find_runs(whole.parent) == [whole]
    assert sources.find_runs(whole / "nowhere") == []


def test_names_from_data_cannot_become_markup():
    assert state.plain("<script> ![x](http://y) :red[z] $a$ **b** `c` block_1") == (
        "\\<script\\> \\!\\[x\\]\\(http\\://y\\) \\:red\\[z\\] \\$a\\$ \\*\\*b\\*\\* \\`c\\` block\\_1"
    )
