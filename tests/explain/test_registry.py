"""What holds for every row of EXPLAINERS."""

import contextlib
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stgcn_lens import explain
from stgcn_lens.errors import LensError
from stgcn_lens.explain import EXPLAINERS, Explainer
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.explanation import AGAINST, NOBODY, NOTHING, Explanation
from tests.explain.mock import STICK, Mock, clips
from tests.explain.test_gradcam import TARGET, off
from tests.test_activations import hooks

OTHER = torch.tensor([1, 2, 0])
# Few enough for a test, where a row has so many steps.
QUICK = {"steps": 4, "window": 4, "samples": 2}
every = pytest.mark.parametrize("row", EXPLAINERS.values(), ids=list(EXPLAINERS))


def ask(row: Explainer, model: nn.Module, x: torch.Tensor, target: torch.Tensor | None = TARGET, **more: Any):
    few = {name: value for name, value in QUICK.items() if name in row.options}
    return row.function(model, x, target, **few, **more)


def same(a: Explanation, b: Explanation, within: float = 0.0) -> bool:
    return list(a.maps) == list(b.maps) and all(
        np.abs(a.maps[name] - b.maps[name]).max() <= within * max(np.abs(b.maps[name]).max(), 1e-12) for name in b.maps
    )


def partly(x: torch.Tensor) -> list[Cells]:
    """One body in the first clip, the second late in the second, two frames of padding in the third."""
    there = np.ones((3, 9, 2), bool)
    there[0, :, 1] = False
    there[1, :4, 1] = False
    there[2, 7:] = False
    frames = (9, 9, 7)
    return [
        Cells(clip, mask, count, np.arange(9), STICK, "joint")
        for clip, mask, count in zip(x.numpy(), there, frames, strict=True)
    ]


@pytest.mark.parametrize("key", EXPLAINERS)
def test_every_row_is_complete_and_named_by_its_key(key: str) -> None:
    row = EXPLAINERS[key]
    assert isinstance(row, Explainer)
    assert row.name == key
    assert all((row.what, row.source, row.function.__doc__))
    assert "\n" not in row.what
    assert key.isidentifier()  # it becomes a folder


