"""Pages of studies: what they say is what the files hold; without a file they say which command makes it."""

import re
import shutil

import pytest

from app import comparing, edited, sources
from stgcn_lens.data.edits import Edits
from tests.app import made
from tests.app.test_pages import errors, words


@pytest.mark.parametrize("page", ["noise", "transfer"])
def test_without_the_study_the_page_says_what_it_would_show_and_the_command(open_app, whole, page):
    app = open_app(whole, page)
    assert errors(app) == []
    said = app.info[0].value
    assert "It would show" in said
    assert f"`stgcn-lens study {page} {whole}" in said


@pytest.mark.parametrize("page", ["noise", "transfer", "compare"])
def test_the_demo_model_has_no_study_and_says_so(open_app, whole, monkeypatch, page):
    monkeypatch.setattr(sources, "CHECKPOINT", whole)
    app = open_app(None, page)
    assert errors(app) == []
    assert "would show" in app.info[0].value
    assert "`stgcn-lens demo" in app.info[0].value


def test_noise_says_from_where_to_where_and_the_verdict(open_app, copy):
    made.put(copy, "noise", made.noise(beside=True))
    app = open_app(copy, "noise")
    assert errors(app) == []
    text = words(app)
    assert "Gaussian noise at 0 dB: accuracy goes from **0.90** to **0.40**" in text
    assert "the kNN label error of block_10 from **0.30** to **0.60**" in text
    assert "keeps a rank correlation of 0.70" in text
    assert "The paper's claim is **confirmed** here: it moves by +0.02" in text
    assert "plain: accuracy halves at 2 dB." in text
    assert "hardened loses less" in text
    assert "jitter in time was not run: not asked for" in text
    for measure in ("overlap", "rank_correlation"):
        app.selectbox("measure").set_value(measure).run()
        assert errors(app) == []
    app.selectbox("kind").set_value("second_body").run()
    assert errors(app) == []
    assert "Second body lost: accuracy goes from **0.90** to **0.70**" in words(app)


def test_a_level_of_the_noise_leads_to_the_chosen_clip_under_it(open_app, copy):
    made.put(copy, "noise", made.noise())
    app = open_app(copy, "noise")
    clip = app.selectbox("clip").value
    app.session_state["mirror"] = True  # of an earlier visit
    next(button for button in app.button if button.key == "see 0").click().run()
    assert errors(app) == []
    assert app.selectbox("noise").value == "0_dB"
    assert not app.toggle("mirror").value
    assert app.selectbox("clip").value == clip
    assert "With noise at 0 dB the model says" in words(app)


@pytest.mark.parametrize(
    ("kind", "level", "edits"),
    [
        ("gaussian", 20.0, Edits(noise=20.0)),
        ("frame_dropout", 0.4, Edits(drop=0.4)),
        ("viewpoint", 45.0, Edits(rotate=45.0)),
    ],
)
def test_the_widgets_say_what_the_study_did(open_app, whole, kind, level, edits):
    found = edited.under(kind, level)
    app = open_app(whole, "what_if", **found)
    assert errors(app) == []
    read = (float(app.slider("rotate").value), app.selectbox("noise").value, app.selectbox("drop").value)
    assert Edits(rotate=read[0], noise=edited.NOISE[read[1]], drop=edited.LOST[read[2]]) == edits


@pytest.mark.parametrize(("kind", "level"), [("gaussian", 12.5), ("viewpoint", 20.0), ("jitter", 2.0)])
def test_what_the_widgets_cannot_say_is_not_linked(kind, level):
    assert edited.under(kind, level) == {}


def test_transfer_says_the_best_cut_and_how_well_it_was_foretold(open_app, copy):
    made.put(copy, "transfer", made.transfer())
    app = open_app(copy, "transfer")
    assert errors(app) == []
    text = words(app)
    assert "With all training clips the best cut is **block_1**: accuracy **0.85**" in text
    assert "tuning everything gives 0.80 and training from scratch 0.50" in text
    assert "Smoothness alone predicts block_10." in text
    assert "**undecided**" in text
    assert "x left out: no body" in text
    assert app.dataframe[0].value["within one layer of the best"].tolist() == [0.5]


