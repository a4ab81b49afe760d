"""What the two sets of Kinect SDK 1 share."""


def table(clip, joints):
    """(T, 20, 3): a kinect20 clip with its joints in the order of a file."""
    order = [clip.skeleton.index(name) for name in joints]
    return clip.xyz[:, :, order, 0].transpose(1, 2, 0)
