"""Pickles are read as data: equal to what `pickle` makes of sound ones, and nothing at all is made of others."""

import mmap
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from stgcn_lens.data.parsing import pickles
from stgcn_lens.errors import DataError
from tests.data import fuzz

DTYPES = ["b1", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u8", "<f2", ">f4", "<f8", "c8", "c16", "<U3", ">U2", "S4"]
NUMBERS = [*(n for n in range(-2, 3)), 255, 256, 65535, 65536, 2**31, -(2**31), 2**63, -(10**30), 10**300]


def load(raw, folder):
    file = folder / "some.pkl"
    file.write_bytes(raw)
    return pickles.load(file)


def refused(raw, folder):
    with pytest.raises(DataError) as caught:
        load(raw, folder)
    assert caught.value.file == "some.pkl"
    return str(caught.value)


def assert_same(ours, theirs):
    """Equal to the last bit, types, dtypes and memory order included; numpy may put bytes into its own order."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    elif isinstance(ours, np.ndarray | np.generic):
        assert (ours.dtype.newbyteorder("="), ours.shape) == (theirs.dtype.newbyteorder("="), theirs.shape)
        assert ours.astype(theirs.dtype).tobytes() == theirs.tobytes()
        assert ours.flags.f_contiguous == theirs.flags.f_contiguous
    else:
        assert ours == theirs or (ours != ours and theirs != theirs)


def arrays():
    dtypes = st.sampled_from(DTYPES).map(np.dtype)
    made = dtypes.flatmap(lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=4, min_side=0)))
    return st.one_of(
        made, made.map(np.asfortranarray), made.map(lambda array: array[..., ::2] if array.ndim else array)
    )


def scalars():
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from(NUMBERS), st.floats(), st.binary(max_size=300)
    )
    text = st.text(st.characters(exclude_categories=()), max_size=20)
    numpy = arrays().filter(lambda array: array.size and array.dtype.itemsize).map(lambda array: array.reshape(-1)[0])
    # numpy pickles an empty text of its own as one of no size, which is refused.
    return st.one_of(plain, text, st.complex_numbers(), numpy.filter(lambda scalar: scalar.dtype.itemsize > 0))


def keys():
    return st.one_of(st.text(max_size=5), st.integers(-(2**60), 2**60), st.none(), st.booleans(), st.binary(max_size=5))


def values():
    hashed = st.one_of(st.sets(keys()), st.frozensets(keys()), st.dictionaries(keys(), st.integers()).map(OrderedDict))
    leaves = st.one_of(scalars(), arrays(), hashed, st.binary(max_size=9).map(bytearray))
    nest = lambda inner: st.one_of(  # noqa: E731
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys(), inner, max_size=4),
        inner.map(lambda value: [value, value]),  # what is there twice is kept once
    )
    return st.recursive(leaves, nest, max_leaves=12)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=values(), protocol=st.integers(0, 5))
def test_what_pickle_reads_is_read_equally(value, protocol, tmp_path):
    raw = pickle.dumps(value, protocol)
    assert_same(load(raw, tmp_path), pickle.loads(raw))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("old", [True, False])
def test_arrays_of_old_and_of_new_numpy_are_read(protocol, old, tmp_path):
    value = [np.arange(40, dtype=">f4").reshape(8, 5), np.float32(3.5), np.array(["a", "bcd"])]
    raw = pickle.dumps(value, protocol)
    new, former = b"numpy._core.", b"numpy.core."
    if protocol < 4:
        raw = raw.replace(new, former) if old else raw.replace(former, new)
    else:  # names have their length before them, and frames theirs
        raw = raw[:2] + raw[11:]
        for end in (b"multiarray", b"numeric"):
            had, has = (new + end, former + end) if old else (former + end, new + end)
            raw = raw.replace(bytes([0x8C, len(had)]) + had, bytes([0x8C, len(has)]) + has)
    assert (former if old else new) in raw
    assert_same(load(raw, tmp_path), value)


PYTHON_2 = [
    (b"(lp0\nS'S001C001\\xc3\\xa9'\np1\naVna\\u00efve\np2\na.", ["S001C001é", "naïve"]),
    (b"(S'a\\'b\\n\\\\'\np0\nI7\nL8L\nI01\nF0.5\ntp1\n.", ("a'b\n\\", 7, 8, True, 0.5)),
    (b"]q\x01(U\x03abcq\x02T\x03\x00\x00\x00\xe9\xe8\xffq\x03e.", ["abc", "éèÿ"]),
    (b"\x80\x02]q\x01(]q\x02(U\x01aq\x03U\x01bq\x04e]q\x05(K\x00K\x3be\x85q\x06h\x03e.", [["a", "b"], ([0, 59],), "a"]),
]
PYTHON_2_ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\nRp5\n(I1\n(I%d\ntp6\n"
    b"cnumpy\ndtype\np7\n(S'i2'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'<'\np11\nNNNI-1\nI-1\nI0\ntp12\nbI00\n%bp13\ntp14\nb."
)


@pytest.mark.parametrize(("raw", "expected"), PYTHON_2)
def test_text_of_python_2_is_read(raw, expected, tmp_path):
    assert load(raw, tmp_path) == expected


@pytest.mark.parametrize("count", [1, 2, 100])
def test_arrays_of_python_2_are_read_from_their_bytes_whatever_text_these_look_like(count, tmp_path):
    data = (b"\xc3\xa9" * count)[: 2 * count]  # two bytes that are one letter in UTF-8
    escaped = b"S'" + b"\\xc3\\xa9" * count + b"'\n"
    expected = np.frombuffer(data, "<i2")
    assert_same(load(PYTHON_2_ARRAY % (count, escaped), tmp_path), expected)
    assert_same(pickle.loads(PYTHON_2_ARRAY % (count, escaped), encoding="latin1"), expected)
    assert_same(load(PYTHON_2_ARRAY % (count, b"T" + struct.pack("<I", 2 * count) + data), tmp_path), expected)


class Calls:
    """Pickled, it asks to call a function."""

    def __init__(self, function, *given):
        self.function, self.given = function, given

    def __reduce__(self):
        return self.function, self.given


def hostile(marker):
    command = f"touch {marker}"
    return {
        "posix.system": Calls(os.system, command),
        "eval": Calls(eval, f"open({str(marker)!r}, 'w')"),
        "exec": Calls(exec, f"open({str(marker)!r}, 'w')"),
        "getattr": Calls(getattr, os, "system"),
        "open": Calls(open, str(marker), "w"),
        "save": Calls(np.save, str(marker), np.zeros(1)),
        "memmap": Calls(np.memmap, str(marker), "u1", "w+", 0, (1,)),
        "numpy.load": Calls(np.load, str(marker)),
        "os.mkdir": {"annotations": [Calls(os.mkdir, str(marker))]},
    }


@pytest.mark.parametrize("name", list(hostile("")))
@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_a_pickle_asks_for_is_run(name, protocol, tmp_path):
    marker = tmp_path / "ran"
    if name == "getattr":
        raw = b"cbuiltins\ngetattr\n(cos\nsystem\nV__call__\ntR."
    else:
        raw = pickle.dumps(hostile(marker)[name], protocol)
    said = refused(raw, tmp_path)
    assert not marker.exists()
    assert "asks to run" in said or name == "memmap"
    if name == "posix.system":
        assert f"this pickle asks to run '{os.system.__module__}.system' (byte " in said
        assert "nothing read is ever executed" in said


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"(S'touch ran'\nios\nsystem\n.", "'os.system (an object)'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "'os.system'"),
        (b"\x80\x02cnumpy.testing\nrundocs\n)R.", "'numpy.testing.rundocs'"),
        (b"\x80\x02ccopy_reg\n_reconstructor\n(cos\nerror\nNNtR.", "'copy_reg._reconstructor'"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "an object of a class"),
        (b"\x80\x02cnumpy\nndarray\nK\x01\x85R.", "a call of a numpy.ndarray"),
        (b"\x80\x02}N\x86q\x00h\x00b.", "a state for a tuple"),
        (b"\x80\x02\x82\x01.", "an extension's code"),
        (b"Pabc\n.", "outside the file"),
        (b"\x80\x05\x97.", "outside the file"),
        (b"\x80\x04K\x01K\x02\x93.", "'1.2'"),
    ],
)
def test_other_ways_to_call_are_named_and_refused(raw, said, tmp_path):
    assert said in refused(raw, tmp_path)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.array([{}, None], object), "an array of Python objects"),
        (np.zeros(2, [("x", "f4"), ("y", "i4")]), "elements 'V8'"),
        (np.zeros(2, "M8[s]"), "elements 'M8'"),
        (np.zeros(2, "m8[s]"), "elements 'm8'"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_arrays_of_other_than_numbers_and_text_are_refused_with_their_kind(array, said, protocol, tmp_path):
    assert said in refused(pickle.dumps(array, protocol), tmp_path)


N = 100_000
LAUGHS = b"\x80\x04(]\x94" + b"".join(b"](h%ch%ce\x94" % (i, i) for i in range(60)) + b"l."
HASHED = b"\x80\x04})\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(60)) + b"0."
LIMITS = {
    "memo": (b"\x80\x02Nr" + struct.pack("<I", 2**31) + b".", "memo number 2147483648"),
    "negative memo": (b"Np-1\n.", "memo number -1"),
    "not kept": (b"\x80\x02h\x05.", "nothing was kept under memo number 5"),
    "bytes": (b"\x80\x04\x8e" + struct.pack("<Q", 10**12) + b"abc.", "1000000000000 bytes are promised and 4 are left"),
    "bytearray": (b"\x80\x05\x96" + struct.pack("<Q", 2**63) + b".", "bytes are promised and 1 are left"),
    "text": (b"\x80\x02X\xff\xff\xff\x7fabc.", "2147483647 bytes are promised"),
    "frame": (b"\x80\x04\x95" + struct.pack("<Q", 99) + b"N.", "99 bytes are promised and 2 are left"),
    "protocol": (b"\x80\x06N.", "protocol 6"),
    "marks": (b"\x80\x02" + b"(" * N, "more than 200 containers"),
    "nested lists": (b"\x80\x02" + b"]" * 300 + b"a" * 299 + b".", "more than 200 containers"),
    "nested tuples": (b"\x80\x02)" + b"\x85" * 300 + b".", "more than 200 containers"),
    "itself": (b"\x80\x02]q\x00h\x00a.", "a container that contains itself"),
    "itself, deeper": (b"\x80\x02}q\x00(K\x01]q\x01h\x00au.", "a container that contains itself"),
    "lists": (b"\x80\x02(" + b"]" * N + b"l.", "more containers than so small a file can hold"),
    "sets": (b"\x80\x04(" + b"\x8f" * N + b"l.", "more containers than so small a file can hold"),
    "copies": (
        b"\x80\x02(cbuiltins\nlist\nq\x00](" + b"K\x01" * 9000 + b"eq\x01" + b"h\x00h\x01\x85R" * 9000 + b"l.",
        "more made of its bytes than there are",
    ),
    "wide text": (
        b"\x80\x02X" + struct.pack("<I", N) + b"a" * (N - 4) + "😀".encode() + b".",
        "a text of more than 64 kB",
    ),
    "long integer": (b"\x80\x02\x8b" + struct.pack("<I", N) + b"\1" * N + b".", f"an integer of {N} bytes"),
    "digits": (b"I" + b"9" * N + b"\n.", f"an integer of {N} digits"),
    "keys that hash alike": (b"\x80\x02}(\x8a\x0a" + ((2**61 - 1) * 3).to_bytes(10, "little") + b"Nu.", "int as key"),
    "nested keys": (HASHED.replace(b"0.", b"Ns."), "for a tuple"),
    "a list as key": (b"\x80\x02}]Ns.", "list as key"),
    "items of a dict": (b"\x80\x02}(Nu.", "1 keys and values for a dict"),
    "items of a text": (b"\x80\x02X\1\0\0\0aNa.", "items for a str"),
    "empty axes": (
        pickle.dumps(np.empty((0, 3)), 3).replace(b"K\x03\x86", b"\x8a\x06\0\0\0\0\0\x7f\x86"),
        "an array of 0 x 139637976727552 float64 elements",
    ),
    "shape": (
        pickle.dumps(np.zeros(2, "f4"), 3).replace(b"K\x02\x85", b"K\x03\x85"),
        "3 float32 elements over 8 bytes",
    ),
    "negative shape": (
        pickle.dumps(np.zeros(2, "f4"), 3).replace(b"K\x02\x85", b"J\xfe\xff\xff\xff\x85"),
        "made of counts",
    ),
    "byte order": (pickle.dumps(np.zeros(2, "f4"), 3).replace(b"X\x01\0\0\0<", b"X\x01\0\0\0?"), "not its own"),
    "never filled": (pickle.dumps(np.zeros(2), 3).replace(b"b.", b"0."), "no instruction"),
    "half an array": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R.",
        "before its value",
    ),
    "a name as value": (b"\x80\x02cnumpy\nndarray\n.", "before its value is whole"),
    "two values": (b"NN.", "before its value is whole"),
    "open mark": (b"(N.", "before its value is whole"),
    "no value": (b".", "before its value is whole"),
    "underflow": (b"\x80\x02K\x01\x86.", "a value that was never put there"),
    "no mark": (b"\x80\x02]e.", "a value that was never put there"),
    "trailing": (pickle.dumps([1]) + b"\0\0\0", "3 bytes follow the end"),
    "other text": (b"hello, world", "byte 0 of 12"),
    "half a line": (b"S'abc", "a line that does not end"),
    "quotes": (b"Sabc\n.", "a string without quotes"),
    "coding": (b"\x80\x02c_codecs\nencode\nX\1\0\0\0aX\5\0\0\0utf-7\x86R.", "another coding than latin1"),
    "not UTF-8": (b"\x80\x02X\2\0\0\0\xff\xfe.", "can't decode byte 0xff"),
}


@pytest.mark.parametrize("what", list(LIMITS))
def test_damage_and_bombs_are_refused_with_their_place(what, tmp_path):
    raw, said = LIMITS[what]
    tracemalloc.start()
    message = refused(raw, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said in message
    assert f"of {len(raw)}" in message
    assert peak < 20 * len(raw) + 2**20


def test_an_empty_file_is_no_pickle(tmp_path):
    assert "an empty file" in refused(b"", tmp_path)
    with pytest.raises(FileNotFoundError):
        pickles.load(tmp_path / "nowhere.pkl")


def test_what_is_shared_stays_shared_and_is_not_unfolded(tmp_path):
    value = load(LAUGHS, tmp_path)  # unfolded, the last would have 2^60 lists
    assert len(value) == 61
    assert value[60][0] is value[60][1] is value[59]


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_cut_anywhere_is_refused(protocol, tmp_path):
    value = {"a": [1, 2.5, "text"], "b": np.arange(30, dtype="f4"), "c": {b"x", b"y"}}
    raw = pickle.dumps(value, protocol)
    for end in range(1, len(raw), 1 + 2 * (len(raw) > 500)):
        refused(raw[:end], tmp_path)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_lie_over_the_file_and_cannot_be_written_to(protocol, tmp_path, rng):
    big = rng.normal(size=(20, 25, 3, 500)).astype(np.float32)
    raw = pickle.dumps([big, {"again": big}, big[::2].copy(order="F")], protocol)
    tracemalloc.start()
    first, second, third = load(raw, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**17 < len(raw) / 30
    np.testing.assert_array_equal(first, big)
    np.testing.assert_array_equal(third, big[::2])
    assert second["again"] is first
    for array in (first, third):
        assert isinstance(array.base, mmap.mmap)
        assert not array.flags.writeable
    pickles.forget(first)
    np.testing.assert_array_equal(first, big)
    pickles.forget(np.zeros(3))  # not from a file: nothing to do


def test_damaged_pickles_raise_nothing_but_data_errors(tmp_path, rng):
    value = {
        "annotations": [
            {"frame_dir": "a", "keypoint": rng.normal(size=(1, 4, 17, 2)).astype("f2"), "label": np.int64(3)}
        ],
        "others": [{1, 2}, frozenset("ab"), b"abc", bytearray(b"d"), OrderedDict(a=1), None, 1.5, 10**20, "é😀", 2j],
    }
    seeds = [pickle.dumps(value, protocol) for protocol in range(6)]
    file, sound = tmp_path / "some.pkl", 0
    for seed in range(600):
        random = Random(seed)
        file.write_bytes(fuzz.mutate(random.choice(seeds), random.choice(seeds), random))
        try:
            pickles.load(file)
            sound += 1
        except DataError:
            pass
    assert 0 < sound < 300
