import numpy as np
import pytest

from stgcn_lens.errors import LensError
from stgcn_lens.explain.comparison import compare, hedges, in_parts
from stgcn_lens.explain.upsample import to_frames
from tests.reference import vote as reference

QUICK = {"seed": 0, "resamples": 200, "permutations": 199}


@pytest.mark.parametrize(("frames", "stride", "parts"), [(12, 1, 10), (3, 1, 10), (7, 2, 5), (9, 4, 4), (1, 4, 10)])
def test_parts_of_a_clip_are_those_of_its_frames_cut_finely(frames, stride, parts, rng) -> None:
    map = rng.normal(size=(-(-frames // stride) + 1, 4, 2)).astype(np.float32)
    present = rng.random((frames, 2)) < 0.7
    cells = to_frames(map, stride, frames) * present[:, None]
    table, size = in_parts(map, stride, present, parts)
    assert table.shape == (4, parts)
    np.testing.assert_allclose(table, reference.in_parts(cells, parts, fine=parts * 2), atol=1e-6)
    np.testing.assert_allclose(table.sum(axis=1), cells.sum(axis=(0, 2)), atol=1e-5)
    assert size == pytest.approx(np.abs(cells).sum(), rel=1e-5)


def test_rows_of_padding_and_absent_bodies_do_not_count(rng) -> None:
    map = rng.normal(size=(8, 3, 2)).astype(np.float32)
    present = np.array([[True, False]] * 10)
    spoilt = map.copy()
    spoilt[5:] = 1e6  # ten frames at stride 2 are five rows
    spoilt[:, :, 1] = -1e6
    np.testing.assert_array_equal(in_parts(spoilt, 2, present, 4)[0], in_parts(map, 2, present, 4)[0])


def test_a_map_that_is_the_same_at_all_times_is_so_in_all_parts() -> None:
    table, size = in_parts(np.full((6, 2, 1), -0.5, np.float32), 1, np.ones((6, 1), bool), 4)
    np.testing.assert_allclose(table, -0.75)
    assert size == pytest.approx(6)


def test_numbers_are_those_counted_one_by_one(rng) -> None:
    a, b = rng.normal(size=(4, 3)), rng.normal(loc=(0, 0.4, 1.5), size=(5, 3))
    found = compare(a, b, seed=1, resamples=500, permutations=20000)
    exact = reference.exact_p(a, b)
    centred = reference.exact_p(a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True))
    for j, column in enumerate(found):
        assert column.a.value == pytest.approx(a[:, j].mean())
        assert column.b.value == pytest.approx(b[:, j].mean())
        assert column.difference.value == pytest.approx(a[:, j].mean() - b[:, j].mean())
        assert column.effect == pytest.approx(reference.hedges(a[:, j].tolist(), b[:, j].tolist()))
        assert column.p == pytest.approx(exact[j], abs=0.015)
        assert column.p_excess == pytest.approx(centred[j], abs=0.015)
        for value in (column.a, column.b, column.difference, column.excess):
            assert value.ci_low <= value.value <= value.ci_high
    assert sum(column.excess.value for column in found) == pytest.approx(0)


def test_intervals_are_those_of_means_over_clips_drawn_again(rng) -> None:
    a, b = rng.normal(size=(40, 1)), rng.normal(size=(60, 1)) + 1
    column = compare(a, b, seed=0, resamples=4000, permutations=1)[0]
    drawn = [rng.choice(a[:, 0], 40).mean() - rng.choice(b[:, 0], 60).mean() for _ in range(4000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (column.difference.ci_low, column.difference.ci_high) == pytest.approx((low, high), abs=0.05)


def test_groups_exchanged_turn_the_signs(rng) -> None:
    a, b = rng.normal(size=(6, 4)), rng.normal(size=(9, 4)) + 1
    there, back = compare(a, b, **QUICK), compare(b, a, **QUICK)
    for one, other in zip(there, back, strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert one.effect == pytest.approx(-other.effect)
        assert one.p == pytest.approx(other.p, abs=0.1)


def test_the_planted_column_is_shown_and_no_other(rng) -> None:
    a, b = rng.normal(size=(15, 25)), rng.normal(size=(20, 25))
    a[:, 7] -= 3
    found = compare(a, b, **QUICK)
    assert [j for j, column in enumerate(found) if column.shown] == [7]
    assert found[7].p == 1 / 200
    assert found[7].p_excess == 1 / 200
    assert found[7].effect < -2


def test_what_all_columns_share_is_no_excess(rng) -> None:
    a, b = rng.normal(scale=0.1, size=(10, 5)), rng.normal(scale=0.1, size=(10, 5)) + 2
    found = compare(a, b, **QUICK)
    assert all(column.shown for column in found)
    assert min(column.p_excess for column in found) > 0.05


def test_where_nothing_differs_a_false_find_is_as_rare_as_said() -> None:
    rng = np.random.default_rng(3)
    finds = [
        any(
            column.shown
            for column in compare(rng.normal(size=(8, 20)), rng.normal(size=(12, 20)), **{**QUICK, "seed": i})
        )
        for i in range(120)
    ]
    # 5 % of 120 are 6; 14 or more come about once in 500 times.
    assert sum(finds) < 14


def test_columns_that_are_the_same_for_every_clip_are_not_shown() -> None:
    a, b = np.full((5, 3), 0.1), np.full((7, 3), 0.1)
    for column in compare(a, b, **QUICK):
        assert (column.effect, column.p, column.p_excess, column.shown) == (None, 1.0, 1.0, False)
        assert column.difference.value == column.excess.value == 0
        assert column.a.value == pytest.approx(0.1)


def test_the_same_seed_gives_the_same_numbers_and_the_input_stays(rng) -> None:
    a, b = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)
    before = a.copy(), b.copy()
    assert compare(a, b, **QUICK) == compare(a, b, **QUICK)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
    assert compare(a, b, **QUICK) != compare(a, b, **{**QUICK, "seed": 1})


def test_too_few_clips_and_other_columns_are_refused() -> None:
    for a, b in (((1, 3), (5, 3)), ((4, 3), (1, 3)), ((4, 3), (4, 2)), ((4,), (4,))):
        with pytest.raises(LensError, match="not two groups of clips"):
            compare(np.zeros(a), np.zeros(b), **QUICK)
    with pytest.raises(LensError, match="no permutations"):
        compare(np.zeros((3, 2)), np.zeros((3, 2)), seed=0, permutations=0)


def test_effect_of_groups_that_do_not_vary_is_not_defined() -> None:
    assert np.isnan(hedges(np.ones((3, 1)), np.zeros((3, 1)))).all()
