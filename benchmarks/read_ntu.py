"""Claim: NTU files read at least 5x as fast as line by line with `float()`, and convert in constant memory.

    python benchmarks/read_ntu.py [--files 10000] [--frames 80] [--distinct 200] [--convert 500]

Makes synthetic files as the sensor writes them in a temporary folder: `--distinct` of them, linked under as many names
as are asked for, so that the disk is not what is measured. The peer reads a line for every count, body and joint, makes
a number of each of a joint's twelve values and keeps x, y, z of it, as the readers of published networks do (those hold
dictionaries besides, and take longer). Both are checked to give the same arrays, take turns on blocks of files in one
process, and are compared by processor time, which other work on the machine disturbs least. Ours is all that `read`
does: finding the files, telling their format, parsing, checks. Then two processes convert `--convert` and ten times as
many files into the native form; their largest resident sets must not differ by more than the table of clips.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from stgcn_lens.data.readers import recognise

BLOCK = 500  # files read by one side before it is the other's turn
CONVERT = """
import resource, sys
from stgcn_lens.data import read
clips = read(sys.argv[1], into=sys.argv[2])
print(len(clips), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--distinct", type=int, default=200)
    parser.add_argument("--convert", type=int, default=500)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        made = make(Path(place) / "made", args.distinct, args.frames)
        total = args.files * made[0].stat().st_size / 1e9
        print(f"{args.files} files of {args.frames} frames, {total:.1f} GB, of which {args.distinct} differ")
        blocks = [
            link(made, Path(place) / f"block {at}", range(at, min(at + BLOCK, args.files)))
            for at in range(0, args.files, BLOCK)
        ]
        began = time.perf_counter()
        ours(blocks[0])
        print(f"first block, with the import of a compiler: {time.perf_counter() - began:.2f} s")
        for clip in recognise(blocks[0]).clips(print):
            np.testing.assert_array_equal(clip.xyz, line_by_line(blocks[0] / f"{clip.name}.skeleton"))
        pairs = [turn(block, first=i % 2) for i, block in enumerate(blocks)]
        peaks = [peak(made, Path(place), n) for n in (args.convert, 10 * args.convert)]
    mine, theirs = (sum(column) for column in zip(*pairs, strict=True))
    result = {
        "claim": f"reading {args.files} NTU files of {args.frames} frames, against line by line with float()",
        "ours": mine,
        "peer": theirs,
        "ratio": statistics.median(peer / own for own, peer in pairs),
        "unit": "s of processor time",
        "device": "cpu",
        "files_per_s_core": args.files / mine,
        "peer_files_per_s_core": args.files / theirs,
        "convert_mb": {str(n): mb for n, mb in zip((args.convert, 10 * args.convert), peaks, strict=True)},
        "convert_growth": peaks[1] / peaks[0] - 1,
    }
    print(json.dumps(result))


def turn(block: Path, first: int) -> tuple[float, float]:
    """Processor seconds of ours and of the peer on the same files, in either order."""
    seconds = [0.0, 0.0]
    for side in (first, 1 - first):
        began = time.process_time()
        (ours, peer)[side](block)
        seconds[side] = time.process_time() - began
    return seconds[0], seconds[1]


def ours(folder: Path) -> None:
    for _ in recognise(folder).clips(print):
        pass


def peer(folder: Path) -> None:
    for file in sorted(folder.iterdir()):
        line_by_line(file)


def line_by_line(file: Path) -> np.ndarray:
    """(3, T, 25, M) of a sound file whose bodies keep their order."""
    with file.open() as stream:
        frames = int(stream.readline())
        xyz = np.zeros((3, frames, 25, 2), np.float32)
        most = 0
        for t in range(frames):
            bodies = int(stream.readline())
            most = max(most, bodies)
            for m in range(bodies):
                stream.readline()
                for v in range(int(stream.readline())):
                    values = [float(value) for value in stream.readline().split()]
                    xyz[:, t, v, m] = values[:3]
    return xyz[..., :most]


def make(folder: Path, count: int, frames: int) -> list[Path]:
    """Files of one body with the columns and digits that the sensor writes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    scale = np.array([1, 1, 1, 200, 200, 900, 500, 1, 1, 1, 1])
    files = []
    for i in range(count):
        lines = [str(frames)]
        for pose in rng.normal(size=(frames, 25, 11)) * scale:
            lean = " ".join(f"{value:.7g}" for value in rng.normal(size=2))
            lines += ["1", f"{72057594037931101 + i} 0 1 1 0 1 0 {lean} 2", "25"]
            lines += [" ".join(f"{value:.7g}" for value in joint) + " 2" for joint in pose.tolist()]
        files.append(folder / f"{i}.skeleton")
        files[-1].write_bytes("\r\n".join([*lines, ""]).encode())
    return files


def link(files: list[Path], folder: Path, numbers: range) -> Path:
    """The files again, under numbered names of the data set."""
    folder.mkdir()
    for i in numbers:
        name = f"S001C001P{i // 120 % 999 + 1:03d}R{i // 60 % 2 + 1:03d}A{i % 60 + 1:03d} {i}.skeleton"
        os.link(files[i % len(files)], folder / name)
    return folder


def peak(files: list[Path], place: Path, count: int) -> float:
    """Largest resident set in MB of a process that converts so many files."""
    folder = link(files, place / f"convert {count}", range(count))
    words = [sys.executable, "-c", CONVERT, str(folder), str(place / f"native {count}")]
    read, kilobytes = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert int(read) == count
    return int(kilobytes) / 1e3


if __name__ == "__main__":
    main()
