"""The study of layers: at which depth actions come apart, beside networks that should not show it.

Into ``studies/`` of a run go ``layers.json`` (every number with its interval, the configuration, the verdict on finding
1 by the rule of `verdict`) and ``layers.csv`` (one row a number). Source: Das, Shekkizhar, Ortega, arXiv 2312.07777.
The controls stay as small runs of their own in ``studies/controls/``. What an interrupted study has finished is kept.
"""

from collections.abc import Callable
from typing import Any

from stgcn_lens.embeddings import embed
from stgcn_lens.errors import LensError
from stgcn_lens.files import fingerprint
from stgcn_lens.intervals import CONFIDENCE, Value
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.parts import clear, open_parts
from stgcn_lens.report.results import LOGITS
from stgcn_lens.runs import Run, plain, stage_key, versions
from stgcn_lens.studies.analysed import Analysed
from stgcn_lens.studies.depth import controls, sensitivity
from stgcn_lens.studies.depth.config import DepthConfig
from stgcn_lens.studies.depth.curves import network
from stgcn_lens.studies.depth.show import as_csv
from stgcn_lens.studies.depth.verdict import finding
from stgcn_lens.studies.layers import graph
from stgcn_lens.studies.settings import embedding, geometry

__all__ = ["DepthConfig", "study"]
STAGE = "study-layers"
JSON, CSV = "studies/layers.json", "studies/layers.csv"
TRAINED, UNTRAINED, SHUFFLED = "trained", "untrained", "shuffled"
Progress = Callable[[str, int, int], None]


def study(
    run: Run,
    config: DepthConfig,
    *,
    loaded: Loaded | None = None,
    device: str = "cpu",
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Study the layers of a run's network; returns what ``studies/layers.json`` holds.

    Clips that are not embedded or graphed yet are, with the run's own settings, or the defaults.

    Parameters
    ----------
    loaded : the run's network where no checkpoint holds it; it has no controls then.
    progress : called with what is done just now, how much of it is done, and all of it.

    Raises
    ------
    RunError : the run has no model; a control on shuffled labels is asked for and nobody knows the training.
    LensError : fewer clips than neighbours.
    """
    run.key("train")
    if config.shuffled:
        controls.job(run, config.epochs)
    _analysed(run, TRAINED, device, progress, loaded)
    inputs = {stage: run.key(stage) for stage in ("train", "embed", "graph")}
    inputs["weights"] = str(run.manifest()["stages"]["train"].get("weights"))
    key = stage_key(config, inputs)
    if run.fresh(STAGE, key, JSON, CSV) and not force:
        clear(run.path, STAGE)
        return run.read_json(JSON)
    with run.stage(STAGE, config=config, inputs=inputs, device=device):
        made = run.manifest()["stages"]["graph"]["started"]
        parts = open_parts(run.path, STAGE, fingerprint(key, made).hexdigest())
        runs = {TRAINED: run, **_controls(run, config, device, progress)}
        found: dict[str, Any] = {}
        ratios: dict[str, Value] = {}
        for name, each in runs.items():
            found[name], ratios[name] = network(each, config, parts.folder / "wide" / name)
            found[name]["run"] = str(each.path.relative_to(run.path)) if each is not run else "."
            found[name]["epochs"] = _epochs(each)
        seen = Analysed.of(run)
        layers = [name for name, _ in seen.layers]
        result = plain(
            {
                "study": "layers",
                "config": config,
                "embed": embedding(run),
                "graph": geometry(run),
                "seeds": {"training": run.manifest()["stages"]["train"].get("seed"), "resamples": config.seed},
                "versions": versions(),
                "inputs": inputs,
                "confidence": CONFIDENCE,
                "n": len(seen),
                "classes": list(seen.classes),
                "layers": layers,
                "networks": found,
                "sensitivity": None
                if config.sensitivity == "none"
                else sensitivity.table(
                    run,
                    seen.labels,
                    [layer for layer in layers if layer != LOGITS],
                    config,
                    parts,
                    network=loaded,
                    device=device,
                    progress=_told(progress, "sensitivity"),
                ),
                "findings": {"finding_1": finding(ratios[TRAINED], ratios.get(UNTRAINED))},
            }
        )
        run.write_text(CSV, as_csv(result))
        run.write_json(JSON, result)
    clear(run.path, STAGE)
    return run.read_json(JSON)


def _controls(run: Run, config: DepthConfig, device: str, progress: Progress | None) -> dict[str, Run]:
    """The controls that are asked for, embedded and graphed as the run is; the quick one first."""
    made = {}
    if config.untrained:
        made[UNTRAINED] = controls.untrained(run, device=device, progress=_told(progress, "untrained: statistics"))
    if config.shuffled:
        told = _told(progress, "shuffled labels: training")
        made[SHUFFLED] = controls.shuffled(run, config.epochs, device=device, progress=told)
    for name, control in made.items():
        with control.lock():
            _analysed(control, name, device, progress, like=run)
    return made


def _analysed(
    run: Run,
    name: str,
    device: str,
    progress: Progress | None,
    loaded: Loaded | None = None,
    like: Run | None = None,
) -> None:
    """Embed and graph a run, unless that is done, with the settings of the run that it is a control of, or its own."""
    settings = like or run
    embed(run, embedding(settings), network=loaded, device=device, progress=_told(progress, f"{name}: embed"))
    table = graph(run, geometry(settings), device=device, progress=_told(progress, f"{name}: graph"))
    if sum(row["layer"] != LOGITS for row in table) < 2:
        raise LensError("a network without blocks has no depth", file=run.path, got="the input alone")


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)


def _epochs(run: Run) -> int | None:
    """Epochs that the run's network was trained for; 0 if it was never, None where nobody knows."""
    told = run.manifest()["stages"]["train"]["config"]
    if "control" in told:
        return 0
    return told["training"]["epochs"] if "training" in told else None
