import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from stgcn_lens.data.transforms import Preprocessing, clean, prepare
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain.evaluate import LocalisationConfig, average_precision
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.explain.upsample import to_clip, to_frames
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.saliency import ExplainConfig, explain
from tests import tiny

BLOCKS = [f"block_{i}" for i in range(1, 7)]
QUICK = LocalisationConfig(draws=2, resamples=50)


def maps(run: Run, layer: str) -> list[np.ndarray]:
    """Maps of each clip, as a reader of the contract would cut them."""
    values = np.load(run / f"saliency/{layer}/maps.npy", allow_pickle=False)
    return [values[a:b] for a, b in pairwise(np.load(run / f"saliency/{layer}/offsets.npy", allow_pickle=False))]


def rows_present(sample, stride: int) -> np.ndarray:
    """(ceil(frames / stride), M), written out: a body is in a row if it is in one of the row's frames."""
    starts = range(0, sample.frames, stride)
    return np.array([sample.present[t : min(t + stride, sample.frames)].any(axis=0) for t in starts])


@pytest.fixture(scope="module")
def source():
    return tiny.clips(10, evidence=True), tiny.model()


@pytest.fixture(scope="module")
def explained(source, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = tiny.run(tmp_path_factory.mktemp("saliency"), *source)
    embed(run, EmbedConfig())
    assert explain(run, ExplainConfig(batch=3, localisation=QUICK)) == BLOCKS
    return run


@pytest.fixture
def embedded(tmp_path) -> Run:
    """A run of its own without evidence: four clips under analysis."""
    run = tiny.run(tmp_path, tiny.clips(6), tiny.model(width=1))
    embed(run, EmbedConfig())
    return run


def test_stored_maps_are_those_of_each_clip_alone(source, explained) -> None:
    clips, net = source
    stored = {layer: maps(explained, layer) for layer in BLOCKS}
    shown = 0
    for position, number in enumerate(np.load(explained / "embeddings/clips.npy")):
        sample = prepare(clips[number], tiny.PREP, 2)
        cam = grad_cam(net, torch.from_numpy(sample.x[None]))
        for layer in BLOCKS:
            there = rows_present(sample, net.strides[layer])
            wanted = cam.maps[layer][0, : len(there)] * there[:, None]
            got = stored[layer][position]
            assert got.shape == wanted.shape == (-(-sample.frames // net.strides[layer]), 25, 2)
            assert np.abs(got - wanted).max() <= 1e-5 * max(wanted.max(), 1e-12)
            assert (got.transpose(0, 2, 1)[~there] == 0).all()
            shown += int((cam.maps[layer][0, : len(there)].transpose(0, 2, 1)[~there] > 0).any())
    assert shown  # the network does put something on absent bodies, which is what has to be cut


def test_files_are_those_of_the_contract(source, explained) -> None:
    about = explained.read_json("saliency/saliency.json")
    assert {name: about[name] for name in about if name != "layers"} == {
        "method": "gradcam",
        "target": "predicted",
        "signed": False,
        "pooling": "clip",
        "normalisation": "none",
    }
    assert [row["layer"] for row in about["layers"]] == BLOCKS
    assert [row["stride"] for row in about["layers"]] == [source[1].strides[layer] for layer in BLOCKS]
    assert sorted(path.name for path in (explained / "saliency").iterdir()) == sorted(
        [*BLOCKS, "saliency.json", "localisation.json", "aggregates.json"]
    )
    for row in about["layers"]:
        values = np.load(explained / f"saliency/{row['layer']}/maps.npy", mmap_mode="r", allow_pickle=False)
        offsets = np.load(explained / f"saliency/{row['layer']}/offsets.npy", allow_pickle=False)
        assert (values.dtype, values.shape) == (np.float32, (offsets[-1], 25, 2))
        assert (offsets.dtype, offsets.shape) == (np.int64, (9,))
        silent = np.mean([map.max() <= 0 for map in maps(explained, row["layer"])])
        assert row["no_evidence"] == pytest.approx(silent)


def test_class_by_joint_is_the_mean_of_maps_scaled_to_one_under_the_predicted_class(source, explained) -> None:
    clips, net = source
    chosen = np.load(explained / "embeddings/clips.npy")
    predicted = np.array([int(row["predicted"]) for row in tiny.table(explained)])[chosen]
    assert 1 < len(set(predicted)) < len(tiny.CLASSES)
    for layer in BLOCKS:
        table = np.load(explained / f"saliency/{layer}/class_by_joint.npy", allow_pickle=False)
        assert (table.dtype, table.shape) == (np.float32, (len(tiny.CLASSES), 25))
        rows: dict[int, list[np.ndarray]] = {label: [] for label in range(len(tiny.CLASSES))}
        for position, map in enumerate(maps(explained, layer)):
            there = rows_present(prepare(clips[chosen[position]], tiny.PREP, 2), net.strides[layer])
            cells = [map[t, :, m] for t in range(len(map)) for m in range(2) if there[t, m]]
            rows[predicted[position]].append(np.mean(cells, axis=0) / (np.max(cells) or 1))
        for label, found in rows.items():
            if found:
                np.testing.assert_allclose(table[label], np.mean(found, axis=0), rtol=1e-5, atol=1e-6)
            else:
                assert np.isnan(table[label]).all()


def test_aggregates_are_those_of_the_table(source, explained) -> None:
    layout, found = source[1].layout, explained.read_json("saliency/aggregates.json")
    assert [row["layer"] for row in found] == BLOCKS
    predicted = [int(tiny.table(explained)[n]["predicted"]) for n in np.load(explained / "embeddings/clips.npy")]
    for row in found:
        folder = explained / "saliency" / row["layer"]
        table, parts = np.load(folder / "class_by_joint.npy"), np.load(folder / "class_by_part.npy")
        assert (parts.dtype, parts.shape) == (np.float32, (len(tiny.CLASSES), len(layout.parts)))
        for number, joints in enumerate(layout.parts.values()):
            np.testing.assert_allclose(parts[:, number], table[:, list(joints)].mean(axis=1), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(list(row["joints"].values()), table[predicted].mean(axis=0), rtol=1e-5, atol=1e-7)
        silent = [not map.any() for map in maps(explained, row["layer"])]
        assert sum(row["no_evidence"].values()) == sum(silent)
        counted = {name: (about["clips"], about["without_evidence"]) for name, about in row["classes"].items()}
        assert counted == {
            tiny.CLASSES[c]: (predicted.count(c), sum(s for s, p in zip(silent, predicted, strict=True) if p == c))
            for c in sorted(set(predicted))
        }


def test_localisation_scores_the_maps_on_the_frames_of_the_clips(source, explained) -> None:
    clips = source[0]
    scores = explained.read_json("saliency/localisation.json")
    assert [row["layer"] for row in scores] == BLOCKS
    for row in scores:
        assert row["n"] == 8
        for name in ("average_precision", "random", "motion"):
            assert 0 <= row[name]["ci_low"] <= row[name]["value"] <= row[name]["ci_high"] <= 1
        difference = row["average_precision"]["value"] - row["random"]["value"]
        assert row["difference_to_random"]["value"] == pytest.approx(difference)
    wanted = []
    for position, number in enumerate(np.load(explained / "embeddings/clips.npy")):
        clip = clean(clips[number], tiny.PREP)
        sample = prepare(clips[number], tiny.PREP, 2)
        on_clip = to_clip(to_frames(maps(explained, "block_5")[position], 4, sample.frames), sample.source, clip.frames)
        wanted.append(average_precision(on_clip[..., : clip.bodies], clip.evidence, clip.valid))
    assert scores[4]["average_precision"]["value"] == pytest.approx(np.mean(wanted))


def test_without_planted_evidence_nothing_is_scored(embedded) -> None:
    explain(embedded, ExplainConfig())
    assert (embedded / "saliency/saliency.json").is_file()
    assert not (embedded / "saliency/localisation.json").exists()


@pytest.mark.parametrize("pooling", ["clip", "body"])
def test_signed_maps_keep_what_speaks_against_and_make_no_table(embedded, pooling) -> None:
    explain(embedded, ExplainConfig(pooling=pooling))
    unsigned = {layer: maps(embedded, layer) for layer in BLOCKS}
    explain(embedded, ExplainConfig(signed=True, pooling=pooling))
    about = embedded.read_json("saliency/saliency.json")
    assert (about["signed"], about["pooling"]) == (True, pooling)
    against = 0
    for layer in BLOCKS:
        for map, positive in zip(maps(embedded, layer), unsigned[layer], strict=True):
            np.testing.assert_array_equal(np.maximum(map, 0), positive)
            against += int((map < 0).any())
        assert not (embedded / f"saliency/{layer}/class_by_joint.npy").exists()
    assert against


def test_replayed_frames_are_not_in_the_maps(tmp_path) -> None:
    clips = tiny.clips(5)
    run = tiny.run(tmp_path, clips, tiny.model(width=1), Preprocessing(frames=40, fit="replay"))
    embed(run, EmbedConfig(split="all"))
    explain(run, ExplainConfig())
    for layer, stride in (("block_1", 1), ("block_3", 2), ("block_6", 4)):
        assert [len(map) for map in maps(run, layer)] == [-(-clip.frames // stride) for clip in clips]


def test_a_layer_that_speaks_for_nothing_gives_zeros_and_says_so(tmp_path) -> None:
    net = tiny.model(width=1)
    with torch.no_grad():
        net.head.weight.zero_()
    run = tiny.run(tmp_path, tiny.clips(5), net)
    embed(run, EmbedConfig())
    explain(run, ExplainConfig())
    assert [row["no_evidence"] for row in run.read_json("saliency/saliency.json")["layers"]] == [1.0] * 6
    for layer in BLOCKS:
        assert not np.load(run / f"saliency/{layer}/maps.npy").any()
        table = np.load(run / f"saliency/{layer}/class_by_joint.npy")
        assert ((table == 0) | np.isnan(table)).all()


def test_saliency_that_is_up_to_date_is_left_alone(embedded) -> None:
    seen: list[tuple[int, int]] = []
    note = lambda done, total: seen.append((done, total))  # noqa: E731
    assert explain(embedded, ExplainConfig(batch=3), progress=note) == BLOCKS
    before = (embedded / "saliency").stat().st_ino, embedded.manifest(), [(3, 4), (4, 4)]
    assert explain(embedded, ExplainConfig(batch=3), progress=note) == BLOCKS
    assert ((embedded / "saliency").stat().st_ino, embedded.manifest(), seen) == before


@pytest.mark.parametrize("change", ["force", "pooling", "missing file", "other clips"])
def test_saliency_is_made_again_when(embedded, change) -> None:
    explain(embedded, ExplainConfig())
    before = (embedded / "saliency").stat().st_ino
    if change == "missing file":
        (embedded / "saliency/saliency.json").unlink()
    if change == "other clips":
        embed(embedded, EmbedConfig(split="all"))
        with pytest.raises(RunError, match="'explain' was made from what has since been replaced"):
            embedded.key("explain")
    explain(embedded, ExplainConfig(pooling="body" if change == "pooling" else "clip"), force=change == "force")
    assert (embedded / "saliency").stat().st_ino != before
    assert len(maps(embedded, "block_1")) == (6 if change == "other clips" else 4)


def test_a_run_that_was_not_embedded_says_what_to_run(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(6), tiny.model(width=1))
    with pytest.raises(RunError, match=r"'embed' has not been run; run: stgcn-lens embed .*run"):
        explain(run, ExplainConfig())


def test_what_breaks_off_leaves_nothing_half_written(embedded) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain(embedded, ExplainConfig(), progress=stop)
    assert not [path for path in embedded.path.iterdir() if "saliency" in path.name]
    assert embedded.manifest()["stages"]["explain"]["status"] == "failed"


def test_an_impossible_batch_is_refused() -> None:
    with pytest.raises(LensError, match=r"impossible batch: got 0, expected >= 1"):
        ExplainConfig(batch=0)


def test_a_network_may_be_given_and_another_one_makes_the_maps_anew(embedded, monkeypatch) -> None:
    explain(embedded, ExplainConfig())
    own = np.load(embedded / "saliency/block_1/maps.npy")
    loaded = load(embedded.path)
    monkeypatch.setattr("stgcn_lens.embeddings.load", lambda *_, **__: pytest.fail("the run's own was read"))
    before = embedded.manifest()
    assert explain(embedded, ExplainConfig(), network=loaded) == BLOCKS
    assert embedded.manifest() == before  # it is the run's own: up to date
    explain(embedded, ExplainConfig(), network=loaded, force=True)
    assert np.array_equal(np.load(embedded / "saliency/block_1/maps.npy"), own)
    other = dataclasses.replace(loaded, model=tiny.model(width=1, seed=1), hash="another")
    explain(embedded, ExplainConfig(), network=other)
    assert not np.array_equal(np.load(embedded / "saliency/block_1/maps.npy"), own)
    assert embedded.manifest()["stages"]["explain"]["inputs"]["network"] == "another"
