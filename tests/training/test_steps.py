"""Steps of a single clip are avoided where they can be, and told where not."""

from dataclasses import replace

import numpy as np
import pytest

from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import DataError
from stgcn_lens.training import train
from stgcn_lens.training.steps import parts
from tests.training.clips import clip_set, job


@pytest.mark.parametrize(
    ("count", "batch", "expected"),
    [
        (8, 4, [4, 4]),
        (9, 4, [4, 5]),
        (10, 4, [4, 4, 2]),
        (5, 4, [5]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (3, 8, [3]),
    ],
)
def test_a_single_clip_that_is_left_over_joins_the_step_before(count, batch, expected):
    division = parts(count, batch)
    assert [part.stop - part.start for part in division] == expected
    assert [i for part in division for i in range(count)[part]] == list(range(count))


def one_frame(**training):
    return replace(job(epochs=1, **training), preprocessing=Preprocessing(frames=1, scale=False))


@pytest.mark.parametrize("count", [12, 16])  # of which 9 and 12 train
def test_networks_of_one_frame_can_be_trained_whatever_is_left_over(run, count):
    clips = clip_set(count)
    sides = np.array(["train" if i < count * 3 // 4 else "test" for i in range(count)])
    assert train(run, clips, sides, one_frame(batch=4))["train"]["n"] == count * 3 // 4


@pytest.mark.parametrize(("train_clips", "batch"), [(1, 8), (9, 1)])
def test_one_frame_of_one_clip_a_step_is_refused_with_what_to_do(run, train_clips, batch):
    clips = clip_set(12)
    sides = np.array(["train" if i < train_clips else "test" for i in range(12)])
    with pytest.raises(DataError, match="too little for batch norm: got 1 clip of 1 frames and 1 bodies") as caught:
        train(run, clips, sides, one_frame(batch=batch))
    assert "--batch" in caught.value.fix
