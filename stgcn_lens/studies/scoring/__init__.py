"""Scoring explanations: every metric for every method and layer of a run, beside controls, with a verdict in words.

Into ``scores/`` of a run go ``parts/<method>/<metric>/<layer>.json`` (one number a clip), ``scores.json`` (every mean
with its interval and differences, the configuration, the clips, the verdicts) and ``scores.csv``. A part whose
settings, clips and weights have not changed is not worked out again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from stgcn_lens.activations import select
from stgcn_lens.embeddings import open_model, read_clips
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.explain import EXPLAINERS
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.runs import Run, plain, stage_key
from stgcn_lens.studies.scoring import bench as benches
from stgcn_lens.studies.scoring.bench import INPUT, Bench, Subject
from stgcn_lens.studies.scoring.config import ScoreConfig
from stgcn_lens.studies.scoring.metrics import METRICS, Metric
from stgcn_lens.studies.scoring.results import Part, tabulated, verdicts
from stgcn_lens.studies.scoring.show import as_csv

__all__ = ["METRICS", "ScoreConfig", "sample", "score"]
FOLDER = "scores"
_SAMPLE = ("split", "clips", "seed")  # settings that every part depends on


def score(
    run: Run,
    config: ScoreConfig,
    *,
    network: Loaded | None = None,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score the explanations of a run's network; returns what ``scores/scores.json`` holds.

    Parameters
    ----------
    network : the run's network where it is already here, or one that no checkpoint holds; by default the run's own.
    progress : counts parts (method, metric, layer), those that were there already included.

    Raises
    ------
    LensError : an unknown method, metric or layer; localisation alone asked of clips without evidence.
    RunError : the run has no model or no clip in the split.
    """
    _known("method", config.methods, EXPLAINERS)
    _known("metric", config.metrics, METRICS)
    inputs = {"train": run.key("train"), "weights": str(run.manifest()["stages"]["train"].get("weights"))}
    if network is not None:
        inputs["network"] = network.hash
    key = stage_key(config, inputs)
    if run.fresh("score", key, f"{FOLDER}/scores.json", f"{FOLDER}/scores.csv") and not force:
        return run.read_json(f"{FOLDER}/scores.json")
    loaded, clips = open_model(run, device, network)
    chosen = sample(run, config)
    layers = [name for name in select(loaded.model, config.layers or None) if name != INPUT]
    if not layers:
        raise LensError("no layer to score", got=", ".join(config.layers), expected="at least one block")
    bench = benches.open_bench(loaded, clips, chosen, config, device)
    metrics = _metrics(config, bench)
    subjects = [
        *benches.controls(config),
        *(benches.method(EXPLAINERS[name], layers) for name in dict.fromkeys(config.methods or EXPLAINERS)),
    ]
    parts = []
    with run.stage("score", config=config, inputs=inputs, device=device) as record:
        plan = [(subject, metric, _layers(subject, metric, bench)) for subject in subjects for metric in metrics]
        total = sum(len(names) for *_, names in plan)
        for part in _parts(run, bench, plan, inputs | {"clips": clips.fingerprint()}, force):
            parts.append(part)
            if progress is not None:
                progress(len(parts), total)
        rows = tabulated(parts, bench.target, seed=config.seed, resamples=config.resamples)
        result = plain(
            {
                "config": config,
                "inputs": inputs,
                "clips": bench.names,
                "n": len(bench),
                "n_remade": min(config.remade, len(bench)),
                "explained": [loaded.classes[c] for c in bench.target],
                "methods": [subject.name for subject in subjects if not subject.control],
                "controls": [subject.name for subject in subjects if subject.control],
                "layers": layers,
                "metrics": [_about(metric) for metric in metrics],
                "points": {"share": np.linspace(0, 1, config.steps + 1), "step": list(bench.steps())},
                "rows": rows,
                "verdicts": verdicts(rows),
                "seconds": _seconds(parts, bench),
            }
        )
        run.write_text(f"{FOLDER}/scores.csv", as_csv(result["rows"]))
        run.write_json(f"{FOLDER}/scores.json", result)
        record["clips"] = len(bench)
    return result


def sample(run: Run, config: ScoreConfig) -> np.ndarray:
    """Rows of clips.csv in the sample: classes take turns, in each the clips come in an order drawn at random.

    So the first clips of the sample are spread over the classes as well.
    """
    sides = ("train", "val", "test") if config.split == "all" else (config.split,)
    table = read_clips(run)
    rng = np.random.default_rng([config.seed, 0])
    rows = rng.permutation([i for i, row in enumerate(table) if row["split"] in sides])
    if not len(rows):
        raise RunError(f"no clip in split '{config.split}'", file=run / "clips.csv", got=0, expected=">= 1")
    met: dict[str, int] = {}
    turns = []
    for row in rows:
        turns.append(met.get(table[row]["label"], 0))
        met[table[row]["label"]] = turns[-1] + 1
    return rows[np.argsort(turns, kind="stable")][: config.clips or None].astype(np.int64)


