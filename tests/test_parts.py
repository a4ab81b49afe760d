import pickle
import shutil

import numpy as np
import pytest

from stgcn_lens.errors import WorkError
from stgcn_lens.parts import Parts, clear, open_parts
from tests.disk import no_file_above

ARRAYS = {"indices": np.arange(12, dtype=np.int32).reshape(3, 4), "distances": np.linspace(0, 1, 5)}


@pytest.fixture
def parts(tmp_path) -> Parts:
    return Parts(tmp_path / "layer", "a key")


def same(found: dict[str, np.ndarray] | None) -> bool:
    assert found is not None
    return list(found) == list(ARRAYS) and all(
        (found[name].dtype, found[name].tobytes()) == (array.dtype, array.tobytes()) for name, array in ARRAYS.items()
    )


def test_a_part_comes_back_as_it_was_written(parts) -> None:
    assert parts.read("rows 0 to 8") is None
    parts.write("rows 0 to 8", **ARRAYS)
    assert same(parts.read("rows 0 to 8"))
    assert [path.name for path in parts.folder.iterdir()] == ["rows 0 to 8.part"]


def test_a_cut_part_is_none(parts) -> None:
    parts.write("one", **ARRAYS)
    path = parts.folder / "one.part"
    whole = path.read_bytes()
    for size in (0, 1, 31, 32, 33, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert parts.read("one") is None, size
    path.write_bytes(whole + b"\0")
    assert parts.read("one") is None


def test_a_part_with_any_byte_altered_is_none(parts) -> None:
    parts.write("one", **ARRAYS)
    path = parts.folder / "one.part"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert parts.read("one") is None, place


def test_a_part_of_another_key_name_or_folder_is_none(parts) -> None:
    parts.write("one", **ARRAYS)
    assert Parts(parts.folder, "another key").read("one") is None
    shutil.copy(parts.folder / "one.part", parts.folder / "two.part")
    assert parts.read("two") is None
    shutil.copytree(parts.folder, parts.folder.with_name("other"))
    assert Parts(parts.folder.with_name("other"), parts.key).read("one") is None
    assert same(parts.read("one"))


@pytest.mark.parametrize("content", [b"", pickle.dumps({"indices": [1]}), b"\x93NUMPY", bytes(4096)])
def test_what_is_no_part_is_none(parts, content) -> None:
    parts.folder.mkdir()
    (parts.folder / "one.part").write_bytes(content)
    assert parts.read("one") is None


def test_a_full_disk_is_told_and_leaves_no_part(parts) -> None:
    parts.write("one", **ARRAYS)
    with no_file_above(1000), pytest.raises(WorkError, match=r"layer/two\.part: cannot write .*; "):
        parts.write("two", many=np.zeros(1000))
    assert parts.read("two") is None
    assert [path.name for path in parts.folder.iterdir()] == ["one.part"]


def test_unfinished_work_of_another_configuration_is_removed_and_that_of_another_stage_is_not(tmp_path) -> None:
    for stage, key in (("graph", "old"), ("embed", "old")):
        open_parts(tmp_path, stage, key).inside("a layer").write("one", **ARRAYS)
    new = open_parts(tmp_path, "graph", "new")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["embed-old"]
    new.write("one", **ARRAYS)
    assert same(open_parts(tmp_path, "graph", "new").read("one"))
    clear(tmp_path, "graph")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["embed-old"]
    clear(tmp_path, "embed")
    assert list(tmp_path.iterdir()) == []
    clear(tmp_path, "embed")
