from stgcn_lens.data.readers import ntu
from tests.data import people

SUFFIX = ".skeleton"
NAMES = [f"S001C00{c}P00{p}R001A00{a}" for c, p, a in ((1, 1, 1), (2, 2, 3), (3, 3, 2))]


def make(folder):
    """Three sound NTU files with one or two bodies; the second body leaves and returns."""
    folder.mkdir(exist_ok=True)
    clips = [people.clip(6 + i, 1 + i % 2, seed=i, name=name) for i, name in enumerate(NAMES)]
    clips[1] = people.without(clips[1], 1, [0, 3, 4])
    for clip in clips:
        ntu.write(clip, folder)
    return clips
