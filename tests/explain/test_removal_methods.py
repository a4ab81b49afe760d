"""Occlusion and Shapley values: against removal written out piece by piece, captum, and their axioms."""

import itertools

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues

from stgcn_lens.errors import LensError
from stgcn_lens.explain import occlusion, shapley
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.occlusion import occlude_cells, occlude_joints, occlude_parts, occlude_windows
from stgcn_lens.explain.shapley import shapley_parts
from tests.explain.mock import STICK, Mock, clips
from tests.explain.test_gradcam import TARGET, off
from tests.reference.shapley import shapley as literal

PARTS = tuple(STICK.parts.values())
# what is removed together: joints and frames of each piece, of nine frames
PIECES = {
    "joints": (occlude_joints, [([v], range(9)) for v in range(5)]),
    "parts": (occlude_parts, [(part, range(9)) for part in PARTS]),
    "windows": (occlude_windows, [(range(5), range(a, min(a + 4, 9))) for a in (0, 4, 8)]),
    "cells": (occlude_cells, [([v], range(a, min(a + 4, 9))) for v in range(5) for a in (0, 4, 8)]),
}
WINDOW = {"windows": {"window": 4}, "cells": {"window": 4}}


def real(x: torch.Tensor, frames: tuple[int, ...] = (9, 9, 9)) -> list[Cells]:
    """The second body of the second clip comes late, clips may be padded."""
    found = []
    for n, (clip, count) in enumerate(zip(x.numpy(), frames, strict=True)):
        there = np.ones((9, 2), bool)
        there[:, 1] = np.arange(9) >= 3 if n == 1 else n == 2
        there[count:] = False
        found.append(Cells(clip, there, count, np.arange(9), STICK, "joint"))
    return found


def answer(model: Mock, x: np.ndarray, n: int) -> float:
    with torch.no_grad():
        return float(model.eval()(torch.from_numpy(x)[None])[0, TARGET[n]])


@pytest.mark.parametrize("fill", ["mean", "zero"])
@pytest.mark.parametrize("name", PIECES)
def test_a_cell_shows_by_what_the_score_falls_without_its_piece(name: str, fill) -> None:
    function, pieces = PIECES[name]
    model, x = Mock(), clips()
    cells = real(x, (9, 9, 7))
    found = function(model, x, TARGET, cells=cells, signed=True, fill=fill, **WINDOW.get(name, {})).maps["input"]
    expected = np.zeros_like(found)
    for n, cell in enumerate(cells):
        whole, empty = answer(model, cell.x, n), cell.neutral(fill)
        for (joints, frames), m in itertools.product(pieces, range(2)):
            changed, places = cell.x.copy(), [(t, v) for t in frames for v in joints if cell.there[t, m]]
            for t, v in places:
                changed[:, t, v, m] = empty[:, t, v, m]
            for t, v in places:
                expected[n, t, v, m] = whole - answer(model, changed, n)
    assert off(found, expected) <= 1e-4


@pytest.mark.parametrize("name", PIECES)
def test_how_many_are_asked_at_once_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, _ = PIECES[name]
    model, x, found = Mock(), clips(), []
    for chunk in (1, 7, 1000):
        monkeypatch.setattr(occlusion, "CHUNK", chunk)
        found.append(function(model, x, TARGET, signed=True, **WINDOW.get(name, {})).maps["input"])
    assert all(off(other, found[0]) <= 1e-4 for other in found[1:])


