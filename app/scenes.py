"""What the Clip page plays: one map, all layers of a clip, or two maps side by side; one clock and one camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app import compute, sources, state
from app.state import DEMO
from app.takeaway import Filmed
from stgcn_lens.errors import LensError
from stgcn_lens.viz import player

KINDS = ("layer", "method", "run")


@dataclass(frozen=True, eq=False)
class Shown:
    """One map on screen: of which explanation, at which layer, and what is printed above it."""

    seen: compute.Explained
    layer: str
    title: str
    classes: tuple[str, ...]
    pick: str = ""

    @property
    def map(self) -> np.ndarray:
        """(F, V, M), not normalised."""
        return self.seen.maps[self.layer]

    def evidence_for(self) -> str:
        """Which class the map speaks for."""
        against = self.seen.against
        return f"“{self.classes[self.seen.target]}”" + ("" if against is None else f" over “{self.classes[against]}”")


def play(shown: Sequence[Shown], *, shared: bool = False, height: int, heat: bool) -> player.Scene:
    """The scene of maps of one clip.

    Parameters
    ----------
    shared : one colour scale for all, up to the largest value; else each up to its own.
    """
    panels = []
    peaks = [float(one.map.max(initial=0)) for one in shown]
    single = len(shown) == 1
    for one, map, peak in zip(shown, compute.scaled([one.map for one in shown], shared=shared), peaks, strict=True):
        clip, none = one.seen.clip, one.seen.no_evidence[one.layer]
        what = f"evidence for {one.evidence_for()} at {one.layer}" if single else f"up to {peak:.2g}"
        if len(shown) == 2:
            what = f"evidence for {one.evidence_for()}, up to {peak:.2g}"
        panels.append(
            player.payload(
                clip.xyz,
                clip.valid,
                clip.skeleton,
                saliency=map,
                evidence=clip.evidence,
                fps=clip.fps,
                name=clip.name,
                title=one.title,
                subtitle=what,
                note=(f"No evidence for {one.evidence_for()} in {one.layer}." if len(shown) < 3 else "no evidence")
                if none
                else "",
                pick=one.pick,
            )
        )
    return player.scene(panels, scope=_scope(shown, peaks, shared), peak="1", height=height, heat=heat)


def films(shown: Sequence[Shown], *, shared: bool = False) -> list[Filmed]:
    """The same maps as they can be taken away; the arrays hold them before they were scaled."""
    return [
        Filmed(
            one.seen.clip,
            map,
            one.title,
            f"evidence for {one.evidence_for()} at {one.layer}",
            arrays={f"map_{one.layer}": one.map, "probabilities": one.seen.probabilities},
        )
        for one, map in zip(shown, compute.scaled([one.map for one in shown], shared=shared), strict=True)
    ]


def _scope(shown: Sequence[Shown], peaks: Sequence[float], shared: bool) -> str:
    methods = " and ".join(dict.fromkeys(one.seen.method for one in shown))
    if len(shown) == 1:
        return f"{methods}, relative to this clip's maximum in this layer ({peaks[0]:.2g})"
    if shared:
        return f"{methods}; one scale for all maps, up to the largest value ({max(peaks):.2g})"
    return f"{methods}; each map relative to its own maximum"


def beside(chosen: state.Selection, seen: compute.Explained, layer: str) -> list[str]:
    """What the chosen map can be compared with: "layer block_3", "method hirescam", "run mine"."""
    layers = [name for name in seen.maps if name != layer]
    methods = [name for name in compute.QUICK if name != seen.method]
    runs = [name for name, path in chosen.places.items() if path != chosen.source.path]
    return [f"{kind} {name}" for kind, names in zip(KINDS, (layers, methods, runs), strict=True) for name in names]


def pair(chosen: state.Selection, seen: compute.Explained, layer: str, what: str) -> tuple[Shown, Shown]:
    """The chosen map and the one beside it, `what` being one of `beside`; `LensError` where there is none."""
    kind, name = what.split(" ", 1)
    classes = chosen.source.classes
    if kind == "layer":
        return Shown(seen, layer, layer, classes), Shown(seen, name, name, classes)
    if kind == "method":
        found = compute.explain(chosen.source, chosen.clip, seen.target, name, seen.against)
        place = compute.shown_layer(found, layer)
        mine = Shown(seen, layer, f"{seen.method} at {layer}", classes)
        return mine, Shown(found, place, f"{name} at {place}", classes)
    own = DEMO if chosen.source.path is None else chosen.source.path.name
    mine = Shown(seen, layer, _says(own, layer, seen, classes), classes)
    path = chosen.places[name]
    by = sources.open_source(str(path or ""), sources.stamp(path))
    if not by.has_model:
        raise LensError("this run has no model to compare with", got=name, fix="choose another")
    known = {text: c for c, text in enumerate(by.classes)}
    target = known.get(classes[seen.target])  # its own answer, where it does not know the class
    against = None if seen.against is None else known.get(classes[seen.against])
    method = seen.method if seen.method in compute.QUICK else compute.GRADCAM
    found = compute.explain(chosen.source, chosen.clip, target, method, None if target is None else against, by=by)
    place = compute.shown_layer(found, layer)
    return mine, Shown(found, place, _says(name, place, found, by.classes), by.classes)


def _says(run: str, layer: str, seen: compute.Explained, classes: tuple[str, ...]) -> str:
    best = int(seen.probabilities.argmax())
    return f"{run} at {layer}, says {classes[best]} ({seen.probabilities[best]:.0%})"


def agreement(one: Shown, two: Shown) -> str:
    """How alike two maps of the same clip are, in words with their correlation over the cells that are there."""
    if one.map.shape != two.map.shape:
        return ""
    there = np.broadcast_to(one.seen.clip.valid[:, None], one.map.shape)
    a, b = one.map[there], two.map[there]
    if min(np.ptp(a), np.ptp(b)) == 0:
        return "One of the two maps is the same everywhere, so they cannot be compared in numbers."
    r = float(np.corrcoef(a, b)[0, 1])
    how = "much the same cells" if r >= 0.7 else ("partly the same cells" if r >= 0.3 else "different cells")
    return f"The two maps point to {how}: correlation **{r:.2f}** over joints and frames."
