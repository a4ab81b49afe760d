"""What holds for every command: help, exit codes, streams, errors in one line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from stgcn_lens import __version__, cli
from stgcn_lens.cli import COMMANDS, main
from stgcn_lens.commands import Common, Result
from tests.commands.conftest import SMALL

POSITIONAL = {
    "evaluate",
    "embed",
    "graph",
    "explain",
    "score",
    "study transfer",
    "neighbours",
    "confusions",
    "study layers",
    "study noise",
    "report",
    "analyse",
    "data info",
    "data missing",
    "checkpoint info",
}


def words(verb: str) -> list[str]:
    """A command line that is right as far as its form goes."""
    needed = {
        "train": ["--data", "nowhere", "--out", "nothing"],
        "adopt": ["nowhere", "--data", "nothing", "--out", "nothing"],
        "fuse": ["nowhere", "nothing"],
        "compare": ["nowhere", "nothing"],
        "checkpoint import": ["nowhere", "--out", "nothing", "--frames", "64"],
        "checkpoint export": ["nowhere", "--out", "nothing"],
        "data convert": ["nowhere", "nothing", "--to", "native"],
    }
    return [*verb.split(), *needed.get(verb, ["nowhere"] if verb in POSITIONAL else [])]


def one_line(text: str) -> str:
    """The only line of a text."""
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text.strip()


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_ends_in_an_example_of_that_command(verb, capsys) -> None:
    assert main([*verb.split(), "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.rstrip().splitlines()
    assert lines[-2] == "example:"
    assert lines[-1].startswith(f"  stgcn-lens {verb}")
    for flag in ("--json", "--dry-run", "--debug", "--help"):
        assert flag in shown.out


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_example_is_a_command_line_that_is_understood(verb, capsys) -> None:
    example = import_module(f"stgcn_lens.commands.{COMMANDS[verb][0]}").EXAMPLE
    assert main([*example.split()[1:], "--dry-run"]) == 0
    json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_has_frozen_arguments_with_the_common_flags(verb) -> None:
    command = import_module(f"stgcn_lens.commands.{COMMANDS[verb][0]}")
    assert is_dataclass(command.Args)
    assert issubclass(command.Args, Common)
    assert command.Args.__dataclass_params__.frozen
    assert {"json", "dry_run", "debug"} <= {field.name for field in fields(command.Args)}


@pytest.mark.parametrize("verb", COMMANDS)
def test_dry_run_prints_the_configuration_and_writes_nothing(verb, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words(verb), "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["dry_run"] is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", sorted(POSITIONAL | {"train", "fuse", "compare", "data convert"}))
def test_what_is_not_there_is_told_in_one_line(verb, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words(verb)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert one_line(shown.err).startswith("stgcn-lens: nowhere: ")
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback_before_the_line(tmp_path, capsys) -> None:
    assert main(["embed", str(tmp_path), "--debug"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.splitlines()[-1].startswith(f"stgcn-lens: {tmp_path}: not a run folder")


@pytest.mark.parametrize("wrong", [["tarin"], ["data"], ["data", "inf"], ["-x"]])
def test_an_unknown_command_lists_the_known_ones(wrong, capsys) -> None:
    assert main(wrong) == 2
    line = one_line(capsys.readouterr().err)
    assert f"no command '{wrong[0]}'" in line
    assert all(verb in line for verb in COMMANDS)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["embed", "RUN", "--widnow", "4"], "Unrecognized options: --widnow, 4"),
        (["embed", "RUN", "--window", "four"], "Error parsing --window: .*'four'"),
        (["embed", "RUN", "--window", "0"], "impossible windows: got window 0, .* expected window >= 1"),
        (["graph", "RUN", "--distance", "far"], "no such distance: got far, expected window_dtw or pooled"),
        (["explain", "RUN", "--pooling", "joint"], "'joint' .*'clip', 'body'"),
        (["train", "--data", "X"], "--out"),
        (["train", "--data", "X", "--out", "Y", "--frames", "0"], "frames too small: got 0, expected >= 1"),
        (["report"], "no run to report on"),
    ],
)
def test_wrong_usage_is_told_in_one_line_with_where_to_look(wrong, told, capsys) -> None:
    assert main(wrong) == 2
    shown = capsys.readouterr()
    line = one_line(shown.err)
    assert shown.out == ""
    assert line.endswith(f"see: stgcn-lens {wrong[0]} --help")
    assert re.search(told, line), line


def test_without_words_the_overview_is_bad_usage_and_with_help_it_is_not(capsys) -> None:
    assert main([]) == 2
    first = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == first
    assert all(verb in first for verb in COMMANDS)
    assert first.rstrip().splitlines()[-2] == "example:"


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"stgcn-lens {__version__}\n"


def test_json_is_one_object_on_stdout_and_nothing_else(recordings, capsys) -> None:
    assert main(["data", "info", str(recordings), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["clips"] == 48
    assert shown.out.count("\n") == 1
    assert shown.err == ""


class Failing:
    """Stands in for a command module whose work goes wrong."""

    from stgcn_lens.commands.data_info import EXAMPLE, FLAGS, Args

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def run(self, args: object) -> Result:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (OSError(28, "No space left on device"), 1, "OSError: .*No space left"),
        (MemoryError("cannot allocate\nso much"), 1, "MemoryError: cannot allocate so much"),
        (KeyError("layers"), 1, "a fault of stgcn-lens itself: KeyError: 'layers'; run again with --debug"),
        (KeyboardInterrupt(), 1, "interrupted; the same command goes on"),
    ],
)
def test_failures_end_in_one_line(error, status, told, monkeypatch, capsys) -> None:
    monkeypatch.setattr(cli, "import_module", lambda name: Failing(error))
    assert main(["data", "info", "x"]) == status
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    assert re.search(told, line), line


def test_a_fault_of_ours_is_raised_under_debug(monkeypatch) -> None:
    monkeypatch.setattr(cli, "import_module", lambda name: Failing(KeyError("layers")))
    with pytest.raises(KeyError, match="layers"):
        main(["data", "info", "x", "--debug"])


def test_a_reader_that_closes_the_pipe_is_no_error(recordings) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "stgcn_lens", "data", "info", str(recordings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    said = command.stderr.read()
    command.stderr.close()
    assert (command.wait(), said) == (0, b"")


def test_ctrl_c_in_a_training_is_no_traceback_and_the_same_command_goes_on(recordings, trained, tmp_path) -> None:
    out = tmp_path / "run"
    line = [sys.executable, "-m", "stgcn_lens", "train", "--data", str(recordings), "--out", str(out), *SMALL]
    line[line.index("--epochs") + 1] = "40"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as command:
        log, deadline = out / "train_log.jsonl", time.monotonic() + 60
        while not log.is_file() and time.monotonic() < deadline and command.poll() is None:
            time.sleep(0.02)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 1
    assert said.strip() == "stgcn-lens: interrupted; the same command goes on where this one stopped"
    before = log.read_text().splitlines()
    assert 1 <= len(before) < 40
    assert main([*line[3:]]) == 0
    after = log.read_text().splitlines()
    assert len(after) == 40
    assert after[: len(before)] == before  # with their times: these epochs were not trained again


def test_a_run_that_another_process_writes_is_refused(trained: Path, capsys) -> None:
    code = (
        "import sys; from stgcn_lens.runs import Run\nwith Run.open(sys.argv[1]).lock(): print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(trained)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "1\n"
        before = (trained / "manifest.json").read_bytes()
        assert main(["embed", str(trained)]) == 2
        line = one_line(capsys.readouterr().err)
        assert f"{trained}: the run is being written by process {other.pid}; wait" in line
        assert (trained / "manifest.json").read_bytes() == before
        other.communicate("\n")
