"""Array files are read by their header alone, and a header is never believed beyond what the file holds."""

import io
import tracemalloc
from contextlib import suppress
from random import Random

import numpy as np
import pytest

from stgcn_lens.arrays import NpyWriter, header, open_npy, read_header, read_rows
from stgcn_lens.errors import DataError

ARRAYS = {
    "rows": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "half": np.linspace(-1, 1, 6, dtype=np.float16).reshape(3, 2),
    "big-endian": np.arange(6, dtype=">f8").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(4, 3)),
    "whole numbers": np.array([[1, -2], [2**40, 0]]),
    "truth": np.array([True, False, True]),
    "one": np.array(3.5),
    "none": np.zeros((0, 5), np.float32),
}


def saved(array, version=(1, 0)):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=True)
    return stream.getvalue()


def described(text, data=b"\0" * 64, version=1):
    """A file whose header is the given text."""
    raw = text.encode("latin-1")
    size = len(raw).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + raw + data


def plain(descr="'<f4'", order="False", shape="(2, 3)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("name", ARRAYS)
def test_what_numpy_saves_is_mapped_as_it_is(tmp_path, name, version):
    array = ARRAYS[name]
    (tmp_path / "a.npy").write_bytes(saved(array, version))
    mapped = open_npy(tmp_path / "a.npy")
    assert mapped.dtype == array.dtype
    assert mapped.shape == array.shape
    np.testing.assert_array_equal(mapped, array)
    assert isinstance(mapped, np.memmap) or not mapped.size
    if array.ndim:
        np.testing.assert_array_equal(read_rows(mapped, 1, len(array)), array[1:])


def test_a_header_is_what_numpy_reads_and_always_as_long(tmp_path):
    array = ARRAYS["rows"]
    (tmp_path / "a.npy").write_bytes(header(np.float32, array.shape) + array.tobytes())
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)
    assert len(header(np.float32, (1,))) == len(header(np.float64, (10**12, 3, 300, 25, 2)))


def test_what_is_written_row_by_row_is_read_by_name_of_place(tmp_path):
    writer = NpyWriter(tmp_path / "a.npy", np.int64, (3,))
    writer.append(np.arange(12).reshape(4, 3))
    writer.close()
    assert open_npy(tmp_path / "a.npy").tolist() == np.arange(12).reshape(4, 3).tolist()


def test_an_array_within_another_file_is_mapped_where_it_lies(tmp_path):
    inner = saved(ARRAYS["rows"])
    (tmp_path / "a.bin").write_bytes(b"before" + inner + b"after")
    mapped = open_npy(tmp_path / "a.bin", at=6, size=len(inner))
    np.testing.assert_array_equal(read_rows(mapped, 1, 2), ARRAYS["rows"][1:])
    with pytest.raises(DataError, match=f"got {len(inner) - 1} bytes for"):
        open_npy(tmp_path / "a.bin", at=6, size=len(inner) - 1)


