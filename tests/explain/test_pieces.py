"""What is removed together, body parts, and what tables say of them."""

import dataclasses

import numpy as np
import pytest

from stgcn_lens.explain.aggregates import by_part, over_classes, summary
from stgcn_lens.explain.cells import Cells
from stgcn_lens.explain.parts import body_parts, part_of_joint
from stgcn_lens.explain.pieces import NONE, mask, pieces
from stgcn_lens.skeleton import LAYOUTS
from tests.explain.mock import STICK


def cell(there: np.ndarray, shows: np.ndarray | None = None, frames: int | None = None) -> Cells:
    t, m = there.shape
    shows = np.arange(t) if shows is None else shows
    return Cells(np.zeros((3, t, 5, m), np.float32), there, frames or t, shows, STICK, "joint")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_every_joint_of_every_layout_is_in_one_part(layout) -> None:
    parts = body_parts(layout)
    assert sorted(joint for part in parts.values() for joint in part) == list(range(layout.V))
    assert list(parts) == list(layout.parts)
    for number, joints in enumerate(parts.values()):
        assert set(np.flatnonzero(part_of_joint(layout) == number)) == set(joints)


def test_a_layout_without_parts_has_sides_and_one_that_leaves_joints_out_a_rest() -> None:
    bare = dataclasses.replace(STICK, parts={})
    assert body_parts(bare) == {"left": (3,), "right": (4,), "middle": (0, 1, 2)}
    some = dataclasses.replace(STICK, parts={"hands": (3, 4), "top": (2, 3)})
    assert body_parts(some) == {"hands": (3, 4), "top": (2,), "rest": (0, 1)}


def test_pieces_are_numbered_without_gaps_and_absent_cells_have_none() -> None:
    there = np.ones((4, 2), bool)
    there[:2, 1] = False
    for space, of in (("joint", np.arange(5)), ("part", part_of_joint(STICK)), ("body", np.zeros(5, int))):
        for window in (None, 3):
            found = pieces(cell(there), space, window)
            assert found.shape == (4, 5, 2)
            assert (found[:2, :, 1] == NONE).all()
            assert sorted(set(found.ravel()) - {NONE}) == list(range(found.max() + 1))
            same = {}
            for t, v, m in np.argwhere(found != NONE):
                same.setdefault((of[v], m, t // (window or 4)), set()).add(found[t, v, m])
            assert all(len(numbers) == 1 for numbers in same.values())
            assert len(same) == found.max() + 1


def test_a_repeat_belongs_to_the_piece_of_its_frame() -> None:
    there = np.ones((7, 1), bool)
    there[3:] = False
    found = pieces(cell(there, np.arange(7) % 3, 3), "body", 2)
    assert found[:, 0, 0].tolist() == [0, 0, 1, 0, 0, 1, 0]


def test_where_nobody_is_there_is_no_piece_and_the_mask_is_whole() -> None:
    nobody, one = cell(np.zeros((4, 1), bool)), cell(np.ones((4, 1), bool))
    assert (pieces(nobody, "joint") == NONE).all()
    masks = mask([pieces(nobody, "joint"), pieces(one, "joint")])
    assert masks.shape == (2, 1, 4, 5, 1)
    assert masks.dtype == np.int64
    assert not masks[0].any()
    assert masks[1, 0, 0, :, 0].tolist() == [0, 1, 2, 3, 4]


def test_aggregates_are_means_over_joints_and_clips(rng: np.random.Generator) -> None:
    table = rng.random((3, 5)).astype(np.float32)
    table[1] = np.nan
    targets = np.array([0, 2, 2, 2])
    found = summary(table, targets, ["", "why", "", "why"], ("wave", "kick", "sit"), STICK)
    joints = (table[0] + 3 * table[2]) / 4
    assert np.allclose(list(found["joints"].values()), joints)
    assert np.allclose(over_classes(table, np.array([1, 0, 3])), joints)
    assert list(found["joints"]) == list(STICK.joints)
    assert found["parts"]["trunk"] == pytest.approx(joints[:3].mean())
    assert found["classes"].keys() == {"wave", "sit"}
    assert (found["classes"]["sit"]["clips"], found["classes"]["sit"]["without_evidence"]) == (3, 2)
    assert found["classes"]["wave"]["parts"]["hands"] == pytest.approx(table[0, 3:].mean())
    assert found["no_evidence"] == {"why": 2}
    parts = by_part(table, STICK)
    assert parts.shape == (3, 2)
    assert np.isnan(parts[1]).all()
    assert np.isfinite(parts[[0, 2]]).all()
