"""The Gini index, against the mean difference of all pairs."""

import numpy as np
import pytest

from stgcn_lens.explain.sparsity import gini
from tests.reference import saliency_metrics as literal


def test_gini_is_half_the_mean_difference_by_the_mean(rng: np.random.Generator) -> None:
    values = rng.random(30)
    assert gini(values) == pytest.approx(literal.gini(values.tolist()))
    assert gini(-7 * values) == pytest.approx(gini(values))


def test_from_all_alike_to_all_on_one_cell() -> None:
    assert gini(np.full(10, 3.0)) == pytest.approx(0)
    assert gini(np.eye(1, 10)) == pytest.approx(0.9)
    assert gini(np.random.default_rng(0).random(200_000)) == pytest.approx(1 / 3, abs=2e-3)


def test_a_zero_map_has_none() -> None:
    assert np.isnan(gini(np.zeros(4)))
