from stgcn_lens.data import ClipSet
from tests.data import people

SUFFIX = None


def make(folder):
    """A set of one clip with two bodies."""
    ClipSet.from_clips([people.clip(4, 2)], list("abcd")).save(folder)
