"""A network that is given from Python has a run like any other, but for the network itself."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.activations import record
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import CheckpointError, DataError, RunError
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.models.given import given, recorded
from stgcn_lens.report import ReportConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.given import analyse
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.training.adopt import adopt_network
from tests.models.strangers import STRANGERS, network
from tests.training.clips import CLASSES, absent, clip_set, with_clip
from tests.training.conftest import content

ROOT = Path(__file__).resolve().parents[2]
PREP = Preprocessing(frames=12)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=3), resamples=10, permutations=5)
ALL = (*CLASSES, "never seen")


def stranger(kind: str = "agcn", seed: int = 0, **about: object) -> Loaded:
    return given(network(kind, seed)[1], **{"classes": ALL, "preprocessing": PREP, **about})


def table(run: Run) -> list[dict[str, str]]:
    with (run / "clips.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def clips() -> ClipSet:
    return clip_set(9, 3)


def test_the_run_has_all_but_the_network(clips, tmp_path) -> None:
    seen, mine = [], stranger(name="a stranger's")
    run = adopt_network(tmp_path / "run", mine, clips, progress=lambda *at: seen.append(at))
    assert {path.name for path in run.path.iterdir()} == {
        *("manifest.json", "model.json", "clips.csv", "metrics.json", "confusion.csv", "data", ".lock")
    }
    about = json.loads((run / "model.json").read_text())
    assert about == recorded(run.path)
    assert about["architecture"] == {
        "model": "a stranger's",
        "config": {},
        "given": {
            "layers": {"input": 3, "block_1": 6, "block_2": 8, "block_3": 10},
            "strides": {"input": 1, "block_1": 1, "block_2": 2, "block_3": 4},
        },
    }
    assert (about["classes"], about["bodies"], about["preprocessing"]["frames"]) == (list(ALL), 2, 12)
    record = run.manifest()["stages"]["train"]
    assert record["weights"] == about["weights_sha256"] == mine.hash
    assert seen[-1] == (9, 9)
    with torch.no_grad():
        x = torch.from_numpy(np.stack([prepare(clip, PREP, 2).x for clip in clips]))
        expected = mine.model(x).argmax(dim=1).tolist()
    assert [int(row["predicted"]) for row in table(run)] == expected
    assert {row["split"] for row in table(run)} == {"test"}


def test_a_network_without_a_file_is_refused_in_words_by_whoever_looks_for_one(clips, tmp_path) -> None:
    run = adopt_network(tmp_path / "run", stranger(name="a stranger's"), clips)
    for read in (load, lambda path: embed(Run.open(path), EmbedConfig())):
        with pytest.raises(CheckpointError) as caught:
            read(run.path)
        assert str(caught.value) == (
            f"{run.path}/model.json: the network of this run was given from Python, and no file can build it: got "
            '"a stranger\'s", expected one of stgcn, stgcn++, stgat, local, tcn; run the stage from Python with '
            "network=... (docs/adapter.md); graph, report and app need no network"
        )
    assert not (run / "embeddings").exists()


def test_the_same_call_again_does_nothing(clips, tmp_path) -> None:
    run, seen = adopt_network(tmp_path / "run", stranger(), clips), []
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.name not in (".lock",)}
    adopt_network(tmp_path / "run", stranger(), clip_set(9, 3), progress=lambda *at: seen.append(at))
    after = {path: path.stat().st_mtime_ns for path in before}
    assert seen == []
    assert after == before


@pytest.mark.parametrize("change", ["weights", "layers", "preprocessing", "name"])
def test_another_network_makes_the_run_anew_and_what_followed_stale(change, clips, tmp_path) -> None:
    first = stranger()
    run = adopt_network(tmp_path / "run", first, clips)
    embed(run, EmbedConfig(window=4), network=first)
    _, adapter = network("agcn", seed=change == "weights")
    if change == "layers":
        del adapter.layers["block_3"]
    prep = replace(PREP, frames=16) if change == "preprocessing" else PREP
    other = given(adapter, classes=ALL, preprocessing=prep, name="other" if change == "name" else None)
    assert (other.hash == first.hash) == (change != "weights")
    adopt_network(tmp_path / "run", other, clips)
    assert run.manifest()["stages"]["embed"]["status"] == "stale"
    assert json.loads((run / "model.json").read_text()) == other.about


def test_clips_are_packed_into_the_run_or_stay_where_they_lie(clips, tmp_path) -> None:
    run = adopt_network(tmp_path / "packed", stranger(), clips)
    np.testing.assert_array_equal(ClipSet.open(run / "data").xyz, clips.xyz)
    assert "data" not in run.manifest()
    adopt_network(run.path, stranger(), ClipSet.open(run / "data"))
    assert "data" not in run.manifest()
    lying = ClipSet.from_clips(clips, ALL).save(tmp_path / "native")
    run = adopt_network(tmp_path / "lying", stranger(), lying)
    assert run.manifest()["data"] == str((tmp_path / "native").resolve())
    assert not (run / "data").exists()
    assert embed(run, EmbedConfig(), network=stranger()) == 9


def test_classes_are_matched_by_name(clips, tmp_path) -> None:
    turned = [c.replace(label=(1, 2, 0)[c.label]) for c in clips]
    other = ClipSet.from_clips(turned, (CLASSES[2], CLASSES[0], CLASSES[1]))
    run = adopt_network(tmp_path / "run", stranger(), other)
    assert [row["label"] for row in table(run)] == [str(clip.label) for clip in clips]
    assert ClipSet.open(run / "data").classes == ALL


def test_clips_without_labels_are_classified_and_those_that_cannot_be_prepared_listed(clips, tmp_path) -> None:
    free = ClipSet.from_clips([c.replace(label=None) for c in with_clip(clips, 2, absent)], ())
    run = adopt_network(tmp_path / "run", stranger(), free)
    assert run.read_json("metrics.json") == {}
    assert [row["name"] for row in table(run) if row["split"] == "dropped"] == ["clip 02"]


@pytest.mark.parametrize(
    ("made", "kind", "told"),
    [
        (lambda: clip_set(4, 1, layout="kinect20"), DataError, "got layout 'kinect20', .* expected layout 'ntu25'"),
        (
            lambda: ClipSet.from_clips([c.replace(xyz=c.xyz[:2]) for c in clip_set(4, 1)], CLASSES[:1]),
            DataError,
            "got layout 'ntu25', 2 channels .* expected layout 'ntu25', 3 channels",
        ),
        (
            lambda: ClipSet.from_clips(clip_set(4, 2), ("jump", "hop")),
            CheckpointError,
            "other classes: got 2 classes, of which it has no 'jump', 'hop', expected some of its 4 classes",
        ),
    ],
)
def test_clips_that_do_not_fit_leave_no_folder(made, kind, told, tmp_path) -> None:
    with pytest.raises(kind, match=told):
        adopt_network(tmp_path / "run", stranger(), made())
    assert not (tmp_path / "run").exists()


def test_neither_other_clips_nor_a_training_are_replaced_unasked(clips, copy, tmp_path) -> None:
    run = adopt_network(tmp_path / "run", stranger(), clips)
    for path, told in ((run.path, "made from other clips"), (copy.path, "holds a training")):
        before = {name: whole for name, whole in content(path).items() if name != ".lock"}
        with pytest.raises(RunError, match=told) as caught:
            adopt_network(path, stranger(), clip_set(6, 3))
        assert "force" in caught.value.fix
        assert {name: whole for name, whole in content(path).items() if name != ".lock"} == before
        adopt_network(path, stranger(), clip_set(6, 3), force=True)
        assert len(table(Run.open(path))) == 6
        assert not (path / "model.safetensors").exists()


@pytest.mark.parametrize("name", STRANGERS)
def test_every_stage_goes_through_and_says_what_the_network_does(name, clips, tmp_path) -> None:
    mine, told = stranger(name), []
    run = analyse(
        tmp_path / "run",
        mine,
        clips,
        embedding=EmbedConfig(window=1),
        geometry=GEOMETRY,
        report=ReportConfig(clips=1),
        progress=lambda stage, done, total: told.append((stage, done == total)),
    )
    stages = ["classify", "embed", "graph", "explain", "report"]
    assert [stage for stage in dict(told) if (stage, True) in told] == stages
    layers = list(mine.model.layers)
    assert [row["layer"] for row in run.read_json("layers.json")] == [*layers, "logits"]
    sample = prepare(clips[4], PREP, 2)  # of one body, in slot 0
    x = torch.from_numpy(sample.x[None])
    cam = grad_cam(mine.model, x)
    with torch.no_grad(), record(mine.model, mine.model.layers) as kept:
        mine.model(x)
    for layer in layers:
        rows, ends = (run.read_array(f"embeddings/{layer}/{part}.npy") for part in ("windows", "offsets"))
        expected = kept[layer][0].permute(1, 0, 2).flatten(1).numpy()  # (T_l, C_l * V)
        np.testing.assert_allclose(rows[ends[4] : ends[5]], expected, rtol=1e-4, atol=1e-5)
        if layer != "input":
            maps, ends = (run.read_array(f"saliency/{layer}/{part}.npy") for part in ("maps", "offsets"))
            got, whole = maps[ends[4] : ends[5], :, 0], cam.maps[layer][0, ..., 0]
            np.testing.assert_allclose(got, whole, rtol=1e-3, atol=1e-5 * float(whole.max()))
    page = (run / "report.html").read_text()
    assert type(mine.model).__name__ in page
    assert all(layer in page for layer in layers)
    before = run.manifest()["stages"]
    analyse(
        run.path,
        stranger(name),
        clips,
        embedding=EmbedConfig(window=1),
        geometry=GEOMETRY,
        report=ReportConfig(clips=1),
    )
    assert run.manifest()["stages"] == before


def test_the_page_of_the_adapter_runs_as_it_is_printed(tmp_path, monkeypatch, capsys) -> None:
    page = (ROOT / "docs/adapter.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exec(compile("\n".join(blocks), "adapter.md", "exec"), {"__name__": "adapter"})
    assert capsys.readouterr().out == "runs/mine/report.html\n"
    run = Run.open("runs/mine")
    assert [record["status"] for record in run.manifest()["stages"].values()] == ["done"] * 5
    assert run.manifest()["stages"]["embed"]["config"]["window"] == 4
