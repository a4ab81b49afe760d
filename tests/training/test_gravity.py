"""The partition by measured distances from the centre of gravity: equation 8 of ST-GCN, over the training clips."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from stgcn_lens.adjacency import MEASURED, hops, links, partitions, subsets
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import clean
from stgcn_lens.errors import CheckpointError, LensError
from stgcn_lens.models import STGCN, STGCNConfig
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.skeleton import LAYOUTS, get_layout
from stgcn_lens.training import TrainJob, train
from stgcn_lens.training.gravity import measured, radii
from tests.data import people
from tests.reference.adjacency import neighbours
from tests.training.clips import clip_set, job, splits


def test_radii_are_mean_distances_over_bodies_and_frames():
    clip = people.without(people.clip(5, 2), 1, [0, 3])
    far = people.clip(3, seed=1)
    expected = []
    for joint in range(25):
        found = []
        for one in (clip, far):
            for t in range(one.frames):
                for m in range(one.bodies):
                    if one.valid[t, m]:
                        body = one.xyz[:, t, :, m].astype(float)
                        found.append(np.sqrt(sum((body[d, joint] - np.mean(body[d])) ** 2 for d in range(3))))
        assert len(found) == 5 + 3 + 3
        expected.append(np.mean(found))
    np.testing.assert_allclose(radii([clip, far]), expected)


def test_scores_of_a_flat_skeleton_are_no_distance():
    clip = people.clip(4, layout="openpose18")
    louder = clip.replace(xyz=clip.xyz * np.array([1, 1, 50], np.float32)[:, None, None, None])
    np.testing.assert_allclose(radii([clip]), radii([louder]))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_subsets_follow_equation_8(layout, rng):
    r = rng.permutation(layout.V) / 10
    expected = np.zeros((3, layout.V, layout.V))
    for i in range(layout.V):
        for j in neighbours(layout, i):
            expected[0 if r[j] == r[i] else 1 if r[j] < r[i] else 2, j, i] = 1
    np.testing.assert_array_equal(subsets(layout, MEASURED, r), expected)
    np.testing.assert_array_equal(subsets(layout, MEASURED, r).sum(axis=0), links(layout) + np.eye(layout.V))


def test_where_distance_grows_with_the_hops_it_is_the_partition_by_hops():
    layout = get_layout("ntu25")
    r = hops(layout)[layout.centre]
    for normalisation in ("column", "symmetric"):
        measured_one = partitions(layout, MEASURED, normalisation, r)
        np.testing.assert_array_equal(measured_one, partitions(layout, "spatial", normalisation))


@pytest.mark.parametrize("radius", [None, [1.0] * 24, [1.0] * 24 + [np.nan]])
def test_a_network_without_all_distances_is_refused(radius):
    config = STGCNConfig(width=4, partition=MEASURED, radius=None if radius is None else tuple(radius))
    with pytest.raises(LensError, match=r"needs the joints' distances .* expected 25 finite numbers"):
        STGCN(config, get_layout("ntu25"))


def test_distances_for_another_partition_are_refused():
    with pytest.raises(LensError, match="a radius that nothing uses: got partition spatial, expected spatial-measured"):
        STGCNConfig(radius=(1.0,) * 25)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with the measured partition, its clips, and its job."""
    clips, task = clip_set(16), job(epochs=1)
    task = replace(task, model=replace(task.model, partition=MEASURED))
    run = Run.create(tmp_path_factory.mktemp("measured") / "run")
    train(run, clips, splits(clips), task)
    return run, clips, task


def test_training_measures_over_the_cleaned_clips_that_train_and_no_others(trained):
    run, clips, task = trained
    chosen = splits(clips) == "train"
    expected = radii(clean(clips[i], task.preprocessing) for i in np.flatnonzero(chosen))
    config = load(run.path).model.config
    np.testing.assert_allclose(config.radius, expected, atol=1e-6)
    grown = [c.replace(xyz=c.xyz * (1 if there else 3)) for c, there in zip(clips, chosen, strict=True)]
    others = ClipSet.from_clips(grown, clips.classes)
    assert measured(task.model, others, task.preprocessing, chosen) == config
    assert measured(task.model, others, task.preprocessing, ~chosen) != config
    assert measured(config, others, task.preprocessing, ~chosen) is config  # known already


def test_the_matrices_of_a_loaded_checkpoint_are_those_of_its_distances(trained):
    loaded = load(trained[0].path)

    def built(**change: object) -> STGCN:
        model = STGCN(replace(loaded.model.config, **change), get_layout("ntu25"), 3, 2)
        model.load_state_dict(loaded.model.state_dict())
        return model.eval()

    x = torch.randn(2, 3, 12, 25, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(built()(x), loaded.model(x))
        assert not torch.equal(built(partition="spatial", radius=None)(x), loaded.model(x))


@pytest.mark.parametrize("wrong", ["near", [0.1, "far"], [True] * 25, [0.1] * 3, 5])
def test_a_checkpoint_with_other_things_for_distances_is_refused(trained, tmp_path, wrong):
    for name in ("model.json", "model.safetensors"):
        shutil.copy(trained[0] / name, tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    about["architecture"]["config"]["radius"] = wrong
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match=r"'radius' of STGCNConfig|needs the joints' distances"):
        load(tmp_path)


def test_a_job_that_measures_nothing_is_told_as_it_always_was():
    assert "radius" not in TrainJob().told()["model"]
    assert TrainJob(model=STGCNConfig(partition=MEASURED, radius=(1.0,) * 25)).told()["model"]["radius"] == [1.0] * 25
