"""The paper's three findings over several studied runs: the verdicts as a table, the curves as one figure.

    python docs/findings.py FIGURE.svg RUN RUN ... [--transfer RUN]

The runs are of one set, trained with different seeds, each with `study layers` and `study noise` behind it; RUN of
--transfer has `study transfer`. What a run has not studied is left out. Nothing is computed here.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from stgcn_lens.viz.figures import STYLE, Series, lines, svg

LABELS = ("kNN label error", "change of the last block's kNN label error", "top-1, frozen up to and with")


def study(run: Path, name: str) -> dict[str, Any] | None:
    """What a run holds of a study."""
    path = run / "studies" / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def layers(run: Path, found: dict[str, Any], controls: bool) -> list[Series]:
    """The trained network's curve; the controls are thin lines, named once."""
    curves = {name: [row["knn_label_error"]["value"] for row in net["rows"]] for name, net in found["networks"].items()}
    names = {"trained": run.name} | ({name: name for name in curves if name != "trained"} if controls else {})
    return [Series(names.get(name, f"_{name}"), curve, reference=name != "trained") for name, curve in curves.items()]


def noise(run: Path, found: dict[str, Any]) -> tuple[list[str], Series]:
    """Levels of Gaussian noise, and how far they move the last block's label error."""
    network = found["networks"][0]
    some = [row for row in network["conditions"] if row["kind"] == "gaussian"]
    last = [next(row for row in one["layers"] if row["layer"] == network["last_block"]) for one in some]
    return [f"{one['level']:g} dB" for one in some], Series(
        run.name, [row["knn_label_error"]["change"]["value"] for row in last]
    )


def transfer(found: dict[str, Any]) -> list[Series]:
    """Accuracy over the cuts, one line for each number of clips a class."""
    rows = {(row["shots"], row["cut"]): row for row in found["accuracy"]}
    ends = ("value", "ci_low", "ci_high")
    of = {
        shots: [[rows[shots, cut][end] for cut in found["cuts"]] for end in ends] for shots in found["config"]["shots"]
    }
    return [Series("all clips" if number == "full" else f"{number} a class", *at) for number, at in of.items()]


def main() -> None:
    """Print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--transfer", type=Path)
    args = parser.parse_args()
    series: list[list[Series]] = [[], [], []]
    ticks: list[list[str]] = [[], [], []]
    for run in args.runs:
        if found := study(run, "layers"):
            print(f"| 1 | {run.name} | {(it := found['findings']['finding_1'])['verdict']} | {it['why']} |")
            ticks[0], series[0] = found["layers"], series[0] + layers(run, found, controls=run == args.runs[0])
        if found := study(run, "noise"):
            print(f"| 2 | {run.name} | {found['findings']['finding_2']['text'].replace(': ', ' | ', 1)} |")
            ticks[1], line = noise(run, found)
            series[1].append(line)
    if args.transfer and (found := study(args.transfer, "transfer")):
        print(f"| 3 | {args.transfer.name} | {(it := found['findings']['finding_3'])['verdict']} | {it['why']} |")
        ticks[2], series[2] = found["cuts"], transfer(found)
    shown = [i for i in range(3) if series[i]]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4 * len(shown), 3.8), layout="constrained")
        for axes, i in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            lines(axes, np.arange(len(ticks[i])), series[i])
            axes.set_xticks(np.arange(len(ticks[i])), ticks[i], rotation=40, ha="right", fontsize=8)
            axes.set_ylabel(LABELS[i])
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        args.figure.write_text(svg(figure, "findings", f"Findings of {', '.join(run.name for run in args.runs)}."))


if __name__ == "__main__":
    main()
