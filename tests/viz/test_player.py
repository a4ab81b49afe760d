"""What the player is given: coordinates, colours and names arrive as they were."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import LAYOUTS
from stgcn_lens.viz import player, theme
from tests.viz.bodies import NTU, saliency_of, standing

EVIL = "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\u2028'\"&"


def codes(panel: dict) -> np.ndarray:
    shape = (panel["frames"], panel["bodies"], len(panel["joints"]), panel["dims"])
    return np.frombuffer(base64.b64decode(panel["xyz"]), "<i2").reshape(shape)


def decoded(panel: dict) -> np.ndarray:
    """(C, T, V, M) as the browser sees it."""
    q = codes(panel)
    at = np.where(q == -32768, np.nan, np.array(panel["offset"]) + q * panel["step"])
    return at.transpose(3, 0, 2, 1)


def test_coordinates_come_back_within_half_a_step(rng):
    xyz = rng.normal(size=(3, 20, 25, 2))
    panel = player.payload(xyz, np.ones((20, 2), bool), NTU)
    assert panel["step"] < np.ptp(xyz) / 60_000
    np.testing.assert_allclose(decoded(panel), xyz, atol=panel["step"] * 0.501)


def test_absent_bodies_and_joints_that_are_not_finite_are_not_drawn():
    xyz, valid = standing(bodies=2)
    valid[5:9, 1] = False
    xyz[:, :, :, 1] *= np.where(valid[:, 1], 1, 1e6)[None, :, None]  # what an absent body holds is nobody's business
    xyz[0, 3, 7, 0] = np.nan
    shown = decoded(player.payload(xyz, valid, NTU))
    assert np.isnan(shown[:, 5:9, :, 1]).all()
    assert np.isnan(shown[:, 3, 7, 0]).all()
    assert np.isnan(shown).sum() == 3 * (4 * 25 + 1)
    np.testing.assert_allclose(shown[:, 9:], xyz[:, 9:], atol=1e-4)


def test_saliency_and_evidence_come_back_cell_by_cell(rng):
    xyz, valid = standing(bodies=2)
    saliency, evidence = rng.random((40, 25, 2)), rng.random((40, 25, 2)) > 0.7
    panel = player.payload(xyz, valid, NTU, saliency=saliency, evidence=evidence)
    levels = np.frombuffer(base64.b64decode(panel["saliency"]), np.uint8).reshape(40, 2, 25) / 255
    np.testing.assert_allclose(levels.transpose(0, 2, 1), saliency, atol=0.5 / 255 + 1e-9)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(panel["evidence"]), np.uint8))[: 40 * 2 * 25]
    np.testing.assert_array_equal(bits.reshape(40, 2, 25).transpose(0, 2, 1), evidence)


def test_ten_seconds_of_two_bodies_take_less_than_150_kilobytes(rng):
    full = player.payload(
        rng.normal(size=(3, 300, 25, 2)),
        np.ones((300, 2), bool),
        NTU,
        saliency=rng.random((300, 25, 2)),
        evidence=rng.random((300, 25, 2)) > 0.5,
    )
    assert len(json.dumps(player.scene([full]))) <= 150_000


def test_the_sky_is_up_and_nothing_is_mirrored_whatever_the_layout_calls_up(rng):
    points = rng.normal(size=(3, 6, 25, 1))
    for up in ("+x", "-x", "+y", "-y", "+z", "-z"):
        turned = decoded(player.payload(points, np.ones((6, 1), bool), replace(NTU, up=up)))
        sign = 1 if up[0] == "+" else -1
        np.testing.assert_allclose(turned[1], sign * points["xyz".index(up[1])], atol=1e-3)
        matrix = np.linalg.lstsq(points.reshape(3, -1).T, turned.reshape(3, -1).T, rcond=None)[0]
        assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-2)


def test_pictures_with_rows_that_grow_downward_are_drawn_head_up_and_without_their_score(rng):
    layout = LAYOUTS["coco17"]
    xyz = rng.random((3, 4, 17, 1))
    shown = decoded(player.payload(xyz, np.ones((4, 1), bool), layout))
    np.testing.assert_allclose(shown, np.stack([xyz[0], -xyz[1]]), atol=1e-4)


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.5, -2.0])
def test_a_person_is_seen_from_the_front_whichever_way_they_face(angle):
    xyz, valid = standing()
    c, s = np.cos(angle), np.sin(angle)
    xyz = np.einsum("dc,ctvm->dtvm", np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), xyz)
    yaw = player.payload(xyz, valid, NTU)["yaw"]
    across = xyz[:, 0, 8, 0] - xyz[:, 0, 4, 0]  # left to right shoulder
    right_of_screen = -(across[0] * np.cos(yaw) + across[2] * np.sin(yaw))
    assert right_of_screen == pytest.approx(-np.linalg.norm(across))  # their right is on the viewer's left


def test_two_people_are_seen_from_their_side():
    xyz, valid = standing(bodies=2)
    xyz[[0, 2], :, :, 1] = xyz[[2, 0], :, :, 1] + np.array([[[0.0]], [[1.5]]])  # behind each other for the sensor
    yaw = player.payload(xyz, valid, NTU)["yaw"]
    line = xyz[:, :, :, 1].mean(axis=(1, 2)) - xyz[:, :, :, 0].mean(axis=(1, 2))
    depth = -line[0] * np.sin(yaw) + line[2] * np.cos(yaw)
    assert abs(depth) < 0.01


def test_one_joint_thrown_far_away_does_not_shrink_the_body():
    xyz, valid = standing(frames=100)
    calm = player.payload(xyz, valid, NTU)["box"]
    xyz[0, 50, 23, 0] = 40
    assert player.payload(xyz, valid, NTU)["box"]["radius"] < 1.6 * calm["radius"]


def test_saliency_that_is_not_normalised_is_refused():
    xyz, valid = standing()
    for wrong in (np.full((40, 25, 1), 1.5), np.full((40, 25, 1), -0.2), np.full((40, 25, 1), np.nan)):
        with pytest.raises(DataError, match=r"not normalised.*expected \[0, 1\]"):
            player.payload(xyz, valid, NTU, saliency=wrong)


def test_axes_that_do_not_fit_are_refused_with_both_sides():
    xyz, valid = standing()
    with pytest.raises(DataError, match=r"\(3, 40, 25, 1\).*V=17"):
        player.payload(xyz, valid, LAYOUTS["coco17"])
    with pytest.raises(DataError, match=r"got \(39, 25, 1\).*\(40, 25, 1\)"):
        player.payload(xyz, valid, NTU, saliency=np.zeros((39, 25, 1)))
    with pytest.raises(DataError, match="nothing to play"):
        player.scene([])


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.data: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.inside = "data-stgcn-player" in dict(attrs)

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.data.append(data)


def test_names_that_are_markup_stay_names():
    xyz, valid = standing()
    evil = replace(NTU, joints=(EVIL, *NTU.joints[1:]))
    panel = player.payload(xyz, valid, evil, title=EVIL, subtitle=EVIL, note=EVIL, saliency=saliency_of(40))
    page = _Page(player.html(panel, title=EVIL, scope=EVIL, peak=EVIL))
    harmless = _Page(player.html(player.payload(xyz, valid, NTU, title="x", saliency=saliency_of(40)), title="x"))
    assert page.tags == harmless.tags
    data = json.loads("".join(page.data))
    shown = data["panels"][0]
    assert [data["scope"], data["peak"]] + [shown[key] for key in ("title", "subtitle", "note")] == [EVIL] * 5
    assert shown["joints"][0] == EVIL


def test_a_page_asks_nothing_of_any_network():
    xyz, valid = standing()
    page = player.html(player.payload(xyz, valid, NTU), title="alone")
    assert not re.findall(r"""(?:https?:)?//[\w.]+\.\w+|\bsrc=|\bhref=|@import|url\(|fetch\(|XMLHttp""", page)
    assert "default-src 'none'" in page


