"""Films of clips: what is drawn where, and that the files are what they say."""

import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.skeleton import get_layout
from stgcn_lens.viz import theme, video
from tests.data import people

LAYOUT = get_layout("ntu25")


@pytest.fixture(scope="module")
def shot() -> video.Shot:
    clip = people.clip(6, 2, seed=1)
    clip = people.without(clip, 1, [0, 1])
    saliency = np.zeros(clip.xyz.shape[1:], np.float32)
    saliency[3, LAYOUT.index("head"), 0] = 1.0
    return video.Shot.of(clip.xyz, clip.valid, LAYOUT, saliency, title="<a> & b", subtitle="at block_3")


def test_one_picture_a_frame_with_even_sides(shot):
    pictures = list(video.draw([shot, shot], size=101))
    assert len(pictures) == 6
    assert {picture.size for picture in pictures} == {(202, 178)}
    assert len({picture.tobytes() for picture in pictures}) == 6


def test_the_salient_joint_is_large_and_bright_in_its_frame_only(shot):
    brightest = np.array(theme.SALIENCY[255], int)
    near = lambda picture: (abs(np.asarray(picture, int)[46:-30] - brightest).sum(axis=2) < 30).sum()  # noqa: E731
    count = [near(picture) for picture in video.draw([shot], size=200)]
    assert count[3] > 20
    assert max(count[:3] + count[4:]) == 0


def test_a_body_that_is_not_there_is_not_drawn(shot):
    alone = video.Shot(shot.points, np.array([[True, False]] * 6), shot.bones, None, "", "")
    nobody = video.Shot(shot.points, np.zeros((6, 2), bool), shot.bones, None, "", "")
    ground = np.asarray(next(video.draw([nobody], size=120)), int)
    assert (ground == np.array(Image.new("RGB", (1, 1), theme.LIGHT["background"]).getpixel((0, 0)))).all()
    inked = lambda one: (np.asarray(one, int) != ground).any(axis=2).sum()  # noqa: E731
    one = [inked(picture) for picture in video.draw([alone], size=120)]
    two = [inked(picture) for picture in video.draw([shot], size=120)]
    assert min(one) > 50
    assert two[2] > one[2]


def test_joints_that_are_not_finite_and_dark_pages_are_no_trouble(shot):
    holes = shot.points.copy()
    holes[:, 3] = np.nan
    dark = next(
        video.draw([video.Shot(holes, shot.valid, shot.bones, shot.saliency, "t")], size=90, colours=theme.DARK)
    )
    assert dark.getpixel((0, 60)) == (0x0F, 0x12, 0x16)


def test_clips_that_play_together_follow_their_map_or_the_share_of_their_length(shot):
    longer = video.Shot(np.repeat(shot.points, 3, axis=0), np.repeat(shot.valid, 3, axis=0), shot.bones, None, "")
    assert [longer.at(frame, 6) for frame in range(6)] == [0, 3, 7, 10, 14, 17]
    along = video.Shot(longer.points, longer.valid, shot.bones, None, "", frame_map=np.array([0, 0, 0, 5.4, 99, -3]))
    assert [along.at(frame, 6) for frame in range(6)] == [0, 0, 0, 5, 17, 0]


@pytest.mark.parametrize(("fps", "frames", "each"), [(10.0, 6, 100), (30.0, 3, 70), (60.0, 2, 50)])
def test_a_gif_keeps_its_pace_and_repeats(shot, fps, frames, each):
    with Image.open(BytesIO(video.gif(video.draw([shot], size=80), fps))) as film:
        assert film.format == "GIF"
        assert film.n_frames == frames
        assert film.info["duration"] == each
        assert film.info["loop"] == 0


def test_without_ffmpeg_it_says_what_to_install(shot, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert video.ffmpeg() is None
    with pytest.raises(LensError, match=r"pip install 'stgcn-lens\[video\]'"):
        video.mp4(video.draw([shot], size=80), 30.0)


def test_an_ffmpeg_that_fails_is_one_error(shot, monkeypatch):
    monkeypatch.setattr(video, "ffmpeg", lambda: sys.executable)  # knows none of the options
    with pytest.raises(WorkError, match="ffmpeg failed"):
        video.mp4(video.draw([shot], size=80), 30.0)


def test_an_mp4_is_one(shot):
    if video.ffmpeg() is None:
        pytest.skip("no ffmpeg on this machine (pip install imageio-ffmpeg)")
    film = video.mp4(video.draw([shot], size=80), 30.0)
    assert film[4:8] == b"ftyp"
    assert b"moov" in film


def test_no_clip_is_an_error():
    with pytest.raises(LensError, match="nothing to draw"):
        next(video.draw([]))
