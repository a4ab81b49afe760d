"""The exact distance from few exact costs, against the one from all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcn_lens.distances import Sequences, WindowDTW, window_dtw
from stgcn_lens.distances.window_dtw import pairs
from tests.reference.dtw import window_dtw as literal


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(1, 90),
    ties=st.booleans(),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]),
    band=st.sampled_from([None, 0, 2]),
)
def test_leaving_costs_out_leaves_the_distance_bit_for_bit(
    seed: int, features: int, ties: bool, scale: float, band: int | None
) -> None:
    rng = np.random.default_rng(seed)
    draw = (lambda shape: rng.integers(-1, 2, shape)) if ties else (lambda shape: rng.normal(size=shape))
    seqs = Sequences.of([(scale * draw((n, features))).astype(np.float32) for n in rng.integers(1, 12, 12)])
    i, j = np.indices((12, 12)).reshape(2, -1)
    config, found = WindowDTW(band=band), []
    for few in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(window_dtw, "_FEW", few)
            found.append(pairs(seqs, i, j, config))
    np.testing.assert_array_equal(found[0], found[1])
    plain = [clip.astype(float) / scale for clip in map(seqs.__getitem__, range(12))]
    expected = [literal(plain[p], plain[q], band=band) for p, q in zip(i, j, strict=True)]
    np.testing.assert_allclose(found[0] / scale, expected, rtol=1e-12)


def test_a_distance_is_the_same_whatever_it_is_asked_for_with(rng: np.random.Generator) -> None:
    seqs = Sequences.of([rng.normal(size=(n, 700)).astype(np.float32) for n in rng.integers(1, 9, 20)])
    i, j = np.indices((20, 20)).reshape(2, -1)
    whole = pairs(seqs, i, j, WindowDTW())
    np.testing.assert_array_equal(whole.reshape(20, 20), whole.reshape(20, 20).T)
    order = rng.permutation(400)
    np.testing.assert_array_equal(pairs(seqs, i[order], j[order], WindowDTW()), whole[order])
    for place in order[:20]:
        assert pairs(seqs, i[[place]], j[[place]], WindowDTW()) == whole[place]
