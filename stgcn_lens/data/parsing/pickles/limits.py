"""What a pickle may not make of its values, though each of them is plain: dicts that take years, endless depth."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

DEPTH = 200  # containers within containers; pickle itself gives up at some 500
SHORT = 64  # parts of a tuple, and bytes of a numpy scalar, that is a key
_SCALARS = {type(None), bool, int, float, str, bytes}
_HASHED = 2**61 - 1  # integers that differ by it have one hash; a dict full of them takes quadratic time
_CONTAINERS = {list, tuple, dict, OrderedDict}


def hashable(keys: Sequence[Any]) -> None:
    """`ValueError` unless all are numbers, text, bytes or None, or short flat tuples of them.

    Others are refused before they are hashed: tuples do not remember their hash, and 60 of them, each made of the one
    before twice, would take 2^60 steps.
    """
    for key in keys:
        kind = type(key)
        if kind is str or (kind is int and -_HASHED < key < _HASHED):
            continue
        parts = key if kind is tuple or kind is frozenset else (key,)
        for part in parts:
            plain = type(part) in _SCALARS or (isinstance(part, np.generic) and part.nbytes <= SHORT)
            if not plain or len(parts) > SHORT or (type(part) is int and not -_HASHED < part < _HASHED):
                raise ValueError(f"{type(key).__name__} as key of a dict or member of a set: not short, or not plain")


def check_depth(root: Any) -> None:
    """`ValueError` where containers lie too deep within each other, or within themselves."""
    heights: dict[int, int] = {}  # of containers already walked through; shared ones are walked through once
    way: list[tuple[Any, Iterator[Any]]] = []
    tops: list[int] = [0]
    value = root
    while True:
        if type(value) in _CONTAINERS:
            if id(value) in heights:
                tops[-1] = max(tops[-1], heights[id(value)] + 1)
                if heights[id(value)] < 0:
                    raise ValueError("a container that contains itself")
            else:
                heights[id(value)] = -1
                inner = value.values() if isinstance(value, dict) else value
                way.append((value, iter([part for part in inner if type(part) in _CONTAINERS])))
                tops.append(0)
        if not way:
            return
        value = next(way[-1][1], None)
        if value is None:
            done, _ = way.pop()
            heights[id(done)] = tops.pop()
            tops[-1] = max(tops[-1], heights[id(done)] + 1)
        if len(way) + tops[-1] > DEPTH:
            raise ValueError(f"more than {DEPTH} containers within each other")
