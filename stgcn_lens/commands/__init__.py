"""One module a verb of the command line: flags as a frozen dataclass, a call into the package, a line of result."""

from dataclasses import dataclass

SOME_LEFT_OUT = 3  # exit status: done, but clips were left out


@dataclass(frozen=True, kw_only=True)
class Common:
    """Flags that every command has."""

    json: bool = False
    """Print the result as one JSON object instead of a line."""
    dry_run: bool = False
    """Print the resolved configuration as JSON and do nothing."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Result:
    """What a command has to say: a line for people, data for `--json`, the exit status."""

    text: str
    data: dict
    exit_code: int = 0
