import json

import numpy as np

from tests.data import people

SUFFIX = None  # a clip is many files


def frame(*bodies, ids=None):
    """A frame as OpenPose writes it; `bodies` are (V, 3) of x, y and score."""
    ids = ids or [-1] * len(bodies)
    found = [
        {
            "person_id": [who],
            "pose_keypoints_2d": np.asarray(body, float).ravel().tolist(),
            "face_keypoints_2d": [],
            "pose_keypoints_3d": [],
        }
        for who, body in zip(ids, bodies, strict=True)
    ]
    return {"version": 1.3, "people": found}


def write(folder, name, frames):
    """Write frames, number -> content, as the files of a clip."""
    folder.mkdir(exist_ok=True)
    for number, content in frames.items():
        (folder / f"{name}_{number:012d}_keypoints.json").write_text(json.dumps(content))


def make(folder):
    """Two clips of 4 and 5 frames, the second of two people."""
    for i, name in enumerate(("jump", "wave")):
        clip = people.clip(4 + i, 1 + i, layout="body25", seed=i)
        xyz = clip.xyz * np.array([100, -100, 1], np.float32)[:, None, None, None]
        write(folder, name, {t: frame(*xyz[:, t].transpose(2, 1, 0)) for t in range(clip.frames)})
