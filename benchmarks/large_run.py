"""A run of many clips, to open the app on."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from stgcn_lens.data.native import pack
from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set
from stgcn_lens.runs import Run

CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "demo"


def made_up(folder: Path, clips: int) -> Path:
    """A run of many clips, its weights those of the demo, its embeddings, graphs and curves made up."""
    run, rng = Run.create(folder), np.random.default_rng(0)
    few = synthetic_set(SyntheticConfig(subjects=(1,), views=(2,)))
    some = list(few)
    many = (replace(some[i % len(some)], name=f"clip {i:05d}", evidence=None) for i in range(clips))
    held = pack(many, run / "data", classes=few.classes, source="made up")
    lines = ["clip,name,label,class_name,subject,view,split,frames,bodies,predicted,confidence"]
    for i, row in enumerate(held.rows):
        name = held.classes[row.label or 0]
        lines.append(f"{i},{row.name},{row.label},{name},1,2,test,{row.frames},{row.bodies},{row.label},0.9")
    run.write_text("clips.csv", "\n".join([*lines, ""]))
    for name in ("model.json", "model.safetensors"):
        shutil.copy(CHECKPOINT / name, run / name)
    run.write_array("embeddings/clips.npy", np.arange(clips))
    rows = []
    for depth, layer in enumerate(["input", *(f"block_{i}" for i in range(1, 11)), "logits"]):
        run.write_array(f"embeddings/{layer}/offsets.npy", np.arange(clips + 1) * 5)
        run.write_array(f"embeddings/{layer}/windows.npy", rng.normal(size=(clips * 5, 64)).astype(np.float32))
        near = {name: rng.random((clips, 15), dtype=np.float32) for name in ("distances", "nnk_weights")}
        indices = rng.integers(clips, size=(clips, 15), dtype=np.int32)
        run.write_arrays(f"graphs/{layer}.npz", indices=indices, nnk_errors=near["distances"][:, 0], **near)
        value = 0.6 - 0.03 * depth
        error = {"value": value, "ci_low": value - 0.02, "ci_high": value + 0.02, "chance": 0.95}
        named = {f"{name}_label_error": error for name in ("knn", "nnk", "laplacian")}
        rows.append({"layer": layer, "channels": 64, "stride": 1, **named})
    run.write_json("layers.json", rows)
    for stage in ("train", "embed", "graph"):
        with run.stage(stage, config=None, inputs={}, device="cpu"):
            pass
    return run.path
