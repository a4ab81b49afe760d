"""Explanations beside the one of the analysis: any method, class and clips, each in a folder of its own."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.cli import main
from stgcn_lens.data.transforms import Preprocessing, prepare
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import LensError, RunError, WorkError
from stgcn_lens.explain import EXPLAINERS
from stgcn_lens.explain.cells import cells_of
from stgcn_lens.explain.evaluate import LocalisationConfig
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.explanations import MethodConfig, explain_with, explanations
from stgcn_lens.studies.maps import read_maps
from stgcn_lens.studies.saliency import ExplainConfig, explain
from tests import tiny

BLOCKS = [f"block_{i}" for i in range(1, 7)]
QUICK = ExplainConfig(batch=3, localisation=LocalisationConfig(draws=2, resamples=20))
FEW = {"steps": 2, "samples": 2, "window": 12}


@pytest.fixture(scope="module")
def source():
    return tiny.clips(8, evidence=True, frames=(9, 13, 31, 1)), tiny.model(width=1)


@pytest.fixture(scope="module")
def embedded(source, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six clips under analysis, in the run's rows 2 to 7."""
    run = tiny.run(tmp_path_factory.mktemp("explanations"), *source)
    embed(run, EmbedConfig())
    return run


@pytest.fixture
def copy(embedded, tmp_path) -> Run:
    shutil.copytree(embedded.path, tmp_path / "run", ignore=shutil.ignore_patterns("explanations"))
    return Run(tmp_path / "run")


def stored(folder: Path, layer: str) -> list[np.ndarray]:
    return list(read_maps(folder, layer))


