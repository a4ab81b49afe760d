"""Damage to what files say: values in JSON texts and pickles, arrays, members of archives, elements of MATLAB files.

The result is a file of its format again, so that readers get past its first bytes.
"""

import io
import json
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

UNPACKED = 2**24  # bytes of a container's member that are looked at
PLAIN = [
    None,
    True,
    False,
    -1,
    0,
    0.5,
    1e39,
    1e308,
    10**30,
    "",
    "3",
    "1e999",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    [1] * 2000,
]
OBJECTS = [
    *PLAIN,
    float("nan"),
    float("inf"),
    b"",
    b"abc",
    (),
    set(),
    np.float32(2),
    np.int64(-1),
    np.zeros((0, 3)),
    1j,
]
DTYPES = ["?", "i1", "u1", "i8", "u8", ">f4", "f2", "f8", ">f8", "c8", "c16", "S3", "U3", "M8[s]", "O"]
SIZES = [
    b"0",
    b"1",
    b"2",
    b"-1",
    b"1000000000000",
    b"9223372036854775807",
    b"9" * 30,
    b"1.5",
    b"True",
    b"()",
    b"1L",
    b"",
]

Mutate = Callable[[bytes, bytes, Random], bytes]
Damage = Callable[[bytes, Mutate, Random], bytes]


def known(data: bytes) -> Damage | None:
    """What can damage the inside of a file, by its first bytes."""
    starts = {
        b"PK": _in_zip,
        b"MATLAB": _in_mat,
        b"\x93NUMPY": _in_npy,
        b"\x80": _in_pickle,
        b"{": _in_json,
        b"[": _in_json,
    }
    return next((damage for start, damage in starts.items() if data.startswith(start)), None)


def weight(data: bytes) -> int:
    """Size of a file, with what is packed into it unpacked: what a reader may be expected to hold."""
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return len(data) + sum(len(_member(archive, name)) for name in archive.namelist())
        except Exception:  # damaged: what cannot be unpacked has no weight
            return len(data)
    if data[:6] == b"MATLAB":
        return len(data) + sum(len(unpacked or b"") for _, _, unpacked in _elements(data))
    return len(data)


def _in_json(data: bytes, mutate: Mutate, rng: Random) -> bytes:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return mutate(b"# " + data, data, rng)[2:]
    return json.dumps(_changed(tree, PLAIN, rng)).encode()


def _in_pickle(data: bytes, mutate: Mutate, rng: Random) -> bytes:
    tree = pickle.loads(data)  # what the tests wrote themselves, whole: nothing is damaged before it comes here
    return pickle.dumps(_changed(tree, OBJECTS, rng), rng.choice((0, 1, 2, 3, 4, 5)))


