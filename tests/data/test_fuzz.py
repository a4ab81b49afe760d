"""Whatever a file holds, a reader says what is wrong with it: in time, in little memory, and as `DataError`."""

import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest

from stgcn_lens.data import READERS
from stgcn_lens.data.readers import recognise
from stgcn_lens.data.source import Reader
from stgcn_lens.errors import DataError
from tests.data import fuzz, fuzz_inside
from tests.data.makers import MODULES

SHORT, LONG = 400, 10_000  # mutations of each reader
SECONDS = 1.0  # of processor time, for one file
ROOM = 2**21  # bytes that reading may take beyond twice the file


class TooSlow(BaseException):
    """Not an `Exception`: nobody may catch it by chance."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """`TooSlow` where the block takes more processor time."""

    def ring(*_: object) -> None:
        raise TooSlow(f"over {seconds} s")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def peak_of(work: Callable[[], None]) -> int:
    """Bytes that Python and numpy held at once, at most, because of the work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def put(file: Path, content: bytes) -> None:
    """Write anew: to cut a file short takes some file systems longer than to read it."""
    file.unlink()
    file.write_bytes(content)


class Patient:
    """A small sound set of one format, of which one file at a time is damaged."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader, self.folder = reader, folder
        MODULES[reader.name].make(folder)
        self.sound = {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
        # Where files are clips by themselves they are read by themselves: the whole set ten thousand times takes long.
        alone = {file: self.clips(file) for file in self.sound}
        self.alone = {file for file in alone if alone[file]} if sum(alone.values()) == self.clips(folder) else set()

    def clips(self, path: Path) -> int:
        """How many clips are read from a path."""
        try:
            return sum(1 for _ in recognise(path, format=self.reader.name).clips(lambda fault: None))
        except DataError:
            return 0

    def damage(self, seed: int) -> tuple[Path, bytes]:
        """The file that is damaged under a seed, and what it becomes."""
        rng = Random(f"{self.reader.name} {seed}")
        file = rng.choice(list(self.sound))
        return file, fuzz.mutate(self.sound[file], self.sound[rng.choice(list(self.sound))], rng)

    def examine(self, seed: int) -> str | None:
        """What goes wrong under a seed; None if all is well."""
        file, damaged = self.damage(seed)
        path = file if file in self.alone else self.folder
        put(file, damaged)
        try:
            held = self.sound if path == self.folder else {}
            most = 2 * max(fuzz_inside.weight(damaged), len(damaged), sum(map(len, held.values()))) + ROOM
            peak = peak_of(lambda: self.read(path, file))
            if peak > most:  # again: Python's table of interned names, 3.8 MB of it, grows once after some 80,000 paths
                peak = peak_of(lambda: self.read(path, file))
            if peak > most:
                return f"{peak} bytes of memory for a file of {len(damaged)}"
        except (Exception, TooSlow) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            put(file, self.sound[file])
        return None

    def read(self, path: Path, file: Path) -> None:
        """Ask every reader about the file and read it all; only `DataError` is expected."""

        def told(fault: object) -> None:
            assert "allocate" not in str(fault), fault  # a promise that was believed until there was no memory

        with time_limit(SECONDS):
            for reader in READERS:
                reader.sniff(file)
            try:
                for clip in recognise(path, format=self.reader.name).clips(told):
                    assert np.isfinite(clip.xyz).all()
            except DataError:
                pass


def failures(reader: Reader, folder: Path, seeds: range) -> list[str]:
    patient = Patient(reader, folder)
    found = ((seed, patient.examine(seed)) for seed in seeds)
    return [f"{reader.name}, seed {seed}: {what}" for seed, what in found if what is not None]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_are_refused_in_time_and_in_little_memory(reader, tmp_path):
    assert failures(reader, tmp_path / "set", range(SHORT)) == []


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_ten_thousand_damaged_files_are_refused_in_time_and_in_little_memory(reader, tmp_path):
    assert failures(reader, tmp_path / "set", range(LONG)) == []
