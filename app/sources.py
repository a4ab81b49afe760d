"""Where clips come from: a run folder, or the demo checkpoint with clips made on the spot.

A source is cached by its path and the stamp of its manifest: a stage that is run again while the app is open is
seen at the next click.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from app import compute, opening
from app.opening import CHECKPOINT
from stgcn_lens.data.clip import Clip
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.runs import MANIFEST, Run
from stgcn_lens.skeleton import from_record

_DEMO_SUBJECT = 40  # of the test split


@dataclass(frozen=True)
class ClipRow:
    """One clip of a source. `number` is its row in the clip set, `position` its place among the analysed ones."""

    number: int
    position: int | None
    name: str
    label: int | None
    class_name: str
    split: str
    predicted: int | None
    confidence: float | None

    @property
    def right(self) -> bool:
        """Whether the model is right about it."""
        return self.label is not None and self.label == self.predicted


@dataclass(frozen=True, eq=False)
class Source:
    """A run, or the demo model with clips made on the spot (`path` None).

    `rows` are the clips to choose from, `listed` says which these are; `model` is the checkpoint's folder;
    `trouble` says why the clips cannot be read.
    """

    path: Path | None
    stamp: str
    classes: tuple[str, ...]
    rows: tuple[ClipRow, ...]
    listed: str
    clips: ClipSet | None
    trouble: str
    model: Path
    synthetic: bool

    @property
    def has_model(self) -> bool:
        """Whether saliency can be computed."""
        return (self.model / "model.json").is_file() and (self.model / "model.safetensors").is_file()

    @property
    def layout(self) -> str:
        """Name of the skeletons' layout."""
        return self.clips.layout if self.clips is not None else from_record(self.run.read_json("model.json")).name

    def clip(self, row: ClipRow) -> Clip:
        """A clip as recorded; `RunError` if the clips are not there."""
        if self.clips is None:
            raise RunError("the clips of this run cannot be read", got=self.trouble, fix="put them back")
        return self.clips[row.number]

    @property
    def run(self) -> Run:
        """The run folder; `RunError` for the demo model, which has none."""
        if self.path is None:
            raise RunError("the demo model alone has no analysed clips", fix="make a whole run: stgcn-lens demo")
        return Run(self.path)

    def needs(self, stage: str) -> str | None:
        """The command that makes a stage, or None if it is finished."""
        if self.path is None:
            return "stgcn-lens demo"
        record = self.run.manifest().get("stages", {}).get(stage, {})
        if record.get("status") == "done":
            return None
        return (
            f"stgcn-lens train --data DATA --out {self.path}" if stage == "train" else f"stgcn-lens {stage} {self.path}"
        )


def find_runs(root: Path) -> list[Path]:
    """Run folders in a folder, newest first."""
    if not root.is_dir():
        return []
    found = [path.parent for path in root.glob(f"*/{MANIFEST}")]
    return sorted(found, key=lambda run: (run / MANIFEST).stat().st_mtime, reverse=True)


def stamp(path: Path | None) -> str:
    """Changes whenever the manifest, or for the demo model the checkpoint, changes."""
    file = CHECKPOINT / "model.json" if path is None else path / MANIFEST
    try:
        about = file.stat()
    except OSError:
        return "none"
    return f"{about.st_mtime_ns}-{about.st_size}"


@st.cache_resource(max_entries=6, show_spinner="Opening the run ...")
def open_source(path: str, stamp: str) -> Source:
    """A run by its path, or the demo model for ""; `LensError` says what is wrong with it."""
    if not path:
        return demo(stamp, opening.read(CHECKPOINT))
    run = Run.open(path)
    clips, trouble = None, ""
    try:
        elsewhere = run.manifest().get("data")
        clips = ClipSet.open(Path(elsewhere) if elsewhere else run / "data")
    except LensError as error:
        trouble = str(error)
    rows = _table(run) if (run / "clips.csv").is_file() else _untold(clips)
    if not rows:
        raise RunError(
            "no clips in this run", file=run.path, got=trouble or None, fix=f"run: stgcn-lens train --out {path}"
        )
    classes = clips.classes if clips else _classes(run)
    chosen, listed = _analysed(run, rows)
    return Source(
        path=run.path,
        stamp=stamp,
        classes=tuple(classes),
        rows=tuple(chosen),
        listed=listed,
        clips=clips,
        trouble=trouble,
        model=run.path,
        synthetic=clips is not None and clips.source == "synthetic",
    )


def _table(run: Run) -> list[ClipRow]:
    number = lambda text: int(text) if text else None  # noqa: E731
    try:
        with (run / "clips.csv").open(newline="", encoding="utf-8") as stream:
            return [
                ClipRow(
                    number=int(line["clip"]),
                    position=None,
                    name=line["name"],
                    label=number(line["label"]),
                    class_name=line["class_name"],
                    split=line["split"],
                    predicted=number(line["predicted"]),
                    confidence=float(line["confidence"]) if line["confidence"] else None,
                )
                for line in csv.DictReader(stream)
            ]
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise RunError(
            f"a table that cannot be read ({error})", file=run / "clips.csv", fix="run: stgcn-lens train --force"
        ) from error


def _untold(clips: ClipSet | None) -> list[ClipRow]:
    """Rows of clips of which no model has said anything yet."""
    if clips is None:
        return []
    name = lambda label: "" if label is None else clips.classes[label]  # noqa: E731
    return [ClipRow(i, None, row.name, row.label, name(row.label), "", None, None) for i, row in enumerate(clips.rows)]


def _classes(run: Run) -> tuple[str, ...]:
    return tuple(run.read_json("model.json")["classes"])


def _analysed(run: Run, rows: list[ClipRow]) -> tuple[list[ClipRow], str]:
    if (run / "embeddings/clips.npy").is_file():
        numbers = {row.number: row for row in rows}
        order = run.read_array("embeddings/clips.npy")
        chosen = [replace(numbers[int(n)], position=i) for i, n in enumerate(order) if int(n) in numbers]
        if chosen:
            return chosen, "The clips under analysis."
    test = [row for row in rows if row.split == "test"]
    return (test, "The test split.") if test else (rows, "All clips of the set.")


def demo(stamp: str, kept: opening.Opening | None) -> Source:
    """The demo model with its clips; its answers are those that are kept, or are asked of the network."""
    from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set

    clips = synthetic_set(SyntheticConfig(subjects=(_DEMO_SUBJECT,), views=(2,)))
    source = Source(None, stamp, clips.classes, tuple(_untold(clips)), "Made on the spot.", clips, "", CHECKPOINT, True)
    if not source.has_model:
        return source
    if kept is not None and len(kept.probabilities) == len(source.rows):
        classes, answers = kept.classes, kept.probabilities
    else:
        classes = compute.model(str(CHECKPOINT), stamp).loaded.classes
        answers = compute.predict_all(str(CHECKPOINT), stamp, [source.clip(row) for row in source.rows])
    told = []
    for row, said in zip(source.rows, answers, strict=True):
        label = classes.index(row.class_name) if row.class_name in classes else None
        told.append(replace(row, label=label, predicted=int(said.argmax()), confidence=float(said.max())))
    return replace(source, classes=classes, rows=tuple(told))
