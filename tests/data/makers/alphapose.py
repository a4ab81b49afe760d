import json

import numpy as np

from tests.data import people

SUFFIX = ".json"


def entry(picture, body, **more):
    """Someone in a picture as AlphaPose writes it; `body` is (V, 3) of x, y and score."""
    keypoints = np.asarray(body, float).ravel().tolist()
    return {"image_id": picture, "category_id": 1, "keypoints": keypoints, "score": 2.9, **more}


def make(folder):
    """Two clips, the second of two people who were followed."""
    folder.mkdir()
    for i in range(2):
        clip = people.clip(5, 1 + i, layout="coco17", seed=i)
        bodies = [(t, m, clip.xyz[:, t, :, m].T * [100, -100, 1]) for t in range(5) for m in range(1 + i)]
        listed = [entry(f"{t}.jpg", body, **({"idx": m + 7} if i else {})) for t, m, body in bodies]
        (folder / f"video{i}.json").write_text(json.dumps(listed))
