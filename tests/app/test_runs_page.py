"""The Runs page and its jobs: what it says of each run is in the run, and it starts and ends one process at a time."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from app import jobs, sources, stages
from app.jobs import Jobs
from stgcn_lens.commands.progress import FILE, bar
from stgcn_lens.errors import RunError
from stgcn_lens.runs import Run
from tests.app.test_pages import TRAINED, _without, errors, words

PATIENCE = 120.0  # seconds for a process of another Python that imports torch on busy cores


@pytest.fixture
def board(monkeypatch) -> Iterator[Jobs]:
    """Jobs of this test alone."""
    made = Jobs()
    monkeypatch.setattr(jobs, "jobs", lambda: made)
    yield made
    made.close()


@pytest.fixture
def here(monkeypatch) -> None:
    """The app as it is served by default: to this machine alone."""
    told = st.get_option
    monkeypatch.setattr(st, "get_option", lambda key: "127.0.0.1" if key == "server.address" else told(key))


def ended(board: Jobs) -> str:
    deadline = time.monotonic() + PATIENCE
    while board.running is not None:
        assert time.monotonic() < deadline, "the job does not end"
        time.sleep(0.05)
    return board.last.status


def makes(app) -> list[str]:
    """Labels of the buttons that start something."""
    return [button.label for button in app.button if button.key.startswith("make_")]


def test_the_table_says_what_the_manifest_says(open_app, whole):
    app = open_app(whole, "runs")
    assert errors(app) == []
    table = app.dataframe[0].value
    line = table.set_index("run").loc["small"]
    records = json.loads((whole / "manifest.json").read_text())["stages"]
    for stage in ("train", "embed", "graph", "explain"):
        assert line[stage].startswith("✓ ")
        shown = float(line[stage].removeprefix("✓ ").removesuffix(" s"))
        assert shown == pytest.approx(records[stage]["seconds"], abs=0.5)
    assert line["score"] == line["report"] == "–"  # noqa: RUF001
    assert line["top-1"] == json.loads((whole / "metrics.json").read_text())["test"]["top1"]
    held = sum(file.stat().st_size for file in whole.rglob("*") if file.is_file())
    assert line["size"] == f"{held / 1e6:.1f} MB"


def test_what_can_be_made_is_what_is_missing_and_has_its_source(copy):
    assert stages.overview(copy).next == ["report"]
    run = _without(copy, *TRAINED["stages"], files=TRAINED["files"])
    assert stages.overview(run).next == ["embed", "report"]
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["stages"]["embed"] = {"status": "done", "seconds": 1.0}
    manifest["stages"]["graph"] = {"status": "stale", "seconds": 1.0}
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert stages.overview(run).next == ["graph", "explain", "report"]
    manifest["stages"]["train"]["status"] = "failed"
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert stages.overview(run).next == ["graph", "explain"]


def test_a_stage_that_says_it_runs_is_interrupted_unless_its_process_lives(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["stages"]["graph"]["status"] = "running"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert stages.overview(copy).stages["graph"][0] == "interrupted"
    with Run(copy).lock():
        assert stages.held(copy)
        assert stages.overview(copy).stages["graph"][0] == "running"
    assert not stages.held(copy)


def test_a_broken_run_is_a_line_with_its_trouble_and_the_others_are_there(open_app, whole, tmp_path, monkeypatch):
    root = tmp_path / "root"
    shutil.copytree(whole, root / "good")
    (root / "bad").mkdir()
    (root / "bad" / "manifest.json").write_text("{ cut")
    os.utime(root / "bad" / "manifest.json", (1, 1))
    monkeypatch.setenv("STGCN_LENS_ROOT", str(root))
    app = open_app(root / "good", "runs")
    assert errors(app) == []
    table = app.dataframe[0].value.set_index("run")
    assert set(table.index) == {"good", "bad"}
    assert "not JSON" in table.loc["bad", "trouble"]
    assert table.loc["good", "train"].startswith("✓")


def test_without_any_run_the_commands_that_make_one_are_shown(open_app, whole, monkeypatch):
    monkeypatch.setattr(sources, "CHECKPOINT", whole)
    app = open_app(None, "runs")
    assert errors(app) == []
    assert [block.value.split()[1] for block in app.code] == ["demo", "train"]


def test_a_stage_is_made_by_a_click_and_the_run_then_holds_it(open_app, copy, board, here):
    app = open_app(copy, "runs")
    assert makes(app) == ["Make report"]
    next(button for button in app.button if button.key == "make_report").click().run()
    assert errors(app) == []
    assert (board.last.run, board.last.verb) == (copy, "report")
    assert ended(board) == "done", board.last.said
    assert (copy / "report.html").is_file()
    app = open_app(copy, "runs")
    assert "report of copy: done" in app.success[0].value.replace("\\", "")
    assert makes(app) == []
    assert not Path(board.last.room.name).exists()


def test_while_one_is_made_no_other_can_be_started(open_app, copy, board, here, monkeypatch):
    monkeypatch.setattr(jobs, "command", lambda verb, run: [sys.executable, "-c", "import time; time.sleep(600)"])
    board.start(copy, "embed")
    app = open_app(copy, "runs")
    assert all(button.disabled for button in app.button if button.key.startswith("make_"))
    assert "One stage at a time" in words(app)
    with pytest.raises(RunError, match="another stage is being made: got embed of copy"):
        board.start(copy, "graph")
    next(button for button in app.button if button.key == "cancel_job").click().run()
    assert ended(board) == "cancelled"


@pytest.mark.long
def test_a_cancelled_stage_ends_with_its_whole_group_and_the_run_goes_on_later(copy, board):
    _without(copy, *TRAINED["stages"], files=TRAINED["files"])
    job = board.start(copy, "embed")
    group = os.getpgid(job.process.pid)
    assert group != os.getpgid(0)
    job.cancel().join()
    assert ended(board) == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert not stages.held(copy)
    assert stages.overview(copy).stages["embed"][0] in ("missing", "failed", "interrupted", "done")
    board.start(copy, "embed")
    assert ended(board) == "done", board.last.said
    assert (copy / "embeddings" / "clips.npy").is_file()


def test_a_stage_that_does_not_listen_is_ended_for_good(copy, board, monkeypatch):
    deaf = (
        "import os, pathlib, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "pathlib.Path(os.environ['STGCN_LENS_PROGRESS']).write_text('{}'); time.sleep(600)"
    )
    monkeypatch.setattr(jobs, "PATIENCE", 0.2)
    monkeypatch.setattr(jobs, "command", lambda verb, run: [sys.executable, "-c", deaf])
    job = board.start(copy, "embed")
    deadline = time.monotonic() + PATIENCE
    while not (Path(job.room.name) / "progress").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    job.cancel().join()
    assert job.process.returncode == -signal.SIGKILL
    assert job.status == "cancelled"


def test_a_stage_that_fails_says_why(open_app, copy, board, here, monkeypatch):
    code = "import sys; print('a bar'); sys.exit('layers.json: <b>not JSON</b>; mend it')"
    monkeypatch.setattr(jobs, "command", lambda verb, run: [sys.executable, "-c", code])
    board.start(copy, "report")
    assert ended(board) == "failed"
    assert errors(open_app(copy, "runs")) == ["layers\\.json\\: \\<b\\>not JSON\\</b\\>; mend it"]


def test_the_command_is_that_of_the_terminal_with_this_python(tmp_path):
    assert jobs.command("embed", tmp_path) == [sys.executable, "-m", "stgcn_lens", "embed", str(tmp_path)]


def test_an_app_that_is_served_to_others_starts_nothing(open_app, copy, monkeypatch):
    told = st.get_option
    monkeypatch.setattr(st, "get_option", lambda key: "0.0.0.0" if key == "server.address" else told(key))
    app = open_app(copy, "runs")
    assert makes(app) == []
    assert "served to others" in words(app)
    assert f"stgcn-lens report {copy}" in [block.value for block in app.code]


def test_a_link_out_of_the_root_is_outside(tmp_path, whole):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(whole)
    assert not stages.inside(tmp_path / "root" / "link", tmp_path / "root", None)
    assert stages.inside(tmp_path / "root" / "link", tmp_path / "root", whole)
    assert stages.inside(whole, whole.parent, None)
    assert not stages.inside(whole, tmp_path / "root", None)


def test_progress_is_told_in_a_file_for_whoever_asks(tmp_path, monkeypatch):
    monkeypatch.setenv(FILE, str(tmp_path / "progress"))
    with bar("embed") as progress:
        progress(3, 7)
        assert json.loads((tmp_path / "progress").read_text()) == {"what": "embed", "done": 3, "total": 7}
        progress(7, 7)
    assert json.loads((tmp_path / "progress").read_text())["done"] == 7
    assert [file.name for file in tmp_path.iterdir()] == ["progress"]
