"""Clips on a plane: what is read, and that each projection keeps what it says it keeps."""

import sys

import numpy as np
import pytest

from stgcn_lens.arrays import NpyWriter, open_npy
from stgcn_lens.errors import DataError, LensError
from stgcn_lens.projection import PROJECTIONS
from stgcn_lens.projection.means import mean_windows, sample
from stgcn_lens.projection.pca import principal


@pytest.fixture
def blobs(rng) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of 30 clips, 80 features, ten times as far apart as they are wide; and who is in which."""
    centres = rng.standard_normal((3, 80)) * 10
    group = np.repeat(np.arange(3), 30)
    return (centres[group] + rng.standard_normal((90, 80))).astype(np.float32), group


def test_all_clips_are_drawn_while_they_are_few_and_the_same_ones_when_they_are_many():
    assert sample(7, 10).tolist() == list(range(7))
    some = sample(16_487, 2000, seed=3)
    assert len(np.unique(some)) == 2000
    assert some.tolist() == sorted(some)
    assert some.max() < 16_487
    assert np.array_equal(some, sample(16_487, 2000, seed=3))
    assert not np.array_equal(some, sample(16_487, 2000, seed=4))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_clips_features_are_the_mean_of_its_windows_read_from_the_file(tmp_path, rng, dtype):
    counts = np.array([1, 5, 2, 9])
    rows = rng.standard_normal((counts.sum(), 6)).astype(dtype)
    writer = NpyWriter(tmp_path / "windows.npy", dtype, (6,))
    writer.append(rows)
    writer.close()
    offsets = np.concatenate([[0], np.cumsum(counts)])
    chosen = np.array([3, 0, 2])
    found = mean_windows(open_npy(tmp_path / "windows.npy"), offsets, chosen)
    clips = np.split(rows.astype(np.float64), np.cumsum(counts)[:-1])
    np.testing.assert_allclose(found, [clips[i].mean(axis=0) for i in chosen], rtol=1e-6)
    with pytest.raises(DataError, match="other clips"):
        mean_windows(rows[:-1], offsets, chosen)


@pytest.mark.parametrize("shape", [(90, 80), (40, 200), (200, 40), (5, 3)])
def test_principal_coordinates_are_those_of_the_covariance(rng, shape):
    x = rng.standard_normal(shape) * np.linspace(3, 1, shape[1]) + 7
    points, share = principal(x, 2)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    expected = (x - x.mean(axis=0)) @ vectors[:, [-1, -2]]
    np.testing.assert_allclose(abs(points), abs(expected), atol=1e-6)
    assert share == pytest.approx(values[-2:].sum() / values.sum())
    at_largest = points[abs(points).argmax(axis=0), [0, 1]]
    assert (at_largest > 0).all()


def test_clips_that_do_not_differ_lie_on_one_point():
    points, share = principal(np.full((6, 4), 2.5), 2)
    assert not points.any()
    assert share == 1.0
    assert not PROJECTIONS["tsne"].function(np.full((6, 4), 2.5), 0).points.any()


@pytest.mark.parametrize("name", ["pca", "tsne"])
def test_a_projection_keeps_groups_together_is_repeatable_and_leaves_its_input_alone(blobs, name):
    features, group = blobs
    before = features.copy()
    plane = PROJECTIONS[name].function(features, 0)
    assert plane.points.shape == (90, 2)
    assert plane.note
    apart = ((plane.points[:, None] - plane.points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (group[apart.argmin(axis=1)] == group).all()
    assert np.array_equal(plane.points, PROJECTIONS[name].function(features, 0).points)
    assert np.array_equal(features, before)


@pytest.mark.parametrize("clips", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["pca", "tsne"])
def test_a_few_clips_or_one_feature_are_laid_out_too(rng, clips, name):
    for features in (1, 7):
        points = PROJECTIONS[name].function(rng.standard_normal((clips, features)), 0).points
        assert points.shape == (clips, 2)
        assert np.isfinite(points).all()


def test_without_its_package_umap_says_what_to_install(blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(LensError, match=r"pip install 'stgcn-lens\[umap\]'"):
        PROJECTIONS["umap"].function(blobs[0], 0)
