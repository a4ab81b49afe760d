"""What noise in the clips does to a network: its answers, the geometry of its layers, the maps that explain it.

Into ``studies/`` of a run go ``noise.json`` (every number with interval and spread, levels of collapse, the verdict on
finding 2), ``noise.csv`` and ``noise_<kind>.svg``. Each condition (kind, level, seed) is one pass over the clips in
memory; what is finished of an interrupted study is kept in ``cache/``.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stgcn_lens.activations import select
from stgcn_lens.embeddings import labelled, open_model, read_clips
from stgcn_lens.errors import LensError, RunError
from stgcn_lens.files import fingerprint
from stgcn_lens.graphs.smoothness import knn_floor
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.parts import clear, open_parts
from stgcn_lens.runs import Run, plain, stage_key, versions
from stgcn_lens.studies.noise.config import NoiseConfig, Settings
from stgcn_lens.studies.noise.findings import compared, finding_2, sentences
from stgcn_lens.studies.noise.passes import LOGITS
from stgcn_lens.studies.noise.results import Answers, chance, differences, told
from stgcn_lens.studies.noise.show import as_csv, figures
from stgcn_lens.studies.noise.work import Ground, Subject, answers
from stgcn_lens.viz.figures import svg

__all__ = ["NoiseConfig", "study"]
STAGE, JSON, CSV = "study-noise", "studies/noise.json", "studies/noise.csv"


def study(
    run: Run,
    config: NoiseConfig,
    *,
    beside: Run | None = None,
    network: Loaded | None = None,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Study a run's network, or two of them under the same noise; returns what ``studies/noise.json`` holds.

    Killed and started again, it goes on with the first condition that is not finished.

    Parameters
    ----------
    beside : a run of another network, trained on the same clips with the same split.
    network : the run's network where it is already here, or one that no checkpoint holds; by default the run's own.
    progress : called with (conditions done, conditions in all).

    Raises
    ------
    LensError : an unknown layer, no more clips than neighbours, or no kind of noise that the clips allow.
    RunError : a run has no model, or the second one is of other clips.
    """
    settings, inputs = Settings.of(run), _inputs(run, beside, network)
    inputs["settings"] = fingerprint(json.dumps(plain(settings), sort_keys=True)).hexdigest()
    key = stage_key(config, inputs)
    if run.fresh(STAGE, key, JSON, CSV) and not force:
        clear(run.path, STAGE)
        return run.read_json(JSON)
    loaded, clips = open_model(run, device, network)
    chosen = labelled(run, settings.embed.split)
    ground = Ground(clips, chosen, clips.labels[chosen], config.rows, config, settings, device)
    subjects = [Subject(run, loaded, _layers(loaded, config))]
    if beside is not None:
        other = _fitting(run, beside, ground)
        subjects.append(Subject(beside, other, _layers(other, config)))
    affected = _affected(ground)
    ground = replace(ground, kinds=tuple(row for row in config.rows if affected[row.name][0]))
    _check(run, ground, affected)
    total, made = len(subjects) * (1 + len(ground.plan)), [0]

    def done() -> None:
        made[0] += 1
        if progress is not None:
            progress(made[0], total)

    began = time.perf_counter()
    with run.stage(STAGE, config=config, inputs=inputs, device=device) as record:
        if force:
            clear(run.path, STAGE)
        parts = open_parts(run.path, STAGE, _work(ground, inputs["settings"]))
        found = [answers(ground, each, parts.inside(each.network.hash), done) for each in subjects]
        result = _result(ground, subjects, found, affected)
        result["seconds"]["total"] = time.perf_counter() - began
        for kind, (figure, text) in figures(result).items():
            file = f"studies/noise_{kind}.svg"
            run.write_text(file, svg(figure, f"noise_{kind}", text))
            result["figures"].append({"kind": kind, "file": file, "alt": text, "text": text})
        run.write_text(CSV, as_csv(result))
        run.write_json(JSON, result)
        record["clips"] = len(chosen)
    clear(run.path, STAGE)
    return run.read_json(JSON)


def _inputs(run: Run, beside: Run | None, network: Loaded | None) -> dict[str, str]:
    """Fingerprints of all that is studied."""
    inputs = {"train": run.key("train"), "weights": str(run.manifest()["stages"]["train"].get("weights"))}
    if network is not None:
        inputs["weights"] = network.hash
    if beside is not None:
        about = beside.key("train"), str(beside.manifest()["stages"]["train"].get("weights"))
        inputs["beside"] = fingerprint(" ".join((str(beside.path), *about))).hexdigest()
    return inputs


