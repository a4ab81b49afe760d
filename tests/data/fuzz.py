"""Damage to files, by seed: what disks, editors, other programs and ill-meaning people make of them.

Bytes and text are damaged here, wherever they stand; `fuzz_inside` knows formats and changes what they say.
"""

import re
import struct
from collections.abc import Callable
from random import Random

from tests.data import fuzz_inside

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
STRING = re.compile(rb"\"[^\"\n]{0,40}\"|'[^'\n]{0,40}'")
BEGIN = re.compile(rb"[\[{(:,\s]")
HOSTILE_NUMBERS = [
    *(b"0", b"-1", b"1", b"2", b"7", b"64", b"65", b"255", b"256", b"1000", b"99999", b"1000000", b"2147483647"),
    *(b"-2147483648", b"2147483648", b"4294967296", b"9223372036854775807", b"9223372036854775808", b"10" + b"0" * 17),
    *(b"1000000000000", b"-0", b"-0.0", b"0.5", b"1e39", b"-1e39", b"1e308", b"1e309", b"1e999", b"-1e999", b"1e-400"),
    *(b"NaN", b"nan", b"-nan", b"inf", b"Infinity", b"-Infinity", b"1e", b".", b"-", b"+", b"1_000", b"0x10", b"1,5"),
    *(b"true", b"false", b"null", b"None", b'"3"', b"[]", b"{}", b"[[1]]", b"9" * 400, b"0." + b"3" * 400, b"9" * 5000),
    *(b"[" * 3000 + b"]" * 3000, b'{"a":' * 3000 + b"1" + b"}" * 3000),
    *("\u0663".encode(), "\u00bd".encode(), b"\xff\xfe", b""),
]
SNIPPETS = [
    *(b"[" * 5000, b"{" * 3000, b'{"a":' * 3000, b"(" * 3000, b"]" * 50, b"}" * 50, b"\0" * 64, b"\xff" * 64),
    *(b"\n" * 200, b" " * 3000, b",", b",,,,", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"\r\n", b"\r", b"\t", b";"),
    *(b"\xef\xbb\xbf", b"a" * 3000, b"0 " * 2000, b"1e999 " * 200, b"..", b"../../../etc/passwd", b"nan "),
    *(b'"data":[],', b"null,", b"# x\n"),
]
FIELDS = [0, 1, 2, 3, 7, 8, 16, 64, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62]
FIELDS += [2**63 - 1, 2**63, 2**64 - 1, 10**12]
CODECS = ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037", "utf-7"]
Mutation = Callable[[bytes, bytes, Random], bytes]


def mutate(data: bytes, other: bytes, rng: Random) -> bytes:
    """The file with one to three kinds of damage; `other` is a further file of the set, to splice with."""
    damage = fuzz_inside.known(data)
    if damage is not None and rng.random() < 0.6:
        return damage(data, mutate, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(data, other, rng)
    return data


def _truncate(data: bytes, other: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.8 else data[rng.randrange(len(data) + 1) :]


def _flip_bits(data: bytes, other: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64)) if data else 0):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, other: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 4, 16)) if data else 0):
        changed[_place(data, rng)] = rng.choice((0, 10, 32, 45, 46, 48, 57, 127, 128, 255, rng.randrange(256)))
    return bytes(changed)


def _duplicate(data: bytes, other: bytes, rng: Random) -> bytes:
    begin, end = _span(data, rng)
    return data[:end] + data[begin:end] * rng.choice((1, 1, 1, 5)) + data[end:]


def _delete(data: bytes, other: bytes, rng: Random) -> bytes:
    begin, end = _span(data, rng)
    return data[:begin] + data[end:]


def _swap(data: bytes, other: bytes, rng: Random) -> bytes:
    begin, end = _span(data, rng)
    middle = rng.randint(begin, end)
    return data[:begin] + data[middle:end] + data[begin:middle] + data[end:]


def _number(data: bytes, other: bytes, rng: Random) -> bytes:
    return _replaced(data, NUMBER, rng, lambda old: rng.choice(HOSTILE_NUMBERS))


def _count(data: bytes, other: bytes, rng: Random) -> bytes:
    """A number near the beginning, where counts and keys are."""
    head = data[: rng.choice((64, 300, 2000))]
    return _replaced(head, NUMBER, rng, lambda old: rng.choice(HOSTILE_NUMBERS)) + data[len(head) :]


def _string(data: bytes, other: bytes, rng: Random) -> bytes:
    words = STRING.findall(data[:4000]) or [b'""']
    return _replaced(data, STRING, rng, lambda old: rng.choice((*words, b'""', b"1", b"null", b"[]", b'"\xff"')))


def _encode(data: bytes, other: bytes, rng: Random) -> bytes:
    return data.decode("latin-1").encode(rng.choice(CODECS), errors="replace")


def _insert(data: bytes, other: bytes, rng: Random) -> bytes:
    """Anywhere, or where a value or a line begins."""
    at = _place(data, rng)
    if rng.random() < 0.5:
        match = BEGIN.search(data, at)
        at = 0 if match is None or rng.random() < 0.2 else match.end()
    new = rng.choice(SNIPPETS) if rng.random() < 0.7 else rng.randbytes(rng.choice((1, 3, 16, 300)))
    return data[:at] + new + data[at:]


def _noise(data: bytes, other: bytes, rng: Random) -> bytes:
    keep = rng.choice((0, 0, 8, 64, 200))
    return data[:keep] + rng.randbytes(max(0, len(data) - keep))


def _splice(data: bytes, other: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _field(data: bytes, other: bytes, rng: Random) -> bytes:
    width, form = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
    if len(data) < width:
        return data
    at = _place(data[: len(data) - width + 1], rng)
    at -= at % width * rng.randrange(2)  # most fields are aligned
    value = (rng.choice(FIELDS) + rng.choice((0, 0, 0, 1, -1))) % 2 ** (8 * width)
    return data[:at] + struct.pack(rng.choice("<>") + form, value) + data[at + width :]


MUTATIONS: list[Mutation] = [
    *(_truncate, _flip_bits, _set_bytes, _duplicate, _delete, _swap, _number, _count, _count, _string, _encode),
    *(_insert, _noise, _splice, _field, _field),
]


def _place(data: bytes, rng: Random) -> int:
    """Somewhere in the data, often near its beginning, where headers are."""
    most = max(len(data), 1)
    return rng.randrange(most if rng.random() < 0.5 else min(most, rng.choice((16, 128, 1024))))


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    begin = _place(data, rng)
    return begin, min(len(data), begin + rng.choice((1, 4, 8, 30, 300, 3000)))


def _replaced(data: bytes, pattern: re.Pattern, rng: Random, new: Callable[[bytes], bytes]) -> bytes:
    match = pattern.search(data, _place(data, rng)) or pattern.search(data)
    return data if match is None else data[: match.start()] + new(match[0]) + data[match.end() :]
