"""Figures of a transfer study show the numbers that they are given."""

import numpy as np
import pytest

from stgcn_lens.viz.figures import Series, svg
from stgcn_lens.viz.transfer import accuracy_by_cut, errors_by_layer

CUTS = ["input", "block_1", "block_2", "block_3", "block_4"]
LINES = [Series("1 a class", [0.1, 0.2, 0.4, 0.3, 0.2]), Series("full", [0.9, 0.8, 0.7, 0.9, 0.5])]


def test_lines_rings_and_the_predicted_cut_stand_where_the_numbers_are():
    figure = accuracy_by_cut(CUTS, LINES, best=[[2], [0, 3]], predicted=3, scratch=0.6)
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    for line in LINES:
        assert lines[line.name].get_ydata() == pytest.approx(line.values)
    assert set(np.asarray(lines["from scratch, full"].get_ydata())) == {0.6}
    rings = [ring.get_offsets().tolist() for ring in axes.collections]
    assert rings == [[[2.0, 0.4]], [[0.0, 0.9], [3.0, 0.9]]]
    upright = [line for line in axes.get_lines() if len(set(line.get_xdata())) == 1]
    assert [set(line.get_xdata()) for line in upright] == [{3}]
    assert [label.get_text() for label in axes.get_xticklabels()] == CUTS


def test_without_a_control_no_line_is_drawn_for_it():
    figure = accuracy_by_cut(CUTS, LINES, best=[[2], [0]], predicted=0)
    assert not any("scratch" in str(line.get_label()) for line in figure.axes[0].get_lines())


def test_label_errors_have_their_chance_level_and_are_the_same_text_every_time():
    errors = [Series("kNN", [0.5, 0.4, 0.3, 0.2, 0.3], [0.4] * 5, [0.6] * 5)]
    drawn = [svg(errors_by_layer(CUTS, errors, [0.9] * 5, 3), "errors", "a sentence") for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert all(word in drawn[0] for word in ("chance", "predicted", "block_4", "a sentence"))
