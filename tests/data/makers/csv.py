from tests.data import people

SUFFIX = None  # a file holds many clips
COLUMNS = "clip,frame,joint,x,y,z,class"


def table(clip, action):
    """The lines of one clip of one body."""
    return "".join(
        f"{clip.name},{t},{name},{','.join(f'{value:.9g}' for value in clip.xyz[:, t, v, 0])},{action}\n"
        for t in range(clip.frames)
        for v, name in enumerate(clip.skeleton.joints)
    )


def make(folder):
    """One file of three clips."""
    folder.mkdir()
    names = ("jump", "wave 1", "wave 2")
    clips = [people.clip(4 + i, layout="kinect20", seed=i, name=name) for i, name in enumerate(names)]
    text = "".join(table(clip, clip.name.split()[0]) for clip in clips)
    (folder / "actions.csv").write_text(f"# layout: kinect20\n# fps: 25\n# units: metres\n{COLUMNS}\n{text}")
