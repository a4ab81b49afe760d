import pickle

import numpy as np

from tests.data import people

SUFFIX = ".pkl"


def annotation(clip, score=True):
    """The dict that pyskl's own tools write for a clip: float16, and no mask."""
    flat = clip.skeleton.dims == 2
    one = {"frame_dir": clip.name, "total_frames": clip.frames, "label": clip.label}
    one["keypoint"] = np.ascontiguousarray(clip.xyz[: 2 if flat else 3].transpose(3, 1, 2, 0), np.float16)
    if flat and score:
        one["keypoint_score"] = np.ascontiguousarray(clip.xyz[2].transpose(2, 0, 1), np.float16)
        one |= {"img_shape": (1080, 1920), "original_shape": (1080, 1920)}
    return one


def save(content, file, protocol=4):
    """Any object as a pickle."""
    with file.open("wb") as stream:
        pickle.dump(content, stream, protocol)


def make(folder):
    """Two clips of classes 1 and 4, a file each; the second person of the second leaves and returns."""
    folder.mkdir()
    clips = [people.clip(6 + i, 1 + i, layout="coco17", seed=i, name=f"video_{i}", label=3 * i) for i in range(2)]
    clips[1] = people.without(clips[1], 1, [0, 3, 4])
    for clip in clips:
        save(annotation(clip), folder / f"{clip.name}.pkl")
