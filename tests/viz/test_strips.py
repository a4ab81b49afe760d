from dataclasses import replace

import numpy as np
import pytest

from stgcn_lens.data.tally import Sample
from stgcn_lens.viz import figures, film, player, strips
from tests.data import people


def sample(clip, at=(0, 2), why="first", frames=9):
    return Sample(clip.replace(xyz=clip.xyz[:, list(at)], valid=clip.valid[list(at)]), at, frames, why)


def test_a_strip_shows_what_was_recorded_under_its_name() -> None:
    clip = people.clip(4, 2, layout="coco17", name="wave_7")
    (strip,) = strips.strips([sample(clip)], ["a", "b", "c", "drink"])
    assert strip.title == "wave_7  ·  drink  ·  9 frames (first)"
    assert strip.captions == ["frame 0", "frame 2"]
    np.testing.assert_array_equal(strip.points[1, :, 0], clip.xyz[0, 2])
    np.testing.assert_array_equal(strip.points[1, :, 1], -clip.xyz[1, 2])  # pictures count rows downwards


def test_joints_that_were_not_detected_are_not_drawn_but_for_the_origin() -> None:
    clip = people.clip(4)
    hand, middle = clip.skeleton.index("left_hand"), clip.skeleton.index("spine_mid")
    clip.xyz[:, 2, hand] = 0
    clip.xyz[:, :, middle] = 0
    (strip,) = strips.strips([sample(clip)], list("abcd"), "spine_mid")
    lost = np.argwhere(np.isnan(strip.points).any(axis=2))
    assert lost.tolist() == [[1, hand, 0]]
    figure = film.film_strips([strip])
    joints = figure.subfigs[0].axes[1].collections[0].get_offsets()
    assert np.ma.masked_invalid(joints).mask.any(axis=1).sum() == 1
    (low, high), up = figure.subfigs[0].axes[1].get_xlim(), figure.subfigs[0].axes[1].get_ylim()
    assert np.isfinite([low, high, *up]).all()


@pytest.mark.parametrize("up", ["+y", "-y", "+z"])
def test_people_stand_upright_whatever_axis_is_up(up: str) -> None:
    clip = people.clip(3)
    turned = {"+y": clip.xyz, "-y": clip.xyz * np.float32([1, -1, -1])[:, None, None, None], "+z": clip.xyz[[2, 0, 1]]}
    points = strips.project(turned[up], replace(clip.skeleton, up=up), 0.35)
    upright = strips.project(clip.xyz, clip.skeleton, 0.35)
    np.testing.assert_allclose(points, upright, atol=1e-6)


def test_the_view_is_that_of_the_player() -> None:
    clip = people.clip(3)
    yaw = player.payload(clip.xyz, clip.valid, clip.skeleton)["yaw"] + 0.35
    (strip,) = strips.strips([sample(clip, at=(0, 1, 2))], list("abcd"))
    np.testing.assert_array_equal(strip.points, strips.project(clip.xyz, clip.skeleton, yaw))


def test_several_clips_stand_below_each_other_each_at_its_own_scale() -> None:
    large = people.clip(4, name="large", label=None)
    large = large.replace(xyz=large.xyz * 100)
    both = strips.strips([sample(people.clip(4)), sample(large, why="longest")], list("abcd"))
    figure = film.film_strips(both)
    assert [row.get_suptitle() for row in figure.subfigs] == [strip.title for strip in both]
    assert both[1].title == "large  ·  no label  ·  9 frames (longest)"
    widths = [np.ptp(row.axes[0].get_xlim()) for row in figure.subfigs]
    assert widths[1] > 20 * widths[0]
    assert figures.png(figure).startswith(b"\x89PNG")
    assert figures.png(figure) == figures.png(figure)


def test_names_in_a_script_that_the_font_lacks_are_drawn_without_a_warning() -> None:
    strip = strips.strips([sample(people.clip(4))], ["", "", "", "挥手"])
    assert figures.png(film.film_strips(strip)).startswith(b"\x89PNG")
    assert "挥手" in figures.svg(film.film_strips(strip), "samples", "alt")


def test_a_long_name_keeps_its_end_and_fits() -> None:
    (strip,) = strips.strips([sample(people.clip(4, name="x" * 300))], list("abcd"))
    assert strip.title.startswith("...x")
    assert strip.title.endswith("9 frames (first)")
    assert len(strip.title) <= 113
