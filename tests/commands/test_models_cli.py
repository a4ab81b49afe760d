"""Every row of MODELS by command, from its flags to its report; and networks on clips that they were not trained on."""

import csv
import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from stgcn_lens.cli import main
from stgcn_lens.commands.train import args_for
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import load
from stgcn_lens.models.given import given
from stgcn_lens.studies.given import analyse
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.training import TrainJob
from tests.data import people
from tests.models.strangers import network
from tests.training.clips import CLASSES, absent, clip_set, with_clip

SMALL = {
    "stgcn": ("--width", "4", "--configuration", "compact", "--kernel", "3"),
    "stgcn++": ("--width", "6", "--blocks", "2", "--wider", "2", "--strided", "2"),
    "stgat": ("--width", "8", "--heads", "4", "--kernel", "3"),
    "local": ("--width", "4", "--configuration", "compact", "--kernel", "3"),
    "tcn": ("--width", "4", "--configuration", "compact", "--kernel", "3"),
}
ANALYSE = (
    "--geometry.graph.k",
    "3",
    "--geometry.resamples",
    "10",
    "--geometry.permutations",
    "5",
    "--report.clips",
    "1",
)
QUICK = ("--frames", "12", "--no-scale", "--train-ids", "1", "2", "3", "--batch", "8", "--warmup", "0")
models = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """24 clips of three classes by four subjects, the last of whom tests."""
    folder = tmp_path_factory.mktemp("clips") / "native"
    clip_set(24, 3).save(folder)
    return folder


@pytest.fixture(scope="module")
def run_of(clips, tmp_path_factory):
    """A function that gives the analysed run of an architecture; not to be changed."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def run(name: str) -> Path:
        if name not in made:
            line = ["train", "--data", str(clips), "--out", str(folder / name), "--architecture", name, *SMALL[name]]
            assert main([*line, *QUICK, "--epochs", "1"]) == 0
            # Six test clips have few neighbours: those that trained are analysed too.
            assert main(["analyse", str(folder / name), *ANALYSE, "--embed.split", "all"]) == 0
            made[name] = folder / name
        return made[name]

    return run


def told(capsys, *words: object, status: int = 0) -> dict:
    """What a command answers with --json; of a failure, its line."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == status
    shown = capsys.readouterr()
    if status:
        assert shown.err.count("\n") == 1
        return {"line": shown.err.strip()}
    return json.loads(shown.out)


# flags


@models
def test_the_flags_are_those_of_the_architecture(name, capsys) -> None:
    assert main(["train", "--architecture", name, "--help"]) == 0
    shown = capsys.readouterr().out
    for field in MODELS[name].config.__dataclass_fields__:
        assert f"-{field.replace('_', '-')} " in shown.replace("]", " "), field
    assert ("--heads" in shown) == (name == "stgat")
    assert ("--blocks" in shown) == (name == "stgcn++")


@models
def test_defaults_are_the_small_ones_and_a_flag_changes_one_of_them(name, capsys) -> None:
    line = ["train", "--data", "x", "--out", "y", f"--architecture={name}", "--dry-run"]
    assert main(line) == 0
    job = json.loads(capsys.readouterr().out)["job"]
    small = json.loads(json.dumps(MODELS[name].small.__dict__))
    assert (job["architecture"], job["model"]) == (name, small)
    assert main([*line, "--dropout", "0.25"]) == 0
    assert json.loads(capsys.readouterr().out)["job"]["model"] == {**small, "dropout": 0.25}


def test_without_a_word_about_it_the_architecture_is_st_gcn() -> None:
    kind, shown = args_for(["--data", "x"])
    assert shown == "train"
    job = kind(data=Path("x"), out=Path("y")).job
    assert job.told() == TrainJob().told()


def test_the_last_architecture_counts() -> None:
    kind, shown = args_for(["--architecture", "stgat", "--architecture=tcn"])
    assert shown == "train --architecture tcn"
    assert type(kind(data=Path("x"), out=Path("y")).job.model) is MODELS["tcn"].config


