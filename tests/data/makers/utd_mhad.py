from scipy.io import savemat

from stgcn_lens.data.readers import utd_mhad
from tests.data import people
from tests.data.makers.kinect import table

SUFFIX = ".mat"


def write(clip, folder, name):
    """One clip as a .mat file."""
    savemat(folder / f"{name}.mat", {"d_skel": table(clip, utd_mhad.JOINTS).transpose(1, 2, 0).astype(float)})


def make(folder):
    """Two clips of classes 1 and 3."""
    folder.mkdir()
    for i, name in enumerate(("a1_s1_t1_skeleton", "a3_s2_t4_skeleton")):
        write(people.clip(5, layout="kinect20", seed=i), folder, name)
