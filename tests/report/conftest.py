"""A run folder written by hand, file by file as the contract says, with numbers that the tests know."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.data import clip as clips
from stgcn_lens.data.dataset import ClipSet, Fault
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.runs import Run

EVIL = "<script>alert(1)</script>"
CLASSES = ("wave", "kick", EVIL, "sit & rest")
LAYERS = ("input", "block_1", "block_2", "block_3", "logits")
STRIDES = {"input": 1, "block_1": 1, "block_2": 2, "block_3": 2, "logits": 2}
KNN = {"input": 0.6, "block_1": 0.45, "block_2": 0.4, "block_3": 0.15, "logits": 0.125}
K = 3
CLIPS = 24  # the even ones are the test split
FAULT = Fault(file="S001<b>.skeleton", reason="cut in frame 17", dropped="clip")


def write_run(folder: Path, *, stages: tuple[str, ...] = ("train", "embed", "graph", "explain")) -> Run:
    """A finished run of the given stages; the last kind of action is never recognised, all others always."""
    run = Run.create(folder)
    clipset = ClipSet.from_clips(
        [_clip(i) for i in range(CLIPS)], CLASSES, source="made by hand", protocol="synthetic", faults=(FAULT,)
    )
    clipset.save(run / "data")
    tested = np.arange(0, CLIPS, 2)
    writers = {"train": _train, "embed": _embed, "graph": _graph, "explain": _explain}
    for stage in stages:
        writers[stage](run, tested)
    manifest = run.manifest()
    configs = {
        "train": {"split": "subject", "training": {"seed": 3, "epochs": 4, "lr": 0.1}},
        "embed": {"window": 8, "stride": None},
        "graph": {"graph": {"k": K, "normalise": True}, "resamples": 1000, "seed": 3},
        "explain": {"signed": False, "pooling": "clip"},
    }
    for stage in stages:
        manifest["stages"][stage] = {
            "key": f"key of {stage}",
            "config": configs[stage],
            "seed": 3,
            "versions": {"python": "3.11.9", "numpy": "2.4.1"},
            "inputs": {},
            "device": "cpu",
            "command": f"stgcn-lens {stage} RUN --seed 3",
            "started": "2026-01-02T03:04:05+00:00",
            "status": "done",
            "seconds": 12.5,
        }
    run.write_json("manifest.json", manifest)
    return run


def _clip(i: int) -> clips.Clip:
    rng = np.random.default_rng(i)
    frames, label = 20 + i, i // 2 % len(CLASSES)
    pose = np.stack([np.linspace(-0.4, 0.4, 25), np.linspace(0, 1.7, 25), np.full(25, 2.0)])
    xyz = np.repeat(pose[:, None], frames, axis=1) + rng.normal(0, 0.01, (3, frames, 25))
    xyz[1, :, 4 * label : 4 * label + 4] += 0.3 * np.sin(np.arange(frames) / 3)[:, None]
    return clips.Clip(
        xyz=xyz[..., None].astype(np.float32),
        valid=np.ones((frames, 1), bool),
        name=f"S001C001P{i:03d}R001A{label + 1:03d}",
        layout="ntu25",
        label=label,
        subject=i,
    )


def _rows() -> list[dict[str, object]]:
    rows = []
    for i in range(CLIPS):
        label = i // 2 % len(CLASSES)
        rows.append(
            {
                "clip": i,
                "name": f"S001C001P{i:03d}R001A{label + 1:03d}",
                "label": label,
                "class_name": CLASSES[label],
                "subject": i,
                "view": "",
                "split": "train" if i % 2 else "test",
                "frames": 20 + i,
                "bodies": 1,
                "predicted": label if label < 3 else 0,
                "confidence": round(0.5 + i / 100, 4),
            }
        )
    return rows


def _train(run: Run, tested: np.ndarray) -> None:
    rows = _rows()
    with (run / "clips.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    run.write_json(
        "model.json",
        {
            "format": 1,
            "architecture": {"model": "stgcn", "config": {"width": 8, "blocks": 3}},
            "channels": 3,
            "parameters": 12345,
            "layout": "ntu25",
            "classes": list(CLASSES),
            "preprocessing": asdict(Preprocessing(frames=32)),
            "bodies": 2,
            "about": {},
        },
    )
    (run / "model.safetensors").write_bytes(b"weights")
    scores = {"top1": 0.75, "top5": 1.0, "mean_class_accuracy": 0.75, "n": len(tested)}
    run.write_json("metrics.json", {"train": scores, "test": scores})
    counts = np.diag([3, 3, 3, 0])
    counts[3, 0] = 3
    with (run / "confusion.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["true", *CLASSES], *([name, *row] for name, row in zip(CLASSES, counts.tolist(), strict=True))]
        )
    lines = [{"epoch": e, "loss": 2.0 / e, "top1": e / 5, "lr": 0.1, "seconds": 1.5} for e in (1, 2, 3, 4)]
    run.write_text("train_log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def _embed(run: Run, tested: np.ndarray) -> None:
    run.write_array("embeddings/clips.npy", tested.astype(np.int64))
    for layer in LAYERS:
        run.write_array(f"embeddings/{layer}/windows.npy", np.zeros((len(tested), 4), np.float32))
        run.write_array(f"embeddings/{layer}/offsets.npy", np.arange(len(tested) + 1))


def _graph(run: Run, tested: np.ndarray) -> None:
    n = len(tested)
    for depth, layer in enumerate(LAYERS):
        # Position i sees i + 1 + depth, ...: with four classes in turn, only the neighbour i + 4 shares its label.
        indices = (np.arange(n)[:, None] + 1 + depth + np.arange(K)) % n
        distances = np.tile(np.float32([0.25, 0.5, 1.0]), (n, 1)) + depth
        weights = np.tile(np.float32([0.75, 0.0, 0.25]), (n, 1))
        run.write_arrays(
            f"graphs/{layer}.npz",
            indices=indices.astype(np.int32),
            distances=distances.astype(np.float32),
            nnk_weights=weights,
        )
    run.write_json("layers.json", [_layer(layer, n) for layer in LAYERS])


def _layer(layer: str, n: int) -> dict[str, object]:
    def error(factor: float) -> dict[str, float]:
        value = KNN[layer] * factor
        return {"value": value, "ci_low": value - 0.03, "ci_high": value + 0.04, "chance": 0.76}

    return {
        "layer": layer,
        "channels": 8,
        "stride": STRIDES[layer],
        "n": n,
        "k": K,
        "knn_label_error": error(1.0),
        "nnk_label_error": error(0.5),
        "laplacian_label_error": error(0.7),
        "knn_floor": 0.0,
        "laplacian_raw": 3.21,
        "knn_accuracy": {"value": 1 - KNN[layer], "ci_low": 0.1, "ci_high": 0.95, "chance": 0.24},
        "mean_nnk_neighbours": 2.5 - KNN[layer],
        "indefinite_share": 0.0625,
        "overlap_input": {"value": 0.4 + KNN[layer], "ci_low": 0.35 + KNN[layer], "ci_high": 0.42 + KNN[layer]},
        "overlap_previous": None if layer == "input" else {"value": 0.375, "ci_low": 0.3125, "ci_high": 0.4375},
        "sigma": 0.4375,
        "seconds": 0.6875,
    }


def _explain(run: Run, tested: np.ndarray) -> None:
    blocks = [layer for layer in LAYERS if layer.startswith("block")]
    layers = [{"layer": layer, "stride": STRIDES[layer], "no_evidence": 0.0} for layer in blocks]
    about = {"method": "gradcam", "target": "predicted", "signed": False, "pooling": "clip", "normalisation": "none"}
    run.write_json("saliency/saliency.json", {**about, "layers": layers})
    for depth, layer in enumerate(blocks):
        rows = [-(-32 // STRIDES[layer])] * len(tested)
        offsets = np.concatenate([[0], np.cumsum(rows)])
        maps = np.zeros((offsets[-1], 25, 2), np.float32)
        table = np.full((len(CLASSES), 25), 0.125, np.float32)
        for position in range(len(tested)):
            label = int(tested[position]) // 2 % len(CLASSES)
            joints = slice(4 * label + depth, 4 * label + depth + 2)  # another pair of joints at every depth
            maps[offsets[position] : offsets[position + 1], joints, 0] = 0.5 + position
            table[label, 4 * label + depth] = 0.875
        table[3] = np.nan  # a class that was never predicted
        run.write_array(f"saliency/{layer}/maps.npy", maps)
        run.write_array(f"saliency/{layer}/offsets.npy", offsets.astype(np.int64))
        run.write_array(f"saliency/{layer}/class_by_joint.npy", table)
    found = [_localisation(layer, i, len(tested)) for i, layer in enumerate(blocks)]
    run.write_json("saliency/localisation.json", found)


def _localisation(layer: str, i: int, n: int) -> dict[str, object]:
    interval = lambda value: {"value": value, "ci_low": value - 0.05, "ci_high": value + 0.05}  # noqa: E731
    return {
        "layer": layer,
        "average_precision": interval(0.3 + 0.1 * i),
        "random": interval(0.11),
        "motion": interval(0.36),
        "difference_to_random": interval(0.19 + 0.1 * i),
        "difference_to_motion": interval(-0.06 + 0.1 * i),
        "n": n,
    }


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole run with its report; to be read, not changed."""
    from stgcn_lens import report

    run = write_run(tmp_path_factory.mktemp("report") / "run")
    report.build(run, report.ReportConfig())
    return run
