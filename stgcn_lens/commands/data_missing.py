"""Lists the NTU files in which no body was ever tracked: the "missing skeletons" that the protocols leave out.

The list is found by scanning the files, 302 names in NTU RGB+D 60 and 535 in 120. `train --leave-out` takes it, or an
official one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.missing import without_body, write_names

EXAMPLE = "stgcn-lens data missing nturgb+d_skeletons/ --out missing.txt"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """Where to look."""

    path: Annotated[Path, tyro.conf.Positional]
    """A folder of .skeleton files."""
    out: Path | None = None
    """Write the names to this file, one a line."""


def run(args: Args) -> Result:
    """Scan."""
    with bar("scanning", "file") as progress:
        names = without_body(args.path, progress)
    if args.out is not None:
        write_names(args.out, names)
    shown = [*names[:20], *([f"... and {len(names) - 20} more"] if len(names) > 20 else [])]
    found = f"{args.path}: {len(names)} files without a body" + (f", listed in {args.out}" if args.out else "")
    return Result("\n".join([found, *(f"  {name}" for name in shown)]), {"missing": names})
