"""Transfer: a trained network tuned on other classes from every layer upward, beside what smoothness predicts.

For every cut the layers up to it stay as they are (weights and the statistics of their norms) and what lies above is
trained with a new head on the target's training clips: a few of each class, or all. Beside the accuracies stand the
target's label errors at every layer of the source network, and the cut that these predict (`prediction`). The rule of
the verdict on the paper's third finding is in `findings`. Into ``studies/`` of the run go ``transfer.json``,
``transfer.csv`` and two figures.

Frozen layers are run once a cut (`frozen`); training clips are changed at random beforehand, not in every pass, and
all cuts see the same versions of them.

Source: Das, Shekkizhar, Ortega, arXiv 2312.07777, whose third finding this tests; the protocol is ours.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stgcn_lens import __version__
from stgcn_lens.activations import select
from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.splits import is_file
from stgcn_lens.errors import CheckpointError, LensError
from stgcn_lens.files import file_hash, fingerprint
from stgcn_lens.models.checkpoints import Loaded, load
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.parts import clear, open_parts
from stgcn_lens.runs import Run, plain, stage_key, versions
from stgcn_lens.studies.transfer.config import FULL, TransferConfig
from stgcn_lens.studies.transfer.findings import accuracies, bests, finding_3
from stgcn_lens.studies.transfer.prediction import conclusion
from stgcn_lens.studies.transfer.show import figures
from stgcn_lens.studies.transfer.tables import as_csv, error_rows
from stgcn_lens.studies.transfer.target import short, sides, target_clips
from stgcn_lens.studies.transfer.work import Work
from stgcn_lens.training.prepared import Prepared
from stgcn_lens.viz.figures import svg

__all__ = ["FULL", "TransferConfig", "transfer"]
STAGE, NAME = "study-transfer", "studies/transfer"
SEED = 0  # of the bootstrap


def transfer(
    run: Run,
    config: TransferConfig,
    clips: ClipSet,
    *,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Tune the run's network on other clips from every cut upward; returns what ``studies/transfer.json`` holds.

    Killed and started again, it goes on after the last tuning that was finished.

    Parameters
    ----------
    clips : the target set, on the layout of the network; the run's own set, for classes that it was trained without.
    progress : called with (units of work done, in all); a unit is about a step of tuning one block.

    Raises
    ------
    LensError : a cut that is no layer of the network.
    DataError : the clips do not fit the network, its classes overlap the target's, or a class has too few clips.
    CheckpointError : the run's network has no trunk of blocks that can be cut.
    """
    inputs = {"train": run.key("train"), "weights": str(run.manifest()["stages"]["train"].get("weights"))}
    loaded = load(run.path, device=device)
    cuts = _cuts(loaded, config)
    chosen = target_clips(run, loaded, clips, config)
    inputs["target"] = chosen.fingerprint()
    if is_file(config.split):
        inputs["split file"] = file_hash(Path(config.split))
    key = stage_key(config, inputs)
    if run.fresh(STAGE, key, f"{NAME}.json", f"{NAME}.csv", f"{NAME}.svg") and not force:
        clear(run.path, STAGE)
        return run.read_json(f"{NAME}.json")
    made = fingerprint(key, device.partition(":")[0], __version__).hexdigest()
    parts = open_parts(run.path, STAGE, made)
    try:
        prepared = Prepared.make(parts.folder / "prepared", chosen, loaded.preprocessing, loaded.bodies, made)
        divided = sides(chosen, prepared.usable, config)
    except LensError:
        clear(run.path, STAGE)
        raise
    work = Work(loaded, chosen, prepared, divided, cuts, config, parts, device, progress)
    with run.stage(STAGE, config=config, inputs=inputs, device=device) as record:
        found = {
            "config": config,
            "inputs": inputs,
            "versions": versions(),
            "seeds": config.seeds,
            "layers": list(loaded.model.layers),
            "cuts": cuts,
            "source": _source(loaded),
            "target": _target(work, clips),
            **_numbers(work),
        }
        found = plain(found)
        run.write_text(f"{NAME}.csv", as_csv(found))
        for name, (figure, said) in figures(found).items():
            run.write_text(f"studies/{name}.svg", svg(figure, name, said))
        run.write_json(f"{NAME}.json", found)
        record["findings"] = {name: about["verdict"] for name, about in found["findings"].items()}
    clear(run.path, STAGE)
    return found


