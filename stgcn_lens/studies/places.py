"""Where a window lies in its clip: frames and seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.rows import rows
from stgcn_lens.data.transforms import Preprocessing, clean, fit

_BODIES = 1  # where frames lie does not depend on how many bodies are looked at


@dataclass(frozen=True)
class Places:
    """From windows to the frames of the clips that they were made from.

    Attributes
    ----------
    clips, prep : the clips, and what is done to them before the network.
    embedded : `EmbedConfig` of the run as the manifest holds it.
    """

    clips: ClipSet
    prep: Preprocessing
    embedded: Mapping[str, Any]

    def windows(self, number: int, stride: int | None, count: int) -> list[dict[str, float]]:
        """First and last frame and the seconds of each of a clip's windows at a layer.

        Frames are those of the cleaned clip (empty ends cut off), from 0, and may lie between two; `to_s` is where the
        last frame ends. They are the frames that the window's rows stand for: what the network sees of the clip for
        them reaches farther on both sides.

        Parameters
        ----------
        number : of the clip in the set. `count` : its windows.
        stride : total temporal stride of the layer; None: the one window is the whole clip.
        """
        clip = clean(self.clips[number], self.prep)
        sample = fit(clip, self.prep, _BODIES)
        first_last = [(0, sample.frames - 1)] * count
        if stride is not None:
            span = max(1, round(self.embedded["window"] / stride))
            step = max(1, round((self.embedded["stride"] or self.embedded["window"]) / stride))
            valid = rows(sample.frames, stride)
            first_last = [
                (i * step * stride, min(min(i * step + span, valid) * stride, sample.frames) - 1) for i in range(count)
            ]
        found = []
        for first, last in first_last:
            begin, end = float(sample.source[first]), float(sample.source[last])
            found.append(
                {
                    "first_frame": round(begin, 2),
                    "last_frame": round(end, 2),
                    "from_s": round(begin / clip.fps, 3),
                    "to_s": round((end + 1) / clip.fps, 3),
                }
            )
        return found
