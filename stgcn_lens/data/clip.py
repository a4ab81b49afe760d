"""A clip: one recorded action, its bodies and the mask that says when each of them is there."""

from dataclasses import dataclass, field, replace

import numpy as np

from stgcn_lens.errors import DataError
from stgcn_lens.skeleton import Layout, get_layout

LARGEST = 1e18  # of a coordinate: squares of larger ones leave float32
MAX_FPS = 1e6  # of any recording (ours)
UNITS = ("metres", "pixels", "normalised", "unknown")


@dataclass(frozen=True, eq=False)
class Clip:
    """One action as it was recorded.

    Attributes
    ----------
    xyz : (C, T, V, M) float32; channels x, y, z in metres, or x, y, score for 2-D layouts. Entries of absent
        bodies are zero.
    valid : (T, M) bool; which bodies are present in which frames. Never derived from the coordinates by later
        code: a joint at the origin is a joint.
    name : the clip's name, unique in its set (usually the file's stem).
    layout : name of a layout, see `skeleton.get_layout`.
    label : class counted from 0, or None.
    subject, view, setup : as the data set numbers them, or None.
    splits : the sides that the source itself puts the clip on, e.g. ("train",) or ("xsub_val", "xview_train").
    fps : frames per second.
    units : of the coordinates, one of `UNITS`.
    file : the file it was read from, as faults name it; None where no one file holds it.
    evidence : (T, V, M) bool, which joints carry the class in which frames; known for synthetic clips only.
    """

    xyz: np.ndarray
    valid: np.ndarray
    name: str
    layout: str
    label: int | None = None
    subject: int | None = None
    view: int | None = None
    setup: int | None = None
    splits: tuple[str, ...] = ()
    fps: float = 30.0
    units: str = "metres"
    file: str | None = None
    evidence: np.ndarray | None = field(default=None)

    @property
    def skeleton(self) -> Layout:
        """The clip's layout."""
        return get_layout(self.layout)

    @property
    def frames(self) -> int:
        """Number of frames, T."""
        return self.xyz.shape[1]

    @property
    def bodies(self) -> int:
        """Number of body slots, M."""
        return self.xyz.shape[3]

    @property
    def dims(self) -> int:
        """Number of spatial channels, D: 3, or 2 for layouts whose third channel is a score."""
        return min(self.skeleton.dims, self.xyz.shape[0])

    def replace(self, **changes: object) -> "Clip":
        """The same clip with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def check(clip: Clip, *, file: object = None) -> Clip:
    """The clip itself if it is sound; else `DataError` naming file, frame, got and expected.

    Sound means: axes (C, T, V, M) that fit the layout, at least one frame and one present body, and finite
    coordinates wherever a body is present.
    """
    where = str(file) if file is not None else clip.name
    layout = clip.skeleton
    if clip.xyz.ndim != 4 or clip.xyz.shape[2] != layout.V:
        raise DataError(
            f"the clip does not fit layout '{layout.name}'",
            file=where,
            got=f"axes (C, T, V, M) = {clip.xyz.shape}",
            expected=f"V = {layout.V} joints",
            fix="choose the layout that the data were recorded with",
        )
    c, t, _, m = clip.xyz.shape
    if c not in (2, 3):
        raise DataError("wrong number of channels", file=where, got=c, expected="2 or 3")
    if clip.valid.shape != (t, m):
        raise DataError("validity mask of another shape", file=where, got=clip.valid.shape, expected=(t, m))
    if t == 0:
        raise DataError("the clip has no frames", file=where, got=0, expected="at least 1")
    if not clip.valid.any():
        raise DataError("no body in any frame", file=where, got=f"{t} empty frames", expected="at least one body")
    usable = (clip.xyz <= LARGEST) & (clip.xyz >= -LARGEST)  # false for NaN, too
    if not np.all(usable, axis=(0, 2))[clip.valid].all():
        wrong = ~usable & clip.valid[None, :, None]  # (C, T, V, M)
        frame = int(np.flatnonzero(wrong.any(axis=(0, 2, 3)))[0])
        joint = int(np.flatnonzero(wrong[:, frame].any(axis=(0, 2)))[0])
        finite = np.isfinite(clip.xyz[:, frame, joint]).all()
        raise DataError(
            "a coordinate is too large to compute with" if finite else "a coordinate is not a finite number",
            file=where,
            frame=frame,
            got=f"{clip.xyz[:, frame, joint].ravel().tolist()} at joint {layout.joints[joint]}",
            expected=f"numbers up to {LARGEST:g}" if finite else "finite numbers",
            fix="repair or remove the clip",
        )
    return clip
