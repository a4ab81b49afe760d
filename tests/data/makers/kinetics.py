import json

import numpy as np

from tests.data import people

SUFFIX = ".json"


def entry(number, *bodies):
    """A frame as the set stores it; `bodies` are (V, 3) of x and y, fractions of the picture, and score."""
    rows = [np.asarray(body, float) for body in bodies]
    return {
        "frame_index": number,
        "skeleton": [{"pose": body[:, :2].ravel().tolist(), "score": body[:, 2].tolist()} for body in rows],
    }


def make(folder):
    """Two clips of classes 3 and 0, the second with a frame without anyone."""
    folder.mkdir()
    for i, (label, name) in enumerate(((3, "abseiling"), (0, "zumba"))):
        clip = people.clip(5, 1 + i, layout="openpose18", seed=i)
        data = [entry(t + 1, *clip.xyz[:, t].transpose(2, 1, 0) * [1, -1, 1]) for t in range(clip.frames)]
        data[2]["skeleton"] = [] if i else data[2]["skeleton"]
        about = {"data": data, "label": name, "label_index": label}
        (folder / f"clip{i}.json").write_text(json.dumps(about))
