"""Reads clips of any known format and writes them in another one; says everything that is lost on the way.

One clip is in memory at a time. Exits with 3 where clips were left out.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import SOME_LEFT_OUT, Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.convert import convert
from stgcn_lens.data.overview import converted
from stgcn_lens.data.source import Progress
from stgcn_lens.data.writers import WRITERS
from stgcn_lens.runs import plain

EXAMPLE = "stgcn-lens data convert recordings/ clips/ --to native"
FLAGS = (tyro.conf.OmitArgPrefixes,)
_TO = f"The format to write: {', '.join(writer.name for writer in WRITERS)}."


@dataclass(frozen=True)
class Args(Common):
    """What to convert, and how."""

    path: Annotated[Path, tyro.conf.Positional]
    """A file or folder of clips in any known format."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """Where to: a new file or folder, as the format has it."""
    to: Annotated[str, tyro.conf.arg(help=_TO)]
    format: str = "auto"
    """A row of READERS; auto looks at the content."""
    layout: str | None = None
    """Skeleton layout, or a .toml file that describes one, where the format leaves a choice."""
    to_layout: str | None = None
    """Write the joints of this layout, matched by name."""
    split: str = "none"
    """Put clips on sides by subject, view, setup, file, or a .csv; none: only as the source has them."""
    force: bool = False
    """Replace an OUT that is of that format; other things are never overwritten."""


def run(args: Args) -> Result:
    """Convert the clips."""
    with ExitStack() as bars:
        done = convert(
            args.path,
            args.out,
            args.to,
            format=args.format,
            layout=args.layout,
            to_layout=args.to_layout,
            by=args.split,
            force=args.force,
            progress=_stage(bars, "reading", "file"),
            writing=_stage(bars, "writing", "clip"),
        )
    return Result(converted(done), plain(done), SOME_LEFT_OUT if done.left_out else 0)


def _stage(bars: ExitStack, what: str, unit: str) -> Progress:
    """A callback that closes the bar of the stage before and opens its own when its work begins."""
    shown: list[Progress] = []

    def progress(done: int, total: int) -> None:
        if not shown:
            bars.close()
            shown.append(bars.enter_context(bar(what, unit)))
        shown[0](done, total)

    return progress
