"""Colours shared by the player, the figures, the report and the app, for light and for dark pages.

Saliency uses one perceptually uniform map, inferno, everywhere. Colour never stands alone: radius or a printed
number says the same. The text colours have a contrast of at least 4.5:1 on their background.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap

# matplotlib's inferno at every fifth of its 256 entries; straight lines between them are off by at most 1 of 255.
_INFERNO = (
    "000004 02020c 050417 0a0722 10092d 160b39 1e0c45 260c51 2f0a5b 380962 400a67 490b6a 510e6c 59106e 61136e 69166e "
    "71196e 781c6d 801f6c 88226a 902568 982766 a02a63 a82e5f b0315b b73557 bf3952 c63d4d cc4248 d34743 d94d3d df5337 "
    "e45a31 e9612b ed6925 f1711f f47918 f78212 f98b0b fa9407 fb9d07 fca60c fcb014 fbba1f fac42a f8cd37 f6d746 f4e156 "
    "f2ea69 f2f27d f5f992 fcffa4"
)


def _table(anchors: str) -> np.ndarray:
    points = np.array([list(bytes.fromhex(colour)) for colour in anchors.split()], dtype=float)
    at = np.linspace(0, 255, len(points))
    channels = [np.interp(np.arange(256), at, points[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


SALIENCY: np.ndarray = _table(_INFERNO)
"""(256, 3) uint8, red green blue: the colour of saliency 0 (dark) to 1 (bright)."""

LIGHT: dict[str, str] = {
    "background": "#ffffff",
    "panel": "#f5f6f8",
    "text": "#16191d",
    "muted": "#59616b",
    "grid": "#d9dde2",
    "accent": "#0b62a8",
    "evidence": "#00795f",
}
DARK: dict[str, str] = {
    "background": "#0f1216",
    "panel": "#1a1f26",
    "text": "#eceff3",
    "muted": "#a0a9b4",
    "grid": "#333b45",
    "accent": "#62b0f0",
    "evidence": "#35d0a5",
}

SERIES: tuple[str, ...] = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colours, in the order in which curves take them; apart for the colour-blind on both pages."""


def saliency_colormap() -> "ListedColormap":
    """The saliency map for matplotlib."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(SALIENCY / 255, name="saliency")


def css() -> str:
    """The tokens as CSS variables `--sl-<name>` on the page, light by default, dark where the reader prefers dark."""
    light, dark = (";".join(f"--sl-{name}:{value}" for name, value in tokens.items()) for tokens in (LIGHT, DARK))
    return f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
