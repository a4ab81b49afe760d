"""The NTU RGB+D text format line by line, one number after the other."""

from collections.abc import Iterator


def bodies(text: str) -> Iterator[tuple[int, str, list[tuple[float, float, float]]]]:
    """(frame, body ID, 25 positions) of every body of a sound file, in file order."""
    lines = iter(text.splitlines())
    for frame in range(int(next(lines))):
        for _ in range(int(next(lines))):
            body_id = next(lines).split()[0]
            joints = []
            for _ in range(int(next(lines))):
                x, y, z, *rest = next(lines).split()
                assert len(rest) == 9
                joints.append((float(x), float(y), float(z)))
            yield frame, body_id, joints
