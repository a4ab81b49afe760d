"""What a run's studies have found, as far as there are any: read without asking who wrote them.

Keys that a study of another version does not have are left out of the page, never guessed.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from stgcn_lens.report.words import begun
from stgcn_lens.runs import Run

_CURVES = ("values", "curves")  # of the scores: points, which the page does not draw


@dataclass(frozen=True)
class Study:
    """Where a study leaves its numbers, what they show, its stage, and the command that makes it."""

    file: str
    stage: str
    shows: str
    command: str


STUDIES = {
    "layers": Study(
        "studies/layers.json",
        "study-layers",
        "label errors beside an untrained and a misled network, separability, sensitivity",
        "study layers RUN",
    ),
    "noise": Study("studies/noise.json", "study-noise", "what input noise does to every layer", "study noise RUN"),
    "transfer": Study(
        "studies/transfer.json",
        "study-transfer",
        "how far layers carry over to other actions",
        "study transfer RUN --data TARGET",
    ),
    "scores": Study("scores/scores.json", "score", "whether explanations can be trusted", "score RUN"),
}


def standing(run: Run, name: str) -> bool:
    """Whether the study's numbers are there and belong to what the run holds now."""
    about = STUDIES[name]
    status = run.manifest()["stages"].get(about.stage, {}).get("status", "done")
    return status == "done" and (run / about.file).is_file()


def collect(run: Run) -> dict[str, Any]:
    """Study -> what its file holds, None where there is none; `RunError` if a file is broken."""
    found: dict[str, Any] = {}
    for name, about in STUDIES.items():
        told = run.read_json(about.file) if standing(run, name) else None
        found[name] = told if isinstance(told, Mapping) else None
    if found["scores"]:
        rows = found["scores"].get("rows", [])
        kept = [row for row in rows if not any(name in row for name in _CURVES)]
        found["scores"] = {**found["scores"], "rows": kept}
    if found["transfer"]:
        found["transfer"] = {**found["transfer"], "figures": _drawn(run, "transfer")}
    return found


def pictures(run: Run, study: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Figures that a study drew itself: `source` to show as an image, in which nothing can run; `alt` and `text`."""
    shown = []
    for figure in (study or {}).get("figures") or []:
        file = run / str(figure.get("file", ""))
        inside = file.resolve().is_relative_to(run.path.resolve())
        if inside and file.suffix == ".svg" and file.is_file():
            drawing = file.read_bytes()
            title = re.search(rb"<title>(.*?)</title>", drawing)  # what our figures say of themselves
            said = unescape(title[1].decode(errors="replace")) if title else file.stem
            source = f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}"
            alt, text = (str(figure.get(name) or said) for name in ("alt", "text"))
            shown.append({"source": source, "alt": alt, "text": text})
    return shown


def findings(study: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """The verdicts of a study in words: `name`, `verdict` and `why`."""
    told = (study or {}).get("findings") or {}
    found = []
    for name, about in told.items() if isinstance(told, Mapping) else ():
        verdict = str(about.get("verdict", ""))
        why = str(about.get("why") or about.get("text") or "").rstrip(".")
        if why.lower().startswith(f"{verdict}: "):  # which the page says before it
            why = why[len(verdict) + 2 :]
        found.append({"name": begun(name.replace("_", " ")), "verdict": verdict, "why": begun(why)})
    return found


def shown(studies: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of noise, transfer and scores in words and in tables; None for a study that was not run."""
    return {
        "noise": studies["noise"] and _noise(studies["noise"]),
        "transfer": studies["transfer"] and _transfer(studies["transfer"]),
        "scores": studies["scores"] and _scores(studies["scores"]),
    }


def _noise(study: Mapping[str, Any]) -> dict[str, Any]:
    networks = []
    for network in study.get("networks") or []:
        levels = [*(network.get("accuracy_halves") or []), *(network.get("geometry_breaks") or [])]
        networks.append(
            {
                "name": network.get("name", "this run"),
                "said": _texts(network.get("sentences") or []),
                "levels": _texts(levels),
            }
        )
    return {"networks": networks, "beside": (study.get("beside") or {}).get("text") or ""}


def _transfer(study: Mapping[str, Any]) -> dict[str, Any]:
    nothing = {"value": None, "ci_low": None, "ci_high": None}
    rows = [
        {
            "cut": row.get("cut", ""),
            "shots": row.get("shots", ""),
            "top1": {name: row.get(name) for name in nothing},
            "to_full": {name: (row.get("to_full") or nothing).get(name) for name in nothing},
        }
        for row in study.get("accuracy") or []
    ]
    return {"accuracy": rows, "sentence": (study.get("prediction") or {}).get("sentence") or ""}


def _scores(study: Mapping[str, Any]) -> dict[str, Any]:
    names = ("method", "layer", "better_than_motion", "why")
    rows = [{name: row.get(name) or "" for name in names} for row in study.get("verdicts") or []]
    better = sum(row["better_than_motion"] == "yes" for row in rows)
    sentence = (
        f"Better than motion magnitude, by the rule of the scores: {better} of {len(rows)} maps (method and layer)."
    )
    return {"verdicts": rows, "sentence": sentence}


def _texts(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    return [_text(entry) for entry in entries if entry.get("text")]


def _text(entry: Mapping[str, Any]) -> str:
    kind, text = str(entry.get("kind", "")).replace("_", " "), str(entry["text"])
    return f"{kind}: {text}" if kind and "level" in entry else text


def _drawn(run: Run, study: str) -> list[dict[str, str]]:
    """Figures that lie beside a study's numbers, where the numbers do not name them."""
    named = run.read_json(STUDIES[study].file).get("figures")
    if isinstance(named, list):
        return named
    return [{"file": str(file.relative_to(run.path))} for file in sorted((run / "studies").glob(f"{study}*.svg"))]
