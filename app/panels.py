"""A clip as one panel of the player, with the evidence of a layer for its predicted class where there is a model."""

from dataclasses import dataclass

import numpy as np

from app import compute
from app.sources import ClipRow, Source
from app.takeaway import Filmed
from stgcn_lens.viz import player


@dataclass(frozen=True, eq=False)
class Shown:
    """A panel, the layer whose evidence is on it ("" without), and the clip as it can be taken away."""

    panel: player.Panel
    layer: str
    filmed: Filmed


def panel(
    source: Source,
    row: ClipRow,
    layer: str,
    *,
    title: str = "",
    subtitle: str = "",
    frame_map: np.ndarray | None = None,
) -> Shown:
    """A clip of a source. `frame_map`: frame of it for each frame of the clip that leads, see `player.payload`."""
    saliency, note, evidence, arrays = None, "", None, {}
    if source.has_model:
        seen = compute.explain(source, row, None)
        clip, layer = seen.clip, compute.shown_layer(seen, layer)
        saliency, _ = compute.normalised(seen, layer)
        arrays = {f"map_{layer}": seen.maps[layer], "probabilities": seen.probabilities}
        note, evidence = "no positive evidence" if seen.no_evidence[layer] else "", clip.evidence
    else:
        clip, layer = source.clip(row), ""
    title = title or row.class_name or "no label"
    return Shown(
        player.payload(
            clip.xyz,
            clip.valid,
            clip.skeleton,
            saliency=saliency,
            evidence=evidence,
            fps=clip.fps,
            name=clip.name,
            title=title,
            subtitle=subtitle,
            note=note,
            frame_map=frame_map,
        ),
        layer,
        Filmed(clip, saliency, title, subtitle, frame_map, arrays),
    )


def length(source: Source, row: ClipRow) -> int:
    """Frames of a clip as it plays: without its empty ends where there is a model that says so."""
    return compute.explain(source, row, None).clip.frames if source.has_model else source.clip(row).frames


def scope(shown: Shown) -> str:
    """What the colours of clips shown together are relative to."""
    if not shown.layer:
        return ""
    return f"Grad-CAM of each clip's predicted class at {shown.layer}, relative to each clip's own maximum"