def test_what_is_removed_is_gone_from_the_repeats_of_its_frames() -> None:
    model, x = Mock(), clips()[:1]
    x = x[:, :, torch.arange(9) % 4]
    there = np.ones((9, 2), bool)
    there[4:] = False
    cell = Cells(x[0].numpy(), there, 4, np.arange(9) % 4, STICK, "joint")
    found = occlude_windows(model, x, TARGET[:1], cells=[cell], signed=True, window=2).maps["input"][0]
    empty = cell.neutral()
    for begin in (0, 2):
        changed = cell.x.copy()
        for t in (t for t in range(9) if t % 4 // 2 == begin // 2):
            changed[:, t, :, 1] = empty[:, t, :, 1]
        fall = answer(model, cell.x, 0) - answer(model, changed, 0)
        assert np.allclose(found[begin : begin + 2, :, 1], fall, atol=1e-5)
    assert not found[4:].any()


def worths(model: Mock, x: np.ndarray, empty: np.ndarray, n: int, players: list[tuple[tuple[int, ...], int]]):
    """Score of a clip in which only some (part, body) are as they were."""

    def worth(there: frozenset[int]) -> float:
        changed = empty.copy()
        for player in there:
            joints, m = players[player]
            changed[:, :, list(joints), m] = x[:, :, list(joints), m]
        return answer(model, changed, n)

    return worth


def test_shapley_values_are_the_mean_over_all_orders() -> None:
    model, x = Mock(), clips()
    found = shapley_parts(model, x, TARGET, cells=real(x), signed=True).maps["input"]
    for n, cell in enumerate(real(x)):
        players = [(part, m) for part in PARTS for m in range(2) if cell.there[:, m].any()]
        assert len(players) == (2 if n == 0 else 4)
        values = literal(worths(model, cell.x, cell.neutral(), n, players), len(players))
        for (joints, m), value in zip(players, values, strict=True):
            assert np.allclose(found[n][cell.there[:, m]][:, joints, m], value, atol=1e-5)
        assert not found[n].transpose(0, 2, 1)[~cell.there].any()


def test_shapley_values_equal_captum() -> None:
    model, x = Mock().eval(), clips(m=1)
    mask = torch.tensor([0, 0, 0, 1, 1])[None, None, None, :, None].expand(1, 1, 9, 5, 1).clone()
    expected = ShapleyValues(model).attribute(x, target=TARGET, feature_mask=mask)[:, 0]
    found = shapley_parts(model, x, TARGET, signed=True, fill="zero").maps["input"]
    assert off(found, expected.numpy()) <= 1e-4


@pytest.mark.parametrize("exact", [True, False])
def test_shapley_values_add_up_to_what_the_score_exceeds_that_of_the_empty_clip_by(
    exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exact:
        monkeypatch.setattr(shapley, "EXACT", 0)
    model, x = Mock(), clips()
    found = shapley_parts(model, x, TARGET, signed=True, samples=3).maps["input"]
    for n, cell in enumerate(real(x)):
        empty = Cells(cell.x, np.ones((9, 2), bool), 9, np.arange(9), STICK, "joint").neutral()
        total = sum(found[n][0, part[0], m] for part in PARTS for m in range(2))
        assert total == pytest.approx(answer(model, cell.x, n) - answer(model, empty, n), abs=1e-4)


def test_sampled_shapley_values_approach_the_exact_ones_and_repeat_with_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, x = Mock(), clips(n=1)
    exact = shapley_parts(model, x, TARGET[:1], signed=True).maps["input"]
    monkeypatch.setattr(shapley, "EXACT", 0)
    state = torch.random.get_rng_state()
    one, two, other = (
        shapley_parts(model, x, TARGET[:1], signed=True, samples=60, seed=seed).maps["input"] for seed in (0, 0, 1)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert off(one, exact) <= 0.2


def test_a_part_that_the_network_does_not_see_is_worth_nothing() -> None:
    class Blind(Mock):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.clone()
            x[:, :, :, [3, 4]] = 0
            return super().forward(x)

    found = shapley_parts(Blind(), clips(), TARGET, signed=True).maps["input"]
    assert not found[:, :, [3, 4]].any()
    assert found[:, :, [0, 1, 2]].any()


def test_bad_settings_are_refused() -> None:
    with pytest.raises(LensError, match="impossible sampling: got 0 samples"):
        shapley_parts(Mock(), clips(), samples=0)
    with pytest.raises(LensError, match="impossible window: got 0 frames"):
        occlude_windows(Mock(), clips(), window=0)
    with pytest.raises(LensError, match="unknown filling: got 'noise'"):
        occlude_joints(Mock(), clips(), fill="noise")
