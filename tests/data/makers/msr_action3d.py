from stgcn_lens.data.readers import msr_action3d
from tests.data import people
from tests.data.makers.kinect import table

SUFFIX = ".txt"


def write(clip, folder, name):
    """One clip as a text file."""
    rows = table(clip, msr_action3d.JOINTS).reshape(-1, 3)
    text = "".join(f"{x:.9g} {y:.9g} {z:.9g} {i % 2}.000000\n" for i, (x, y, z) in enumerate(rows))
    (folder / f"{name}.txt").write_text(text)


def make(folder):
    """Two clips of classes 1 and 3."""
    folder.mkdir()
    for i, name in enumerate(("a01_s01_e01_skeleton3D", "a03_s02_e02_skeleton3D")):
        write(people.clip(5, layout="kinect20", seed=i), folder, name)
