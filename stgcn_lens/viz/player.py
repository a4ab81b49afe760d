"""What the canvas player is given, and pages that carry it.

A clip travels as int16 coordinates and uint8 saliency, base64 in JSON: 25 joints, 2 bodies and 300 frames take
less than 150 kB and a few milliseconds. Names and labels are data, never markup.
"""

import base64
import hashlib
import html as markup
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import Layout
from stgcn_lens.viz import theme

_HERE = Path(__file__).parent
_STEPS = 32767
_MISSING = -32768  # an int16 that no coordinate takes: this joint is not there
_SCRIPTS = ("unpack", "draw", "timeline", "panel", "player")  # joined in this order into one module
_TILE = 0.5  # metres between the lines of the floor; ours

Panel = dict[str, Any]
Scene = dict[str, Any]


def payload(
    xyz: np.ndarray,
    valid: np.ndarray,
    layout: Layout,
    *,
    saliency: np.ndarray | None = None,
    evidence: np.ndarray | None = None,
    fps: float = 30.0,
    name: str = "",
    title: str = "",
    subtitle: str = "",
    note: str = "",
    frame_map: Sequence[float] | np.ndarray | None = None,
    pick: str = "",
) -> Panel:
    """One clip for the player, as JSON can hold it.

    Parameters
    ----------
    xyz : (C, T, V, M), x y z (3-D layouts) or x y score (2-D layouts; the score is left out). A joint with a
        coordinate that is not finite is not drawn.
    valid : (T, M) bool; absent bodies are not drawn.
    saliency : (T, V, M) in [0, 1], already normalised by the caller, who also states how (`scene(scope=...)`).
    evidence : (T, V, M) bool, drawn as rings.
    fps : frames per second of `xyz`.
    name : who the clip is: the player keeps its frame when new data has the same name. Default: the title.
    title, subtitle : printed above the canvas; `note`: printed on it ("no positive evidence in this layer").
    frame_map : frame of this clip that belongs to each frame of the scene's first clip; without it clips that
        play together share the fraction of their length.
    pick : if not empty the clip has a button, which tells the app this (`canvas.show(on_pick=...)`).

    Raises
    ------
    DataError
        Axes that do not fit one another or the layout; saliency outside [0, 1].
    """
    xyz, valid = np.asarray(xyz), np.asarray(valid, dtype=bool)
    if xyz.ndim != 4 or xyz.shape[0] < layout.dims or xyz.shape[2] != layout.V or valid.shape != xyz.shape[1::2]:
        raise DataError(
            f"the player cannot draw '{name or title}'",
            got=f"xyz {xyz.shape}, valid {valid.shape}",
            expected=f"xyz (C, T, V={layout.V}, M) and valid (T, M)",
        )
    _, t, v, m = xyz.shape
    for what, array in (("saliency", saliency), ("evidence", evidence)):
        if array is not None and np.shape(array) != (t, v, m):
            raise DataError(f"{what} does not fit its clip", got=np.shape(array), expected=f"(T, V, M) = {(t, v, m)}")
    at = _upright(xyz[: layout.dims], layout)
    at = np.ascontiguousarray(at.transpose(1, 3, 2, 0), dtype=np.float64)  # (T, M, V, D)
    there = valid[:, :, None] & np.isfinite(at).all(axis=-1)
    points = at[there] if there.any() else np.zeros((1, at.shape[-1]))
    low, high = points.min(axis=0), points.max(axis=0)
    offset, step = (low + high) / 2, max(float((high - low).max()) / 2, 1e-6) / _STEPS
    codes = np.full(at.shape, _MISSING, dtype="<i2")
    codes[there] = np.rint((at[there] - offset) / step)
    panel: Panel = {
        "name": name or title,
        "title": title,
        "subtitle": subtitle,
        "note": note,
        "frames": t,
        "bodies": m,
        "dims": at.shape[-1],
        "fps": float(fps),
        "joints": list(layout.joints),
        "bones": [list(bone) for bone in layout.bones],
        "offset": offset.tolist(),
        "step": step,
        "box": _box(points),
        "yaw": _yaw(at, there, layout) if at.shape[-1] == 3 else 0.0,
        "xyz": _base64(codes),
        "saliency": None if saliency is None else _base64(_levels(saliency)),
        "evidence": None if evidence is None else _base64(np.packbits(np.asarray(evidence, bool).transpose(0, 2, 1))),
        "map": None if frame_map is None else [round(float(frame), 2) for frame in frame_map],
        "pick": pick,
    }
    panel["key"] = hashlib.sha256(json.dumps(panel).encode()).hexdigest()[:16]  # unchanged: nothing to decode again
    return panel


def scene(
    panels: Sequence[Panel],
    *,
    scope: str = "",
    peak: str = "1",
    sync: Literal["fraction", "seconds"] = "fraction",
    height: int = 420,
    autoplay: bool = True,
    heat: bool = False,
) -> Scene:
    """Clips that play side by side with one clock, one camera and one colour scale: the player's whole data.

    Parameters
    ----------
    panels : from `payload`; the first one leads.
    scope : printed beside the colour bar: what the scale is relative to.
    peak : printed at the bright end of the colour bar.
    sync : "fraction": all begin and end together (or follow their `frame_map`); "seconds": each at its own pace.
    height : of each canvas, in pixels.
    autoplay : begin to play at once, unless the reader prefers reduced motion.
    heat : draw each clip's saliency as joints x time below it too.
    """
    if not panels:
        raise DataError("nothing to play", got="0 clips", expected="at least 1")
    return {
        "palette": _base64(theme.SALIENCY),
        "panels": _once(panels),
        "scope": scope,
        "peak": peak,
        "sync": sync,
        "height": height,
        "autoplay": autoplay,
        "heat": heat,
    }


