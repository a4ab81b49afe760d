"""What the demo model says of the clips it opens on, kept beside its weights: the first page waits for no network.

Importing torch takes longer than all else that the app does before a skeleton moves. Whatever is asked beyond what is
kept here is computed, by the same functions that made the file; a test holds the two together. Made anew after the
weights have changed: `python -m app.opening`.
"""

import json
import threading
import zipfile
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

CHECKPOINT = Path(__file__).resolve().parents[1] / "checkpoints" / "demo"
FILE = "opening.npz"
drawn = threading.Event()  # a page has been drawn: what was put off until then can be got ready
loading = threading.Event()  # torch and the network of the run are on their way: a page need not wait for them


@dataclass(frozen=True, eq=False)
class Opening:
    """The demo model's answers.

    `layers` in depth order, input and logits included; `probabilities` (clips, classes); `preprocessing` as model.json
    holds it. `maps`: layer -> (F, V, M) Grad-CAM of the predicted class of clip `number`, on its own frames.
    """

    layers: tuple[str, ...]
    classes: tuple[str, ...]
    preprocessing: dict[str, Any]
    probabilities: np.ndarray
    number: int
    maps: dict[str, np.ndarray]


@cache
def read(folder: Path = CHECKPOINT) -> Opening | None:
    """What is kept beside a checkpoint; None if nothing is, or it was made with other weights than model.json's."""
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with (folder / FILE).open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            if str(arrays["weights_sha256"]) != about["weights_sha256"]:
                return None
            layers = tuple(str(name) for name in arrays["layers"])
            return Opening(
                layers=layers,
                classes=tuple(about["classes"]),
                preprocessing=about["preprocessing"],
                probabilities=arrays["probabilities"],
                number=int(arrays["number"]),
                maps={name: arrays[f"map_{name}"] for name in layers if f"map_{name}" in arrays},
            )
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def make() -> bytes:
    """The file anew, from the network itself."""
    from app import compute, sources

    source = sources.demo(sources.stamp(None), kept=None)
    held = compute.model(str(CHECKPOINT), source.stamp).loaded
    probabilities = compute.predict_all(str(CHECKPOINT), source.stamp, [source.clip(row) for row in source.rows])
    best = max(source.rows, key=lambda row: (row.right, row.confidence or 0.0))
    seen = compute.live(source, best)
    stream = BytesIO()
    np.savez_compressed(
        stream,
        weights_sha256=np.array(held.hash),
        layers=np.array([*held.model.layers, "logits"]),
        probabilities=probabilities,
        number=np.array(best.number),
        **{f"map_{layer}": map for layer, map in seen.maps.items()},  # type: ignore[arg-type]
    )
    return stream.getvalue()


if __name__ == "__main__":
    (CHECKPOINT / FILE).write_bytes(make())
