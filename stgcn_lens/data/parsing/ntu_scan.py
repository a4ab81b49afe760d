"""NTU files by the thousand: the bodies of a sound file, by one pass over its bytes in compiled code.

Only x, y, z of a joint's twelve values become numbers. A whole number below 2^53 times or divided by a power of ten up
to 10^22 is rounded once, as by `float` (Clinger, *How to read floating point numbers accurately*, PLDI 1990). A file
with any other number, or with a fault, is left to `ntu_text`, which says what the fault is.
"""

from pathlib import Path

import numpy as np
from numba import njit

from stgcn_lens.data.parsing.ntu_text import BODY, JOINT, MAX_SLOTS, Bodies, V, room

_DIGITS = 12  # of a count, see ntu_text
_POWERS = 10.0 ** np.arange(23)


def bodies(file: Path) -> Bodies | None:
    """What `ntu_text.bodies` finds in the file, or None where that must read it."""
    text = file.read_bytes()
    places = np.empty(room(len(text)), np.int32)
    ids, xyz = np.empty((len(places), 2), np.int64), np.empty((len(places), V, 3), np.float32)
    frames, found, left = _scan(np.frombuffer(text, np.uint8), places, ids, xyz)
    if frames < 1:
        return None
    return Bodies(frames, places[:found], [text[begin:end] for begin, end in ids[:found].tolist()], xyz[:found], left)


@njit(nogil=True, cache=True)
def _scan(text, places, ids, xyz):  # type: ignore[no-untyped-def]
    """Fill the arrays: (frames, bodies, values left); no frames where something is unusual."""
    begin, at = _value(text, 0)
    frames, found = _count(text, begin, at), 0
    for t in range(frames):
        begin, at = _value(text, at)
        here = _count(text, begin, at)
        if here < 0 or here > MAX_SLOTS:
            return 0, 0, 0
        for _ in range(here):
            first, last = _value(text, at)
            at = last
            for _ in range(BODY):
                begin, at = _value(text, at)
            if _count(text, begin, at) != V:
                return 0, 0, 0
            for v in range(V):
                for c in range(3):
                    begin, at = _value(text, at)
                    xyz[found, v, c], known = _number(text, begin, at)
                    if not known:
                        return 0, 0, 0
                for _ in range(3, JOINT):
                    begin, at = _value(text, at)
            if begin == at:
                return 0, 0, 0
            places[found], ids[found, 0], ids[found, 1] = t, first, last
            found += 1
    left = -1
    while begin < at:
        left += 1
        begin, at = _value(text, at)
    return frames, found, left


@njit(nogil=True, cache=True)
def _value(text, at):  # type: ignore[no-untyped-def]
    """Where the next value begins and ends; equal at the end of the text."""
    while at < len(text) and _space(text[at]):
        at += 1
    begin = at
    while at < len(text) and not _space(text[at]):
        at += 1
    return begin, at


@njit(nogil=True, cache=True)
def _space(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or 9 <= byte <= 13


@njit(nogil=True, cache=True)
def _count(text, begin, end):  # type: ignore[no-untyped-def]
    """A whole number of up to `_DIGITS` digits, else -1."""
    if begin == end or end - begin > _DIGITS:
        return -1
    number = 0
    for i in range(begin, end):
        if not 48 <= text[i] <= 57:
            return -1
        number = 10 * number + text[i] - 48
    return number


@njit(nogil=True, cache=True)
def _number(text, begin, end):  # type: ignore[no-untyped-def]
    """(value, True), equal to `float(text)`, or (0, False) where that takes more than one rounding."""
    i = begin
    negative = i < end and text[i] == 45
    if negative:
        i += 1
    whole, power, point, any_digit = 0, 0, False, False
    while i < end:
        if 48 <= text[i] <= 57:
            any_digit = True
            whole = 10 * whole + text[i] - 48
            if whole > 2**53:
                return 0.0, False
            power -= point
        elif text[i] == 46 and not point:
            point = True
        else:
            break
        i += 1
    if i < end:  # an exponent of one to three digits
        if text[i] != 101 and text[i] != 69:
            return 0.0, False
        i += 1
        down = i < end and text[i] == 45
        if down or (i < end and text[i] == 43):
            i += 1
        exponent = _count(text, i, end)
        if exponent < 0 or end - i > 3:
            return 0.0, False
        power += -exponent if down else exponent
    if not any_digit or abs(power) > 22:
        return 0.0, False
    value = whole / _POWERS[-power] if power < 0 else whole * _POWERS[power]
    return (-value if negative else value), True
