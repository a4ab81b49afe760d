import json

from tests.data import people

SUFFIX = ".json"


def write(folder, name, skeletons, label):
    """One clip; `skeletons` is (T, 20, 3)."""
    about = {"file_name": name, "skeletons": skeletons.tolist(), "label": label}
    (folder / f"{name}.json").write_text(json.dumps(about))


def make(folder):
    """Two clips of labels 1 and 7, the actions 1 and 8."""
    folder.mkdir()
    for i, (name, label) in enumerate((("a01_s01_e00_v01", 1), ("a08_s02_e03_v03", 7))):
        clip = people.clip(5, layout="kinect20", seed=i)
        write(folder, name, clip.xyz[..., 0].transpose(1, 2, 0).astype(float), label)
