"""Tuning above a cut: the same as training the whole network with the rest held still, clip by clip."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stgcn_lens.errors import WorkError
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.skeleton import get_layout
from stgcn_lens.studies.transfer.frozen import Material, freeze, write_clips
from stgcn_lens.studies.transfer.target import Sides
from stgcn_lens.studies.transfer.tuning import Upper, network, passes, tune
from stgcn_lens.training.optim import learning_rate, sgd
from tests.studies.transfer import made

BLOCKS = [f"block_{i}" for i in range(1, 7)]
SIDES = Sides(np.arange(2, 9), np.arange(2), np.array([0, 1, *[0, 1, 2] * 2, 0]), ("a", "b", "c"))


def material(model: torch.nn.Module, below: str, tmp_path, copies: int = 2) -> tuple[Material, torch.Tensor]:
    """What is frozen of nine random clips, two of which test, and the clips themselves in the same order."""
    rng = np.random.default_rng(1)
    n = 2 + 7 * max(1, copies)
    x = rng.normal(0, 1, (n, 3, 16, 25, 2)).astype(np.float32)
    np.save(tmp_path / "clips.npy", x)
    found = freeze(tmp_path / f"{below}.npy", model, below, tmp_path / "clips.npy", SIDES, copies, "cpu")
    return found, torch.from_numpy(x)


@pytest.mark.parametrize("below", ["input", *BLOCKS])
def test_what_is_frozen_and_what_is_above_make_the_whole_network(source, tmp_path, below):
    model = made.network(source).model
    found, x = material(model, below, tmp_path)
    with torch.no_grad():
        whole = model(x)
        upper = Upper(model, below)(torch.from_numpy(np.array(found.features)))
    torch.testing.assert_close(upper, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_every_architecture_can_be_cut_at_every_layer(name, tmp_path):
    spec = MODELS[name]
    small = replace(spec.small, width=12 if name == "stgcn++" else 8)
    torch.manual_seed(0)
    model = spec.build(small, get_layout("ntu25"), 3, 4).eval()
    x = torch.randn(2, 3, 12, 25, 1)
    layers = list(model.layers)
    with torch.no_grad():
        whole = model(x)
        for below in (layers[0], layers[1], layers[3], layers[-1]):
            y = model.between(x.permute(0, 4, 1, 2, 3).flatten(0, 1), upto=below)
            features = y.unflatten(0, (2, 1)).permute(0, 1, 3, 4, 2).contiguous()
            torch.testing.assert_close(Upper(model, below)(features), whole, rtol=1e-4, atol=1e-5)


def plainly(model, below, x, clips, labels, training, found) -> None:
    """The same training, with every clip through the whole network in every step."""
    names = list(model.layers)
    frozen = [] if below == "input" else [model.entry, *(model.layers[n] for n in names[1 : names.index(below) + 1])]
    for part in frozen:
        part.requires_grad_(False)
    optimiser = sgd(model, training)
    for epoch in range(training.epochs):
        seed = training.seed * 1_000_003 + epoch
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(clips), generator=generator)
        version = torch.randint(found.versions, (len(clips),), generator=generator)
        torch.manual_seed(seed)
        steps = range(0, len(clips), training.batch)
        for number, start in enumerate(steps):
            chosen = order[start : start + training.batch]
            rows = [
                found.n_test + int(clips[c]) * found.versions + int(v)
                for c, v in zip(chosen, version[start : start + training.batch], strict=True)
            ]
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(training, epoch + number / len(steps))
            model.train()
            for part in frozen:
                part.eval()
            loss = F.cross_entropy(
                model(x[rows]), torch.from_numpy(labels)[chosen], label_smoothing=training.label_smoothing
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()


@pytest.mark.parametrize("below", ["input", "block_2", "block_6"])
def test_tuning_is_the_training_of_the_whole_network_with_the_rest_held_still(source, tmp_path, below):
    loaded = made.network(source)
    model, again = network(loaded, 3, 5), network(loaded, 3, 5)
    found, x = material(model, below, tmp_path)
    clips, training = np.array([0, 2, 3, 4, 6]), replace(made.FAST, batch=3, lr=0.05).training(2, seed=5)
    labels = SIDES.labels[SIDES.train][clips]
    steps: list[int] = []
    tuned = tune(model, found, clips, labels, training, "cpu", steps.append)
    plainly(again, below, x, clips, labels, training, found)
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        torch.testing.assert_close(a.float(), b.float(), rtol=2e-3, atol=2e-4, msg=name)
    with torch.no_grad():
        assert tuned.predicted.tolist() == again(x[:2]).argmax(dim=1).tolist()
    assert steps == [1, 2, 3, 4]
    assert (tuned.steps, tuned.epochs) == (4, 2)


@pytest.mark.parametrize("below", ["block_3", "block_6"])
def test_what_is_frozen_stays_to_the_bit_and_all_above_moves(source, tmp_path, below):
    loaded = made.network(source)
    model = network(loaded, 3, 0)
    before = copy.deepcopy(model.state_dict())
    found, _ = material(model, below, tmp_path)
    clips = np.arange(7)
    tuned = tune(model, found, clips, SIDES.labels[SIDES.train], made.FAST.training(1, 0), "cpu", lambda step: None)
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    above = [f"blocks.{i}." for i in range(int(below[-1]), 6)]
    assert {name for name in moved if not name.startswith(("head.", *above))} == set()
    assert all(any(name.startswith(part) for name in moved) for part in ("head.", *above))
    parameters = [p for name, p in model.named_parameters() if name.startswith(("head.", *above))]
    assert tuned.parameters == sum(p.numel() for p in parameters)


def test_a_new_head_is_drawn_by_the_seed_and_is_the_same_for_every_cut(source):
    loaded = made.network(source)
    a, b, c = network(loaded, 3, 1), network(loaded, 3, 1), network(loaded, 3, 2)
    assert torch.equal(a.head.weight, b.head.weight)
    assert not torch.equal(a.head.weight, c.head.weight)
    assert torch.equal(a.blocks[0].temporal.weight, loaded.model.blocks[0].temporal.weight)


def test_from_scratch_nothing_is_the_sources(source):
    loaded = made.network(source)
    model = network(loaded, 3, 1, weights=False)
    same = [
        name
        for name, p in model.named_parameters()
        if p.ndim > 2 and "importance" not in name and torch.equal(p, loaded.model.state_dict()[name])
    ]
    assert same == []


def test_few_clips_are_gone_through_more_often():
    assert passes(20, 16, epochs=30, least_steps=150) == 75  # two steps a pass
    assert passes(291, 16, epochs=30, least_steps=150) == 30
    assert passes(3, 16, epochs=1, least_steps=0) == 1


def test_versions_are_changed_at_random_test_clips_are_not(source, tmp_path):
    work = made.work(source)
    file = tmp_path / "clips.npy"
    write_clips(file, work.clips, work.prepared, work.sides, copies=3)
    x, own = np.load(file), work.prepared.x
    n = len(work.sides.test)
    assert len(x) == n + 3 * len(work.sides.train)
    assert np.array_equal(x[:n], own[work.sides.test])
    for i, row in enumerate(work.sides.train):
        three = x[n + 3 * i : n + 3 * i + 3]
        assert all(np.abs(one - own[row]).max() > 0 for one in three)
        assert np.abs(three[0] - three[1]).max() > 0
        # Changed, and still nearer to itself than to the others on average.
        far = [np.abs(three.mean(axis=0) - own[other]).mean() for other in work.sides.train]
        assert far[i] < np.median(far)
    write_clips(tmp_path / "plain.npy", work.clips, work.prepared, work.sides, copies=0)
    assert np.array_equal(np.load(tmp_path / "plain.npy")[n:], own[work.sides.train])


def test_weights_that_blow_up_are_told(source, tmp_path):
    loaded: Loaded = made.network(source)
    model = network(loaded, 3, 0)
    found, _ = material(model, "block_5", tmp_path)
    training = replace(made.FAST, lr=1e30, warmup=0.0, weight_decay=1.0).training(3, 0)
    with pytest.raises(WorkError, match="not finite after tuning above block_5"):
        tune(model, found, np.arange(7), SIDES.labels[SIDES.train], training, "cpu", lambda step: None)
