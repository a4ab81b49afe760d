import numpy as np
import pytest

from stgcn_lens.errors import WorkError
from stgcn_lens.parts import Parts
from stgcn_lens.shelf import Piece, Shelf, put_together
from tests.disk import no_file_above

LAYERS = ("input", "block_1")
WIDTH = {"input": 3, "block_1": 7}


def batch(*lengths: int, seed: int) -> dict[str, Piece]:
    """Clips of so many windows at the input, and one fewer, but at least one, at the block."""
    rng = np.random.default_rng(seed)
    counts = {"input": np.array(lengths), "block_1": np.maximum(1, np.array(lengths) - 1)}
    return {
        layer: Piece(rng.normal(size=(counts[layer].sum(), WIDTH[layer])).astype(np.float32), counts[layer], len(layer))
        for layer in LAYERS
    }


BATCHES = [batch(3, 1, 2, seed=0), batch(4, seed=1), batch(1, 1, seed=2)]


def windows(batches: list[dict[str, Piece]], layer: str) -> np.ndarray:
    return np.concatenate([pieces[layer].windows for pieces in batches])


@pytest.fixture
def parts(tmp_path) -> Parts:
    return Parts(tmp_path / "work", "key")


def opened(parts: Parts, name: str = "0_6", dtype: str = "float32") -> Shelf:
    return Shelf(parts, name, LAYERS, dtype)


def filled(parts: Parts, batches: list[dict[str, Piece]], name: str = "0_6") -> Shelf:
    shelf = opened(parts, name)
    for pieces in batches:
        shelf.append(pieces)
    shelf.keep()
    shelf.close()
    return opened(parts, name)


def check(folder, batches, dtype=np.float32) -> None:
    """The result is that of all the batches."""
    for layer in LAYERS:
        found, wanted = np.load(folder / layer / "windows.npy"), windows(batches, layer)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, wanted.astype(dtype))
        counts = np.concatenate([pieces[layer].counts for pieces in batches])
        assert np.diff(np.load(folder / layer / "offsets.npy")).tolist() == counts.tolist()


def test_the_shelves_of_several_processes_make_one_result(parts, tmp_path) -> None:
    shelves = [
        filled(parts, BATCHES[:1], "0_3"),
        opened(parts, "none"),
        filled(parts, BATCHES[1:2], "3_4"),
        filled(parts, BATCHES[2:], "4_6"),
    ]
    assert [shelf.clips for shelf in shelves] == [3, 0, 1, 2]
    (tmp_path / "out").mkdir()
    put_together(shelves, LAYERS, tmp_path / "out")
    check(tmp_path / "out", BATCHES)


def test_what_was_kept_is_there_again_and_what_was_not_is_gone(parts, tmp_path) -> None:
    shelf = opened(parts)
    shelf.append(BATCHES[0])
    shelf.keep()
    shelf.append(BATCHES[2])
    shelf.close()  # as a kill: the rows are in the files, the journal does not know of them
    again = opened(parts)
    assert again.clips == 3
    again.append(BATCHES[1])
    again.append(BATCHES[2])
    again.keep()
    again.close()
    (tmp_path / "out").mkdir()
    put_together([opened(parts)], LAYERS, tmp_path / "out")
    check(tmp_path / "out", BATCHES)


def test_a_result_that_was_being_put_together_can_be_put_together_again(parts, tmp_path) -> None:
    filled(parts, BATCHES[:2], "0_4")
    filled(parts, BATCHES[2:], "4_6")
    with opened(parts, "0_4").path("input").open("ab") as stream:
        stream.write(windows(BATCHES[2:], "input").tobytes()[:20])
    (tmp_path / "out").mkdir()
    put_together([opened(parts, "0_4"), opened(parts, "4_6")], LAYERS, tmp_path / "out")
    check(tmp_path / "out", BATCHES)


@pytest.mark.parametrize("spoil", ["cut rows", "no rows", "cut journal", "other key"])
def test_a_shelf_that_cannot_be_believed_is_empty(parts, spoil, tmp_path) -> None:
    shelf = filled(parts, BATCHES)
    path = shelf.path("block_1")
    if spoil == "cut rows":
        path.write_bytes(path.read_bytes()[:-1])
    if spoil == "no rows":
        path.unlink()
    if spoil == "cut journal":
        journal = path.with_name("journal.part")
        journal.write_bytes(journal.read_bytes()[:-1])
    key = Parts(parts.folder, "another") if spoil == "other key" else parts
    assert opened(key).clips == 0
    again = filled(key, BATCHES)
    (tmp_path / "out").mkdir()
    put_together([again], LAYERS, tmp_path / "out")
    check(tmp_path / "out", BATCHES)


def test_half_as_many_bytes_hold_three_digits(parts, tmp_path) -> None:
    shelf = opened(parts, dtype="float16")
    shelf.append(BATCHES[0])
    shelf.keep()
    shelf.close()
    (tmp_path / "out").mkdir()
    put_together([opened(parts, dtype="float16")], LAYERS, tmp_path / "out")
    check(tmp_path / "out", BATCHES[:1], np.float16)
    assert (tmp_path / "out/input/windows.npy").stat().st_size == 128 + 6 * 3 * 2


def test_a_full_disk_is_told_and_what_was_kept_stays(parts) -> None:
    shelf = opened(parts)
    shelf.append(BATCHES[0])
    shelf.keep()
    large = {layer: Piece(np.zeros((5000, WIDTH[layer]), np.float32), np.array([5000]), 1) for layer in LAYERS}
    with no_file_above(4000):
        with pytest.raises(WorkError, match=r"0_6/input\.rows: cannot write"):
            shelf.append(large)
        shelf.close()
    assert opened(parts).clips == 3
