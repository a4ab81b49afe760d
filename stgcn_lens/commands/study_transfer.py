"""Tunes a run's network on other classes from every layer upward, and says which cut smoothness alone predicts.

The target is another set of clips (--data), put onto the network's layout joint by joint where it has another; or, by
default, the classes of the run's own recordings that it was trained without (train --leave-out-classes). A command that
was broken off goes on after the last tuning that was finished. Everything goes to RUN/studies/transfer.json and .csv.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.clips import other_clips
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.readers import recognise
from stgcn_lens.errors import LensError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.transfer import STAGE, TransferConfig, transfer
from stgcn_lens.studies.transfer.show import table
from stgcn_lens.training.device import choose

EXAMPLE = "stgcn-lens study transfer runs/mine --data other_recordings/ --shots 5 full --seeds 0"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Which run, and what it is to learn."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    data: Path | None = None
    """The target: a folder or file of clips in any known format, or a native set. By default what the run's own clips
    were read from."""
    format: str = "auto"
    """Of --data: a row of READERS; auto looks at the content."""
    layout: str | None = None
    """Of --data: skeleton layout or variant, or a .toml file, where the format leaves a choice."""
    to_layout: str | None = None
    """Put the clips of --data onto this layout (or .toml file); by default onto that of the network."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    force: bool = False
    """Do it again although nothing changed."""
    config: TransferConfig = field(default_factory=TransferConfig)


def run(args: Args) -> Result:
    """Study unless it is done, and show the accuracies."""
    target, device = Run.open(args.run), choose(args.device)
    target.key("train")
    layout = load(args.run).layout.name
    where = _target(args, target, layout)
    recognise(*where)
    with target.lock(), other_clips(target, *where) as clips:
        assert clips is not None
        before = target.manifest()["stages"].get(STAGE)
        with bar("transfer", "step") as progress:
            found = transfer(target, args.config, clips, device=device, force=args.force, progress=progress)
        again = target.manifest()["stages"].get(STAGE) == before
    about, verdict = found["target"], found["findings"]["finding_3"]
    head = (
        f"{args.run}: {len(found['tunings'])} tunings on {len(about['classes'])} classes of {about['source']}, "
        f"{about['n_train']} training and {about['n_test']} test clips{' (unchanged, skipped)' * again}"
    )
    lines = [head, table(found), found["prediction"]["sentence"]]
    lines.append(f"Finding 3 is {verdict['verdict']}: {verdict['why']}.")
    if about["same_names"]:
        lines.append(f"Classes of the same name in source and target: {', '.join(about['same_names'])}.")
    if about["dropped"]:
        first = about["dropped"][0]
        lines.append(f"{len(about['dropped'])} clips left out, first {first['clip']}: {first['reason']}")
    return Result("\n".join(lines), {"run": str(args.run), **found, "skipped": again})


def _target(args: Args, run: Run, layout: str) -> tuple[Path, str, str | None, str | None]:
    """Where the target's clips are, of which format and layout, and the layout that they are put onto."""
    if args.data is not None:
        native = (args.data / "clipset.json").is_file() and args.layout is None
        same = native and args.to_layout is None and ClipSet.open(args.data).layout == layout
        return args.data, args.format, args.layout, None if same else args.to_layout or layout
    if (args.format, args.layout, args.to_layout) != ("auto", None, None):
        raise LensError("--format, --layout and --to-layout are about --data", fix="say which --data")
    manifest: dict[str, Any] = run.manifest()
    if "data" in manifest:
        return Path(manifest["data"]), "auto", None, None
    source = manifest.get("source")
    if source is None or not Path(source["path"]).exists():
        got = "a run that does not say what its clips were read from" if source is None else source["path"]
        raise LensError("no target", file=args.run, got=got, fix="say with --data where its clips are")
    return Path(source["path"]), source["format"], source["layout"], source.get("to_layout")
