"""Partitions against the slow transcription of ST-GCN's equations, and the counts that are known of them."""

import numpy as np
import pytest

from stgcn_lens.adjacency import NORMALISATIONS, PARTITIONS, hops, links, partitions, subsets
from stgcn_lens.errors import LensError
from stgcn_lens.skeleton import LAYOUTS
from tests.reference import adjacency as reference

layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)


@layouts
def test_hops_count_the_bones_between_joints(layout):
    expected = [[reference.distance(layout, i, j) for j in range(layout.V)] for i in range(layout.V)]
    np.testing.assert_array_equal(hops(layout), expected)


@layouts
@pytest.mark.parametrize("strategy", reference.LABELS)
def test_subsets_equal_the_transcription(layout, strategy):
    np.testing.assert_array_equal(subsets(layout, strategy), reference.subsets(layout, strategy))


@layouts
@pytest.mark.parametrize("strategy", PARTITIONS)
def test_subsets_sum_to_the_graph_with_self_links(layout, strategy):
    # ST-GCN eq. 10: A + I = sum_j A_j
    np.testing.assert_array_equal(subsets(layout, strategy).sum(axis=0), links(layout) + np.eye(layout.V))


@pytest.mark.parametrize(
    ("layout", "strategy", "entries"),
    [
        ("ntu25", "spatial", [25, 24, 24]),
        ("ntu25", "spatial-release", [25, 40, 8]),
        ("openpose18", "spatial-release", [18, 25, 9]),
        ("ntu25", "distance", [25, 48]),
        ("ntu25", "uniform", [73]),
    ],
)
def test_subsets_hold_the_known_number_of_entries(layout, strategy, entries):
    assert subsets(LAYOUTS[layout], strategy).sum(axis=(1, 2)).tolist() == entries


@layouts
@pytest.mark.parametrize("strategy", reference.LABELS)
def test_symmetric_normalisation_equals_the_transcription(layout, strategy):
    expected = [reference.symmetric(a) for a in reference.subsets(layout, strategy)]
    np.testing.assert_allclose(partitions(layout, strategy, "symmetric"), expected, rtol=1e-6)


@layouts
@pytest.mark.parametrize("strategy", reference.LABELS)
def test_column_normalisation_equals_the_transcription_and_sums_to_one(layout, strategy):
    split = reference.subsets(layout, strategy)
    expected = [reference.column(a, split.sum(axis=0)) for a in split]
    actual = partitions(layout, strategy, "column")
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    np.testing.assert_allclose(actual.sum(axis=(0, 1)), 1, rtol=1e-6)


def test_tied_distance_gives_neighbours_and_self_opposite_weights():
    # "distance*" of table 1: w_0 = -w_1
    layout = LAYOUTS["ntu25"]
    root, around = partitions(layout, "distance")
    np.testing.assert_array_equal(partitions(layout, "distance-tied"), (around - root)[None])


def test_the_two_hand_variants_of_ntu_differ_in_the_hands_only():
    changed = np.argwhere(links(LAYOUTS["ntu25"]) != links(LAYOUTS["ntu25-hand"]))
    assert {LAYOUTS["ntu25"].joints[i] for i in changed.ravel()} == {
        f"{side}_{joint}" for side in ("left", "right") for joint in ("hand", "hand_tip", "thumb")
    }


@layouts
@pytest.mark.parametrize("strategy", PARTITIONS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_matrices_do_not_tell_left_from_right(layout, strategy, normalisation):
    # Bones, and the hops to the centre, survive a mirror image.
    assert layout.mirror[layout.centre] == layout.centre
    a = partitions(layout, strategy, normalisation)
    mirror = list(layout.mirror)
    np.testing.assert_allclose(a[:, mirror][:, :, mirror], a, rtol=1e-6)


@pytest.mark.parametrize("wrong", [("spatail", "symmetric"), ("spatial", "row")])
def test_unknown_names_are_refused_with_those_there_are(wrong):
    with pytest.raises(LensError, match=r"got '(spatail|row)', expected one of .*s(patial|ymmetric)"):
        partitions(LAYOUTS["ntu25"], *wrong)
