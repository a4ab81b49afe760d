"""Training on from a checkpoint: its weights, its head or a new one, and layers that stay as they are."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from stgcn_lens.errors import CheckpointError, DataError, LensError, RunError
from stgcn_lens.models import STGATConfig, STGCNConfig
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainJob, train
from stgcn_lens.training.finetune import frozen, network
from tests.training.clips import clip_set, job, splits

THREE = clip_set(24, classes=3)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Run:
    """A training on two classes."""
    run, clips = Run.create(tmp_path_factory.mktemp("two") / "run"), clip_set(16)
    train(run, clips, splits(clips), job(epochs=2))
    return run


def from_two(two: Run, **settings: object) -> TrainJob:
    return job(**{"epochs": 1, "init": two.path, **settings})


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Parts of the network that are not what they were."""
    names = [name for name in before if before[name].shape != after[name].shape or (before[name] != after[name]).any()]
    return {".".join(name.split(".")[: 2 if name.startswith("blocks") else 1]) for name in names}


def test_a_training_starts_from_the_checkpoints_weights_and_says_so(run, two):
    clips, start = clip_set(16), weights(two)
    train(run, clips, splits(clips), from_two(two, lr=1e-30, weight_decay=0.0))
    for name, tensor in weights(run).items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(tensor, start[name]), name
    assert run.manifest()["stages"]["train"]["inputs"]["init"] == load(two.path).hash
    about = json.loads((run / "model.json").read_text())["about"]
    assert about["init"] == {"weights": load(two.path).hash, "folder": str(two.path)}


def test_a_new_head_takes_other_classes(run, two):
    train(run, THREE, splits(THREE), from_two(two, new_head=True, freeze_below="block_6"))
    assert load(run.path).classes == THREE.classes
    assert moved(weights(two), weights(run)) == {"head"}


@pytest.mark.parametrize(
    ("below", "learned"),
    [
        ("block_6", {"head"}),
        ("block_4", {"blocks.4", "blocks.5", "head"}),
        ("block_1", {f"blocks.{i}" for i in range(1, 6)} | {"head"}),
        ("input", {f"blocks.{i}" for i in range(6)} | {"head", "entry"}),
    ],
)
def test_a_layer_and_all_before_it_stay_as_they_are_with_their_norms(run, two, below, learned):
    clips = clip_set(16)
    train(run, clips, splits(clips), from_two(two, freeze_below=below, ema=0.5))
    assert moved(weights(two), weights(run)) == learned


@pytest.mark.parametrize("name", ["stgcn", "stgcn++", "stgat", "local", "tcn"])
def test_freezing_reaches_the_weights_of_every_network(name):
    model = network(TrainJob(architecture=name), THREE).train()
    still = frozen(model, "block_3")
    x = torch.randn(2, 3, 12, 25, 1)
    for part in still:
        part.eval()
    seen = [value.clone() for value in model.layers["block_3"].state_dict().values()]
    out = []
    model.layers["block_3"].register_forward_hook(lambda *at: out.append(at[2]))
    model(x).sum().backward()
    assert not out[0].requires_grad
    assert all(torch.equal(a, b) for a, b in zip(seen, model.layers["block_3"].state_dict().values(), strict=True))
    assert all(p.grad is not None for p in model.layers["block_4"].parameters())
    assert model.head.weight.grad is not None


def test_an_unknown_layer_lists_those_there_are(run, two):
    with pytest.raises(LensError, match=r"got 'block_11', expected one of input, block_1, .*, block_6"):
        train(run, clip_set(16), splits(clip_set(16)), from_two(two, freeze_below="block_11"))
    assert run.manifest()["stages"] == {}  # before any clip is prepared
    with pytest.raises(LensError, match="got 'logits', expected one of input"):
        train(run, clip_set(16), splits(clip_set(16)), job(freeze_below="logits"))


def test_other_classes_without_a_new_head_are_refused_with_both_counts(run, two):
    with pytest.raises(
        CheckpointError, match=r"got 2 classes.*, expected 3 classes, such as 'duck'.*--new-head"
    ) as caught:
        train(run, THREE, splits(THREE), from_two(two))
    assert caught.value.file == str(two.path)
    assert not (run / "model.safetensors").exists()


def test_as_many_classes_of_other_names_are_refused(run, two):
    for names, told in (
        (("step", "fall"), "such as 'fall'"),
        (clip_set(4).classes[::-1], "from 'step' to 'raise left"),
    ):
        clips = replace(clip_set(16), classes=names)
        with pytest.raises(CheckpointError, match=f"got 2 classes.*, expected 2 classes,? {told}"):
            train(run, clips, splits(clips), from_two(two))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"model": STGCNConfig(configuration="compact", width=8, kernel=3)},
            "got width 6, expected width 8; .*--width 6",
        ),
        (
            {"model": STGCNConfig(configuration="compact", width=6, kernel=3, partition="spatial-release")},
            "got partition spatial, expected partition spatial-release; give --partition spatial",
        ),
        ({"architecture": "stgat", "model": STGATConfig(width=8, heads=2)}, "got stgcn, expected stgat; .*stgcn"),
    ],
    ids=["width", "partition", "architecture"],
)
def test_another_network_is_refused_with_the_flags_that_fit(run, two, change, told):
    clips = clip_set(16)
    with pytest.raises(CheckpointError, match=told):
        train(run, clips, splits(clips), replace(from_two(two), **change))


def test_another_dropout_is_no_other_network(run, two):
    clips, task = clip_set(16), from_two(two)
    train(run, clips, splits(clips), replace(task, model=replace(task.model, dropout=0.7)))


def test_clips_of_another_layout_are_refused(run, two):
    flat = clip_set(16, classes=1, layout="openpose18")
    with pytest.raises(DataError, match="do not fit the model"):
        train(run, flat, splits(flat), from_two(two))


def test_no_checkpoint_to_start_from_is_told(run, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        train(run, clip_set(16), splits(clip_set(16)), job(init=tmp_path / "nothing"))


def test_the_same_folder_with_other_weights_is_another_training(run, two, tmp_path):
    clips, start = clip_set(16), Run.create(tmp_path / "start")
    train(start, clips, splits(clips), job(epochs=1))
    train(run, clips, splits(clips), from_two(start))
    train(start, clips, splits(clips), job(epochs=1, seed=5), force=True)
    with pytest.raises(RunError, match="another configuration"):
        train(run, clips, splits(clips), from_two(start))
