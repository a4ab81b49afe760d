import numpy as np

from stgcn_lens.distances import Pooled, Sequences
from stgcn_lens.distances.pooled import cdist


def test_is_the_euclidean_distance_of_mean_windows(rng: np.random.Generator) -> None:
    clips = [rng.normal(size=(n, 5)).astype(np.float32) for n in (3, 1, 8, 2)]
    ours = cdist(Sequences.of(clips), None, Pooled())
    for i in range(4):
        for j in range(4):
            expected = np.linalg.norm(clips[i].astype(float).mean(axis=0) - clips[j].astype(float).mean(axis=0))
            assert abs(ours[i, j] - expected) < 1e-12


def test_forgets_time(rng: np.random.Generator) -> None:
    clip = rng.integers(-4, 5, (6, 3)).astype(np.float32)
    assert cdist(Sequences.of([clip]), Sequences.of([clip[::-1]]), Pooled())[0, 0] == 0
