import warnings

import pytest

from stgcn_lens.distances.memory import in_pieces, room
from stgcn_lens.errors import WorkError


def test_there_is_some_room() -> None:
    assert room() >= 1 << 20


def test_a_piece_that_does_not_fit_is_halved_and_said_once() -> None:
    done: list[tuple[int, int]] = []

    def work(first: int, last: int) -> None:
        if last - first > 3:
            raise MemoryError
        done.append((first, last))

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        in_pieces(5, 30, 16, work)
    assert [str(one.message) for one in said] == ["too little memory for 16 clips at a time; taking 8"]
    assert [clip for first, last in done for clip in range(first, last)] == list(range(5, 30))


def test_what_fits_is_not_spoken_of() -> None:
    done: list[tuple[int, int]] = []
    in_pieces(0, 10, 4, lambda first, last: done.append((first, last)))
    assert done == [(0, 4), (4, 8), (8, 10)]


def test_a_single_clip_that_does_not_fit_is_an_error() -> None:
    def work(first: int, last: int) -> None:
        raise MemoryError

    with (
        pytest.warns(UserWarning, match="too little memory"),
        pytest.raises(WorkError, match="does not hold the distances of one clip"),
    ):
        in_pieces(0, 8, 8, work)
