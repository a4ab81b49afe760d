"""Clips as moving pictures to keep: drawn by Pillow, written as GIF by Pillow or as MP4 by ffmpeg where it is found."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stgcn_lens.errors import LensError, WorkError
from stgcn_lens.skeleton import Layout
from stgcn_lens.viz import player, theme
from stgcn_lens.viz.strips import project

_YAW = 0.35  # the angle at which the player opens
_FINER = 2  # drawn so many times larger, then made smaller: smooth edges
_MARGIN = 0.12  # of the body's height, round it
_HEAD, _FOOT = 46, 30  # pixels for the titles and for the colour scale
_GIF_RATE = 25.0  # frames a second (ours): browsers slow down faster GIFs
_PATIENCE = 120  # seconds that ffmpeg may take


@dataclass(frozen=True, eq=False)
class Shot:
    """One clip of a film.

    Attributes
    ----------
    points : (T, V, 2, M) across and up. valid : (T, M) bool. bones : pairs of joints.
    saliency : (T, V, M) in [0, 1], or None.
    title, subtitle : above it. frame_map : its frame for each frame of the first shot; None: its share of the length.
    """

    points: np.ndarray
    valid: np.ndarray
    bones: Sequence[tuple[int, int]]
    saliency: np.ndarray | None
    title: str
    subtitle: str = ""
    frame_map: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        xyz: np.ndarray,
        valid: np.ndarray,
        layout: Layout,
        saliency: np.ndarray | None = None,
        *,
        title: str = "",
        subtitle: str = "",
        frame_map: np.ndarray | None = None,
    ) -> "Shot":
        """A clip (C, T, V, M) from where the player sees it when it opens."""
        yaw = player.payload(xyz, valid, layout)["yaw"] + _YAW if layout.dims == 3 else 0.0
        points = project(xyz, layout, yaw)
        return cls(points, np.asarray(valid, bool), layout.bones, saliency, title, subtitle, frame_map)

    def at(self, frame: int, frames: int) -> int:
        """Its frame while the first shot, `frames` long, is at `frame`."""
        last = len(self.points) - 1
        if self.frame_map is not None:
            return int(np.clip(round(float(self.frame_map[frame])), 0, last))
        return round(frame / max(1, frames - 1) * last)


def draw(
    shots: Sequence[Shot], *, scope: str = "", size: int = 360, colours: dict[str, str] = theme.LIGHT
) -> Iterator[Image.Image]:
    """One picture for each frame of the first shot, the others beside it at their own time.

    Parameters
    ----------
    scope : what the colours are relative to, printed under the pictures.
    size : pixels of a shot's side; the sides of the whole are even, as MP4 wants them.
    colours : `theme.LIGHT` or `theme.DARK`.
    """
    if not shots:
        raise LensError("nothing to draw", got="0 clips", expected="at least 1")
    boxes = [_box(shot) for shot in shots]
    ground = _ground(shots, scope, size, colours)
    frames = len(shots[0].points)
    for frame in range(frames):
        picture = ground.copy()
        pen = ImageDraw.Draw(picture)
        for place, (shot, box) in enumerate(zip(shots, boxes, strict=True)):
            _body(pen, shot, shot.at(frame, frames), box, place * size, size, colours)
        yield picture.reduce(_FINER)


def gif(pictures: Iterator[Image.Image], fps: float) -> bytes:
    """Pictures as a GIF that repeats; above 25 a second some are left out, times are whole hundredths of a second."""
    every = max(1, int(np.ceil(fps / _GIF_RATE)))
    kept = [picture for number, picture in enumerate(pictures) if number % every == 0]
    palette = kept[len(kept) // 2].quantize(255, method=Image.Quantize.MEDIANCUT)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in kept]
    stream = BytesIO()
    each = max(20, round(100 * every / fps) * 10)  # milliseconds; what is shorter browsers show ten times slower
    flat[0].save(stream, "GIF", save_all=True, append_images=flat[1:], duration=each, loop=0, optimize=False)
    return stream.getvalue()


def ffmpeg() -> str | None:
    """The ffmpeg to be used: that on the path, else that of the package imageio-ffmpeg; None where there is none."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def mp4(pictures: Iterator[Image.Image], fps: float) -> bytes:
    """Pictures as an MP4 (H.264).

    Raises
    ------
    LensError : there is no ffmpeg. WorkError : it failed.
    """
    program = ffmpeg()
    if program is None:
        raise LensError(
            "no MP4 without ffmpeg", got="no ffmpeg", fix="pip install 'stgcn-lens[video]', or take the GIF"
        )
    first = next(pictures)
    with tempfile.TemporaryDirectory(prefix="stgcn_lens-") as folder:
        out = Path(folder) / "film.mp4"
        shape = f"{first.width}x{first.height}"
        line = [program, "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", shape, "-r", f"{fps:g}"]
        line += ["-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(out)]
        raw = b"".join(picture.tobytes() for picture in (first, *pictures))
        try:
            done = subprocess.run(line, input=raw, capture_output=True, timeout=_PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WorkError("ffmpeg failed", got=str(error)[:200], fix="take the GIF") from error
        if done.returncode or not out.is_file():
            said = " ".join(done.stderr.decode(errors="replace").split())[:200]
            raise WorkError("ffmpeg failed", got=said or f"exit {done.returncode}", fix="take the GIF")
        return out.read_bytes()


def _box(shot: Shot) -> tuple[np.ndarray, float]:
    """Middle and half side of the square that holds the body at all times, but for what a sensor threw far away."""
    there = shot.points.transpose(0, 3, 1, 2)[shot.valid]  # (bodies there, V, 2)
    there = there[np.isfinite(there).all(axis=-1)]
    if not len(there):
        return np.zeros(2), 1.0
    low, high = np.percentile(there, [0.5, 99.5], axis=0)
    return (low + high) / 2, max(float((high - low).max()) * (0.5 + _MARGIN), 1e-3)


def _ground(shots: Sequence[Shot], scope: str, size: int, colours: dict[str, str]) -> Image.Image:
    """What is the same in all pictures: titles and the scale of the colours."""
    wide, tall = size * len(shots), size + _HEAD + _FOOT
    wide, tall = wide + wide % 2, tall + tall % 2
    picture = Image.new("RGB", (wide * _FINER, tall * _FINER), colours["background"])
    pen = ImageDraw.Draw(picture)
    for place, shot in enumerate(shots):
        left, room = (place * size + 10) * _FINER, size - 20
        pen.text((left, 8 * _FINER), _fitting(shot.title, 14, room), colours["text"], _font(14))
        pen.text((left, 26 * _FINER), _fitting(shot.subtitle, 11, room), colours["muted"], _font(11))
    if all(shot.saliency is None for shot in shots):
        return picture
    top, left, length = (tall - 20) * _FINER, 10 * _FINER, 80 * _FINER
    for i in range(length):
        pen.line([left + i, top, left + i, top + 10 * _FINER], fill=_colour(i / length))
    text = _fitting(f"0 to 1 · {scope}" if scope else "0 to 1", 10, wide - 110)
    pen.text((left + length + 8 * _FINER, top - _FINER), text, colours["muted"], _font(10))
    return picture


def _body(
    pen: ImageDraw.ImageDraw,
    shot: Shot,
    frame: int,
    box: tuple[np.ndarray, float],
    left: int,
    size: int,
    colours: dict[str, str],
) -> None:
    (middle, half), base = box, size * _FINER / 90
    origin = np.array([left + size / 2, _HEAD + size / 2]) * _FINER
    at = origin + (shot.points[frame].transpose(2, 0, 1) - middle) * [1, -1] * (size * _FINER / 2 / half)  # (M, V, 2)
    for body in np.flatnonzero(shot.valid[frame]):
        seen = np.isfinite(at[body]).all(axis=-1)
        for a, b in shot.bones:
            if seen[a] and seen[b]:
                pen.line(
                    [*at[body, a], *at[body, b]], fill=colours["muted"], width=round(base * (0.5 if body else 0.7))
                )
        heat = None if shot.saliency is None else shot.saliency[frame, :, body]
        for v in np.argsort(np.zeros(len(seen)) if heat is None else heat, kind="stable"):
            if not seen[v]:
                continue
            radius = base * (0.8 if heat is None else 0.62 + 1.15 * float(heat[v]))
            fill = colours["text"] if heat is None else _colour(float(heat[v]))
            x, y = at[body, v]
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill, colours["text"], _FINER)


def _colour(saliency: float) -> tuple[int, int, int]:
    red, green, blue = theme.SALIENCY[round(255 * saliency)]
    return int(red), int(green), int(blue)


@cache
def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(points * _FINER)


def _fitting(text: str, points: int, room: int) -> str:
    """As much of a text as fits into so many pixels."""
    font = _font(points)
    if font.getlength(text) <= room * _FINER:
        return text
    while text and font.getlength(text + "...") > room * _FINER:
        text = text[:-1]
    return text + "..."
