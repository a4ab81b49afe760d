"""One page about several runs: the comparison alone, or with a section for each run. Written where the user wants it.

Beside ``NAME.html`` go ``NAME.json`` and ``NAME.csv`` with every number, ``NAME.md``, and ``NAME_figures/*.svg``.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from stgcn_lens import __version__
from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic, atomic_folder
from stgcn_lens.report import comparison, comparison_figures, comparison_words, results, sentences
from stgcn_lens.report.build import made, pictures, worded
from stgcn_lens.report.draw import Progress, draw
from stgcn_lens.report.page import render
from stgcn_lens.report.tables import as_csv, numbers
from stgcn_lens.report.words import escaped
from stgcn_lens.runs import Run, command, plain
from stgcn_lens.viz import figures

COLUMNS = (
    *("kind", "name", "layer", "depth", "measure", "value", "ci_low", "ci_high", "chance", "sd", "least", "most", "n"),
    "place",
)
_OURS = 'name="generator" content="stgcn_lens'


def several(
    runs: Sequence[Run], out: Path, *, sections: bool, force: bool = False, progress: Progress | None = None
) -> results.Results:
    """Write the page and what goes with it; returns all numbers.

    Parameters
    ----------
    out : the page, NAME.html.
    sections : with a section for each run.
    force : replace a file that is no page of ours.

    Raises
    ------
    LensError : fewer than two runs; `out` is something else.
    RunError : a run has no graphs, or a file of a finished stage is broken.
    """
    _refuse(out, force)
    found = comparison.compare(runs)
    told = comparison_words.told(found)
    gathered: results.Results = {
        "title": f"{len(runs)} runs beside each other: {', '.join(entry['name'] for entry in found['runs'])}",
        "created": made(),
        "version": __version__,
        "command": command(),
        "confidence": results.CONFIDENCE,
        "beside": out.stem,
        "comparison": found,
        "headline": comparison_words.headline(found),
        "figures": told,
        "sections": [],
    }
    names = [entry["name"] for entry in found["runs"]]
    if sections:
        gathered["sections"] = [_section(run, name) for run, name in zip(runs, names, strict=True)]
    gathered = plain(gathered)
    drawn, inside = _drawn(gathered, progress or (lambda done, total: None))
    with atomic_folder(out.with_name(f"{out.stem}_figures")) as folder:
        for name, text in drawn.items():
            (folder / f"{name}.svg").write_text(text)
    page = render(
        "several.html",
        r=gathered,
        figures={name: Markup(figures.inline(drawn[name], name)) for name in told},
        drawn_in=inside,
        pictures_in=[pictures(run, one) for run, one in zip(runs, gathered["sections"], strict=False)],
    )
    _write(out.with_suffix(".json"), json.dumps(gathered, indent=1) + "\n")
    _write(out.with_suffix(".csv"), as_csv(_rows(gathered), COLUMNS))
    _write(out.with_suffix(".md"), summary(gathered))
    _write(out, page)
    return gathered


def summary(gathered: results.Results) -> str:
    """A few lines of Markdown."""
    lines = [f"# {escaped(gathered['title'])}", ""]
    lines += [escaped(said) for said in gathered["headline"]]
    lines += ["", *(f"- Mind: {escaped(said)}" for said in gathered["comparison"]["warnings"])]
    lines += [f"- {escaped(entry['sentence'])}" for entry in gathered["figures"].values()]
    for one in gathered["sections"]:
        lines += ["", f"## {escaped(one['name'])}", "", *sentences.summary(one).splitlines()[2:]]
    return "\n".join(lines) + "\n"


def _section(run: Run, name: str) -> results.Results:
    """All that one run's own page says, but for single clips."""
    gathered = results.collect(run) | {"samples": [], "name": name}
    return worded(gathered)


def _drawn(gathered: results.Results, progress: Progress) -> tuple[dict[str, str], list[dict[str, Markup]]]:
    """All figures as SVG by name, and those of each section fit for the page."""
    jobs = comparison_figures.draw(gathered["comparison"])
    told, parts = gathered["figures"], len(gathered["sections"]) + 1
    drawn = {name: figures.svg(job(), name, told[name]["alt"]) for name, job in jobs.items()}
    inside = []
    progress(1, parts)
    for number, one in enumerate(gathered["sections"], start=1):
        mine = draw(one, [], lambda done, total: None)
        drawn |= {f"run_{number}_{name}": text for name, text in mine.items()}
        inside.append({name: Markup(figures.inline(text, f"run_{number}_{name}")) for name, text in mine.items()})
        progress(number + 1, parts)
    return drawn, inside


def _rows(gathered: results.Results) -> list[dict[str, Any]]:
    """The tidy rows of the comparison, then every number of the sections by its place in the JSON."""
    rows = comparison.table(gathered["comparison"])
    for one in gathered["sections"]:
        about = {"kind": "section", "name": one["name"]}
        rows += [{**about, "place": place, "value": value} for place, value in numbers(one)]
    return rows


def _refuse(out: Path, force: bool) -> None:
    """`LensError` where something else would be lost."""
    if out.suffix != ".html":
        raise LensError("not the name of a page", file=out, expected="a name that ends in .html")
    if out.is_dir() or (out.is_file() and not force and _OURS not in out.read_text(errors="replace")[:4000]):
        raise LensError("something else is there", file=out, fix="choose another --out, or --force to replace it")


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)
