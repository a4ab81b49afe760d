"""Synthetic people: skeleton clips made by forward kinematics, with the evidence of their class planted in them.

A clip is known by its numbers (setup, camera, subject, repetition, action) and by the seed, and comes out the same
whichever other clips are made and in whichever order. The three cameras see one and the same performance.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.native import pack
from stgcn_lens.data.synthetic.actions import ACTIONS
from stgcn_lens.data.synthetic.body import LAYOUT
from stgcn_lens.data.synthetic.performance import FPS, Performance, perform
from stgcn_lens.data.synthetic.script import Action
from stgcn_lens.data.synthetic.sensor import VIEWS, camera, record, see
from stgcn_lens.data.synthetic.subjects import SUBJECTS, setup_of, subject
from stgcn_lens.errors import DataError

__all__ = ["ACTIONS", "CLASSES", "SUBJECTS", "VIEWS", "Action", "SyntheticConfig", "synthesise", "synthetic_set"]

CLASSES: tuple[str, ...] = tuple(action.name for action in ACTIONS)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SyntheticConfig:
    """Which clips to make.

    A clip's label is its action's place in `ACTIONS`, whichever actions are chosen: it agrees with the Axxx of its
    name, and sets made apart can be put together.
    """

    subjects: tuple[int, ...] = SUBJECTS  # of 1 to 40
    views: tuple[int, ...] = VIEWS  # cameras at -45, 0 and 45 degrees
    repetitions: int = 1  # performances of each action by each subject
    actions: tuple[str, ...] | None = None  # names of classes; None: all of them
    seed: int = 0


def synthesise(config: SyntheticConfig, progress: Progress | None = None) -> Iterator[Clip]:
    """Make the clips one after another: subjects, then repetitions, then actions, then views.

    Yields
    ------
    Clip
        layout "ntu25", metres, 30 frames per second, 30 to 150 frames, with `evidence`; axes of the camera: x to
        the right hand of someone who faces it, y up, z away from it.

    Raises
    ------
    DataError
        For a subject, view, action, number of repetitions or seed that there is not.
    """
    chosen = _chosen(config)
    total = len(config.subjects) * config.repetitions * len(chosen) * len(config.views)
    return _clips(config, chosen, total, progress)


def synthetic_set(config: SyntheticConfig, into: Path | None = None, progress: Progress | None = None) -> ClipSet:
    """The clips as a set with all of `CLASSES`: in memory, or streamed into the native folder `into`."""
    clips = synthesise(config, progress)
    if into is not None:
        return pack(clips, into, classes=CLASSES, source="synthetic", protocol="synthetic")
    return ClipSet.from_clips(clips, CLASSES, source="synthetic", protocol="synthetic")


def _clips(config: SyntheticConfig, chosen: tuple[int, ...], total: int, progress: Progress | None) -> Iterator[Clip]:
    done = 0
    for number in config.subjects:
        who = subject(number, config.seed)
        for repetition in range(1, config.repetitions + 1):
            for label in chosen:
                key = (label, number, repetition)
                shown = perform(ACTIONS[label], who, np.random.default_rng([config.seed, 2, *_code(key)]))
                for view in config.views:
                    yield _clip(shown, key, view, config.seed)
                    done += 1
                    if progress is not None:
                        progress(done, total)


def _clip(shown: Performance, key: tuple[int, int, int], view: int, seed: int) -> Clip:
    label, number, repetition = key
    setup = setup_of(number)
    xyz, valid = record(see(shown.joints, camera(view, setup)), np.random.default_rng([seed, 3, *_code(key), view]))
    return Clip(
        xyz=xyz,
        valid=valid,
        name=f"S{setup:03}C{view:03}P{number:03}R{repetition:03}A{label + 1:03}",
        layout=LAYOUT.name,
        label=label,
        subject=number,
        view=view,
        setup=setup,
        fps=FPS,
        evidence=shown.evidence & valid[:, None, :],
    )


def _code(key: tuple[int, int, int]) -> tuple[int, int, int]:
    """What random numbers are seeded with: the action by its name, so that a new row leaves the other clips alone."""
    label, number, repetition = key
    return crc32(CLASSES[label].encode()), number, repetition


def _chosen(config: SyntheticConfig) -> tuple[int, ...]:
    """Labels of the wanted actions, after a check of the whole configuration."""
    names = CLASSES if config.actions is None else config.actions
    wrong: tuple[tuple[str, object, object], ...] = (
        ("subject", next((s for s in config.subjects if s not in SUBJECTS), None), f"{SUBJECTS[0]} to {SUBJECTS[-1]}"),
        ("view", next((v for v in config.views if v not in VIEWS), None), f"one of {VIEWS}"),
        ("action", next((repr(name) for name in names if name not in CLASSES), None), f"one of {', '.join(CLASSES)}"),
        ("number of repetitions", None if 0 < config.repetitions <= 999 else config.repetitions, "1 to 999"),
        ("seed", None if config.seed >= 0 else config.seed, "0 or more"),
    )
    for what, got, expected in wrong:
        if got is not None:
            raise DataError(f"synthetic people: no such {what}", got=got, expected=expected)
    return tuple(CLASSES.index(name) for name in names)
