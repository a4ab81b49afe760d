"""Bodies as a detector lists them, a frame each, gathered in little memory and laid out as a clip's arrays."""

from array import array
from collections.abc import Hashable, Sequence

import numpy as np

from stgcn_lens.data.dataset import Fault
from stgcn_lens.data.parsing.joints import guess
from stgcn_lens.data.parsing.tracking import MAX_SLOTS, by_number, follow
from stgcn_lens.data.source import OnFault
from stgcn_lens.errors import DataError

MAX_FRAMES = 1_000_000
SPARSE = 20  # ours: frames of a clip for each body that is in it
SMALL = 1000  # frames that are always allowed
SMALL_CLIP = 4 * SMALL  # frames times people that are


class Detections:
    """All bodies of one clip, each with the number of its frame.

    Parameters
    ----------
    file : what errors name.
    wish : what the user says the joints are, a layout; by default it follows from their number.
    dims : 3 for x, y, z; 2 for x, y and a score, which is 0 where a joint was not detected: then x and y become 0 too.

    Attributes
    ----------
    V, layout : the number of joints, 0 before the first body, and the layout.
    """

    def __init__(self, file: str, wish: str | None, dims: int) -> None:
        self.file, self.layout, self.V = file, "", 0
        self._wish, self._dims = wish, dims
        self._frames, self._values = array("q"), array("f")

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> np.ndarray:
        """(P,) int64, the frame number of each body."""
        return np.array(self._frames, np.int64)

    @property
    def joints(self) -> np.ndarray:
        """(P, V, 3) float32."""
        return np.frombuffer(self._values, np.float32).reshape(-1, self.V, 3) if self._values else np.zeros((0, 0, 3))

    def add(self, frame: int, joints: np.ndarray) -> bool:
        """Add a body, (V, 3) float64; False for one that is not there, which is left out: all its joints are zero.

        Raises
        ------
        DataError
            for joints of no known layout, or of another number than those of the first body.
        """
        if not len(joints):
            return False
        if self.V == 0:
            self.layout = guess(len(joints), self._dims, self._wish, self.file)
            self.V = len(joints)
        if len(joints) != self.V:
            got, expected = f"{len(joints)} joints", f"{self.V} as in the first body"
            raise DataError("another number of joints", file=self.file, frame=frame, got=got, expected=expected)
        if self._dims == 2:
            joints = joints * (joints[:, 2:] != 0)
        if not joints.any():
            return False
        self._frames.append(frame)
        self._values.frombytes(joints.astype(np.float32).tobytes())
        return True

    def renumber(self, frames: np.ndarray) -> None:
        """Replace each frame number i by `frames[i]`."""
        self._frames = array("q", frames[self.frames].tobytes())

    def people(
        self, ids: Sequence[Hashable | None], on_fault: OnFault, start: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Like `arrays`, one slot a person: by their ids, (P,), or where these do not tell them apart, by place."""
        known = by_number(self.frames, ids)
        slots = follow(self.frames, self.joints) if known is None else known
        left = int((slots < 0).sum())
        if left:
            kept = f"the first {MAX_SLOTS} of every frame" if known is None else f"the {MAX_SLOTS} in most frames"
            on_fault(Fault(self.file, f"{left} of {len(slots)} bodies are left out; kept are {kept}", "frames"))
        return self.arrays(slots, start)

    def arrays(self, slots: np.ndarray, start: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Lay the bodies out: xyz (3, T, V, M) and valid (T, M), T up to the last frame with a body.

        Parameters
        ----------
        slots : (P,) int, the slot of each body; -1 leaves it out.
        start : the number of the clip's first frame; that of the first body by default.

        Raises
        ------
        DataError
            where there is no body, and for far more frames, or frames of all people, than bodies, before memory is
            taken for them.
        """
        keep = slots >= 0
        frames, slots = self.frames[keep], slots[keep]
        if not len(frames):
            raise DataError("no body in any frame", file=self.file, expected="at least one body")
        first = int(frames.min()) if start is None else start
        length = int(frames.max()) - first + 1
        if length > min(max(SMALL, SPARSE * len(frames)), MAX_FRAMES):
            raise DataError(
                "frame numbers that leave most frames without a body",
                file=self.file,
                got=f"{len(frames)} bodies in frames {first} to {first + length - 1}",
                expected=f"at most {MAX_FRAMES} frames, and {SPARSE} for each body",
                fix="mend the frame numbers, or cut the recording to the part with people",
            )
        people = int(slots.max()) + 1
        if length * people > max(SMALL_CLIP, MAX_SLOTS * len(frames)):
            raise DataError(
                "people who are hardly ever there",
                file=self.file,
                got=f"{len(frames)} bodies in {length} frames of {people} people",
                expected=f"at most {MAX_SLOTS} times as much room as bodies",
                fix="cut the recording to the parts with people",
            )
        xyz = np.zeros((3, length, self.V, people), np.float32)
        valid = np.zeros((length, xyz.shape[3]), bool)
        joints = self.joints if keep.all() else self.joints[keep]
        xyz[:, frames - first, :, slots] = joints.transpose(0, 2, 1)
        valid[frames - first, slots] = True
        return xyz, valid
