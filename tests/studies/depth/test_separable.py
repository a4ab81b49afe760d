import numpy as np
import pytest

from stgcn_lens.studies.depth.separable import classes, first, tally

LAYERS = ["input", "block_1", "block_2", "block_3"]


@pytest.mark.parametrize(
    ("holds", "layer"),
    [
        ([False, False, True, True], "block_2"),
        ([True, False, True, True], "block_2"),  # what is lost again does not count
        ([True, True, True, True], "input"),
        ([True, True, True, False], None),
    ],
)
def test_the_first_layer_is_the_one_from_which_on_it_holds(holds, layer) -> None:
    assert first(LAYERS, holds) == layer


def rows(errors: dict[str, list[float | None]], n: int = 21, k: int = 5, width: float = 0.1) -> list[dict]:
    return [
        {
            "layer": layer,
            "n": n,
            "k": k,
            "knn_label_error_per_class": values,
            "knn_interval_per_class": [None if v is None else (v - width, v + width) for v in values],
        }
        for layer, values in errors.items()
    ]


def test_separable_is_half_of_the_way_from_the_best_that_the_size_allows_to_chance() -> None:
    # 3 of 21 clips: of 5 neighbours 2 can be its own, best 0.6, chance 1 - 2 / 20 = 0.9: half the way is 0.75.
    # 11 of 21 clips: best 0, chance 1 - 10 / 20 = 0.5: half the way is 0.25.
    errors = {"input": [0.76, 0.2, None], "block_1": [0.74, 0.3, None], "block_2": [0.6, 0.24, None]}
    table = rows({**errors, "logits": [1.0, 1.0, None]})
    found = classes(table, ["few", "many", "none"], np.array([3, 11, 0]), 0.5)
    few, many = found
    assert (few["floor"], few["chance"], few["bound"]) == pytest.approx((0.6, 0.9, 0.75))
    assert (many["floor"], many["chance"], many["bound"]) == pytest.approx((0.0, 0.5, 0.25))
    assert (few["layer"], few["surely"]) == ("block_1", "block_2")
    assert (many["layer"], many["surely"]) == ("block_2", None)  # its interval reaches 0.34
    assert tally(found, ["input", "block_1", "block_2"]) == {"input": 0, "block_1": 1, "block_2": 1, "never": 0}
    assert tally(found, ["input", "block_1", "block_2"], "surely")["never"] == 1


def test_a_class_of_one_clip_is_never_separable() -> None:
    only = classes(rows({"input": [1.0], "block_1": [1.0]}), ["alone"], np.array([1]), 0.5)
    assert only[0]["layer"] is None
