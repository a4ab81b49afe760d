"""One clip seen by a network: as the stages of a run see it, and its neighbours as a graph would have them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.data.edits import Edits, edit
from stgcn_lens.data.transforms import prepare
from stgcn_lens.distances import Pooled, WindowDTW
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.explain.gradcam import grad_cam
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies import one_clip
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.one_clip import difference, look, measured, nearest, windows
from tests import tiny
from tests.reference.dtw import window_dtw

K = 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = tiny.run(tmp_path_factory.mktemp("one"), tiny.clips(14), tiny.model())
    embed(made, EmbedConfig())
    graph(made, GeometryConfig(graph=GraphConfig(k=K), resamples=5, permutations=5))
    return made


def stored(run: Run, layer: str) -> tuple[np.ndarray, np.ndarray]:
    return (
        run.read_array(f"embeddings/{layer}/windows.npy", mmap=True),
        run.read_array(f"embeddings/{layer}/offsets.npy"),
    )


def test_the_answer_is_the_networks_and_maps_lie_on_the_clips_own_frames(run):
    loaded, clips = load(run.path), tiny.clips(14)
    for number in (1, 2, 3):  # two bodies of which one leaves, a longer one that is cropped, one frame
        seen = look(loaded, clips[number])
        x = torch.from_numpy(prepare(clips[number], tiny.PREP, 2).x)[None]
        with torch.no_grad():
            expected = torch.softmax(loaded.model(x)[0].double(), dim=0).numpy()
        np.testing.assert_allclose(seen.probabilities, expected, atol=1e-6)
        assert seen.target == expected.argmax()
        assert list(seen.maps) == [f"block_{i}" for i in range(1, 7)]
        for layer, map in seen.maps.items():
            assert map.shape == seen.clip.xyz.shape[1:]
            assert map.min() >= 0
            assert not map[~np.broadcast_to(seen.clip.valid[:, None], map.shape)].any()
            assert seen.no_evidence[layer] == (not map.any())


def test_at_stride_one_the_map_of_a_clip_that_fits_is_grad_cam_itself_and_against_is_the_difference(run):
    loaded, clip = load(run.path), tiny.clips(14)[1]  # 24 frames, as many as the network takes
    x = torch.from_numpy(prepare(clip, tiny.PREP, 2).x)[None]
    one, two = (grad_cam(loaded.model, x, torch.tensor([c]), signed=True).maps["block_1"][0] for c in (0, 2))
    there = look(loaded, clip, 0).clip.valid[:, None]
    np.testing.assert_allclose(look(loaded, clip, 0).maps["block_1"], np.maximum(one, 0) * there, atol=1e-6)
    against = look(loaded, clip, 0, against=2)
    assert against.target == 0
    np.testing.assert_allclose(against.maps["block_1"], np.maximum(one - two, 0) * there, atol=1e-6)


def test_windows_are_those_that_embed_keeps(run):
    loaded, clips = load(run.path), tiny.clips(14)
    numbers = run.read_array("embeddings/clips.npy")
    found = windows(loaded, [prepare(clips[int(n)], tiny.PREP, 2) for n in numbers], EmbedConfig())
    assert list(found) == ["input", *(f"block_{i}" for i in range(1, 7)), "logits"]
    for layer, by_clip in found.items():
        rows, offsets = stored(run, layer)
        np.testing.assert_array_equal([len(one) for one in by_clip], np.diff(offsets))
        np.testing.assert_allclose(np.concatenate(by_clip), rows, atol=1e-5)


@pytest.mark.parametrize("layer", ["input", "block_4", "logits"])
def test_neighbours_of_a_clip_of_the_run_are_those_of_its_graph_whatever_the_tile(run, layer, monkeypatch):
    rows, offsets = stored(run, layer)
    graphs = np.load(run / "graphs" / f"{layer}.npz")
    for tile in (1, 1 << 20):
        monkeypatch.setattr(one_clip, "_TILE", tile)
        for i in (0, 5, 11):
            own = np.asarray(rows[offsets[i] : offsets[i + 1]])
            positions, distances = nearest(own, rows, offsets, K, WindowDTW(), without=i)
            np.testing.assert_array_equal(positions, graphs["indices"][i])
            np.testing.assert_allclose(distances, graphs["distances"][i], rtol=1e-6)


def test_an_edited_clip_is_measured_as_the_definition_says(run):
    loaded = load(run.path)
    clip = edit(tiny.clips(14)[4], Edits(freeze=("head", "left_hand"), noise=10.0))
    (own,) = windows(loaded, [prepare(clip, tiny.PREP, 2)], EmbedConfig())["block_6"]
    rows, offsets = stored(run, "block_6")
    expected = np.array([window_dtw(own, rows[offsets[i] : offsets[i + 1]]) for i in range(12)])
    positions, distances = nearest(own, rows, offsets, 5, WindowDTW())
    np.testing.assert_array_equal(positions, np.argsort(expected, kind="stable")[:5])
    np.testing.assert_allclose(distances, expected[positions], rtol=1e-6)
    np.testing.assert_allclose(measured(own, rows, offsets, np.array([7, 2]), WindowDTW()), expected[[7, 2]], rtol=1e-6)


def test_equal_distances_go_by_position_and_few_clips_give_few_neighbours():
    one = np.zeros((2, 3), np.float32)
    others = np.repeat(np.float16([[1, 0, 0], [2, 0, 0], [1, 0, 0], [0, 1, 0]]), 2, axis=0)
    offsets = np.array([0, 2, 4, 6, 8])
    positions, distances = nearest(one, others, offsets, 9, Pooled(), without=1)
    assert positions.tolist() == [0, 2, 3]
    np.testing.assert_allclose(distances, 1.0)
    assert len(nearest(one, others[:2], offsets[:2], 1, Pooled(), without=0)[0]) == 0


def test_half_precision_is_read_as_it_is_stored(tmp_path: Path, rng):
    np.save(tmp_path / "windows.npy", rng.normal(size=(9, 5)).astype(np.float16))
    rows, offsets = np.load(tmp_path / "windows.npy", mmap_mode="r"), np.array([0, 2, 5, 9])
    one = rng.normal(size=(3, 5)).astype(np.float32)
    positions, distances = nearest(one, rows, offsets, 3, WindowDTW(normalise=False))
    expected = [window_dtw(one, rows[a:b], normalise=False) for a, b in ((0, 2), (2, 5), (5, 9))]
    np.testing.assert_array_equal(positions, np.argsort(expected))
    np.testing.assert_allclose(distances, np.sort(expected), rtol=1e-6)


def test_the_same_clip_has_the_same_evidence_and_a_scaled_map_is_alike_but_stronger(run):
    loaded, clip = load(run.path), tiny.clips(14)[2]
    seen = look(loaded, clip)
    layer = next(layer for layer in seen.maps if not seen.no_evidence[layer])
    same = difference(seen, seen, layer)
    assert (same.likeness, same.strength) == (pytest.approx(1), pytest.approx(1))
    np.testing.assert_allclose(same.before.sum(), 1)
    np.testing.assert_allclose(
        same.before.sum(axis=1), seen.maps[layer].sum(axis=(0, 2)) / seen.maps[layer].sum(), atol=1e-6
    )
    twice = dataclasses.replace(seen, maps={layer: 2 * seen.maps[layer]})
    assert difference(seen, twice, layer).strength == pytest.approx(2)
    nothing = dataclasses.replace(seen, maps={layer: 0 * seen.maps[layer]})
    told = difference(nothing, seen, layer)
    assert (told.likeness, told.strength) == (None, None)
    assert not told.before.any()


def test_a_clip_of_another_length_is_compared_by_parts_of_its_own(run):
    loaded, clip = load(run.path), tiny.clips(14)[1]
    one, other = look(loaded, clip), look(loaded, edit(clip, Edits(slow=2.0)))
    told = difference(one, other, "block_2", parts=4)
    assert told.before.shape == told.after.shape == (25, 4)
    quarter = other.maps["block_2"].sum(axis=(1, 2)) * np.clip(
        other.clip.frames / 4 - np.arange(other.clip.frames), 0, 1
    )
    assert told.after[:, 0].sum() == pytest.approx(quarter.sum() / other.maps["block_2"].sum(), rel=1e-4)