def test_a_cut_of_the_transfer_leads_to_the_chosen_clip_at_that_layer(open_app, copy):
    made.put(copy, "transfer", made.transfer())
    app = open_app(copy, "transfer", layer="block_1")
    assert errors(app) == []
    clip = app.selectbox("clip").value
    assert f"**{clip} at block_1**" in words(app)
    assert "Frozen up to here, the network reaches 0.55 with 1 clip a class, 0.85 with all clips" in words(app)
    assert "The study made no cut at block_5" in words(open_app(copy, "transfer", layer="block_5"))


@pytest.mark.parametrize("name", ["noise", "transfer"])
def test_half_a_file_is_one_error_in_words(open_app, copy, name):
    made.put(copy, name, getattr(made, name)())
    path = copy / f"studies/{name}.json"
    path.write_text(path.read_text()[:200])
    found = errors(open_app(copy, name))
    assert len(found) == 1
    assert f"{name}.json" in found[0]
    assert f"stgcn-lens study {name} {copy} --force" in found[0]


def test_a_transfer_that_has_just_begun_is_no_trouble(open_app, copy):
    made.put(copy, "transfer", {"layers": ["input", "block_1"], "cuts": [], "accuracy": [], "label_errors": []})
    app = open_app(copy, "transfer")
    assert errors(app) == []
    assert "No cut has been tuned yet" in words(app)


def test_one_run_alone_cannot_be_compared(open_app, copy):
    app = open_app(copy, "compare")
    assert errors(app) == []
    assert "two analysed runs in one folder" in app.info[0].value


def test_two_runs_are_overlaid_and_their_disagreements_are_listed(open_app, copy):
    other = shutil.copytree(copy, copy.with_name("other"))
    text = (other / "clips.csv").read_text().splitlines()
    head = text[0].split(",")
    at, split, label = head.index("predicted"), head.index("split"), head.index("label")
    turned = []
    for i, line in enumerate(text[1:], start=1):
        cells = line.split(",")
        if cells[split] == "test" and len(turned) < 3:
            turned.append((cells[head.index("name")], cells[at] == cells[label]))
            cells[at] = str((int(cells[label]) + 1) % 4) if turned[-1][1] else cells[label]
            text[i] = ",".join(cells)
    (other / "clips.csv").write_text("\n".join(text) + "\n")
    app = open_app(copy, "compare")
    assert errors(app) == []
    assert not app.warning
    said = words(app)
    assert re.search(r"Of 2 runs \*\*(copy|other)\*\* has the lowest kNN label error", said)
    assert "**3 clips on which copy and other disagree**" in said
    right = sum(was for _, was in turned)
    assert f"{right} only copy gets right, {3 - right} only other" in said
    listed = app.dataframe[1].value
    assert set(listed["clip"]) == {name for name, _ in turned}
    for _, line in listed.iterrows():
        assert line[line["right"]] == line["class"]
        assert line["copy"] != line["other"]


def test_runs_of_other_clips_are_compared_with_a_warning(copy, whole):
    a = comparing.read("a", whole)
    b = comparing.Compared("b", copy, "", None, a.layers, dict(list(a.clips.items())[:5]))
    assert comparing.warning([a, a]) == ""
    assert "differ between a and b (5 are the same)" in comparing.warning([a, b])


def test_depth_runs_from_the_input_to_the_last_block_and_leaves_the_logits_out(whole):
    a = comparing.read("a", whole)
    table = comparing.lines([a], "knn_label_error")
    assert table["layer"].tolist() == ["input", *(f"block_{i}" for i in range(1, 11))]
    assert table["depth"].tolist() == pytest.approx([i / 10 for i in range(11)])
    assert table["value"].tolist() == [row["knn_label_error"]["value"] for row in a.layers[:-1]]
    assert comparing.lines([a], "mean_nnk_neighbours")["ci_low"].isna().all()
