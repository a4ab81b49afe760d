"""C3D files written value by value, as c3d.org describes them: for any processor, with or without fractions."""

import struct

import numpy as np

SUFFIX = None  # classes are folders, so that files by themselves have none
INTEL, DEC, SGI = 84, 85, 86
_NAMES = """LFHD RFHD LBHD RBHD C7 T10 CLAV STRN LSHO LELB LWRA LWRB LFIN RSHO RELB RWRA RWRB RFIN
LASI RASI LPSI RPSI LKNE LANK LTOE RKNE RANK RTOE"""
MARKERS = tuple(_NAMES.split())


def word(value, processor):
    """A whole number of 16 bits."""
    return struct.pack(">H" if processor == SGI else "<H", value & 0xFFFF)


def real(value, processor):
    """A number of 32 bits with a fraction; DEC's is built from its sign, its exponent and its mantissa."""
    if processor != DEC:
        return struct.pack(">f" if processor == SGI else "<f", value)
    if value == 0:
        return bytes(4)
    mantissa, exponent = np.frexp(abs(value))  # mantissa in [0.5, 1)
    fraction = round((float(mantissa) - 0.5) * 2**24)
    bits = (value < 0) << 31 | (int(exponent) + 128) << 23 | fraction
    return word(bits >> 16, processor) + word(bits, processor)


def text(values, width):
    """The dimensions and bytes of a table of names."""
    return (width, len(values)), "".join(value.ljust(width) for value in values).encode()


def parameter(group, name, kind, dims, data, processor):
    """One parameter with an empty description."""
    body = bytes([kind & 0xFF, len(dims), *dims]) + data + b"\0"
    return bytes([len(name), group]) + name.encode() + word(len(body) + 2, processor) + body


def c3d(points, labels=MARKERS, *, processor=INTEL, scale=-1.0, rate=100.0, seen=None, analog=0, **more):
    """The bytes of a file.

    `points` (T, K, 3); `seen` (T, K) bool; `scale` below 0 stores numbers with fractions, above 0 whole multiples of
    it; `analog` values follow the points of a frame. `more` replaces or adds: frames, units (None for none), up, first,
    extra (parameters of the point group).
    """
    frames, count = points.shape[:2]
    first, total = more.get("first", 1), more.get("frames", frames)
    group = bytes([5, (-1) & 0xFF]) + b"POINT" + word(3, processor) + b"\0"
    one = lambda name, kind, data: parameter(1, name, kind, (), data, processor)  # noqa: E731
    section = group + one("USED", 2, word(count, processor)) + one("SCALE", 4, real(scale, processor))
    section += one("RATE", 4, real(rate, processor)) + parameter(1, "LABELS", -1, *text(labels, 16), processor)
    if more.get("units", "mm"):
        section += parameter(1, "UNITS", -1, *text([more.get("units", "mm")], 4), processor)
    if "up" in more:
        section += parameter(1, "Y_SCREEN", -1, (2,), more["up"].encode(), processor)
    section += b"".join(parameter(1, *value, processor) for value in more.get("extra", ()))
    section = section + b"\0\0"
    blocks = -(-(len(section) + 4) // 512)
    section = (bytes([1, 0x50, blocks, processor]) + section).ljust(512 * blocks, b"\0")
    header = bytes([2, 0x50]) + b"".join(
        word(value, processor) for value in (count, analog, first, first + total - 1, 0)
    )
    header += real(scale, processor) + word(2 + blocks, processor) + word(1, processor) + real(rate, processor)
    put = real if scale < 0 else word
    seen = np.ones((frames, count), bool) if seen is None else seen
    data = bytearray()
    for t in range(frames):
        for k in range(count):
            values = points[t, k] if scale < 0 else np.round(points[t, k] / scale).astype(int)
            data += b"".join(put(value.item(), processor) for value in values)
            data += put(0 if seen[t, k] else -1, processor)
        data += put(7, processor) * analog
    return header.ljust(512, b"\0") + section + bytes(data)


def markers(frames, seed=0):
    """(T, K, 3) millimetres with z up: markers about someone who stands, each with a noise of its own."""
    rng = np.random.default_rng(seed)
    height = {"H": 1700, "C": 1450, "T": 1250, "S": 1400, "E": 1100, "W": 900, "F": 850, "A": 950, "P": 950, "K": 500}
    side = np.array([{"L": -200, "R": 200}.get(name[0], 0) for name in MARKERS])
    tall = np.array(
        [
            1700 if "HD" in name else 60 if name[1:] in ("ANK", "TOE") else height[name.lstrip("LR")[0]]
            for name in MARKERS
        ]
    )
    place = np.stack([side, 100 + 0 * side, tall], axis=1).astype(float)
    return (place + np.cumsum(rng.normal(scale=5, size=(frames, len(MARKERS), 3)), axis=0)).astype(np.float32)


def make(folder):
    """Two clips of each of two classes, one folder a class."""
    for i, name in enumerate(("kick/a", "kick/b", "sit/a2", "sit/b2")):
        file = folder / f"{name}.c3d"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(c3d(markers(4 + i, seed=i)))
