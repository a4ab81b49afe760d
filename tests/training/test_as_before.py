"""With every option at its default, a training is number for number what it was before there were any."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stgcn_lens.data.transforms import prepare
from stgcn_lens.models import MODELS
from stgcn_lens.training import train
from tests.reference.training import trained
from tests.training.clips import clip_set, job, splits

TRAININGS = [
    {},
    {"flip": True, "random_moving": True, "batch": 7, "schedule": "step", "milestones": (1,)},
    {"augment": False, "warmup": 0, "batch": 5, "label_smoothing": 0.0, "seed": 3},
]


@pytest.mark.parametrize("settings", TRAININGS, ids=["defaults", "all changes", "none"])
def test_the_defaults_train_bit_for_bit_as_the_plain_loop_does(run, settings):
    clips, task = clip_set(24), replace(job(**settings), validation=0.0)
    train(run, clips, splits(clips), task)
    samples = [prepare(clip, task.preprocessing, 1) for clip in clips]
    with torch.random.fork_rng():
        expected, losses = trained(
            lambda: MODELS["stgcn"].build(task.model, clips.skeleton, clips.channels, len(clips.classes)),
            np.stack([sample.x for sample in samples]),
            np.stack([sample.present for sample in samples]),
            clips.labels,
            np.flatnonzero(splits(clips) == "train"),
            clips.skeleton,
            task.training,
        )
    weights = load_file(run / "model.safetensors")
    assert set(weights) == set(expected.state_dict())
    for name, tensor in expected.state_dict().items():
        assert torch.equal(weights[name], tensor), name
    lines = [json.loads(line) for line in (run / "train_log.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines] == losses
