"""The joints of one clip by how much evidence they hold, as a table that costs the first page next to nothing."""

import csv as csv_file
from dataclasses import dataclass
from html import escape
from io import StringIO

import streamlit as st

from app import compute

# Streamlit's own table reaches the browser in a megabyte and more of code, which the skeleton would wait for.
_STYLE = (
    "<style>.sl-joints{width:100%;border-spacing:0;font-size:.85rem}"
    ".sl-joints td,.sl-joints th{padding:.12rem .35rem;white-space:nowrap;text-align:left}"
    ".sl-joints th{font-weight:600}.sl-joints td+td,.sl-joints th+th{text-align:right}"
    ".sl-joints i{display:inline-block;height:.5rem;background:currentColor;opacity:.55;margin-right:.35rem}</style>"
)
_BAR = 2.6  # rem of a bar that is full
MOST = 8  # joints listed (ours): each line of the table costs every change of layer a little


@dataclass(frozen=True)
class Joint:
    """One joint of one person: mean over frames and peak, of the clip's maximum in the layer, and when it peaks (s)."""

    name: str
    body: int
    mean: float
    peak: float
    at: float


def joints(seen: compute.Explained, layer: str) -> list[Joint]:
    """Every joint of everybody who is there, the highest mean first."""
    saliency, _ = compute.normalised(seen, layer)
    there = seen.clip.valid[:, None]
    frames = there.sum(axis=0).clip(min=1)
    mean, peak, when = (saliency * there).sum(axis=0) / frames, saliency.max(axis=0), saliency.argmax(axis=0)  # (V, M)
    found = [
        Joint(name.replace("_", " "), m + 1, float(mean[v, m]), float(peak[v, m]), float(when[v, m]) / seen.clip.fps)
        for m in range(seen.clip.bodies)
        if seen.clip.valid[:, m].any()
        for v, name in enumerate(seen.clip.skeleton.joints)
    ]
    return sorted(found, key=lambda joint: -joint.mean)


def show(found: list[Joint]) -> None:
    """The first of the joints as a table."""
    several = len({joint.body for joint in found}) > 1
    head = ["joint", *(["body"] if several else []), "mean", "peak", "at (s)"]
    lines = []
    for joint in found[:MOST]:
        bar = f'<i style="width:{_BAR * joint.mean:.2f}rem"></i>'
        cells = [escape(joint.name), *([str(joint.body)] if several else [])]
        cells += [f"{bar}{joint.mean:.2f}", f"{joint.peak:.2f}", f"{joint.at:.1f}"]
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    about = f"Mean over frames, and peak, relative to the clip's maximum in this layer: the {MOST} highest means. "
    st.markdown("**Joints**", help=f"{about}All joints: *Take away*.")
    st.html(f'{_STYLE}<table class="sl-joints"><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>')


def csv(found: list[Joint]) -> bytes:
    """The table as a file."""
    stream = StringIO()
    writer = csv_file.writer(stream, lineterminator="\n")
    writer.writerow(("joint", "body", "mean", "peak", "at_s"))
    writer.writerows((j.name, j.body, f"{j.mean:.6g}", f"{j.peak:.6g}", f"{j.at:.4g}") for j in found)
    return stream.getvalue().encode()
