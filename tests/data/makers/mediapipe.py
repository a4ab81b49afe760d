import json

from tests.data import people

SUFFIX = ".json"


def landmarks(body):
    """(V, 3) as MediaPipe gives it."""
    return [{"x": float(x), "y": float(y), "z": float(z), "visibility": 0.99} for x, y, z in body]


def make(folder):
    """Two clips: a plain list of frames, and frames under the names of results."""
    folder.mkdir()
    for i in range(2):
        bodies = people.clip(5, layout="mediapipe33", seed=i).xyz[..., 0].transpose(1, 2, 0) * [1, -1, 1]
        frames = [landmarks(body) for body in bodies]
        content = {"fps": 30, "frames": [{"poseLandmarks": frame} for frame in frames]} if i else frames
        (folder / f"clip{i}.json").write_text(json.dumps(content))
