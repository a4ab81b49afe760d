import numpy as np
import pytest

from stgcn_lens.intervals import Value, draws
from stgcn_lens.studies.depth.verdict import finding, ratio


def test_ratio_is_of_the_means_and_its_interval_draws_both_from_the_same_clips(rng) -> None:
    above, below = rng.random(30), rng.random(30)
    literal = []
    for counts in np.concatenate(list(draws(30, 100, 5))):
        clips = [i for i, times in enumerate(counts) for _ in range(int(times))]
        literal.append(np.mean([above[i] for i in clips]) / np.mean([below[i] for i in clips]))
    found = ratio(above, below, seed=5, resamples=100)
    assert found.value == pytest.approx(above.mean() / below.mean())
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(np.quantile(literal, [0.025, 0.975])))


def test_ratio_of_a_number_to_its_half_has_no_width(rng) -> None:
    values = rng.random(20)
    found = ratio(values / 2, values, seed=0, resamples=50)
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx((0.5, 0.5, 0.5))


def test_ratio_to_nothing_is_no_number() -> None:
    assert np.isnan(ratio(np.ones(5), np.zeros(5), seed=0, resamples=10).value)


@pytest.mark.parametrize(
    ("trained", "untrained", "verdict"),
    [
        ((0.3, 0.25, 0.35), (0.9, 0.8, 1.0), "confirmed"),
        ((0.5, 0.45, 0.6), (0.65, 0.61, 0.7), "confirmed"),  # up to the bound
        ((0.5, 0.45, 0.61), (0.9, 0.8, 1.0), "undecided"),  # the interval goes beyond it
        ((0.3, 0.25, 0.35), (0.4, 0.34, 0.5), "undecided"),  # the control's overlaps
        ((0.3, 0.25, 0.35), (0.45, 0.4, 0.5), "confirmed"),  # the control falls too, but less far
        ((0.3, 0.25, 0.35), (0.33, 0.3, 0.4), "refuted"),  # the same fall
        ((0.3, 0.25, 0.35), (0.2, 0.1, 0.24), "refuted"),
        ((0.7, 0.61, 0.8), (0.9, 0.8, 1.0), "refuted"),
        ((0.7, 0.61, 0.8), None, "refuted"),
        ((0.3, 0.25, 0.35), None, "undecided"),
        ((0.7, 0.55, 0.8), (0.65, 0.6, 0.7), "undecided"),  # no fall, hence not the same one
        ((float("nan"),) * 3, (0.9, 0.8, 1.0), "undecided"),
    ],
)
def test_the_rule(trained, untrained, verdict) -> None:
    found = finding(Value(*trained), None if untrained is None else Value(*untrained))
    assert found["verdict"] == verdict
    if np.isfinite(trained[0]):
        assert f"{trained[0]:.2f} [{trained[1]:.2f}, {trained[2]:.2f}]" in found["why"]