def _changed(tree: Any, values: list, rng: Random) -> Any:
    """The tree with one to four of its values replaced, left out, doubled, or of another kind."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        tree = _branch(tree, values, rng, rng.randrange(8))
    return tree


def _branch(tree: Any, values: list, rng: Random, deep: int) -> Any:
    if deep == 0 or not isinstance(tree, dict | list | tuple) or not tree:
        return _other(tree, values, rng)
    if isinstance(tree, dict):
        key = rng.choice(list(tree))
        changed = {**tree, key: _branch(tree[key], values, rng, deep - 1)}
        if rng.random() < 0.1:
            del changed[key]
        elif rng.random() < 0.1:
            changed[rng.choice(list(tree))] = changed[key]
        return changed
    at = rng.randrange(len(tree))
    new = [] if rng.random() < 0.1 else [_branch(tree[at], values, rng, deep - 1)] * rng.choice((1,) * 9 + (2,))
    return type(tree)([*tree[:at], *new, *tree[at + 1 :]])


def _other(value: Any, values: list, rng: Random) -> Any:
    if isinstance(value, np.ndarray) and rng.random() < 0.8:
        return _array(value, rng)
    if isinstance(value, int | float) and rng.random() < 0.5:
        return rng.choice((-value, value + 1, value * 1000, 2**31, 2**63, -(2**63), 10**20, value + 0.5, 1e-40))
    if isinstance(value, list) and value and rng.random() < 0.5:
        return rng.choice((value[:-1], value * 2, value[::-1], [value], value[0]))
    return rng.choice(values)


def _array(array: np.ndarray, rng: Random) -> np.ndarray:
    """The same numbers in another shape or type, or other numbers."""
    kind = rng.randrange(7)
    if kind == 0:
        return array.T
    if kind == 1:
        return array.reshape(rng.choice(((-1,), (*array.shape, 1), (1, *array.shape))))
    if kind == 2 and array.ndim:
        return array.take(range(rng.randrange(array.shape[axis := rng.randrange(array.ndim)] + 1)), axis)
    if kind == 3:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return array.astype(rng.choice(DTYPES))
            except (TypeError, ValueError):
                return array.astype("f8")
    if kind == 4:
        return np.asfortranarray(array)
    if array.dtype.kind not in "fiu" or not array.size:
        return array[..., None]
    changed = array.copy().reshape(-1)
    bits = changed.view(np.uint8)
    for _ in range(rng.choice((1, 4, 40))):
        bits[rng.randrange(bits.size)] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return changed.reshape(array.shape)


def _in_npy(data: bytes, mutate: Mutate, rng: Random) -> bytes:
    if rng.random() < 0.5:
        try:
            array = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, OSError):
            return data[: rng.randrange(len(data))]
        stream = io.BytesIO()
        np.save(stream, _array(array, rng))
        return stream.getvalue()
    size = int.from_bytes(data[8:10], "little")
    head, rest = data[10 : 10 + size].rstrip(), data[10 + size :]
    numbers = [*re.finditer(rb"\d+", head)]
    if rng.random() < 0.7 and numbers:
        match = rng.choice(numbers)
        head = head[: match.start()] + rng.choice(SIZES) + head[match.end() :]
    else:
        dtype = rng.choice(DTYPES).encode()
        head = re.sub(rb"'[<>|=][a-zA-Z]\d+'", lambda _: b"'" + rng.choice((b"<", b">", b"|")) + dtype + b"'", head)
    head = head.ljust(-(-(len(head) + 11) // 64) * 64 - 11) + b"\n"
    return data[:8] + len(head).to_bytes(2, "little") + head + rest


def _in_zip(data: bytes, mutate: Mutate, rng: Random) -> bytes:
    """One member of an archive damaged, left out, renamed or doubled, and everything packed again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = rng.randrange(len(members))
    name, content = members[at]
    kind = rng.random()
    if kind < 0.7:
        members[at] = (name, mutate(content, rng.choice(members)[1], rng))
    elif kind < 0.8:
        members[at] = (rng.choice(("../out.npy", "/abs.npy", "x", name.upper(), rng.choice(members)[0] + "2")), content)
    elif kind < 0.9:
        del members[at]
    else:
        members[at] = (name, rng.choice(members)[1])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member in members:
            archive.writestr(zipfile.ZipInfo(member[0]), member[1])
    return packed.getvalue()


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as stream:
        return stream.read(UNPACKED)


def _in_mat(data: bytes, mutate: Mutate, rng: Random) -> bytes:
    """One element of a MATLAB file damaged as it was before it was packed, and packed again or not."""
    elements = _elements(data)
    if not elements:
        return data[: rng.randrange(len(data))]
    at = rng.randrange(len(elements))
    built = data[:128]
    for i, (tag, raw, unpacked) in enumerate(elements):
        if i != at:
            built += struct.pack("<II", tag, len(raw)) + raw
            continue
        content = mutate(raw if unpacked is None else unpacked, raw, rng)
        whole = unpacked is None and rng.random() < 0.5
        if whole:
            content = struct.pack("<II", tag, len(content)) + content
        if unpacked is not None or rng.random() < 0.3:
            packed = zlib.compress(content)
            built += struct.pack("<II", 15, len(packed)) + packed
        else:
            built += content if whole else struct.pack("<II", tag, len(content)) + content
    return built


def _elements(data: bytes) -> list[tuple[int, bytes, bytes | None]]:
    """(tag, bytes, bytes unpacked) of the elements of a MATLAB file of version 5."""
    found = []
    at = 128
    while at + 8 <= len(data):
        tag, size = struct.unpack("<II", data[at : at + 8])
        raw = data[at + 8 : at + 8 + size]
        unpacked = None
        if tag == 15:
            try:
                unpacked = zlib.decompressobj().decompress(raw, UNPACKED)
            except zlib.error:
                unpacked = b""
        found.append((tag, raw, unpacked))
        at += 8 + size
    return found


_STARTS: dict[bytes, Damage] = {
    **{b"PK": _in_zip, b"MATLAB": _in_mat, b"\x93NUMPY": _in_npy, b"\x80": _in_pickle},
    **{b"{": _in_json, b"[": _in_json},
}
