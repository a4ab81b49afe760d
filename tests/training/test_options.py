"""What a training can be asked to do beyond the plain one: that it does it, and does nothing else."""

import functools
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stgcn_lens.cli import main
from stgcn_lens.errors import LensError
from stgcn_lens.runs import Run
from stgcn_lens.training import TrainConfig, train
from stgcn_lens.training.average import Average
from stgcn_lens.training.speed import autocast, compiled
from tests.training.clips import clip_set, job, splits
from tests.training.test_faults import at_epoch, interrupt

CLIPS = clip_set(20)


def trained(run: Run, **settings: object) -> dict[str, torch.Tensor]:
    train(run, CLIPS, splits(CLIPS), job(**settings))
    return load_file(run / "model.safetensors")


def losses(run: Run) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "train_log.jsonl").read_text().splitlines()]


def record(run: Run) -> dict:
    return run.manifest()["stages"]["train"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Run:
    run = Run.create(tmp_path_factory.mktemp("plain") / "run")
    trained(run)
    return run


def same(run: Run, other: Run) -> bool:
    return (run / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


# what is told


def test_settings_at_their_default_are_not_told_and_the_others_are():
    told = job().told()["training"]
    assert not {"precision", "clip_norm", "compile", "ema", "init", "new_head", "freeze_below", "sync_norm"} & set(told)
    assert {"test_clips", "only_classes"}.isdisjoint(job().told())
    assert job(ema=0.5, sync_norm=False).told()["training"] == {**told, "ema": 0.5, "sync_norm": False}


@pytest.mark.parametrize(
    "settings",
    [{"precision": "fp16"}, {"clip_norm": -1.0}, {"clip_norm": float("inf")}, {"ema": 1.0}, {"new_head": True}],
    ids=str,
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(LensError) as caught:
        TrainConfig(**settings)
    assert str(next(iter(settings.values()))).lower() in str(caught.value) or "--new-head" in str(caught.value)


# precision


def test_bfloat16_learns_nearly_the_same_in_weights_of_32_bits(run, plain):
    weights = trained(run, precision="bf16")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32, torch.int64}
    assert not same(run, plain)
    np.testing.assert_allclose(losses(run), losses(plain), rtol=0.03)


def test_bfloat16_is_for_products_and_not_for_the_loss_and_the_sums_of_norms():
    norm, product = torch.nn.BatchNorm1d(1, momentum=None), torch.nn.Linear(4, 1)
    with autocast("cpu", "bf16"):
        out = product(torch.ones(7, 4))
        # 1000 and 1001 are one number in bfloat16, and their variance in it is zero.
        norm(torch.tensor([[1000.0], [1001.0]]))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(norm.running_mean, torch.tensor([1000.5]))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.5]))


# clipping


def test_no_gradient_is_longer_than_asked_for(run, plain, tmp_path, monkeypatch):
    lengths, step = [], torch.optim.SGD.step

    def measure(self, *args):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        lengths.append(float(torch.nn.utils.get_total_norm(grads)))
        return step(self, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", measure)
    trained(run, clip_norm=0.2)
    assert max(lengths) <= 0.2 * (1 + 1e-4)
    assert sum(abs(length - 0.2) < 1e-4 for length in lengths) > len(lengths) // 2
    lengths.clear()
    loose = Run.create(tmp_path / "loose")
    trained(loose, clip_norm=1e6)
    assert max(lengths) > 0.2
    assert same(loose, plain)


# running mean of the weights


def test_the_running_mean_is_that_of_its_definition():
    model = torch.nn.BatchNorm1d(2)
    average, seen = Average(model, 0.4), [model.weight.detach().clone()]
    expected = seen[0].clone()
    for step in range(1, 9):
        with torch.no_grad():
            model.weight.copy_(torch.tensor([step**2, -step], dtype=torch.float32))
            model.num_batches_tracked += 1
        average.update(model)
        decay = min(0.4, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    copied = average.model(model)
    torch.testing.assert_close(copied.weight.detach(), expected)
    assert int(copied.num_batches_tracked) == 8
    assert copied is not model
    assert not torch.equal(copied.weight, model.weight)


def test_the_mean_is_what_is_tested_and_saved_and_the_training_is_the_same(run, plain):
    weights, last = trained(run, ema=0.9), load_file(plain / "model.safetensors")
    assert losses(run) == losses(plain)
    moved = [name for name in weights if not torch.equal(weights[name], last[name])]
    assert any("running_var" in name for name in moved)
    assert "head.weight" in moved


def test_an_interrupted_training_keeps_its_mean(run, tmp_path):
    task, whole = job(ema=0.9, epochs=4), Run.create(tmp_path / "whole")
    train(whole, CLIPS, splits(CLIPS), task)
    with pytest.raises(KeyboardInterrupt):
        train(run, CLIPS, splits(CLIPS), task, progress=at_epoch(3, interrupt))
    train(run, CLIPS, splits(CLIPS), task)
    assert same(run, whole)


# compiling


def test_a_compiled_network_is_trained_alike(run, plain, monkeypatch):
    whole = torch.compile
    monkeypatch.setattr(torch, "compile", functools.partial(whole, backend="eager"))  # C++ takes minutes
    trained(run, compile=True)
    assert record(run)["compiled"] is True
    assert record(run)["warnings"] == []
    np.testing.assert_allclose(losses(run), losses(plain), rtol=1e-5)


def at_once(model, **_):
    raise RuntimeError("no C++ compiler\nand more")


def when_called(model, **_):
    def fail(x):
        raise NotImplementedError("no C++ compiler")

    return fail


def in_the_gradients(model, **_):
    def call(x):
        y = model(x)
        y.register_hook(lambda grad: (_ for _ in ()).throw(AssertionError("no C++ compiler")))
        return y

    return call


@pytest.mark.parametrize("fail", [at_once, when_called, in_the_gradients])
def test_a_compiler_that_fails_is_told_and_the_training_goes_on_without(run, plain, monkeypatch, fail):
    monkeypatch.setattr(torch, "compile", fail)
    trained(run, compile=True)
    assert record(run)["compiled"] is False
    assert len(record(run)["warnings"]) == 1
    assert "torch.compile failed" in record(run)["warnings"][0]
    assert "no C++ compiler" in record(run)["warnings"][0]
    assert "\n" not in record(run)["warnings"][0]
    assert same(run, plain)


def test_trying_to_compile_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model, **_: model)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout(0.5)).train()
    before, examples = {k: v.clone() for k, v in model.state_dict().items()}, [torch.randn(4, 2), torch.randn(3, 2)]
    drawn = torch.get_rng_state()
    fast, told = compiled(model, examples, "cpu", "bf16")
    assert (fast, told) == (model, None)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_the_command_says_what_came_of_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch, "compile", at_once)
    CLIPS.save(tmp_path / "clips")
    words = ["--configuration", "compact", "--width", "4", "--epochs", "1", "--frames", "12", "--compile"]
    words += ["--only-classes", "step", "--test-clips", "2"]
    assert main(["train", "--data", str(tmp_path / "clips"), "--out", str(tmp_path / "run"), *words]) == 0
    said = capsys.readouterr().out
    assert "; torch.compile failed (RuntimeError: no C++ compiler); trained without it" in said
    assert "; told from one another only, 1 classes: top-1 1.000" in said
