"""What decides a training, and what of it can be refused before or after."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import EARLIER, Preprocessing
from stgcn_lens.errors import DataError, LensError, RunError, WorkError
from stgcn_lens.models import MODELS
from stgcn_lens.runs import Run, plain
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.state import STATE


@dataclass(frozen=True)
class TrainJob:
    """All that decides the weights, together with the clips."""

    split: str = "subject"
    """What the test clips do not share with the training clips: subject, view or setup. Or file: the sides that the
    files themselves give; the name of one family of these, such as xsub; a CSV with the columns name and split."""
    train_ids: tuple[int, ...] | None = None
    """Subjects (views, setups) that train; by default the data set's own protocol."""
    validation: float = 0.0
    """Share of the training clips that is held back to validate: whole subjects where they are known (ours: none)."""
    architecture: str = "stgcn"
    """A row of MODELS: stgcn, stgcn++, stgat, local or tcn. Each has settings of its own."""
    model: Any = None  # an instance of MODELS[architecture].config; by default the row's `small`
    test_clips: int = 1
    """Views of a clip over whose logits its answer is averaged, evenly spread in time; not for clips that train."""
    only_classes: tuple[str, ...] = ()
    """Score these classes by themselves, too, by name or number (Kinetics-Motion)."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        if not self.split.strip():
            raise LensError("no split", got=repr(self.split), expected="subject, view, setup, file or a .csv file")
        if not 0 <= self.validation < 1:
            raise LensError("impossible share to validate", got=self.validation, expected="0 <= share < 1")
        if self.test_clips < 1:
            raise LensError("impossible number of views", got=self.test_clips, expected="--test-clips >= 1")
        if self.architecture not in MODELS:
            raise LensError("unknown architecture", got=repr(self.architecture), expected=f"one of {', '.join(MODELS)}")
        spec = MODELS[self.architecture]
        if self.model is None:
            object.__setattr__(self, "model", spec.small)
        if not isinstance(self.model, spec.config):
            got, expected = type(self.model).__name__, spec.config.__name__
            raise LensError(f"settings of another architecture than '{spec.name}'", got=got, expected=expected)

    @classmethod
    def read(cls, record: Mapping[str, Any], file: Path | None = None) -> "TrainJob":
        """The job that a manifest tells of, the reverse of `told`; `RunError` if this version does not know it."""
        try:
            training = _tuples(record["training"])
            training["init"] = Path(training["init"]) if training.get("init") else None
            given = {
                "model": MODELS[record["architecture"]].config(**_tuples(record["model"])),
                "preprocessing": Preprocessing(**{**EARLIER, **record["preprocessing"]}),
                "training": TrainConfig(**training),
            }
            return cls(**{**_tuples(record), **given})
        except (KeyError, TypeError) as error:
            what = f"the training is not one that this version can repeat ({type(error).__name__}: {error})"
            raise RunError(what, file=file, fix="use a run of `stgcn-lens train`") from error

    def told(self) -> dict[str, Any]:
        """The job as the manifest keeps it.

        What came later is left out where it is not used: jobs that were told before are still the same. So is a
        radius that is still to be measured.
        """
        record: dict[str, Any] = {**plain(self), "training": plain(self.training.told())}
        if self.test_clips == 1:
            del record["test_clips"]
        if not self.only_classes:
            del record["only_classes"]
        if record["model"].get("radius", 0) is None:
            del record["model"]["radius"]
        return record


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON holds them, lists as tuples again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def refuse_other(run: Run, key: str, force: bool) -> None:
    """`RunError` where the run holds another training."""
    record = run.manifest()["stages"].get("train")
    something = any((run / name).exists() for name in (STATE, "model.safetensors"))
    if record and record["key"] != key and something and not force:
        raise RunError(
            "the run holds a training with another configuration or other clips",
            file=run.path,
            fix="choose another --out, or --force to replace it",
        )


def check_labels(clips: ClipSet) -> None:
    """Refuse a class number that the set has no name for."""
    for row in clips.rows:
        if row.label is not None and not 0 <= row.label < len(clips.classes):
            raise DataError(
                "label out of range",
                file=row.name,
                got=row.label,
                expected=f"0 to {len(clips.classes) - 1}, the classes of the set",
                fix="correct the label or name all classes",
            )


def check_logits(logits: np.ndarray, clips: ClipSet) -> None:
    """Refuse a network whose weights are finite and still too large to compute with."""
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(wrong):
        raise WorkError(
            "the trained network's answers are not finite numbers",
            got=f"{len(wrong)} of {len(logits)} clips, the first is '{clips.rows[int(wrong[0])].name}'",
            fix="lower --lr and start over with --force",
        )
