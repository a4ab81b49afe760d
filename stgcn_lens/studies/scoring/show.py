"""The whole evaluation as one table for a terminal, and one line of verdict for each method and layer."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stgcn_lens.studies.scoring.bench import INPUT
from stgcn_lens.studies.scoring.metrics import METRICS
from stgcn_lens.studies.scoring.results import CONTROLS

COLUMNS = (
    *("method", "layer", "metric", "measure", "better", "value", "ci_low", "ci_high", "n", "left_out"),
    *(
        f"{name}{part}"
        for name in CONTROLS
        for part in ("", "_difference", "_difference_ci_low", "_difference_ci_high", "_difference_n", "_better")
    ),
)
_SIGN = {"yes": "+", "no": "-", "not shown": "~"}


def table(rows: Iterable[Mapping[str, Any]], verdicts: Iterable[Mapping[str, Any]]) -> str:
    """Methods and layers down, measures across; behind each number whether it is better than motion magnitude."""
    by_map: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        # A control has one map; its numbers beside single layers are in the files.
        if "value" in row and (row["method"] not in CONTROLS or row["layer"] == INPUT):
            number = "" if row["value"] is None else f"{row['value']:.3f}"
            by_map.setdefault((row["method"], row["layer"]), {})[row["measure"]] = number + _SIGN.get(
                row.get("better_than_motion") or "", " "
            )
    said = {(v["method"], v["layer"]): v["better_than_motion"] for v in verdicts}
    shown = {m.name: m.short for metric in METRICS.values() for m in metric.measures if m.short}
    present = [name for name in shown if any(name in cells for cells in by_map.values())]
    lines = [["method", "layer", *(shown[name] + " " for name in present), "better than motion"]]
    for key, cells in by_map.items():
        lines.append([*key, *(cells.get(name, "") for name in present), said.get(key, "(control)")])
    return "\n".join([*_aligned(lines), "behind a number: + better than motion magnitude, - worse, ~ not shown"])


def sentences(verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each method and layer."""
    return [
        f"{v['method']} at {v['layer']}: better than motion magnitude: {v['better_than_motion']} ({v['why']})"
        for v in verdicts
    ]


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """One line for each method, layer and measure; curves are in the JSON only."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if "value" not in row:
            continue
        line = {name: row.get(name) for name in COLUMNS}
        for name in CONTROLS:
            gap = row.get(f"difference_to_{name}", {})
            line[f"{name}_difference"] = gap.get("value")
            line |= {f"{name}_difference_{part}": gap.get(part) for part in ("ci_low", "ci_high", "n")}
            line[f"{name}_better"] = row.get(f"better_than_{name}")
        writer.writerow(line)
    return text.getvalue()


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out = []
    for line in lines:
        first = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        middle = [cell.rjust(width) for cell, width in zip(line[2:-1], widths[2:-1], strict=True)]
        out.append("  ".join([*first, *middle, line[-1]]).rstrip())
    return out
