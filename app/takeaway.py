"""What can be taken away from a page: figures, tables, arrays, films, the page itself. Made when it is asked for.

Files are called model-clip-layer-method, then what they hold. What draws them is imported when one is asked for:
matplotlib alone would hold up the first page by a third of a second.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from stgcn_lens.data.clip import Clip
from stgcn_lens.viz import page, player, theme

if TYPE_CHECKING:
    import pandas as pd

GRADCAM = "gradcam"
_LABEL = "Take away"
_WIDE = 640  # pixels of a figure that takes its column's width on the page
_FRAMES = 7  # of a film strip, as in the report


@dataclass(frozen=True, eq=False)
class Filmed:
    """A clip as it is taken away.

    Attributes
    ----------
    clip : as it plays. saliency : (T, V, M) in [0, 1], or None.
    title, subtitle : above it. frame_map : its frame for each frame of the first clip, see `player.payload`.
    arrays : what goes into the NPZ beside clip and saliency, such as the map before it was normalised.
    """

    clip: Clip
    saliency: np.ndarray | None
    title: str
    subtitle: str = ""
    frame_map: np.ndarray | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def stem(*more: str, method: str | None = None) -> str:
    """Name of a file, without its end: model-clip-layer-method and what else there is to say, safe on every disk.

    `method` is that of the maps in it; by default the chosen one.
    """
    chosen = st.session_state.get("selection")
    parts: list[str] = []
    if chosen is not None:
        shown = str(method or getattr(chosen, "method", GRADCAM))
        parts = [_run_name(chosen), chosen.clip.name, chosen.layer, shown]
    words = (re.sub(r"[^\w.]+", "_", str(part)).strip("._")[:60] for part in (*parts, *more))
    return "-".join(word for word in words if word) or "stgcn_lens"


def figure(chart: Callable[[], Any], name: str, background: str) -> None:
    """Offer a chart as PNG and SVG and its numbers as CSV; it also becomes a part of the page that `view` offers.

    `chart` makes it, once somebody asks.
    """
    st.session_state.setdefault("drawn", {})[name] = (chart, background)
    with st.popover(_LABEL, icon=":material/download:", type="tertiary", key=f"take {name}"):
        if _can_draw():
            _button("PNG", lambda: png(chart(), background), stem(name) + ".png", "image/png")
            _button("SVG", lambda: svg(chart(), background), stem(name) + ".svg", "image/svg+xml")
        _button("Numbers as CSV", lambda: numbers(chart()), stem(name) + ".csv", "text/csv")


def table(frame: "pd.DataFrame", name: str) -> None:
    """Offer a table as CSV."""
    csv(lambda: frame.to_csv(index=False).encode(), name)


def csv(made: Callable[[], bytes], name: str) -> None:
    """Offer what is made, a table as CSV."""
    _button(f"{name.replace('-', ' ').capitalize()} as CSV", made, stem(name) + ".csv", "text/csv")


def clips(
    filmed: Sequence[Filmed],
    scene: player.Scene,
    *,
    name: str = "clip",
    method: str | None = None,
    beside: Callable[[], None] | None = None,
) -> None:
    """Offer clips that play together: film, film strip, self-contained page, arrays; and the run's report.

    Parameters
    ----------
    filmed : the clips, the first one leads.
    scene : what the player was given.
    name : part of the files' names. method : of the maps, where it is not the chosen one.
    beside : draws what else belongs into the same list.
    """
    chosen = st.session_state.get("selection")
    colours = theme.DARK if st.context.theme.type == "dark" else theme.LIGHT
    scope, fps, first = scene["scope"], filmed[0].clip.fps, filmed[0]
    bare, file = stem(method=method), stem(name, method=method)
    with st.popover(_LABEL, icon=":material/download:", type="tertiary", key=f"take {name}"):
        pictures = partial(_pictures, filmed, scope, colours)
        _button("Film as GIF", lambda: _film("gif", pictures(), fps), f"{file}.gif", "image/gif")
        if _has_ffmpeg():
            _button("Film as MP4", lambda: _film("mp4", pictures(), fps), f"{file}.mp4", "video/mp4")
        else:
            st.caption("MP4 needs ffmpeg: `pip install 'stgcn-lens[video]'`.")
        _button("Player as HTML", partial(alone, scene, bare), f"{file}.html", "text/html")
        _button("Film strip as PNG", partial(strip_png, first), f"{file}-strip.png", "image/png")
        _button("Film strip as SVG", partial(strip_svg, first), f"{file}-strip.svg", "image/svg+xml")
        _button("Arrays as NPZ", partial(npz, filmed), f"{file}.npz", "application/octet-stream")
        if beside is not None:
            beside()
        path = None if chosen is None else chosen.source.path
        if path is not None and (path / "report.html").is_file():
            _button("Report of the run", (path / "report.html").read_bytes, f"{bare}-report.html", "text/html")
        elif path is not None:
            st.caption(f"The report of the run: `stgcn-lens report {path}`")


def view(title: str, sentence: str, scene: player.Scene | None = None) -> None:
    """Offer the page as it stands, with its figures and its player, as one file that needs no network."""
    drawn = st.session_state.pop("drawn", {})
    if not _can_draw():
        st.caption("Figures as PNG and SVG need vl-convert-python: `pip install vl-convert-python`.")
        return

    def made() -> bytes:
        pictures = [(name, svg(chart(), background).decode()) for name, (chart, background) in drawn.items()]
        return page.build(title, sentence, pictures, scene).encode()

    _button("This view as HTML", made, stem(title.lower()) + ".html", "text/html", key=f"view {title}")


def png(chart: Any, background: str) -> bytes:
    """A chart as PNG, two pixels for each of the page's."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(_spec(chart, background), scale=2))