@pytest.mark.parametrize("method", EXPLAINERS)
def test_what_is_stored_is_what_the_method_says_of_each_clip_alone(method: str, source, embedded) -> None:
    clips, net = source
    row = EXPLAINERS[method]
    made = explain_with(embedded, MethodConfig(method=method, target="true", clips=("3",), **FEW), QUICK)
    assert made.folder == embedded / f"explanations/{method}--true--3"
    assert np.load(made.folder / "clips.npy").tolist() == [2, 4, 7]
    layers = BLOCKS if row.per_layer else ["input"]
    few = {name: value for name, value in FEW.items() if name in row.options}
    about = json.loads((made.folder / "saliency.json").read_text())
    assert about == made.about
    assert {name: about[name] for name in ("method", "target", "signed", "clips", *few)} == {
        **{"method": method, "target": "true", "signed": False, "clips": 3},
        **few,
    }
    assert [(r["layer"], r["stride"]) for r in about["layers"]] == [(name, net.strides[name]) for name in layers]
    for position, number in enumerate((2, 4, 7)):
        sample = prepare(clips[number], tiny.PREP, 2)
        found = row.function(
            net,
            torch.from_numpy(sample.x[None]),
            torch.tensor([clips[number].label]),
            cells=[cells_of(sample, net.layout, "joint", replayed=False)],
            **few,
        )
        for layer in layers:
            got = stored(made.folder, layer)[position]
            wanted = found.maps[layer][0, : -(-sample.frames // net.strides[layer])]
            assert got.shape == wanted.shape
            assert np.allclose(got, wanted, atol=1e-5 * max(wanted.max(), 1e-6))
    for layer in layers:
        assert np.load(made.folder / layer / "class_by_joint.npy").shape == (4, 25)
        assert np.load(made.folder / layer / "class_by_part.npy").shape == (4, 6)
    assert [r["layer"] for r in json.loads((made.folder / "localisation.json").read_text())] == layers
    assert [r["layer"] for r in json.loads((made.folder / "aggregates.json").read_text())] == layers


def test_grad_cam_of_the_prediction_is_that_of_the_analysis(copy) -> None:
    explain(copy, QUICK)
    made = explain_with(copy, MethodConfig(name="again"), QUICK)
    for layer in BLOCKS:
        for name in ("maps", "offsets", "class_by_joint"):
            one, two = (np.load(path / layer / f"{name}.npy") for path in (copy / "saliency", made.folder))
            np.testing.assert_array_equal(one, two)
    known = copy.read_json("saliency/saliency.json")
    assert {name: made.about[name] for name in known} == known
    assert copy.read_json("saliency/localisation.json") == json.loads((made.folder / "localisation.json").read_text())


def test_methods_stand_side_by_side_and_those_of_older_embeddings_are_not_told(copy) -> None:
    explain(copy, QUICK)
    for wanted in (MethodConfig("hirescam"), MethodConfig("hirescam", target="kick"), MethodConfig("saliency")):
        explain_with(copy, wanted, QUICK)
    assert list(explanations(copy)) == ["hirescam", "hirescam--kick", "saliency"]
    assert explanations(copy)["hirescam--kick"].about["target"] == "kick"
    explain(copy, QUICK, force=True)
    assert list(explanations(copy)) == ["hirescam", "hirescam--kick", "saliency"]
    (copy / "explanations/saliency/saliency.json").write_text("{")
    assert list(explanations(copy)) == ["hirescam", "hirescam--kick"]
    embed(copy, EmbedConfig(window=4))
    assert explanations(copy) == {}
    assert not explain_with(copy, MethodConfig("hirescam"), QUICK).skipped
    assert list(explanations(copy)) == ["hirescam"]


def test_a_difference_of_classes_explains_the_clips_in_which_they_differ(source, copy) -> None:
    made = explain_with(copy, MethodConfig(target="predicted-true"), ExplainConfig(signed=True))
    rows = tiny.table(copy)
    wrong = [i for i in range(2, 8) if rows[i]["predicted"] != rows[i]["label"]]
    assert 0 < len(wrong) < 6
    assert np.load(made.folder / "clips.npy").tolist() == wrong
    targets, against = (np.load(made.folder / f"{name}.npy").tolist() for name in ("targets", "against"))
    assert targets == [int(rows[i]["predicted"]) for i in wrong]
    assert against == [int(rows[i]["label"]) for i in wrong]
    assert min(map.min() for map in stored(made.folder, "block_1")) < 0
    assert not (made.folder / "localisation.json").exists()
    assert not (made.folder / "aggregates.json").exists()

    plain = explain_with(copy, MethodConfig(target="kick-never seen"))
    assert made.about["clips"] == len(wrong)
    assert plain.about["clips"] == 6
    table = np.load(plain.folder / "block_6/class_by_joint.npy")
    assert np.isfinite(table[1]).all()
    assert np.isnan(table[[0, 2, 3]]).all()


def test_replayed_frames_are_removed_with_those_they_repeat(tmp_path) -> None:
    clips, net = tiny.clips(5), tiny.model(width=1)
    prep = Preprocessing(frames=40, fit="replay")
    run = tiny.run(tmp_path, clips, net, prep)
    embed(run, EmbedConfig())
    made = explain_with(run, MethodConfig("occlusion_windows", window=5, clips=("clip 4",)), ExplainConfig(signed=True))
    sample = prepare(clips[4], prep, 2)
    assert sample.frames == 9
    cells = cells_of(sample, net.layout, "joint", replayed=True)
    (map,) = stored(made.folder, "input")
    assert map.shape == (9, 25, 2)
    with torch.no_grad():
        before = net(torch.from_numpy(sample.x[None]))[0]
        for begin in (0, 5):
            changed = sample.x.copy()
            for t in (t for t in range(40) if t % 9 // 5 == begin // 5):
                changed[:, t, :, 0] = cells.neutral()[:, t, :, 0]
            fall = (before - net(torch.from_numpy(changed[None]))[0])[before.argmax()]
            assert np.allclose(map[begin : begin + 5, :, 0], float(fall), atol=1e-4)


def test_what_has_not_changed_is_not_made_again(copy) -> None:
    wanted = MethodConfig("integrated_gradients", clips=("2",), steps=2)
    first = explain_with(copy, wanted, QUICK)
    inode = first.folder.stat().st_ino
    again = explain_with(copy, wanted, ExplainConfig(batch=1, localisation=QUICK.localisation))
    assert (again.skipped, again.about, again.folder.stat().st_ino) == (True, first.about, inode)
    assert explain_with(copy, wanted, QUICK, network=load(copy.path)).skipped
    for change in (
        {"wanted": MethodConfig("integrated_gradients", clips=("2",), steps=3)},
        {"config": ExplainConfig(signed=True)},
        {"force": True},
        {"network": dataclasses.replace(load(copy.path), hash="another")},
    ):
        made = explain_with(copy, **({"wanted": wanted, "config": QUICK} | change))
        assert (made.skipped, made.folder) == (False, first.folder)


def test_what_breaks_off_leaves_what_was_there(copy) -> None:
    explain_with(copy, MethodConfig("hirescam"), QUICK)
    before = sorted(path.name for path in (copy / "explanations").rglob("*"))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain_with(copy, MethodConfig("hirescam"), QUICK, force=True, progress=stop)
    assert sorted(path.name for path in (copy / "explanations").rglob("*")) == before


def test_a_batch_that_the_memory_does_not_hold_is_told_with_a_smaller_one(copy, monkeypatch) -> None:
    def full(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    row = dataclasses.replace(EXPLAINERS["hirescam"], function=full)
    monkeypatch.setitem(EXPLAINERS, "hirescam", row)
    with pytest.raises(WorkError, match="memory does not hold a batch: got 3 clips; explain with --batch 1"):
        explain_with(copy, MethodConfig("hirescam"), QUICK)
    assert not list((copy / "explanations").iterdir())


@pytest.mark.parametrize(
    ("wanted", "config", "error", "message"),
    [
        ({"method": "lime"}, {}, LensError, "unknown method: got 'lime', expected one of gradcam, hirescam"),
        ({"method": "saliency"}, {"signed": True}, LensError, "'saliency' knows no sign: got --signed"),
        (
            {"method": "occlusion_parts", "layers": ("block_1",)},
            {},
            LensError,
            "'occlusion_parts' explains the input only: got --layers block_1; .* explained by gradcam, hirescam",
        ),
        ({"layers": ("block_9",)}, {}, LensError, "unknown layer: got 'block_9'"),
        ({"target": "run"}, {}, LensError, "no such target: got 'run'"),
        ({"clips": ("nobody",)}, {}, LensError, "clips.csv: no such clip: got 'nobody'"),
        ({"clips": ("9",)}, {}, LensError, "so many clips are not under analysis: got 9, expected 1 to 6"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(copy, wanted, config, error, message) -> None:
    with pytest.raises(error, match=message):
        explain_with(copy, MethodConfig(**wanted), ExplainConfig(**config))
    assert not (copy / "explanations").exists()


def test_impossible_settings_are_refused() -> None:
    for name in ("steps", "window", "samples"):
        with pytest.raises(LensError, match=f"explanation: {name} too small: got 0, expected >= 1"):
            MethodConfig(**{name: 0})
    for name in ("../away", "a/b", "", "a--b"):
        with pytest.raises(LensError, match="no name for a folder"):
            MethodConfig(name=name)


def test_a_run_that_was_not_embedded_says_what_to_run(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(4), tiny.model(width=1))
    with pytest.raises(RunError, match="'embed' has not been run"):
        explain_with(run, MethodConfig("hirescam"))
    with pytest.raises(RunError, match="'embed' has not been run"):
        explanations(run)


def test_the_command_makes_any_of_them_and_without_words_that_of_the_analysis(copy, capsys) -> None:
    assert main(["explain", str(copy.path), "--steps", "3"]) == 0
    assert (copy / "saliency/saliency.json").is_file()
    assert not (copy / "explanations").exists()
    capsys.readouterr()
    words = ["explain", str(copy.path), "--method", "shapley_parts", "--target", "sit", "--clips", "clip 2", "clip 5"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    folder = copy / "explanations/shapley_parts--sit--clip+2+clip+5"
    assert told == {
        **{"run": str(copy.path), "folder": str(folder), "method": "shapley_parts", "target": "sit", "signed": False},
        **{"clips": 2, "layers": ["input"], "skipped": False},
    }
    assert np.load(folder / "targets.npy").tolist() == [2, 2]
    assert main(words) == 0
    assert re.search(
        r"shapley_parts of 2 clips, class sit: .* \(unchanged, skipped\)$", capsys.readouterr().out.strip()
    )
    assert main(["explain", str(copy.path), "--layers", "block_6", "--name", "last"]) == 0
    assert "gradcam of 6 clips at 1 layers, class predicted: " in capsys.readouterr().out
    assert main(["explain", str(copy.path), "--method", "lime"]) == 2
    assert "unknown method: got 'lime'" in capsys.readouterr().err
    assert main(["explain", "--help"]) == 0
    shown = re.sub(r"[\s│]+", "", capsys.readouterr().out)
    assert all(f"{method}" in shown for method in EXPLAINERS)