def _once(panels: Sequence[Panel]) -> list[Panel]:
    """The panels; one whose clip is in an earlier panel already says which, and holds only what differs from it."""
    sent: list[Panel] = []
    first: dict[str, int] = {}
    for i, panel in enumerate(panels):
        like = first.setdefault(panel["xyz"], i)
        if like < i:
            panel = {"like": like} | {name: value for name, value in panel.items() if value != panels[like][name]}
        sent.append(panel)
    return sent


def html(
    panels: Panel | Sequence[Panel],
    *,
    title: str = "",
    standalone: bool = True,
    scope: str = "",
    peak: str = "1",
    sync: Literal["fraction", "seconds"] = "fraction",
    height: int = 420,
    autoplay: bool = True,
    heat: bool = False,
) -> str:
    """The player as HTML: a whole page that needs no network, or one fragment of a page.

    A page with fragments holds `assets()` once, after the last of them or in its head. The other parameters are
    those of `scene`.
    """
    chosen = [panels] if isinstance(panels, dict) else list(panels)
    data = scene(chosen, scope=scope, peak=peak, sync=sync, height=height, autoplay=autoplay, heat=heat)
    body = f'<div><script type="application/json" data-stgcn-player>{json_in_html(data)}</script></div>'
    if not standalone:
        return body
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    name = markup.escape(title or chosen[0]["title"] or "stgcn_lens")
    heading = f"<h1>{markup.escape(title)}</h1>" if title else ""
    look = "body{margin:16px auto;max-width:1100px;padding:0 16px;background:var(--sl-background);color:var(--sl-text);"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{theme.css()}{look}font-family:system-ui,sans-serif}}h1{{font-size:20px}}</style>{assets()}</head>"
        f"<body>{heading}{body}</body></html>\n"
    )


def assets() -> str:
    """Style and script of the player, for a page that holds fragments of `html(standalone=False)`."""
    return f'<style>{style()}</style><script type="module">{script()}</script>'


@cache
def script() -> str:
    """The player's JavaScript, an ES module whose default export mounts it."""
    return "\n".join(_script(name) for name in _SCRIPTS)


def drawing() -> str:
    """The part of it that unpacks numbers and knows canvases, for others that draw on them."""
    return f"{_script('unpack')}\n{_script('draw')}"


def _script(name: str) -> str:
    return (_HERE / f"{name}.js").read_text(encoding="utf-8")


@cache
def style() -> str:
    """The player's CSS."""
    return (_HERE / "player.css").read_text(encoding="utf-8")


def json_in_html(value: Any) -> str:
    """JSON that cannot end the `<script>` element that holds it, whatever the names in it are."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _levels(saliency: np.ndarray) -> np.ndarray:
    """(T, V, M) in [0, 1] -> (T, M, V) uint8."""
    values = np.asarray(saliency)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise DataError(
            "saliency is not normalised", got=f"[{low:.4g}, {high:.4g}]", expected="[0, 1]", fix="divide by its maximum"
        )
    return np.rint(np.clip(values, 0, 1).transpose(0, 2, 1) * 255).astype(np.uint8)


def _upright(xyz: np.ndarray, layout: Layout) -> np.ndarray:
    """The same body with +y to the sky; a rotation (3-D) or a flip of the picture's rows (2-D), never a mirror."""
    sign, axis = (-1.0 if layout.up[0] == "-" else 1.0), "xyz".index(layout.up[1])
    if len(xyz) == 2:
        return np.stack([xyz[0], sign * xyz[1]])
    right, back = (axis + 2) % 3, (axis + 1) % 3
    return np.stack([xyz[right], sign * xyz[axis], sign * xyz[back]])


def _box(points: np.ndarray) -> dict[str, Any]:
    """What the camera must hold: all points (P, D), but for the few that a sensor threw far away."""
    low, high = np.percentile(points, [1, 99], axis=0)
    slack = 0.25 * (high - low)
    low, high = np.maximum(points.min(axis=0), low - slack), np.minimum(points.max(axis=0), high + slack)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-3)
    flat = np.clip(points, low, high) - centre
    radius = float(np.hypot(flat[:, 0], flat[:, -1]).max()) if points.shape[1] == 3 else float(half[0])
    # A half metre where metres make sense; else a third of the scene.
    tile = _TILE if 0.3 < half[1] < 5 else max(radius, 1e-3) / 3
    return {
        "centre": centre.tolist(),
        "half": half.tolist(),
        "radius": max(radius, 0.35 * float(half[1])),
        "tile": tile,
    }


def _yaw(at: np.ndarray, there: np.ndarray, layout: Layout) -> float:
    """Angle of the camera that sees one body from its front, two bodies from their side.

    `at` is (T, M, V, 3); the camera at angle a has the axis (cos a, sin a) in x and z to its left.
    """
    bodies = [body for body in range(at.shape[1]) if there[:, body].any()]
    if len(bodies) > 1:
        a, b = (at[:, body][there[:, body]].mean(axis=0) for body in bodies[:2])
        across = (b - a)[[0, 2]]
        if np.hypot(*across) > 0.1 * np.ptp(at[there][:, 1]):
            angle = float(np.arctan2(across[1], across[0]))
            return (angle + np.pi / 2) % np.pi - np.pi / 2  # of the two sides, the one nearer to the sensor
    left, right = layout.shoulders
    both = there[:, :, left] & there[:, :, right]
    if not both.any():
        return 0.0
    frame, body = np.argwhere(both)[0]
    across = (at[frame, body, right] - at[frame, body, left])[[0, 2]]
    return float(np.arctan2(across[1], across[0])) if np.hypot(*across) > 1e-6 else 0.0