def _parts(
    run: Run, bench: Bench, plan: Sequence[tuple[Subject, Metric, list[str]]], inputs: dict[str, str], force: bool
) -> Iterator[Part]:
    """The parts of the plan, read where they are there and made where they are not."""
    maps: dict[tuple[str, int], np.ndarray] = {}
    for subject, metric, layers in plan:
        names = (*_SAMPLE, *metric.settings, *(("random_maps",) if subject.draws > 1 else ()))
        settings = {name: getattr(bench.config, name) for name in names}
        key = stage_key({"method": subject.name, "metric": metric.name, **settings}, inputs)
        folder = f"{FOLDER}/parts/{subject.name}/{metric.name}"
        found = {layer: None if force else _read(run, f"{folder}/{layer}.json", key) for layer in layers}
        if any(part is None for part in found.values()):
            maps = {known: values for known, values in maps.items() if known[0] == subject.name}
            found = dict(found) | _made(run, bench, subject, metric, layers, maps, folder, key)
        yield from (part for part in found.values() if part is not None)


def _made(
    run: Run,
    bench: Bench,
    subject: Subject,
    metric: Metric,
    layers: list[str],
    maps: dict[tuple[str, int], np.ndarray],
    folder: str,
    key: str,
) -> dict[str, Part | None]:
    """All layers of a subject and a metric, worked out and written."""
    count = bench.config.remade if metric.remade else None
    began = time.perf_counter()
    drawn = []
    for draw in range(subject.draws):
        if (subject.name, draw) not in maps:
            maps[subject.name, draw] = bench.explain(subject, replace(bench.whole(), key=(draw, 0)))
        drawn.append(metric.function(bench, subject, maps[subject.name, draw][:, :count], draw))
    scores = {name: np.mean([one[name] for one in drawn], axis=0) for name in drawn[0]}
    seconds = (time.perf_counter() - began) / len(layers)
    made: dict[str, Part | None] = {}
    for k, layer in enumerate(layers):
        mine = {name: values[k] for name, values in scores.items()}
        part = Part(
            subject.name,
            metric.name,
            layer,
            {name: values for name, values in mine.items() if values.ndim == 1},
            {name: values for name, values in mine.items() if values.ndim == 2},
            seconds,
        )
        run.write_json(f"{folder}/{layer}.json", {"key": key, **asdict(part)})
        made[layer] = part
    return made


def _read(run: Run, name: str, key: str) -> Part | None:
    """A part that was made from these very settings and clips."""
    if not (run / name).is_file():
        return None
    try:
        about = run.read_json(name)
        if about.pop("key") != key:
            return None
        for field in ("values", "curves"):
            about[field] = {m: np.array(values, dtype=np.float64) for m, values in about[field].items()}
        return Part(**about)
    except (RunError, KeyError, TypeError, ValueError, AttributeError):  # broken: made again
        return None


def _metrics(config: ScoreConfig, bench: Bench) -> list[Metric]:
    """The metrics asked for that these clips allow."""
    planted = any(clip.evidence is not None for clip in bench.clips)
    wanted = [METRICS[name] for name in METRICS if name in (config.metrics or METRICS)]
    metrics = [metric for metric in wanted if planted or not metric.evidence]
    if not metrics or (config.metrics and len(metrics) < len(wanted)):
        raise LensError("no clip of the sample carries evidence", got="localisation", fix="use synthetic clips")
    return metrics


def _layers(subject: Subject, metric: Metric, bench: Bench) -> list[str]:
    """The layers that a metric has numbers for."""
    if subject.control and metric.each_layer:
        return [INPUT, *(name for name in bench.model.layers if name != INPUT)]
    return list(subject.layers)


def _about(metric: Metric) -> dict[str, Any]:
    return {name: value for name, value in asdict(metric).items() if name != "function"}


def _seconds(parts: Sequence[Part], bench: Bench) -> list[dict[str, Any]]:
    """How long each method took for each metric, when its parts were made."""
    total: dict[tuple[str, str], float] = {}
    for part in parts:
        total[part.method, part.metric] = total.get((part.method, part.metric), 0.0) + part.seconds
    return [{"method": method, "metric": metric, "seconds": value} for (method, metric), value in total.items()]


def _known(what: str, asked: Sequence[str], table: Any) -> None:
    if unknown := [name for name in asked if name not in table]:
        got = ", ".join(map(repr, unknown))
        raise LensError(f"unknown {what}", got=got, expected=f"of {', '.join(table)}")
