"""Reads everything and trains nothing: format, layout, clips, classes, splits, missing joints, duplicates, faults.

One clip is in memory at a time. Exits with 3 where clips were left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stgcn_lens.commands import SOME_LEFT_OUT, Common, Result
from stgcn_lens.commands.progress import bar
from stgcn_lens.data.info import Info, survey
from stgcn_lens.data.tally import Sample
from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic
from stgcn_lens.runs import plain

EXAMPLE = "stgcn-lens data info recordings/ --picture look.png"
FLAGS = (tyro.conf.OmitArgPrefixes,)


@dataclass(frozen=True)
class Args(Common):
    """What to look at."""

    path: Annotated[Path, tyro.conf.Positional]
    """A file or folder of clips."""
    format: str = "auto"
    """A row of READERS; auto looks at the content."""
    layout: str | None = None
    """Skeleton layout, or a .toml file that describes one, where the format leaves a choice."""
    to_layout: str | None = None
    """Put the clips onto this layout (or .toml file), joint by joint and by name, and describe those."""
    most: int | None = None
    """Look at the first so many clips only; the counts are then of these."""
    picture: Path | None = None
    """Draw the first, the shortest and the longest clip into this .png or .svg file."""


def run(args: Args) -> Result:
    """Describe the clips."""
    if args.picture is not None and args.picture.suffix.lower() not in (".png", ".svg"):
        raise LensError(
            "no kind of picture that is known", file=args.picture, expected="a name that ends in .png or .svg"
        )
    with bar("reading", "file" if args.most is None else "clip") as progress:
        info, samples = survey(args.path, args.format, args.layout, progress, args.most, args.to_layout)
    text, data = info.text(), plain(info)
    if args.picture is not None:
        _draw(args.picture, info, samples)
        shown = [sample.clip.name for sample in samples]
        text += f"\n{'picture':<12}{args.picture}: {', '.join(shown)}"
        data["picture"] = {"file": str(args.picture), "clips": shown}
    return Result(text, data, SOME_LEFT_OUT if info.left_out else 0)


def _draw(file: Path, info: Info, samples: tuple[Sample, ...]) -> None:
    from stgcn_lens.viz import figures, film, strips  # matplotlib is slow to load

    figure = film.film_strips(strips.strips(samples, list(info.classes), info.origin))
    with atomic(file) as temporary:
        if file.suffix.lower() == ".png":
            temporary.write_bytes(figures.png(figure))
        else:
            alt = f"Frames of {', '.join(sample.clip.name for sample in samples)}."
            temporary.write_text(figures.svg(figure, "samples", alt), encoding="utf-8")