def _result(
    ground: Ground, subjects: Sequence[Subject], found: Sequence[Answers], affected: dict[str, tuple[int, str]]
) -> dict[str, Any]:
    """All numbers, verdicts and sentences; figures and the whole time are still to come."""
    config, labels = ground.config, ground.labels
    by_chance, floor = chance(labels), knn_floor(labels, ground.settings.graph.k)
    not_run = [{"kind": kind, "why": why} for kind, (count, why) in affected.items() if not count]
    networks = []
    for subject, mine in zip(subjects, found, strict=True):
        network: dict[str, Any] = {
            "name": subject.run.path.resolve().name,
            "run": str(subject.run.path),
            "weights": subject.network.hash,
            "noise_db": _noise_db(subject.run),
            "layers": list(mine.layers),
            "last_block": mine.last,
            **told(mine, config, by_chance),
        }
        network["sentences"] = sentences(network, not_run)
        network["findings"] = {"finding_2": finding_2(network, config.applied)}
        networks.append(network)
    spent = sum(part.seconds for mine in found for part in (mine.clean, *_parts(mine)))
    result: dict[str, Any] = {
        "study": "noise",
        "format": 1,
        "run": str(subjects[0].run.path),
        "config": config,
        "settings": ground.settings,
        "n": len(labels),
        "split": ground.settings.embed.split,
        "versions": versions(),
        "chance_label_error": by_chance,
        "knn_floor": floor,
        "seconds": dict(zip(("network", "graphs", "maps"), spent, strict=True)),
        "remarks": _remarks(labels, ground.settings.graph.k, floor),
        "kinds": [
            {
                "kind": row.name,
                "what": row.what,
                "unit": row.unit,
                "levels": [level for level in config.doses(row) if level is not None],
                "clean_level": row.clean,
                "rising": row.rising,
                "affected": affected[row.name][0],
                "seeds": config.draws(row),
            }
            for row in ground.kinds
        ],
        "not_run": not_run,
        "networks": networks,
        "findings": networks[0]["findings"],
        "beside": None,
        "figures": [],
    }
    if len(found) > 1:
        rows = differences(found[0], found[1], config)
        second = networks[1]
        result["beside"] = {"run": second["run"], "noise_db": second["noise_db"], "differences": rows}
        result["beside"]["text"] = compared(networks[0], second, rows)
    return dict(plain(result))


def _parts(mine: Answers) -> list[Any]:
    return [part for draws in mine.noisy.values() for part in draws.values()]


def _layers(network: Loaded, config: NoiseConfig) -> tuple[str, ...]:
    """The layers asked for, in depth order; by default all."""
    wanted = [name for name in config.layers if name != LOGITS]
    named = [*select(network.model, wanted if config.layers else None)]
    if not named:
        raise LensError("no layer to study", got=", ".join(config.layers), expected="at least one beside the logits")
    return (*named, LOGITS) if not config.layers or LOGITS in config.layers else tuple(named)


def _affected(ground: Ground) -> dict[str, tuple[int, str]]:
    """Kind -> clips that it can change, and why it cannot change the first of the others."""
    found: dict[str, tuple[int, str]] = {}
    clips = [ground.clips[int(i)] for i in ground.chosen]
    for row in ground.kinds:
        lacks = [row.lacks(clip) for clip in clips]
        found[row.name] = (lacks.count(""), next(filter(None, lacks), ""))
    return found


def _check(run: Run, ground: Ground, affected: dict[str, tuple[int, str]]) -> None:
    """Refuse, before anything is written, clips that allow no graph or none of the noise."""
    n, k = len(ground.labels), ground.settings.graph.k
    if n <= k:
        fix = f"run stgcn-lens graph {run.path} with a --k of at most {n - 1}, or add clips"
        raise LensError(
            f"too few clips for {k} neighbours", file=run.path, got=f"{n} clips", expected=f"at least {k + 1}", fix=fix
        )
    if not ground.kinds:
        told = "; ".join(f"{kind}: {why}" for kind, (_, why) in affected.items())
        raise LensError("no clip that this noise could change", file=run.path, got=told, fix="choose other --kinds")


def _fitting(run: Run, beside: Run, ground: Ground) -> Loaded:
    """The network of the second run; refused unless it was trained on the same clips, with the same sides."""
    if beside.path.resolve() == run.path.resolve():
        raise RunError("a run beside itself", file=beside.path, fix="name another run: --beside RUN")
    loaded, clips = open_model(beside, ground.device)
    same = clips.fingerprint() == ground.clips.fingerprint() and clips.classes == loaded.classes
    sides = [[row["split"] for row in read_clips(each)] for each in (run, beside)] if same else [[], [""]]
    if sides[0] != sides[1]:
        raise RunError(
            "a run of other clips, or with another split",
            file=beside.path,
            expected=f"those of {run.path}",
            fix="train it on the same --data with the same --split",
        )
    return loaded


def _noise_db(run: Run) -> float | None:
    """The weakest ratio of signal to noise that the network was trained with; None: without noise."""
    config = run.manifest()["stages"]["train"].get("config") or {}
    return (config.get("training") or {}).get("noise_db")


def _remarks(labels: np.ndarray, k: int, floor: float) -> list[str]:
    small = int((np.bincount(labels)[np.unique(labels)] <= k).sum())
    if not small:
        return []
    return [f"{small} classes have {k} clips or fewer: the kNN label error cannot fall below {floor:.3f}"]


def _work(ground: Ground, settings: str) -> str:
    """Fingerprint of all but the network that a condition is made from.

    A finished one is worth as much for another choice of kinds, levels and seeds, and beside another network.
    """
    inputs = {"settings": settings, "clips": ground.clips.fingerprint(), "chosen": str(ground.chosen.tolist())}
    key = stage_key(ground.config.measured, inputs)
    return str(fingerprint(key, ground.device.partition(":")[0], *versions().values()).hexdigest())
