"""Whether maps of different classes differ, against literal copies."""

import numpy as np
import pytest

from stgcn_lens.explain.contrast import pearson, rms, table_contrast
from tests.reference import saliency_metrics as literal


def test_r_is_that_of_numpy_and_knows_no_scale(rng: np.random.Generator) -> None:
    a, b = rng.random((2, 50)).astype(np.float32)
    assert pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-6)
    assert pearson(a, 3 * a + 1) == pytest.approx(1)
    assert pearson(a, -a) == pytest.approx(-1)


def test_a_constant_map_has_no_correlation(rng: np.random.Generator) -> None:
    assert np.isnan(pearson(np.full(5, 0.1), rng.random(5)))
    assert np.isnan(pearson(rng.random(5), np.zeros(5)))


def test_the_distance_is_between_maps_of_peak_one(rng: np.random.Generator) -> None:
    a = rng.random(40)
    assert rms(a, 5 * a) == pytest.approx(0)
    assert rms(np.array([2.0, 0.0]), np.array([0.0, 4.0])) == pytest.approx(1)
    assert rms(np.zeros(4), np.array([0.0, 0.0, 3.0, 3.0])) == pytest.approx(np.sqrt(0.5))


def test_tables_are_compared_pair_by_pair(rng: np.random.Generator) -> None:
    profiles, classes = rng.random((12, 6)), np.array([4, 4, 9, 9, 9, 1, 1, 1, 1, 4, 9, 1])
    r, apart = table_contrast(profiles, classes, np.ones((1, 12)))
    assert (r[0], apart[0]) == pytest.approx(literal.table_contrast(profiles, classes))


def test_a_resample_counts_a_clip_as_often_as_it_was_drawn(rng: np.random.Generator) -> None:
    profiles, classes = rng.random((6, 4)), np.array([0, 0, 1, 1, 2, 2])
    drawn = np.array([0, 0, 1, 2, 2, 3])  # class 2 is not in it
    weights = np.bincount(drawn, minlength=6)[None].astype(float)
    r, apart = table_contrast(profiles, classes, weights)
    assert (r[0], apart[0]) == pytest.approx(literal.table_contrast(profiles[drawn], classes[drawn]))


def test_one_class_alone_or_constant_rows_have_nothing_to_compare(rng: np.random.Generator) -> None:
    r, apart = table_contrast(rng.random((3, 4)), np.zeros(3, int), np.ones((2, 3)))
    assert np.isnan(r).all()
    assert np.isnan(apart).all()
    r, apart = table_contrast(np.ones((2, 4)), np.array([0, 1]), np.ones((1, 2)))
    assert np.isnan(r).all()
    assert apart[0] == 0