@pytest.mark.parametrize(
    ("words", "told_of"),
    [
        (["--architecture", "stgat", "--partition", "spatial"], "architecture stgat has no setting --partition, which"),
        (
            ["--heads", "4"],
            "architecture stgcn has no setting --heads, which belongs to stgat; see: stgcn-lens train -",
        ),
        (
            ["--architecture=tcn", "--no-importance"],
            "architecture tcn has no setting --no-importance, which belongs to",
        ),
        (["--architecture", "stgat", "--heads", "3"], "impossible STGAT: got width 16, 3 heads"),
        (["--architecture", "stgat", "--haeds", "4"], "Unrecognized options: --haeds, 4; see: stgcn-lens train --arch"),
        (["--architecture", "stgta"], "unknown architecture: got 'stgta', expected one of stgcn, stgcn++, stgat"),
        (["--architecture"], "unknown architecture: got ''"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_one_line_with_the_architecture(words, told_of, capsys) -> None:
    assert main(["train", "--data", "x", "--out", "y", *words]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert told_of in line
    if "--architecture" in words and "stgat" in words:
        assert "stgcn-lens train --architecture stgat --help" in line


# every architecture, all stages


@models
def test_every_stage_goes_through_and_names_the_models_layers(name, run_of) -> None:
    run = run_of(name)
    model = load(run).model
    assert type(model.config) is MODELS[name].config
    layers = list(model.layers)
    assert [row["layer"] for row in json.loads((run / "layers.json").read_text())] == [*layers, "logits"]
    saliency = json.loads((run / "saliency/saliency.json").read_text())["layers"]
    assert [(row["layer"], row["stride"]) for row in saliency] == [
        (layer, model.strides[layer]) for layer in layers[1:]
    ]
    for layer in layers:
        windows = np.load(run / f"embeddings/{layer}/windows.npy")
        assert windows.shape[1] % 25 == 0
        assert np.isfinite(windows).all()
        if layer != "input":
            maps = np.load(run / f"saliency/{layer}/maps.npy")
            assert np.isfinite(maps).all()
            assert maps.min() >= 0
    page = (run / "report.html").read_text()
    assert all(layer in page for layer in layers)
    assert json.loads((run / "results.json").read_text())["model"]["name"] == name


@models
def test_the_app_opens_a_run_of_it(name, run_of, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py"])
    monkeypatch.setenv("STGCN_LENS_RUN", str(run_of(name)))
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app" / "main.py"), default_timeout=60).run()
    assert not app.exception
    assert [element.value for element in app.error] == []
    assert app.select_slider("layer").options == [*load(run_of(name)).model.layers, "logits"]


def test_a_network_that_does_not_keep_joints_apart_is_not_said_to_prefer_one(run_of) -> None:
    run = run_of("tcn")
    layer = "block_6"
    maps = np.load(run / f"saliency/{layer}/maps.npy")
    assert maps.any()  # else the test says nothing
    assert np.ptp(maps, axis=1).max() < 1e-5 * maps.max()
    table = json.loads((run / "results.json").read_text())["saliency"]["tables"][layer]
    assert all(row["joints"] == [] for row in table["top"])
    assert "the maps are the same for every joint" in (run / "summary.md").read_text()
    assert "most salient joint" not in (run / "summary.md").read_text()


def test_a_tiny_stgat_learns_three_classes(clips, tmp_path, capsys) -> None:
    flags = ["--architecture", "stgat", "--width", "8", "--heads", "4", "--epochs", "30", *QUICK]
    metrics = told(capsys, "train", "--data", clips, "--out", tmp_path / "run", *flags)["metrics"]
    assert metrics["train"]["top1"] >= 0.9
    assert metrics["test"]["top1"] >= 0.8


# evaluate


@pytest.fixture
def run(run_of, tmp_path) -> Path:
    """A run of its own to write to."""
    return Path(shutil.copytree(run_of("stgcn++"), tmp_path / "run"))


def table(run: Path) -> list[dict[str, str]]:
    with (run / "clips.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("side", ["test", "train", "all"])
def test_an_evaluation_of_its_own_clips_says_what_the_training_said(run, side, capsys) -> None:
    about = told(capsys, "evaluate", run, "--split", side)
    metrics, rows = json.loads((run / "metrics.json").read_text()), table(run)
    if side != "all":
        assert about["metrics"] == pytest.approx(metrics[side])
        rows = [row for row in rows if row["split"] == side]
    with np.load(about["file"], allow_pickle=False) as held:
        assert held["names"].tolist() == [row["name"] for row in rows]
        assert held["labels"].tolist() == [int(row["label"]) for row in rows]
        assert held["logits"].argmax(axis=1).tolist() == [int(row["predicted"]) for row in rows]
        assert held["logits"].dtype == np.float32
        assert tuple(held["classes"]) == CLASSES
    assert json.loads((run / f"evaluation/{side}.json").read_text())["metrics"] == about["metrics"]
    if side == "test":
        assert (run / "evaluation/test_confusion.csv").read_text() == (run / "confusion.csv").read_text()


def test_some_classes_are_scored_by_themselves_two_ways_under_a_name_of_their_own(run, capsys) -> None:
    about = told(capsys, "evaluate", run, "--split", "all", "--only-classes", CLASSES[0], "2")
    assert (about["name"], about["only_classes"]) == ("all-subset", [CLASSES[0], CLASSES[2]])
    with np.load(about["file"], allow_pickle=False) as held:
        labels, logits = held["labels"], held["logits"]
    assert set(labels) == {0, 2}
    assert about["metrics"]["top1"] == pytest.approx((logits.argmax(axis=1) == labels).mean())
    assert about["among_these"]["top1"] == pytest.approx((logits[:, [0, 2]].argmax(axis=1) * 2 == labels).mean())
    assert about["metrics"]["n"] == about["among_these"]["n"] == 16
    assert "no such class: got 'jump'" in told(capsys, "evaluate", run, "--only-classes", "jump", status=2)["line"]


def test_other_clips_are_matched_by_class_name_and_the_unusable_ones_are_listed(run, tmp_path, capsys) -> None:
    other = with_clip(clip_set(6, 3), 4, absent)
    turned = [c.replace(label=(1, 2, 0)[c.label]) for c in other]  # the same classes in another order
    ClipSet.from_clips(turned, (CLASSES[2], CLASSES[0], CLASSES[1])).save(tmp_path / "test")
    about = told(capsys, "evaluate", run, "--data", tmp_path / "test")
    assert about["name"] == "others-test"  # not taken for the run's own test side
    assert [entry["clip"] for entry in about["dropped"]] == ["clip 04"]
    with np.load(about["file"], allow_pickle=False) as held:
        assert held["labels"].tolist() == [0, 1, 2, 0, 2]
        by_name = dict(zip(held["names"].tolist(), held["logits"], strict=True))
    told(capsys, "evaluate", run, "--split", "all")
    with np.load(run / "evaluation/all.npz", allow_pickle=False) as held:
        for name, logits in zip(held["names"].tolist(), held["logits"], strict=True):
            if name in by_name:
                np.testing.assert_allclose(by_name[name], logits, rtol=1e-4, atol=1e-5)


def test_clips_without_labels_are_answered_and_not_scored(run, tmp_path, capsys) -> None:
    ClipSet.from_clips([c.replace(label=None) for c in clip_set(3, 3)], ()).save(tmp_path / "free")
    about = told(capsys, "evaluate", run, "--data", tmp_path / "free")
    assert (about["metrics"], about["clips"], about["unlabelled"]) == (None, 3, 3)
    assert main(["evaluate", str(run), "--data", str(tmp_path / "free")]) == 0
    assert "none has a label" in capsys.readouterr().out


def test_clips_are_put_onto_the_networks_layout_and_nothing_of_them_stays_in_the_run(run, tmp_path, capsys) -> None:
    hand = [c.replace(layout="ntu25-hand") for c in clip_set(3, 3)]
    ClipSet.from_clips(hand, CLASSES).save(tmp_path / "hand")
    line = told(capsys, "evaluate", run, "--data", tmp_path / "hand", status=2)["line"]
    assert "got layout 'ntu25-hand'" in line
    assert "--to-layout ntu25" in line
    before = {path.name for path in run.iterdir()}
    assert told(capsys, "evaluate", run, "--data", tmp_path / "hand", "--to-layout", "ntu25")["clips"] == 3
    assert {path.name for path in run.iterdir()} == before | {"evaluation"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--split", "val"], "no clip in split 'val'"),
        (["--split", "dev"], "unknown split: got 'dev', expected one of test, val, train, all"),
        (["--split", "test", "--data", "CLIPS"], "other clips are on no side of the run: got --split test"),
        (["--to-layout", "ntu25"], "--format, --layout and --to-layout are about --data"),
        (["--name", "../x"], "no name for a file: got '../x'"),
        (["--data", "nowhere"], "nowhere: no such file or folder"),
        (["--test-clips", "0"], "impossible evaluation"),
    ],
)
def test_an_evaluation_that_cannot_be_is_told(run, clips, words, line, capsys) -> None:
    words = [str(clips) if word == "CLIPS" else word for word in words]
    assert line in told(capsys, "evaluate", run, *words, status=2)["line"]
    assert not (run / "evaluation").exists()


# fuse


def test_two_runs_and_a_pickle_of_others_are_fused_by_name(run, run_of, tmp_path, capsys) -> None:
    other = Path(shutil.copytree(run_of("tcn"), tmp_path / "other"))
    for one in (run, other):
        told(capsys, "evaluate", one)
    with np.load(run / "evaluation/test.npz") as held:
        names, labels, logits = (held[key] for key in ("names", "labels", "logits"))
    right = {
        f"{name}.skeleton": 9 * np.eye(3, dtype=np.float32)[label] for name, label in zip(names, labels, strict=True)
    }
    missing = str(names[0])
    del right[f"{missing}.skeleton"]
    (tmp_path / "epoch50_test_score.pkl").write_bytes(pickle.dumps(right))
    files = [run, other, tmp_path / "epoch50_test_score.pkl"]
    out = tmp_path / "fused.json"
    about = told(capsys, "fuse", *files, "--weights", 1, 1, 100, "--summed", "logits", "--out", out)
    assert about["metrics"]["top1"] == 1
    assert [one["weight"] for one in about["single"]] == [1, 1, 100]
    assert [one["stream"] for one in about["single"]] == ["joint", "joint", None]
    assert about["missing"] == {str(files[2]): [missing]}
    own = (logits.argmax(axis=1) == labels)[1:].mean()
    assert about["single"][0]["gain"]["top1"] == pytest.approx(1 - own)
    whole = json.loads(out.read_text())
    assert whole["metrics"] == about["metrics"]
    assert [clip["name"] for clip in whole["clips"]] == names[1:].tolist()
    assert all(clip["correct"] for clip in whole["clips"])
    assert "a file is there" in told(capsys, "fuse", *files, "--out", out, status=2)["line"]
    alone = told(capsys, "fuse", *files, "--weights", 1, 0, 0)
    assert alone["metrics"]["top1"] == pytest.approx(own)


def test_scores_of_a_network_that_was_trained_again_are_refused(run, clips, capsys) -> None:
    line = told(capsys, "fuse", run, run, status=2)["line"]
    assert "evaluation/test.npz: missing from the run; run: stgcn-lens evaluate" in line
    told(capsys, "evaluate", run)
    assert told(capsys, "fuse", run, run)["metrics"]["n"] == 6
    train = ["train", "--data", str(clips), "--out", str(run), "--architecture", "stgcn++", *SMALL["stgcn++"], *QUICK]
    assert main([*train, "--epochs", "1", "--seed", "1", "--force"]) == 0
    assert "has since been trained again" in told(capsys, "fuse", run, run, status=2)["line"]
    told(capsys, "evaluate", run)
    told(capsys, "fuse", run, run)


# adopt


@pytest.fixture
def imported(run_of, tmp_path) -> Path:
    """A checkpoint whose classes nobody has named."""
    folder = tmp_path / "imported"
    folder.mkdir()
    for name in ("model.json", "model.safetensors"):
        shutil.copy(run_of("stgcn") / name, folder)
    about = json.loads((folder / "model.json").read_text())
    about["classes"] = ["class 1", "class 2", "class 3"]
    about["about"] = {"source": "released ST-GCN", "assumed_classes": True}
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def test_made_up_class_names_give_way_to_those_of_the_clips(imported, clips, tmp_path, capsys) -> None:
    about = told(capsys, "adopt", imported, "--data", clips, "--out", tmp_path / "run")
    assert about["classes"] == list(CLASSES)
    assert about["metrics"]["test"]["n"] == 24
    kept = json.loads((tmp_path / "run/model.json").read_text())
    assert kept["classes"] == list(CLASSES)
    assert kept["about"]["assumed_classes"] is False
    assert json.loads((imported / "model.json").read_text())["classes"][0] == "class 1"
    assert main(["analyse", str(tmp_path / "run"), *ANALYSE]) == 0
    assert CLASSES[1] in (tmp_path / "run/report.html").read_text()
    assert told(capsys, "adopt", imported, "--data", clips, "--out", tmp_path / "run")["skipped"]


def test_made_up_names_do_not_hide_another_number_of_classes(imported, tmp_path, capsys) -> None:
    clip_set(4, 2).save(tmp_path / "two")
    line = told(capsys, "adopt", imported, "--data", tmp_path / "two", "--out", tmp_path / "run", status=2)["line"]
    assert "got 2 classes, of which it has no 'raise left, hand', 'step'" in line
    assert "--classes FILE, 3 lines" in line


def test_classes_with_names_are_matched_by_them_and_the_run_is_whole(run_of, tmp_path, capsys) -> None:
    two = [c.replace(label=1 - c.label) for c in clip_set(8, 2)]
    ClipSet.from_clips(two, CLASSES[1::-1]).save(tmp_path / "two")
    words = ["adopt", run_of("stgcn"), "--data", tmp_path / "two", "--out", tmp_path / "run"]
    about = told(capsys, *words)
    rows, before = table(tmp_path / "run"), {row["name"]: row for row in table(run_of("stgcn"))}
    for row in rows:
        was = before[row["name"]]
        assert [row[key] for key in ("label", "class_name", "predicted")] == [
            {"step": "1", CLASSES[0]: "0"}[row["class_name"]], row["class_name"], was["predicted"]
        ]  # fmt: skip
    assert about["metrics"]["test"]["n"] == 8
    assert main(["analyse", str(tmp_path / "run"), *ANALYSE]) == 0
    assert told(capsys, *words)["skipped"]
    three = [c.replace(label=0) for c in clip_set(3, 2)]
    ClipSet.from_clips(three, ("jump",)).save(tmp_path / "jump")
    line = told(capsys, "adopt", run_of("stgcn"), "--data", tmp_path / "jump", "--out", tmp_path / "x", status=2)[
        "line"
    ]
    assert "got 1 classes, of which it has no 'jump', expected some of its 3 classes" in line


def test_clips_without_labels_are_classified_and_reported(run_of, tmp_path, capsys) -> None:
    ClipSet.from_clips([c.replace(label=None) for c in clip_set(4, 3)], ()).save(tmp_path / "free")
    words = ["adopt", run_of("stgcn"), "--data", tmp_path / "free", "--out", tmp_path / "run"]
    assert main([str(word) for word in words]) == 0
    assert "none has a label, so there are no scores" in capsys.readouterr().out
    assert [row["label"] for row in table(tmp_path / "run")] == [""] * 4
    assert all(row["predicted"] for row in table(tmp_path / "run"))
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "4 clips whose classes are not known" in (tmp_path / "run/summary.md").read_text()
    assert "no labelled clip in split 'test'" in told(capsys, "embed", tmp_path / "run", status=2)["line"]


def test_what_cannot_be_adopted_leaves_no_folder(run_of, clips, tmp_path, capsys) -> None:
    (tmp_path / "st_gcn.pt").write_bytes(b"weights")
    out = tmp_path / "run"
    for words, line in (
        ([tmp_path / "st_gcn.pt", "--data", clips], "st_gcn.pt: a file of weights, not a checkpoint folder; import it"),
        ([tmp_path / "nowhere", "--data", clips], "nowhere/model.json: no checkpoint here"),
        ([run_of("stgcn"), "--data", tmp_path / "nowhere"], "nowhere: no such file or folder"),
    ):
        assert line in told(capsys, "adopt", *words, "--out", out, status=2)["line"]
    assert not out.exists()
    before = {path: path.read_bytes() for path in run_of("tcn").rglob("*") if path.is_file() and path.name != ".lock"}
    line = told(capsys, "adopt", run_of("stgcn"), "--data", clips, "--out", run_of("tcn"), status=2)["line"]
    assert "the run holds a training" in line
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_network_of_two_channels_gets_x_and_y(tmp_path, capsys) -> None:
    def made(channels: int) -> list:
        clips = [people.clip(10, layout="hand21", seed=i, name=f"clip {i}", label=i % 2, subject=i) for i in range(4)]
        return [c.replace(xyz=c.xyz[:channels]) for c in clips]

    for channels in (2, 3):
        ClipSet.from_clips(made(channels), CLASSES[:2]).save(tmp_path / f"in{channels}")
    line = ["train", "--data", str(tmp_path / "in2"), "--out", str(tmp_path / "run"), "--train-ids", "0", "1", "2"]
    assert main([*line, *SMALL["stgcn"], "--frames", "12", "--epochs", "1"]) == 0
    given = [told(capsys, "evaluate", tmp_path / "run", "--data", tmp_path / f"in{channels}") for channels in (2, 3)]
    answers = [np.load(about["file"])["logits"] for about in given]
    np.testing.assert_array_equal(*answers)
    told(capsys, "adopt", tmp_path / "run", "--data", tmp_path / "in3", "--out", tmp_path / "adopted")
    assert [row["predicted"] for row in table(tmp_path / "adopted")] == [str(c) for c in answers[0].argmax(axis=1)]
    flat = [c.replace(layout="coco17", xyz=c.xyz[:, :, :17]) for c in made(3)]
    ClipSet.from_clips(flat, CLASSES[:2]).save(tmp_path / "coco")
    assert (
        "21 joints = 42 numbers a frame; clips in 2-D cannot become 3-D ones"
        in told(capsys, "evaluate", tmp_path / "run", "--data", tmp_path / "coco", status=2)["line"]
    )


# a network that was given from Python


@pytest.fixture(scope="module")
def given_run(tmp_path_factory) -> Path:
    """An analysed run whose network is in no file; to be copied, not changed."""
    mine = given(network("agcn")[1], classes=(*CLASSES, "none"), preprocessing=Preprocessing(frames=12), name="mine")
    geometry = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)
    return analyse(tmp_path_factory.mktemp("given") / "run", mine, clip_set(9, 3), geometry=geometry).path


def test_what_reads_files_alone_works_on_a_given_run(given_run, tmp_path, capsys) -> None:
    run = Path(shutil.copytree(given_run, tmp_path / "run"))
    assert told(capsys, "embed", run)["skipped"]
    assert not told(capsys, "graph", run, "--k", 4, "--resamples", 10, "--permutations", 5)["skipped"]
    assert not told(capsys, "report", run)["skipped"]
    assert "mine with" in (run / "summary.md").read_text()
    about = told(capsys, "checkpoint", "info", run)
    assert (about["architecture"], about["layers"]) == (
        "mine",
        {"input": 1, "block_1": 1, "block_2": 2, "block_3": 4},
    )
    assert main(["checkpoint", "info", str(run)]) == 0
    shown = capsys.readouterr().out
    weights = json.loads((run / "model.json").read_text())["weights_sha256"]
    assert f"given from Python: weights of sha256 {weights[:12]}... that are not in the folder" in shown
    assert "settings" not in shown


@pytest.mark.parametrize(
    "words",
    [
        ["embed", "RUN", "--window", "4"],
        ["explain", "RUN", "--signed"],
        ["analyse", "RUN", "--force"],
        ["evaluate", "RUN"],
        ["checkpoint", "export", "RUN", "--out", "OUT"],
        ["adopt", "RUN", "--data", "RUN/data", "--out", "OUT"],
        ["train", "--data", "RUN/data", "--out", "OUT", "--init", "RUN", "--train-ids", "1", "2"],
    ],
    ids=lambda words: words[0] if words[0] != "checkpoint" else words[1],
)
def test_what_needs_the_network_of_a_given_run_says_what_to_do(words, given_run, tmp_path, capsys) -> None:
    places = {"RUN": str(tmp_path / "run"), "OUT": str(tmp_path / "out")}
    run = Path(shutil.copytree(given_run, tmp_path / "run"))
    words = [word.replace("RUN", places["RUN"]).replace("OUT", places["OUT"]) for word in words]
    line = told(capsys, *words, status=2)["line"]
    assert line == (
        f"stgcn-lens: {run}/model.json: the network of this run was given from Python, and no file can build it: got "
        "'mine', expected one of stgcn, stgcn++, stgat, local, tcn; run the stage from Python with network=... "
        "(docs/adapter.md); graph, report and app need no network"
    )
    assert (run / "embeddings/clips.npy").is_file()
    assert not (tmp_path / "out/model.json").exists()


def test_the_app_shows_the_finished_pages_of_a_given_run(given_run, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py"])
    monkeypatch.setenv("STGCN_LENS_RUN", str(given_run))
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app" / "main.py"), default_timeout=60).run()
    assert app.select_slider("layer").options == ["input", "block_1", "block_2", "block_3", "logits"]
    for page in ("clip", "layers", "neighbours"):
        app.switch_page(f"views/{page}.py").run()
        assert not app.exception
        assert [element.value for element in app.error] == []
    assert any("the clip is described by" in element.value for element in app.markdown)


# networks and clips that do not fit each other


def other_clips(kind: str, folder: Path) -> Path:
    """Twelve clips that differ in one thing from those that the networks were trained on."""
    made = clip_set(12, 3)
    named = [{"name": f"{i}", "label": i % 3, "subject": 1 + i % 4} for i in range(12)]
    some = {
        "variant": lambda: [c.replace(layout="ntu25-hand") for c in made],
        "layout": lambda: [people.clip(9, layout="kinect20", **about) for about in named],
        "dimension": lambda: [people.clip(9, layout="coco17", **about) for about in named],
        "channels": lambda: [c.replace(xyz=c.xyz[:2]) for c in made],
        "classes": lambda: made,
    }[kind]()
    ClipSet.from_clips(some, ("jump", "hop", "sit") if kind == "classes" else CLASSES).save(folder)
    return folder


NUMBERS = "expected layout 'ntu25', 3 channels x 25 joints = 75 numbers a frame"
UNFIT = {
    "variant": f"got layout 'ntu25-hand', 3 channels x 25 joints = 75 numbers a frame, {NUMBERS}; bring the clips to",
    "layout": f"got layout 'kinect20', 3 channels x 20 joints = 60 numbers a frame, {NUMBERS}; bring the clips to",
    "dimension": f"got layout 'coco17', 3 channels x 17 joints = 51 numbers a frame, {NUMBERS}; clips in 2-D cannot",
    "channels": f"got layout 'ntu25', 2 channels x 25 joints = 50 numbers a frame, {NUMBERS}; make clips of 3 channels",
}


@pytest.mark.parametrize("kind", [*UNFIT, "classes"])
def test_clips_that_a_network_was_not_made_for_are_refused_by_every_command(kind, run_of, tmp_path, capsys) -> None:
    run, data, out = run_of("stgcn"), other_clips(kind, tmp_path / "clips"), tmp_path / "out"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    train = ["train", "--data", data, "--out", out, *SMALL["stgcn"], *QUICK, "--epochs", "1", "--init", run]
    for words in (["adopt", run, "--data", data, "--out", out], ["evaluate", run, "--data", data], train):
        line = told(capsys, *words, status=2)["line"]
        assert UNFIT.get(kind, "other classes") in line or (words is train and "--new-head" in line), line
        assert str(run if words is train or kind == "classes" else data) in line
        assert not (out / "model.json").exists()
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--width", "8"], "network of another shape: got width 4, expected width 8; give --width 4"),
        (
            ["--partition", "uniform"],
            "another shape: got partition spatial, expected partition uniform; give --partition",
        ),
        (["--freeze-below", "block_77"], "no such layer to freeze: got 'block_77', expected one of input, block_1, "),
        (["--freeze-below", "logits"], "no such layer to freeze: got 'logits', expected one of input, block_1, "),
    ],
)
def test_a_start_from_a_network_of_another_shape_or_an_unknown_layer_is_told(
    words, line, run_of, clips, tmp_path, capsys
) -> None:
    train = ["train", "--data", clips, "--out", tmp_path / "out", "--init", run_of("stgcn"), *SMALL["stgcn"], *QUICK]
    assert line in told(capsys, *train, *words, status=2)["line"]
    assert not (tmp_path / "out/model.json").exists()


def test_a_start_from_another_network_or_from_a_file_of_weights_is_told(run_of, clips, tmp_path, capsys) -> None:
    train = ["train", "--data", clips, "--out", tmp_path / "out", *QUICK, "--init"]
    line = told(capsys, *train, run_of("tcn"), status=2)["line"]
    assert f"{run_of('tcn')}: the checkpoint is another network: got tcn, expected stgcn; --architecture tcn" in line
    (tmp_path / "st_gcn.pt").write_bytes(b"weights")
    line = told(capsys, *train, tmp_path / "st_gcn.pt", status=2)["line"]
    assert (
        "st_gcn.pt: a file of weights, not a checkpoint folder; import it first: stgcn-lens checkpoint import" in line
    )


def test_a_label_outside_the_classes_is_refused_before_anything_is_made(run_of, clips, tmp_path, capsys) -> None:
    data, out = Path(shutil.copytree(clips, tmp_path / "clips")), tmp_path / "out"
    lines = (data / "clips.csv").read_text().splitlines()
    (data / "clips.csv").write_text("\n".join([lines[0], lines[1].replace(",0,", ",7,", 1), *lines[2:]]) + "\n")
    for words in (
        ["train", "--data", data, "--out", out, *QUICK],
        ["adopt", run_of("stgcn"), "--data", data, "--out", out],
        ["evaluate", run_of("stgcn"), "--data", data],
    ):
        line = told(capsys, *words, status=2)["line"]
        assert f"{data}: a native clip set that cannot be read (clip 'clip 00' has class 7 of 3 classes" in line
    assert not (out / "model.json").exists()


@models
@pytest.mark.parametrize("batch", [1, 17], ids=["every batch", "the last batch"])
def test_a_batch_of_one_clip_trains(name, batch, clips, tmp_path, capsys) -> None:
    train = ["train", "--data", clips, "--out", tmp_path / "run", "--architecture", name, *SMALL[name], *QUICK]
    metrics = told(capsys, *train, "--epochs", "1", "--batch", batch)["metrics"]  # 18 clips train
    assert metrics["train"]["n"] == 18
    assert load(tmp_path / "run").classes == CLASSES


def test_a_batch_of_one_clip_of_one_frame_is_told(clips, tmp_path, capsys) -> None:
    train = [
        "train",
        "--data",
        clips,
        "--out",
        tmp_path / "run",
        *SMALL["stgcn"],
        *QUICK,
        "--frames",
        "1",
        "--batch",
        1,
    ]
    line = told(capsys, *train, status=2)["line"]
    assert "one clip a step is too little for batch norm: got 1 clip of 1 frames" in line
    assert line.endswith("raise --batch or --frames, or add training clips")


def test_clips_of_one_class_can_be_looked_at_with_a_network_that_knows_more(run_of, tmp_path, capsys) -> None:
    clip_set(8, 1).save(tmp_path / "one")
    about = told(capsys, "adopt", run_of("stgcn"), "--data", tmp_path / "one", "--out", tmp_path / "run")
    assert about["classes"] == list(CLASSES)
    about = told(capsys, "analyse", tmp_path / "run", *ANALYSE)
    for row in about["graph"]["layers"]:
        assert row["knn_label_error"]["value"] == 0
        assert row["knn_label_error"]["chance"] == 0
