"""Small folders of every format, for the tests of the readers."""

from scipy.io import savemat

from stgcn_lens.data import ClipSet
from stgcn_lens.data.readers import msr_action3d, ntu, utd_mhad
from tests.data import people

NAMES = [f"S001C00{c}P00{p}R001A00{a}" for c, p, a in ((1, 1, 1), (2, 2, 3), (3, 3, 2))]


def kinect_table(clip, joints):
    """(T, 20, 3): a kinect20 clip with its joints in the order of a file."""
    order = [clip.skeleton.index(name) for name in joints]
    return clip.xyz[:, :, order, 0].transpose(1, 2, 0)


def write_utd(clip, folder, name):
    savemat(folder / f"{name}.mat", {"d_skel": kinect_table(clip, utd_mhad.JOINTS).transpose(1, 2, 0).astype(float)})


def write_msr(clip, folder, name):
    rows = kinect_table(clip, msr_action3d.JOINTS).reshape(-1, 3)
    text = "".join(f"{x:.9g} {y:.9g} {z:.9g} {i % 2}.000000\n" for i, (x, y, z) in enumerate(rows))
    (folder / f"{name}.txt").write_text(text)


def ntu_folder(folder):
    """Three sound NTU files with one or two bodies; the second body leaves and returns."""
    folder.mkdir(exist_ok=True)
    clips = [people.clip(6 + i, 1 + i % 2, seed=i, name=name) for i, name in enumerate(NAMES)]
    clips[1] = people.without(clips[1], 1, [0, 3, 4])
    for clip in clips:
        ntu.write(clip, folder)
    return clips


def native_folder(folder):
    ClipSet.from_clips([people.clip(4, 2)], list("abcd")).save(folder)


def utd_folder(folder):
    folder.mkdir()
    for i, name in enumerate(("a1_s1_t1_skeleton", "a3_s2_t4_skeleton")):
        write_utd(people.clip(5, layout="kinect20", seed=i), folder, name)


def msr_folder(folder):
    folder.mkdir()
    for i, name in enumerate(("a01_s01_e01_skeleton3D", "a03_s02_e02_skeleton3D")):
        write_msr(people.clip(5, layout="kinect20", seed=i), folder, name)


MAKERS = {"native": native_folder, "ntu": ntu_folder, "utd-mhad": utd_folder, "msr-action3d": msr_folder}


def edited(lines, at, text):
    return [*lines[:at], text, *lines[at + 1 :]]
