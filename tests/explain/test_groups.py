"""A group's mean map: time stretched, peaks levelled, the stronger body counts."""

import numpy as np
import pytest

from stgcn_lens.errors import LensError
from stgcn_lens.explain.groups import mean_map


def literal(maps: list[np.ndarray], bins: int) -> np.ndarray:
    """The same, one number at a time."""
    out = np.zeros((bins, maps[0].shape[1]))
    for map in maps:
        rows = len(map)
        for b in range(bins):
            at = (b + 0.5) / bins * rows - 0.5
            for v in range(map.shape[1]):
                series = [max(map[t, v]) for t in range(rows)]
                value = np.interp(at, range(rows), series)
                out[b, v] += value / (map.max() or 1) / len(maps)
    return out


def test_it_is_the_mean_of_stretched_maps_with_peak_one(rng):
    maps = [rng.random((rows, 5, 2)).astype(np.float32) * scale for rows, scale in ((1, 3), (4, 0.1), (40, 7), (16, 1))]
    found = mean_map(iter(maps), bins=8)
    np.testing.assert_allclose(found, literal(maps, 8), atol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(found, mean_map(maps[::-1], bins=8), atol=1e-12)


def test_a_clip_without_evidence_counts_as_zeros():
    one = np.ones((3, 2, 1), np.float32)
    np.testing.assert_allclose(mean_map([one, 0 * one], bins=4), np.full((4, 2), 0.5))


def test_no_clip_and_signed_maps_are_refused():
    with pytest.raises(LensError, match="no clip"):
        mean_map([])
    with pytest.raises(LensError, match="unsigned"):
        mean_map([-np.ones((3, 2, 1))])