def test_the_script_never_turns_text_into_markup():
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", player.script())


def test_equal_clips_have_equal_keys_and_new_saliency_a_new_one():
    xyz, valid = standing()
    one, same = (player.payload(xyz, valid, NTU, saliency=saliency_of(40)) for _ in range(2))
    other = player.payload(xyz, valid, NTU, saliency=saliency_of(40, joint=3))
    assert one == same
    assert one["key"] != other["key"]


def test_the_saliency_map_is_inferno_and_only_ever_grows_lighter():
    matplotlib = pytest.importorskip("matplotlib")
    inferno = np.array(matplotlib.colormaps["inferno"].colors) * 255
    assert np.abs(theme.SALIENCY - inferno).max() <= 1.5
    weights = np.array([0.2126, 0.7152, 0.0722])
    linear = ((theme.SALIENCY / 255 + 0.055) / 1.055) ** 2.4
    assert (np.diff(linear @ weights) > -1e-3).all()
    np.testing.assert_allclose(theme.saliency_colormap()(np.arange(256))[:, :3] * 255, theme.SALIENCY, atol=0.6)


@pytest.mark.parametrize("tokens", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_on_its_background(tokens):
    def luminance(colour: str) -> float:
        c = np.array(list(bytes.fromhex(colour[1:]))) / 255
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for text in ("text", "muted", "accent", "evidence"):
        for page in ("background", "panel"):
            dark, light = sorted((luminance(tokens[text]), luminance(tokens[page])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, page)
    assert set(theme.LIGHT) == set(theme.DARK)


def test_maps_of_one_clip_send_its_coordinates_once(rng):
    xyz, valid = rng.normal(size=(3, 300, 25, 2)), np.ones((300, 2), bool)
    maps = [rng.random((300, 25, 2)) for _ in range(3)]
    panels = [player.payload(xyz, valid, NTU, saliency=map, title=f"block_{i}") for i, map in enumerate(maps)]
    sent = player.scene(panels)["panels"]
    assert [panel.get("like") for panel in sent] == [None, 0, 0]
    again = [{**sent[panel.get("like", 0)], **panel} for panel in sent]  # as the player does
    assert [{name: panel[name] for name in panels[0]} for panel in again] == panels
    assert all(len(json.dumps(panel)) < 22_000 for panel in sent[1:])  # a map of bytes as base64, and a title
    other = player.payload(xyz + 1e-3 * rng.normal(size=xyz.shape), valid, NTU, title="another clip")
    assert "like" not in player.scene([panels[0], other])["panels"][1]
