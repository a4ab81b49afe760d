"""A clip as one panel of the player, with the evidence that is asked for where there is a model."""

from dataclasses import dataclass

import numpy as np

from app import compute, state
from app.sources import ClipRow, Source
from app.takeaway import Filmed
from stgcn_lens.viz import player


@dataclass(frozen=True)
class Asked:
    """Whose evidence, and how it is found: the sidebar's method, if it answers at once, and its classes.

    `target` None: each clip's predicted class. `against`: the class that it is held against, if any.
    """

    method: str = compute.GRADCAM
    target: int | None = None
    against: int | None = None

    @classmethod
    def of(cls, chosen: state.Selection) -> "Asked":
        """What is chosen in the sidebar."""
        method = chosen.method if chosen.method in compute.QUICK else compute.GRADCAM
        return cls(method, chosen.wanted(), chosen.other())

    def told(self, classes: tuple[str, ...]) -> str:
        """In words."""
        what = "each clip's predicted class" if self.target is None else f"“{classes[self.target]}”"
        return f"{self.method} of {what}" + ("" if self.against is None else f" over “{classes[self.against]}”")


@dataclass(frozen=True, eq=False)
class Shown:
    """A panel, what its colours are relative to ("" without a model), and the clip as it can be taken away."""

    panel: player.Panel
    scope: str
    filmed: Filmed


def panel(
    source: Source,
    row: ClipRow,
    layer: str,
    asked: Asked = Asked(),
    *,
    title: str = "",
    subtitle: str = "",
    frame_map: np.ndarray | None = None,
) -> Shown:
    """A clip of a source. `frame_map`: frame of it for each frame of the clip that leads, see `player.payload`."""
    saliency, note, scope, evidence, arrays = None, "", "", None, {}
    if source.has_model:
        against = state.unlike(asked.against, asked.target, row.predicted)
        seen = compute.explain(source, row, asked.target, asked.method, against)
        clip, layer = seen.clip, compute.shown_layer(seen, layer)
        scope = f"{asked.told(source.classes)} at {layer}, relative to each clip's own maximum"
        saliency, _ = compute.normalised(seen, layer)
        arrays = {f"map_{layer}": seen.maps[layer], "probabilities": seen.probabilities}
        note, evidence = "no positive evidence" if seen.no_evidence[layer] else "", clip.evidence
    else:
        clip = source.clip(row)
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
        scope,
        Filmed(clip, saliency, title, subtitle, frame_map, arrays),
    )


def length(source: Source, row: ClipRow) -> int:
    """Frames of a clip as it plays: without its empty ends where there is a model that says so."""
    return compute.explain(source, row, None).clip.frames if source.has_model else source.clip(row).frames