def _numbers(work: Work) -> dict[str, Any]:
    """All that is worked out: label errors, tunings, and what follows from them."""
    began, config, cuts = time.perf_counter(), work.config, work.cuts
    how = {"seed": SEED, "resamples": config.resamples}
    layers, labels = list(work.loaded.model.layers), work.sides.labels
    errors = work.label_errors()
    after = time.perf_counter()
    rows, hits = [], {}
    for cell, tuned in work.tunings():
        right = tuned.predicted == labels[work.sides.test]
        hits[cell.cut, cell.shots, cell.seed] = right
        about = {"cut": cell.cut, "shots": cell.shots, "seed": cell.seed, "clips": work.clips_of(cell)}
        numbers = {name: getattr(tuned, name) for name in ("epochs", "steps", "parameters", "loss", "seconds")}
        rows.append({**about, **numbers, "top1": right.mean()})
    accuracy = accuracies(hits, cuts, config.shots, config.seeds, **how)
    best = bests(hits, cuts, config.shots, config.seeds, **how)
    here = [layers.index(cut) for cut in cuts]
    train = {name: values[here] for name, values in errors["train"].items()}
    right = {
        (shots, seed): np.stack([hits[cut, shots, seed] for cut in cuts])
        for shots in config.shots
        for seed in config.seeds
    }
    each = {side: labels[getattr(work.sides, side)] for side in errors}
    most = work.sides.sizes("test").max() / len(work.sides.test)
    return {
        "k": work.k("train"),
        "label_errors": error_rows(errors, each, {side: work.k(side) for side in errors}, layers, **how),
        "tunings": rows,
        "accuracy": accuracy,
        "best": best,
        "prediction": conclusion(train, right, best, cuts, here, **how),
        "findings": {"finding_3": finding_3(accuracy, layers, most)},
        "seconds": {
            "label_errors": after - began,
            "tuning": sum(row["seconds"] for row in rows),
            "total": time.perf_counter() - began,
        },
    }


def _cuts(loaded: Loaded, config: TransferConfig) -> tuple[str, ...]:
    """The cuts in order of depth; an error before anything is written where there is no such layer."""
    if not isinstance(loaded.model, Trunk):
        raise CheckpointError("a network that cannot be cut between its layers", got=type(loaded.model).__name__)
    return tuple(select(loaded.model, config.cuts or None))


def _source(loaded: Loaded) -> dict[str, Any]:
    return {
        "architecture": loaded.about["architecture"]["model"],
        "classes": loaded.classes,
        "layout": loaded.layout.name,
        "weights": loaded.hash,
    }


def _target(work: Work, whole: ClipSet) -> dict[str, Any]:
    """Which clips the target is."""
    clips, found = work.clips, work.sides
    named = {side: dict(zip(found.classes, found.sizes(side).tolist(), strict=True)) for side in ("train", "test")}
    mapped: Mapping[str, Any] = {"notes": [f.reason for f in whole.faults if f.reason.startswith("layout ")]}
    return {
        "source": whole.source,
        "layout": clips.layout,
        "classes": clips.classes,
        "n_train": len(found.train),
        "n_test": len(found.test),
        "train_per_class": named["train"],
        "test_per_class": named["test"],
        "short": short(found, work.config.shots),
        "same_names": [name for name in clips.classes if name in work.loaded.classes],
        "dropped": work.prepared.dropped,
        **mapped,
    }
