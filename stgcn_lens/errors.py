"""The errors a user can meet: one line each, saying where, what was got, what was expected and what to do."""

from pathlib import Path


class LensError(ValueError):
    """Anything the user can mend; printed as one line, without a traceback.

    Parameters
    ----------
    what : what happened, in words.
    file, frame : where; `frame` counts from 0.
    got, expected : the two sides of a mismatch.
    fix : what to do about it.
    """

    exit_code = 2  # bad usage or bad input

    def __init__(
        self,
        what: str,
        *,
        file: Path | str | None = None,
        frame: int | None = None,
        got: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.file, self.frame = what, None if file is None else str(file), frame
        self.got, self.expected, self.fix = got, expected, fix
        where = "" if file is None else f"{file}"
        if frame is not None:
            where += f"{', ' if where else ''}frame {frame}"
        line = f"{where}: {what}" if where else what
        if got is not None:
            line += f": got {got}"
        if expected is not None:
            line += f"{', ' if got is not None else ': '}expected {expected}"
        if fix is not None:
            line += f"; {fix}"
        super().__init__(line)


class DataError(LensError):
    """A file, a clip or a set that cannot be used as it is."""


class CheckpointError(LensError):
    """Weights that do not fit, are incomplete or are not weights."""


class RunError(LensError):
    """A run folder that is missing, partial, locked or of another kind."""


class WorkError(LensError):
    """Work that was begun rightly and failed: NaN loss, full disk, memory exhausted."""

    exit_code = 1
