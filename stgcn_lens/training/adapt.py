"""Clips as a network that may never have met them reads them."""

from dataclasses import replace
from pathlib import Path

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.training.classes import fit_classes


def adapted(clips: ClipSet, loaded: Loaded, *, data: Path | str | None, checkpoint: Path | str) -> ClipSet:
    """The clips with a network's channels and classes; the very same set where nothing is to be done.

    A network of two channels gets x and y, without depth or score. For classes, see `fit_classes`.

    Raises
    ------
    DataError : another layout, or other channels; `data` is where the clips are from.
    CheckpointError : other classes.
    """
    if clips.layout == loaded.layout.name and (clips.channels, loaded.about["channels"]) == (3, 2):
        clips = replace(clips, xyz=clips.xyz[:, :, :2], folder=None)
    wish = None if clips.layout == loaded.layout.name else f"add --to-layout {loaded.layout.name.partition('@')[0]}"
    loaded.check(clips, file=data, fix=wish)
    return fit_classes(clips, loaded, checkpoint)