def test_entries_of_a_header_come_in_any_order_and_in_the_hand_of_python_2(tmp_path):
    text = '{"shape": (2L, 3L), "fortran_order": True,\n "descr": "<i2"}'
    (tmp_path / "a.npy").write_bytes(described(text, np.arange(6, dtype="<i2").tobytes()))
    assert open_npy(tmp_path / "a.npy").tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "starts with b''"),
        (b"\x93NUMP", "starts with"),
        (b"PK\3\4 something else", "starts with"),
        (b"\x93NUMPY\x04\0" + bytes(20), "starts with"),
        (saved(ARRAYS["rows"])[:60], "bytes of a header of"),
        (saved(ARRAYS["rows"])[:-1], r"bytes for \(2, 3, 4\) float32"),
        (saved(np.array([{"a": 1}], dtype=object)), "the header .*'|O'"),
        (saved(np.zeros(2, [("x", "<f4"), ("y", "<f4")])), "the header"),
        (saved(np.array(["text"])), "the header"),
        (saved(np.zeros(2, "M8[s]")), "the header"),
        (described(plain(shape="(10000000000000, 3)")), "which takes 120000000000"),
        (described(plain(shape=f"({9 * 10**17}, {9 * 10**17})")), "which takes"),
        (described(plain(shape=f"(0, {9 * 10**17}, {9 * 10**17})")), "too|big|large"),
        (described(plain(shape="(-1, 3)")), "the header"),
        (described(plain(shape="(2.0, 3)")), "the header"),
        (described(plain(shape="(True, 3)")), "the header"),
        (described(plain(shape="(" + "1, " * 40 + ")")), "40 axes"),
        (described(plain(shape="(" + "9" * 30 + ",)")), "the header"),
        (described(plain(shape="[2, 3]")), "the header"),
        (described(plain(descr="'<f3'")), "numbers of type '<f3'"),
        (described(plain(descr="'O'")), "the header"),
        (described(plain(descr="['<f4']")), "the header"),
        (described(plain(order="1")), "the header"),
        (described(plain() + plain()), "the header"),
        (described(plain()[:-1] + ", 'more': 1}"), "the header"),
        (described("__import__('os').system('true')"), "the header"),
        (described("(" * 5000), "the header"),
        (described("[" * 9000 + "]" * 900), "the header"),
        (described("-" * 9000 + "1"), "the header"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff", "a header of 4294967295 bytes"),
    ],
)
def test_anything_else_is_refused_with_what_was_got_and_expected(tmp_path, content, got):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(
        DataError, match=rf"a\.npy: not an array file .* got .*{got}.*, expected a \.npy file of numbers"
    ):
        open_npy(tmp_path / "a.npy")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.npy: no such file"):
        open_npy(tmp_path / "nothing.npy")
    with pytest.raises(DataError, match="not an array file"):
        open_npy(tmp_path)


def test_a_file_that_shrinks_after_it_was_opened_is_said_to(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1000, 10)))
    mapped = open_npy(tmp_path / "a.npy")
    with (tmp_path / "a.npy").open("r+b") as stream:
        stream.truncate(1000)
    with pytest.raises(DataError, match="fewer bytes than when it was opened"):
        read_rows(mapped, 500, 600)


def test_a_header_leaves_the_stream_at_the_first_number():
    stream = io.BytesIO(saved(np.array([7, 8], np.uint8)))
    found = read_header(stream, "a.npy")
    assert (found.shape, found.dtype, found.bytes, found.size) == ((2,), np.uint8, 2, stream.tell())
    assert stream.read() == b"\7\10"


def test_damaged_headers_raise_nothing_else_and_take_no_memory(tmp_path):
    whole = [saved(array, version) for array in ARRAYS.values() for version in ((1, 0), (2, 0), (3, 0))]
    words = [b"'", b'"', b"(", b")", b"-1", b"9" * 25, b"1e999", b"None", b"O", b"[('a','<f4')]", b"\\N{x}", b"L", b"}"]
    path, accepted = tmp_path / "a.npy", 0
    tracemalloc.start()
    try:
        for seed in range(1500):
            rng = Random(seed)
            data = bytearray(rng.choice(whole))
            for _ in range(rng.choice((1, 1, 1, 2))):
                at = rng.choice((rng.randrange(12), rng.randrange(80), rng.randrange(len(data) or 1)))
                kind = rng.randrange(4)
                if kind == 0 and at < len(data):
                    data[at] ^= 1 << rng.randrange(8)
                elif kind == 1:
                    del data[rng.randrange(len(data) + 1) :]
                else:
                    data[at : at + (kind == 2) * rng.randrange(9)] = rng.choice((*words, b"\xff" * 4))
            path.write_bytes(data)
            with suppress(DataError):
                accepted += open_npy(path).size >= 0
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert 10 < accepted < 1000  # both roads were taken
