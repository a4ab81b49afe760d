"""Reads the clips, splits them, trains, and writes model, metrics and log into the run folder.

A run that was interrupted goes on when the same command is given again. Every architecture has settings of its own:
`stgcn-lens train --architecture stgat --help` shows those of STGAT.

Two processes on one machine, each with a GPU of its own where there are any, three times started again if one dies:
`torchrun --standalone --nproc-per-node 2 --max-restarts 3 -m stgcn_lens train --data ...`
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import numpy as np
import tyro
from tqdm import tqdm

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.clips import own_clips
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.missing import named, read_names
from stgcn_lens.data.readers import read, recognise
from stgcn_lens.data.sides import read_sides
from stgcn_lens.data.splits import is_file, split
from stgcn_lens.embeddings import open_clips
from stgcn_lens.errors import LensError
from stgcn_lens.files import file_hash, fingerprint
from stgcn_lens.models import MODELS
from stgcn_lens.processes import processes
from stgcn_lens.runs import Run
from stgcn_lens.skeleton import find_layout
from stgcn_lens.training import Step, TrainJob, choose, train
from stgcn_lens.training.classes import classes_without, without_classes

EXAMPLE = "stgcn-lens train --data recordings/ --split subject --out runs/mine"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """What to train on, and how."""

    data: Path
    """A folder or file of clips in any known format, or a native clip set."""
    out: Path
    """The run folder, new or interrupted."""
    format: str = "auto"
    """A row of READERS; auto looks at the content."""
    layout: str | None = None
    """Skeleton layout or variant, or a .toml file that describes one, where the format leaves a choice."""
    to_layout: str | None = None
    """Put the clips onto this layout (or .toml file), joint by joint and by name, before anything else."""
    leave_out: Path | None = None
    """A text file that names clips to do without, one a line, such as the lists of missing skeletons of NTU."""
    leave_out_classes: tuple[str, ...] = ()
    """Classes, by name or number, whose clips are left out and which the network never knows: for `study transfer`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; under torchrun every process has a GPU of its own."""
    force: bool = False
    """Replace a training that the run folder already holds."""
    tensorboard: bool = False
    """Write the course of the training to RUN/tensorboard, too; needs the extra of that name."""
    job: Annotated[TrainJob, tyro.conf.arg(name="")] = field(default_factory=TrainJob)


def args_for(words: Sequence[str]) -> tuple[type[Args], str]:
    """`Args` with the settings of the architecture that the words name, and the words that show its help.

    Raises
    ------
    LensError
        for an unknown architecture, or a setting that only others have.
    """
    pairs = zip(words, [*words[1:], ""], strict=True)
    given = [b if a == "--architecture" else a.partition("=")[2] for a, b in pairs if _flag(a) == "architecture"]
    name = given[-1] if given else TrainJob.architecture
    shown = f"train --architecture {name}" if given else "train"
    if name not in MODELS:
        known = ", ".join(MODELS)
        fix = "see: stgcn-lens train --help"
        raise LensError("unknown architecture", got=repr(name), expected=f"one of {known}", fix=fix)
    spec = MODELS[name]
    settings: list[Any] = [("model", spec.config, field(default=spec.small))]
    job = make_dataclass("Job", settings, bases=(TrainJob,), frozen=True)
    default = field(default_factory=lambda: job(architecture=name))
    kind = make_dataclass(
        "Args", [("job", Annotated[job, tyro.conf.arg(name="")], default)], bases=(Args,), frozen=True
    )
    own = _settings(kind)
    for word in words:
        owners = [row.name for row in MODELS.values() if _flag(word) in _settings(row.config) - own]
        if owners:
            raise LensError(
                f"architecture {name} has no setting {word.partition('=')[0]}, which belongs to {', '.join(owners)}",
                fix=f"see: stgcn-lens {shown} --help",
            )
    return kind, shown


def _flag(word: str) -> str:
    """The setting that a word of the command line is a flag of; empty where it is none."""
    if not word.startswith("--"):
        return ""
    name = word.partition("=")[0].removeprefix("--")
    return name.removeprefix("no-").replace("-", "_")


def _settings(kind: type) -> set[str]:
    """The names of all settings of a dataclass, those within its settings too."""
    hints = get_type_hints(kind)
    inner = [_settings(hints[each.name]) if is_dataclass(hints[each.name]) else {each.name} for each in fields(kind)]
    return set[str]().union(*inner)


def run(args: Args) -> Result:
    """Train and report the scores."""
    # Before a folder is made for what cannot be read.
    source = recognise(args.data, args.format, args.layout, args.to_layout)
    if args.leave_out_classes:
        classes_without(source.classes, args.leave_out_classes)
    wish = Wish.of(args.job, args.leave_out)
    device = choose(args.device)
    with processes(device) as group, ExitStack() as held:
        with group.in_turn():
            if group.first:
                target = Run.create(args.out)
                held.enter_context(target.lock())
                clips = read_clips(
                    target,
                    args.data,
                    args.format,
                    args.layout,
                    args.force,
                    args.to_layout,
                    lambda clips: without_classes(clips, args.leave_out_classes),
                    args.leave_out_classes,
                )
            else:
                target = Run.open(args.out)
                clips = open_clips(target)
        sides, told = wish.sides(clips)
        before = target.manifest()["stages"].get("train")
        with steps() if group.first else nullcontext() as progress:
            metrics = train(
                target,
                clips,
                sides,
                args.job,
                files=wish.files,
                device=device,
                force=args.force,
                tensorboard=args.tensorboard,
                group=group,
                progress=progress,
            )
        record = target.manifest()["stages"]["train"]
    if not group.first:
        raise SystemExit(0)  # process 0 tells the result
    side = next(name for name in ("test", "val", "train") if name in metrics)
    scores, skipped = metrics[side], record == before
    dropped = sum(fault.dropped != "nothing" for fault in clips.faults) + len(record["dropped"])
    text = (
        f"{args.out}: {len(clips)} clips, {len(clips.classes)} classes; {side} top-1 {scores['top1']:.3f} "
        f"(mean class {scores['mean_class_accuracy']:.3f}, n = {scores['n']}) after {record['seconds']:.0f} s"
        + " (unchanged, skipped)"
        * skipped
    )
    if "val" in metrics and side != "val":
        text += f"; val top-1 {metrics['val']['top1']:.3f} (n = {metrics['val']['n']})"
    if "only" in scores:
        among = scores["only"]["among_these"]
        text += f"; told from one another only, {len(scores['only']['classes'])} classes: top-1 {among['top1']:.3f}"
    if len({row.label for row in clips.rows if row.label is not None}) == 1:
        text += "; all clips are of one class, so that these numbers say nothing"
    text += "".join(f"; {warning}" for warning in record.get("warnings", ()))
    text += "".join(f"; {fault.file}: {fault.reason}" for fault in told)
    if dropped:
        text += f"; {dropped} clips left out or kept in part, each listed by: stgcn-lens data info {args.data}"
    data = {"run": str(args.out), "metrics": metrics, "seconds": record["seconds"], "device": record["device"]}
    data["skipped"] = skipped
    data["sides"] = {name: int((sides == name).sum()) for name in ("train", "val", "test", "none")}
    faults = [vars(fault) for fault in (*clips.faults, *told)]
    return Result(text, {**data, "faults": faults, "dropped": record["dropped"]})


@dataclass(frozen=True)
class Wish:
    """How the clips are to be divided, with what the user's own files say about it already read.

    Attributes
    ----------
    job : its split, training ids, validation and seed.
    names, listing : clips to leave out, and the file that says so.
    files : what these files are called in the run's inputs -> hash.
    """

    job: TrainJob
    names: tuple[str, ...]
    listing: Path | None
    files: dict[str, str]

    @classmethod
    def of(cls, job: TrainJob, listing: Path | None) -> "Wish":
        """`DataError` where a file is not there or cannot be understood."""
        files = {}
        if is_file(job.split):
            read_sides(Path(job.split))
            files["split file"] = file_hash(Path(job.split))
        names = () if listing is None else tuple(read_names(listing))
        if listing is not None:
            files["left out"] = file_hash(listing)
        return cls(job, names, listing, files)

    def sides(self, clips: ClipSet) -> tuple[np.ndarray, list[Fault]]:
        """The side of every clip, and what of the files could not be used."""
        told: list[Fault] = []
        out, unknown = named(self.names, (row.name for row in clips.rows))
        if self.listing is not None:
            missing = f"; names that are no clip's: {len(unknown)}, e.g. {unknown[0]!r}" if unknown else ""
            told.append(Fault(str(self.listing), f"clips left out: {len(out)}{missing}", "nothing"))
        sides = split(
            clips,
            self.job.split,
            self.job.train_ids,
            self.job.validation,
            self.job.training.seed,
            leave_out=out,
            on_fault=told.append,
        )
        return sides, told


def read_clips(
    target: Run,
    data: Path,
    format: str,
    layout: str | None,
    force: bool,
    to_layout: str | None = None,
    fit: Callable[[ClipSet], ClipSet] = lambda clips: clips,
    without: Sequence[str] = (),
) -> ClipSet:
    """The clips at a path: a native set is used where it lies, everything else is packed into RUN/data once.

    `fit` may make others of them, which then are packed too; it returns the same set where there is nothing to do.
    `without` is what the manifest tells of classes that it leaves out.
    """
    native = (data / "clipset.json").is_file() and layout is None and to_layout is None
    if native and fit(clips := ClipSet.open(data)) is clips:
        return own_clips(target, {"data": str(data.resolve())}, lambda: clips, force)

    def pack() -> ClipSet:
        with bar("reading", "file") as progress:
            clips = read(data, format, layout, target / "data", progress, to_layout)
        fitted = fit(clips)
        return clips if fitted is clips else fitted.save(target / "data")

    # A layout of one's own goes by a name that says what is in its file.
    called = lambda wish: None if wish is None else find_layout(wish).name  # noqa: E731
    source: dict[str, Any] = {"path": str(data.resolve()), "format": format}
    source |= {"layout": called(layout), "listing": _listing(data)}
    if to_layout is not None:
        source["to_layout"] = called(to_layout)
    if without:
        source["leave_out_classes"] = list(without)
    return own_clips(target, {"source": source}, pack, force)


def _listing(data: Path) -> str:
    """Fingerprint of the files at a path, their sizes and times: recordings that changed are not taken for the old."""
    files = sorted(path for path in data.rglob("*") if path.is_file()) if data.is_dir() else [data]
    facts = [(str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return str(fingerprint(repr(facts)).hexdigest())


class steps:
    """Bar over all optimisation steps with loss, accuracy and time left."""

    def __enter__(self) -> "steps":
        self.bar = tqdm(desc="training", unit="step", file=sys.stderr, disable=None, dynamic_ncols=True)
        return self

    def __call__(self, step: Step) -> None:
        """Show one step."""
        self.bar.total = step.epochs * step.steps
        self.bar.set_description(f"epoch {step.epoch}/{step.epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {step.loss:.3f} top-1 {step.top1:.3f}", refresh=False)
        self.bar.update((step.epoch - 1) * step.steps + step.step - self.bar.n)

    def __exit__(self, *_: object) -> None:
        self.bar.close()
