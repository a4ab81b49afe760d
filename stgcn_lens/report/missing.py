"""What a report cannot show of a run, why, and the command that makes it, where there is one."""

from pathlib import Path
from typing import Any

from stgcn_lens.report import studies
from stgcn_lens.runs import Run

_SHOWS = {
    "embed": "the features of every layer, which the graphs are built from",
    "graph": "label error over the layers, neighbours of clips",
    "explain": "saliency on the skeletons, class-by-joint table",
}


def parts(run: Run, manifest: dict[str, Any], localised: bool) -> list[dict[str, Any]]:
    """Each with `part`, `why` and the `command` that makes it, or None.

    Parameters
    ----------
    localised : whether the saliency was scored against planted evidence.
    """
    stages = manifest["stages"]
    found: list[dict[str, Any]] = []
    folder = Path(run.path).resolve().name
    for stage, shows in _SHOWS.items():
        status = stages.get(stage, {}).get("status")
        if status != "done":
            why = "not run" if status is None else f"the stage is marked '{status}'"
            found.append({"part": f"{stage}: {shows}", "why": why, "command": f"stgcn-lens {stage} {folder}"})
            continue
        for source, key in stages[stage].get("inputs", {}).items():
            if source in stages and stages[source].get("key") != key:
                why = f"made before '{source}' was run again: its numbers belong to the older one"
                command = f"stgcn-lens {stage} {folder} --force"
                found.append({"part": f"{stage}: {shows}", "why": why, "command": command})
    if stages.get("explain", {}).get("status") == "done" and run.read_json("saliency/saliency.json")["signed"]:
        why = "signed maps have neither; they were asked for"
        command = f"stgcn-lens explain {folder} --force"
        found.append({"part": "class-by-joint table and localisation", "why": why, "command": command})
    elif stages.get("explain", {}).get("status") == "done" and not localised:
        why = "the clips carry no planted evidence; synthetic ones do"
        found.append({"part": "localisation: saliency against a known truth", "why": why, "command": None})
    for name, about in studies.STUDIES.items():
        if studies.standing(run, name):
            continue
        status = stages.get(about.stage, {}).get("status")
        why = {
            None: "not run",
            "stale": "made from what has since been replaced: its numbers belong to the older one",
            "done": "its file is gone",
        }.get(status, f"the stage is marked '{status}'")
        command = f"stgcn-lens {about.command.replace('RUN', folder)}"
        found.append({"part": f"{name}: {about.shows}", "why": why, "command": command})
    return found
