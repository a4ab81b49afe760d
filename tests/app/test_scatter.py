"""The plane of points: what its component is given, and which points a line encircles."""

import base64

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from app import scatter


def test_points_reach_the_browser_in_their_places_with_class_and_flags(rng):
    points = rng.normal(size=(40, 2)) * [3, 0.01] + [100, -5]
    strong, wrong = rng.random(40) < 0.5, rng.random(40) < 0.5
    data = scatter.payload(points, range(40), [f"c{i}" for i in range(40)], ["a"] * 40, strong=strong, wrong=wrong)
    read = lambda name, kind: np.frombuffer(base64.b64decode(data[name]), kind)  # noqa: E731
    xy = read("xy", "<u2").reshape(-1, 2) / 65535
    np.testing.assert_allclose(xy * np.ptp(points, axis=0) + points.min(axis=0), points, rtol=1e-6, atol=1e-4)
    assert read("of", "<u2").tolist() == list(range(40))
    flags = read("flags", np.uint8)
    assert (flags & scatter.STRONG > 0).tolist() == strong.tolist()
    assert (flags & scatter.WRONG > 0).tolist() == wrong.tolist()


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.ones((1, 2)), np.array([[1.0, 5], [2, 5]])])
def test_planes_that_do_not_vary_have_their_points_in_the_middle(points):
    found = scatter.units(points)
    assert found.shape == points.shape
    assert np.isfinite(found).all()
    assert (found[:, 1] == 0.5).all()


@pytest.mark.parametrize("corners", [3, 4, 17, 200])
def test_what_lies_in_an_outline_is_what_matplotlib_finds(rng, corners):
    points = rng.random((500, 2))
    angle = np.sort(rng.random(corners)) * 2 * np.pi  # around the middle: it does not cross itself
    outline = 0.5 + 0.45 * rng.random((corners, 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert scatter.inside(points, outline).tolist() == Outline(outline).contains_points(points).tolist()


def test_an_outline_of_no_area_holds_nothing(rng):
    points = rng.random((50, 2))
    assert not scatter.inside(points, [[0.1, 0.1], [0.9, 0.9]]).any()
    assert not scatter.inside(points, []).any()