@every
def test_every_row_explains_the_class_it_is_asked_for(row: Explainer) -> None:
    model, x = Mock(), clips()
    result = ask(row, model, x, torch.tensor([1, 2, 3]))
    assert result.target.tolist() == [1, 2, 3]
    assert result.against is None
    assert np.allclose(result.logits, model.eval()(x).detach().numpy(), atol=1e-6)
    assert list(result.maps) == ([name for name in model.layers if name != "input"] if row.per_layer else ["input"])
    for name, map in result.maps.items():
        assert map.shape == (3, -(-9 // model.strides[name]), 5, 2)
        assert map.dtype == np.float32
        assert np.isfinite(map).all()
        assert (map >= 0).all()
        assert np.array_equal(result.no_evidence[name], ~map.any(axis=(1, 2, 3)))
        assert [bool(reason) for reason in result.reasons[name]] == result.no_evidence[name].tolist()


@every
def test_every_row_explains_the_prediction_unless_asked(row: Explainer) -> None:
    result = ask(row, Mock(), clips(), None)
    assert np.array_equal(result.target, result.logits.argmax(axis=1))


@every
def test_every_row_explains_the_difference_of_two_classes(row: Explainer) -> None:
    """A network that puts out the difference itself is explained alike."""

    class Difference(Mock):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = super().forward(x)
            here = torch.arange(len(x)) % 3  # some methods ask for several copies of the batch at once
            gap = logits.gather(1, TARGET[here][:, None]) - logits.gather(1, OTHER[here][:, None])
            return torch.cat([gap, logits * 0], dim=1)

    model, x = Mock(), clips()
    both = ask(row, model, x, against=OTHER)
    assert (both.target.tolist(), both.against.tolist()) == (TARGET.tolist(), OTHER.tolist())
    if row.name != "shapley_parts":  # which asks of one clip at a time
        assert same(both, ask(row, Difference(), x, torch.zeros(3, dtype=torch.int64)), 1e-4)
    assert not same(both, ask(row, model, x), 0.01)
    if row.name in ("gradcam", "hirescam", "input_x_gradient", "occlusion_joints", "shapley_parts"):
        one, two = (ask(row, model, x, a, against=b, signed=True) for a, b in ((TARGET, OTHER), (OTHER, TARGET)))
        assert all(off(one.maps[name], -two.maps[name]) <= 1e-4 for name in one.maps)


@every
def test_signed_maps_are_the_unsigned_ones_where_they_are_positive(row: Explainer) -> None:
    model, x = Mock(), clips()
    if not row.signs:
        with pytest.raises(TypeError, match="signed"):
            ask(row, model, x, signed=True)
        return
    plain, signed = ask(row, model, x), ask(row, model, x, signed=True)
    assert any((map < 0).any() for map in signed.maps.values())
    for name, map in plain.maps.items():
        assert np.array_equal(np.maximum(signed.maps[name], 0), map)
        assert np.array_equal(signed.no_evidence[name], plain.no_evidence[name])


@every
def test_absent_bodies_and_padded_frames_are_zero_and_the_rest_is_not(row: Explainer) -> None:
    model, x = Mock(), clips()
    cells = partly(x)
    for n, cell in enumerate(cells):
        x[n].permute(1, 3, 0, 2)[torch.from_numpy(~cell.there)] = 0
    found = ask(row, model, x, cells=cells)
    for name, map in found.maps.items():
        stride = model.strides[name]
        for n, cell in enumerate(cells):
            starts = range(0, 9, stride)
            there = np.array([cell.there[t : t + stride].any(axis=0) for t in starts])
            there[-(-cell.frames // stride) :] = False
            assert not map[n].transpose(0, 2, 1)[~there].any()
        assert map.any()


@every
def test_a_clip_without_anybody_gives_zeros_and_says_so(row: Explainer) -> None:
    x = clips()
    cells = partly(x)
    cells[1].there[:] = False
    found = ask(row, Mock(), x, cells=cells)
    for name, map in found.maps.items():
        assert not map[1].any()
        assert found.reasons[name][1] == NOBODY


@every
def test_in_place_relus_and_tuples_change_nothing(row: Explainer) -> None:
    x = clips()
    assert same(ask(row, Mock(inplace=True, tuples=True), x), ask(row, Mock(), x))


@every
def test_a_model_may_write_into_its_input(row: Explainer) -> None:
    class Writes(Mock):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.mul_(2).div_(2))

    x = clips()
    assert same(ask(row, Writes(), x), ask(row, Mock(), x))
    assert torch.equal(x, clips())


@every
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_weights_gradients_flags_input_and_random_state_are_left_alone(row: Explainer, mode) -> None:
    model, x = Mock(inplace=True).train(), clips()
    model.blocks[0].norm.eval()
    expected = ask(row, model, x)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        parameter.grad = torch.ones_like(parameter)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    before, state = hooks(model), torch.random.get_rng_state()
    with mode():
        given = x.clone()
        assert same(ask(row, model, given), expected)
    assert not given.requires_grad
    assert torch.equal(given, x)
    assert hooks(model) == before == 0
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [name for name, module in model.named_modules() if not module.training] == ["blocks.0.norm"]
    assert all(not p.requires_grad and (p.grad == 1).all() for p in model.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@every
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_nothing_is_left_on_a_model_that_fails(row: Explainer, calls: int) -> None:
    class Broken(Mock):
        done = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.done == calls:
                raise RuntimeError("broken part")
            self.done += 1
            return super().forward(x)

    model = Broken().train()
    with contextlib.suppress(RuntimeError):
        ask(row, model, clips())
        assert calls > 0  # a method of few passes
    assert hooks(model) == 0
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@every
def test_a_class_that_depends_on_nothing_gives_zeros_and_says_so(row: Explainer) -> None:
    model = Mock()
    with torch.no_grad():
        model.head.weight[2] = 0
    found = ask(row, model, clips())
    for name, map in found.maps.items():
        assert not map[0].any()
        assert found.no_evidence[name][0]
        assert found.reasons[name][0] == NOTHING
    assert any(map[1].any() for map in found.maps.values())


def test_a_layer_that_speaks_only_against_the_class_says_so() -> None:
    model = Mock()
    with torch.no_grad():
        model.head.weight[0] = -1
        model.blocks[2].norm.bias[:] = 100
    found = ask(EXPLAINERS["gradcam"], model, clips(), torch.zeros(3, dtype=torch.int64))
    assert found.reasons["block_3"] == (AGAINST,) * 3


@every
@pytest.mark.parametrize("value", [0.0, 1.5])
def test_a_clip_that_is_the_same_everywhere_has_finite_maps(row: Explainer, value: float) -> None:
    x = torch.full((3, 3, 9, 5, 2), value)
    found = ask(row, Mock(), x)
    assert all(np.isfinite(map).all() for map in found.maps.values())
    if "fill" in row.options:  # nothing that could be removed, and no way to go
        assert all(not map.any() for map in found.maps.values())
        assert all(reason == (NOTHING,) * 3 for reason in found.reasons.values())


@every
def test_a_clip_alone_and_in_a_batch_has_the_same_maps(row: Explainer) -> None:
    model, x = Mock(), clips()
    cells = partly(x)
    whole = ask(row, model, x, cells=cells)
    for n in range(3):
        alone = ask(row, model, x[n : n + 1], TARGET[n : n + 1], cells=cells[n : n + 1])
        for name, map in whole.maps.items():
            assert np.allclose(alone.maps[name][0], map[n], atol=1e-5 * np.abs(map).max())


@every
def test_threads_on_one_model_get_what_they_get_one_after_the_other(row: Explainer) -> None:
    model = Mock(inplace=True).train()
    jobs = [(clips(n=1 + i % 2, t=9 + i, seed=i), i % 2 + 1) for i in range(4)]

    def work(i: int) -> Explanation:
        x, c = jobs[i]
        return ask(row, model, x, torch.full((len(x),), c))

    expected, results = [work(i) for i in range(4)], {}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda k=k: results.update({i: work(i) for i in range(k, 4, 2)})) for k in (0, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(results) == 4
    assert all(same(result, expected[i]) for i, result in results.items())
    assert all(module.training for module in model.modules())
    assert hooks(model) == 0


BAD = [
    ({"target": torch.tensor([0, 4, 1])}, "target outside the classes: got 4, expected 0 to 3"),
    ({"target": torch.tensor([0.0, 1.0, 2.0])}, "target has another form: got torch.float32"),
    ({"against": torch.tensor([0, 1])}, r"against has another form: .* expected integers \(3,\)"),
    ({"against": torch.tensor([0, 1, -1])}, "against outside the classes: got -1"),
    ({"against": TARGET}, "a class against itself: got class 2 for clip 0"),
    ({"x": torch.zeros(3, 9, 5, 2)}, "not a batch of clips"),
    ({"x": torch.full((3, 3, 9, 5, 2), torch.nan)}, "not finite numbers: got clip 0 of the batch"),
    ({"cells": []}, "cells of other clips: got none"),
    ({"cells": [cell for cell in partly(clips()) for _ in range(2)]}, "cells of other clips: got 6"),
    ({"cells": partly(clips(t=10)[:, :, 1:, :, :1])}, r"cells of other clips: got 3, the first of \(3, 9, 5, 1\)"),
    ({"model": lambda x: x}, "not a torch module: got function"),
]


@every
@pytest.mark.parametrize(("change", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_bad_calls_get_one_line_that_says_what_was_got(row: Explainer, change: dict, message: str) -> None:
    model = Mock()
    given = {"model": model, "x": clips(), "target": TARGET} | change
    with pytest.raises(LensError, match=message):
        ask(row, given.pop("model"), given.pop("x"), given.pop("target"), **given)
    assert hooks(model) == 0


@pytest.mark.parametrize("row", [row for row in EXPLAINERS.values() if row.per_layer], ids=lambda row: row.name)
def test_layers_are_chosen_by_name(row: Explainer) -> None:
    model, x = Mock(), clips()
    some = ask(row, model, x, layers=["block_3", "input"])
    assert list(some.maps) == ["input", "block_3"]
    assert np.array_equal(some.maps["block_3"], ask(row, model, x).maps["block_3"])
    with pytest.raises(LensError, match="unknown layer: got 'block_7'"):
        ask(row, model, x, layers=["block_7"])
    with pytest.raises(LensError, match="no layer to explain"):
        ask(row, model, x, layers=[])


def test_readers_of_finished_maps_need_no_torch() -> None:
    modules = ", ".join(f"stgcn_lens.explain.{name}" for name in ("upsample", "evaluate", "aggregates"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_that_are_not_there_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = explain.NOTHING
