"""Stability against the published quotient and against captum; what has no number has none."""

import numpy as np
import pytest
import torch
from captum.metrics import sensitivity_max

from stgcn_lens.explain.stability import LEAST, change, relative, sensitivity
from tests.reference import saliency_metrics as literal


def test_the_form_of_entries_is_the_published_quotient(rng: np.random.Generator) -> None:
    e, cause = rng.random(12) + 0.5, rng.random(8) + 0.5
    others, causes = e + 0.1 * rng.normal(size=(4, 12)), cause + 0.1 * rng.normal(size=(4, 8))
    moved = change(e, others, "entries")
    same = np.ones(4, bool)
    assert 10 ** relative(moved, change(cause, causes, "entries"), same) == pytest.approx(
        literal.relative_stability(e, others, cause, causes)
    )
    assert 10 ** relative(moved, np.linalg.norm(causes - cause, axis=1), same) == pytest.approx(
        literal.relative_stability(e, others, cause, causes, of_logits=True)
    )


def test_the_form_of_norms_is_the_relative_change_of_the_whole() -> None:
    before = np.array([[3.0, 0.0], [0.0, 4.0]])
    after = before + np.array([[[0.0, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]])
    assert np.allclose(change(before, after), [0.1, 1.0])
    assert np.allclose(change(7 * before, 7 * after), [0.1, 1.0])


def test_a_zero_among_the_entries_does_not_make_the_quotient_infinite() -> None:
    before, after = np.array([0.0, 1.0]), np.array([[0.001, 1.0]])
    assert np.isfinite(change(before, after, "entries")).all()
    assert change(before, after, "entries")[0] == pytest.approx(1.0)


def test_a_map_that_follows_its_input_has_stability_one_and_a_jumping_one_more(rng: np.random.Generator) -> None:
    x = rng.normal(size=30)
    others = x + 0.01 * rng.normal(size=(5, 30))
    cause, same = change(x, others), np.ones(5, bool)
    assert relative(change(x, others), cause, same) == pytest.approx(0)
    assert relative(change(x, rng.normal(size=(5, 30))), cause, same) > 1.5
    assert relative(change(x, np.repeat(x[None], 5, axis=0)), cause, same) == pytest.approx(np.log10(LEAST))


def test_inputs_that_change_the_class_do_not_count() -> None:
    moved, cause = np.array([5.0, 1.0]), np.array([1.0, 1.0])
    assert relative(moved, cause, np.array([False, True])) == pytest.approx(0)
    assert np.isnan(relative(moved, cause, np.array([False, False])))


def test_a_zero_map_has_no_stability() -> None:
    after = np.ones((2, 3))
    assert np.isnan(change(np.zeros(3), after)).all()
    assert np.isnan(relative(change(np.zeros(3), after), np.ones(2), np.ones(2, bool)))
    assert np.isnan(sensitivity(np.zeros(3), after))


def test_sensitivity_is_captums(rng: np.random.Generator) -> None:
    weight = torch.from_numpy(rng.normal(size=(4, 6)))
    x = torch.from_numpy(rng.normal(size=(1, 6)))
    others = x + 0.1 * torch.from_numpy(rng.normal(size=(5, 6)))

    def explain(inputs: tuple[torch.Tensor, ...] | torch.Tensor) -> tuple[torch.Tensor]:
        (given,) = inputs if isinstance(inputs, tuple) else (inputs,)
        return ((given @ weight.T) ** 2,)

    theirs = sensitivity_max(explain, x, perturb_func=lambda _: others, n_perturb_samples=5)
    ours = sensitivity(explain(x)[0][0].numpy(), explain(others)[0].numpy())
    assert ours == pytest.approx(float(theirs), rel=1e-6)