def svg(chart: Any, background: str) -> bytes:
    """A chart as SVG."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_spec(chart, background))).encode()


def numbers(chart: Any) -> bytes:
    """What a chart was drawn from, as CSV: the lines of its largest table."""
    import pandas as pd

    tables = [part.data for part in (chart, *getattr(chart, "layer", ())) if isinstance(part.data, pd.DataFrame)]
    largest = max(tables, key=len, default=pd.DataFrame())
    return largest.to_csv(index=False).encode()


def npz(filmed: Sequence[Filmed]) -> bytes:
    """Clips and their maps as arrays by name; axes as everywhere: xyz (C, T, V, M), saliency (T, V, M)."""
    out: dict[str, np.ndarray] = {}
    for number, each in enumerate(filmed):
        start = "" if len(filmed) == 1 else f"clip_{number + 1}_"
        clip = each.clip
        out |= {f"{start}xyz": clip.xyz, f"{start}valid": clip.valid, f"{start}fps": np.array(clip.fps)}
        out[f"{start}joints"] = np.array(clip.skeleton.joints)
        out[f"{start}name"] = np.array(clip.name)
        if each.saliency is not None:
            out[f"{start}saliency"] = each.saliency.astype(np.float32)
        out |= {f"{start}{name}": array for name, array in each.arrays.items()}
    stream = BytesIO()
    np.savez_compressed(stream, **out)  # type: ignore[arg-type]
    return stream.getvalue()


def _pictures(filmed: Sequence[Filmed], scope: str, colours: dict[str, str]) -> Any:
    from stgcn_lens.viz import video

    shots = [
        video.Shot.of(
            each.clip.xyz,
            each.clip.valid,
            each.clip.skeleton,
            each.saliency,
            title=each.title,
            subtitle=each.subtitle,
            frame_map=each.frame_map,
        )
        for each in filmed
    ]
    return video.draw(shots, scope=scope, colours=colours)


def strip(each: Filmed) -> Any:
    """Key frames of a clip, spread over those in which somebody is there, as a figure."""
    from stgcn_lens.viz import film, video

    clip = each.clip
    shot = video.Shot.of(clip.xyz, clip.valid, clip.skeleton, each.saliency)
    there = np.flatnonzero(clip.valid.any(axis=1))
    at = there[np.linspace(0, len(there) - 1, _FRAMES).round().astype(int)]
    captions = [f"{frame / clip.fps:.2f} s" for frame in at]
    saliency = None if each.saliency is None else each.saliency[at]
    return film.film_strip(shot.points[at], shot.valid[at], shot.bones, saliency=saliency, captions=captions)


def strip_png(each: Filmed) -> bytes:
    """The film strip of a clip as PNG."""
    from stgcn_lens.viz import figures

    return figures.png(strip(each))


def strip_svg(each: Filmed) -> bytes:
    """The film strip of a clip as SVG."""
    from stgcn_lens.viz import figures

    return figures.svg(strip(each), "strip", f"Key frames of {each.title}. {each.subtitle}").encode()


def _film(kind: str, pictures: Any, fps: float) -> bytes:
    from stgcn_lens.viz import video

    return video.gif(pictures, fps) if kind == "gif" else video.mp4(pictures, fps)


def alone(scene: player.Scene, title: str) -> bytes:
    """The player as a page that needs no network."""
    more = {name: scene[name] for name in ("scope", "peak", "sync", "height")}
    return player.html(scene["panels"], title=title, **more).encode()


def _spec(chart: Any, background: str) -> dict[str, Any]:
    spec = chart.to_dict()
    spec.setdefault("width", _WIDE)
    spec["background"] = background
    return json.loads(json.dumps(spec))


def _has_ffmpeg() -> bool:
    return shutil.which("ffmpeg") is not None or find_spec("imageio_ffmpeg") is not None


def _can_draw() -> bool:
    return find_spec("vl_convert") is not None


def _button(label: str, made: Callable[[], bytes], file: str, kind: str, key: str | None = None) -> None:
    icon = ":material/download:"
    key = key or f"{label} {file}"
    st.download_button(label, made, file, kind, on_click="ignore", key=key, type="tertiary", icon=icon)


def _run_name(chosen: Any) -> str:
    return "demo" if chosen.source.path is None else chosen.source.path.name
