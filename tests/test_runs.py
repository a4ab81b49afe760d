"""The run folder keeps its promises: whole files, one writer, stages that know whether they are done."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from stgcn_lens.arrays import NpyWriter, read_rows
from stgcn_lens.errors import LensError, RunError, WorkError
from stgcn_lens.files import atomic, atomic_folder
from stgcn_lens.runs import MANIFEST, Run, plain, stage_key
from tests.disk import no_file_above


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "run")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Stop(BaseException):
    """As a KeyboardInterrupt: no Exception."""


# one file


def test_a_file_appears_whole_and_alone(tmp_path):
    with atomic(tmp_path / "deep" / "file") as path:
        path.write_text("half")
        assert tree(tmp_path).get("deep/file") is None
        path.write_text("whole")
    assert tree(tmp_path) == {"deep/file": b"whole"}


@pytest.mark.parametrize("kind", [RuntimeError, Stop, LensError])
def test_an_exception_leaves_the_old_file_and_no_other(tmp_path, kind):
    (tmp_path / "file").write_text("old")
    with pytest.raises(kind), atomic(tmp_path / "file") as path:  # noqa: PT012
        path.write_text("new")
        raise kind("stop")
    assert tree(tmp_path) == {"file": b"old"}


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_content(tmp_path):
    (tmp_path / "file").write_text("old")
    with no_file_above(1000), pytest.raises(WorkError, match="cannot write") as caught:  # noqa: SIM117
        with atomic(tmp_path / "file") as path:
            path.write_bytes(bytes(5000))
    assert caught.value.file == str(tmp_path / "file")
    assert caught.value.fix
    assert tree(tmp_path) == {"file": b"old"}


def test_a_disk_that_fails_at_the_last_moment_leaves_the_old_content(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WorkError, match="No space left on device"), atomic(tmp_path / "file") as path:
        path.write_text("new")
    assert tree(tmp_path) == {"file": b"old"}


@pytest.mark.parametrize("write", [atomic, atomic_folder])
def test_a_place_that_cannot_hold_the_file_is_told_with_it(tmp_path, write):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkError) as caught, write(tmp_path / "file" / "inside"):
        pass
    assert caught.value.file == str(tmp_path / "file" / "inside")
    assert tree(tmp_path) == {"file": b"in the way"}


# one folder


def test_a_folder_appears_whole_and_takes_the_place_of_the_old_one(tmp_path):
    for content in ("first", "second"):
        with atomic_folder(tmp_path / "deep" / "folder") as folder:
            (folder / content).write_text(content)
            assert f"deep/folder/{content}" not in tree(tmp_path)
    assert tree(tmp_path) == {"deep/folder/second": b"second"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["folder"]


@pytest.mark.parametrize("kind", [RuntimeError, Stop, LensError])
def test_an_exception_leaves_the_old_folder_and_no_other(tmp_path, kind):
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("old")
    with pytest.raises(kind), atomic_folder(tmp_path / "folder") as folder:  # noqa: PT012
        (folder / "file").write_text("new")
        raise kind("stop")
    assert tree(tmp_path) == {"folder/file": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_full_disk_leaves_the_old_folder(tmp_path):
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("old")
    with no_file_above(1000), pytest.raises(WorkError) as caught:  # noqa: SIM117
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "file").write_bytes(bytes(5000))
    assert caught.value.file == str(tmp_path / "folder")
    assert tree(tmp_path) == {"folder/file": b"old"}


@pytest.mark.parametrize("failing", [1, 2])
def test_a_rename_that_fails_leaves_the_old_folder(tmp_path, monkeypatch, failing):
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("old")
    rename, calls = Path.replace, []

    def sometimes(self, target):
        calls.append(target)
        if len(calls) == failing:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", sometimes)
    with pytest.raises(WorkError), atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_text("new")
    assert tree(tmp_path) == {"folder/file": b"old"}
    assert len(calls) >= failing


# arrays row by row


@pytest.mark.parametrize("row", [(), (4,), (3, 16, 25, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.bool_, np.int64])
def test_rows_written_one_batch_after_the_other_equal_the_array_saved_at_once(tmp_path, rng, row, dtype):
    whole = (rng.normal(size=(7, *row)) * 3).astype(dtype)
    writer = NpyWriter(tmp_path / "deep" / "rows.npy", dtype, row)
    for part in (whole[:3], whole[3:3], whole[3:]):
        writer.append(part)
    writer.close()
    for mode in (None, "r"):
        read = np.load(tmp_path / "deep" / "rows.npy", mmap_mode=mode, allow_pickle=False)
        assert read.dtype == whole.dtype
        np.testing.assert_array_equal(read, whole)
        np.testing.assert_array_equal(read_rows(read, 2, 6), whole[2:6])
        assert read_rows(read, 4, 4).shape == (0, *row)


def test_a_writer_without_rows_makes_an_empty_array(tmp_path):
    NpyWriter(tmp_path / "rows.npy", np.float32, (3,)).close()
    assert np.load(tmp_path / "rows.npy", allow_pickle=False).shape == (0, 3)


def test_a_writer_casts_and_straightens_what_it_is_given(tmp_path, rng):
    whole = rng.normal(size=(5, 4, 3))
    writer = NpyWriter(tmp_path / "rows.npy", np.float32, (3, 4))
    writer.append(whole.transpose(0, 2, 1))
    writer.close()
    saved = np.load(tmp_path / "rows.npy", allow_pickle=False)
    np.testing.assert_array_equal(saved, whole.transpose(0, 2, 1).astype(np.float32))


def test_rows_of_another_shape_are_refused_with_both(tmp_path):
    writer = NpyWriter(tmp_path / "rows.npy", np.float32, (3,))
    with pytest.raises(ValueError, match=r"\(4,\), expected \(3,\)"):
        writer.append(np.zeros((2, 4), np.float32))
    writer.close()


def test_a_writer_on_a_full_disk_closes_its_file(tmp_path):
    with no_file_above(1000), pytest.raises(WorkError), atomic_folder(tmp_path / "folder") as folder:  # noqa: PT012
        writer = NpyWriter(folder / "rows.npy", np.float32, (100,))
        try:
            writer.append(np.zeros((50, 100), np.float32))
        finally:
            writer.close()
    assert writer._stream.closed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("view", ["slice", "step", "transposed"])
def test_rows_of_a_view_into_a_file_are_those_of_the_view(tmp_path, rng, view):
    array = rng.normal(size=(6, 6))
    np.save(tmp_path / "rows.npy", array)
    change = {"slice": lambda a: a[2:], "step": lambda a: a[::2], "transposed": lambda a: a.T}[view]
    mapped = change(np.load(tmp_path / "rows.npy", mmap_mode="r", allow_pickle=False))
    np.testing.assert_array_equal(read_rows(mapped, 1, 3), change(array)[1:3])


def test_rows_of_a_file_in_fortran_order_are_its_rows(tmp_path, rng):
    array = np.asfortranarray(rng.normal(size=(5, 4)))
    np.save(tmp_path / "rows.npy", array)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r", allow_pickle=False)
    np.testing.assert_array_equal(read_rows(mapped, 1, 3), array[1:3])


# plain values


@dataclass(frozen=True)
class Inner:
    where: Path
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: dict[int, Inner]


def test_values_become_what_json_holds_and_come_back():
    value = {
        "outer": Outer(Inner(Path("a/b"), (1.5, float("nan"))), {3: Inner(Path("c"), ())}),
        "array": np.array([[1, 2], [3, 4]], dtype=np.int32),
        "floats": np.array([0.5, np.inf, -np.inf, np.nan], dtype=np.float32),
        "scalars": [np.float32(0.25), np.int64(2**60), np.bool_(True), np.float64("nan")],
        "rest": [None, True, 1, "text", {"set"}],
        "zero": np.array(3.0),
    }
    expected = {
        "outer": {"inner": {"where": "a/b", "weights": [1.5, None]}, "many": {"3": {"where": "c", "weights": []}}},
        "array": [[1, 2], [3, 4]],
        "floats": [0.5, None, None, None],
        "scalars": [0.25, 2**60, True, None],
        "rest": [None, True, 1, "text", ["set"]],
        "zero": 3.0,
    }
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected
    assert type(plain(value)["scalars"][2]) is bool


# run folders


def test_a_new_run_can_be_opened_and_created_again(tmp_path):
    run = Run.create(tmp_path / "deep" / "run")
    run.write_text("note", "kept")
    assert Run.open(tmp_path / "deep" / "run") == run
    assert Run.create(str(tmp_path / "deep" / "run")) == run
    assert (run / "note").read_text() == "kept"
    assert run.manifest()["stages"] == {}


@pytest.mark.parametrize("kind", ["missing", "empty", "file", "folder"])
def test_what_is_no_run_is_not_opened(tmp_path, kind):
    place = tmp_path / "place"
    if kind == "file":
        place.write_text("x")
    elif kind != "missing":
        place.mkdir()
        if kind == "folder":
            (place / "holiday.jpg").write_text("x")
    with pytest.raises(RunError, match="not a run folder") as caught:
        Run.open(place)
    assert caught.value.file == str(place)
    assert "train" in caught.value.fix


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stages": []}', "\x00"], ids=repr)
def test_a_broken_manifest_is_told_with_its_name(tmp_path, text):
    run = Run.create(tmp_path / "run")
    (run / MANIFEST).write_text(text)
    for door in (Run.open, Run.create):
        with pytest.raises(RunError) as caught:
            door(run.path)
        assert caught.value.file == str(run / MANIFEST)
        assert caught.value.fix


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(RunError, match="other things") as caught:
        Run.create(tmp_path)
    assert caught.value.file == str(tmp_path)
    with pytest.raises(RunError):
        Run.create(tmp_path / "holiday.jpg")
    assert tree(tmp_path) == {"holiday.jpg": b"x"}


def test_a_creation_that_was_killed_can_be_repeated(tmp_path):
    (tmp_path / ".lock").write_text("")
    (tmp_path / f".{MANIFEST}.4242.0a1b2c.tmp").write_text("{")
    assert Run.create(tmp_path).manifest()["stages"] == {}


def test_a_place_where_no_folder_can_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkError) as caught:
        Run.create(tmp_path / "file" / "run")
    assert caught.value.file == str(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("metrics.json", "train"),
        ("embeddings/layers.json", "embed"),
        ("graphs/summary.json", "graph"),
        ("layers.json", "graph"),
        ("saliency/saliency.json", "explain"),
    ],
)
def test_a_missing_file_names_the_command_that_makes_it(run, name, verb):
    for read in (run.read_json, run.read_array):
        with pytest.raises(RunError, match="missing") as caught:
            read(name)
        assert caught.value.file == str(run / name)
        assert f"stgcn-lens {verb} " in caught.value.fix


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x93NUMPY\x01\x00v\x00{'descr'", "cut", "object"])
def test_a_broken_array_is_told_with_its_name(run, mmap, content):
    run.write_array("a.npy", np.arange(100.0))
    if content == "cut":
        content = (run / "a.npy").read_bytes()[:-8]
    if content == "object":
        np.save(run / "a.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    else:
        (run / "a.npy").write_bytes(content)
    with pytest.raises(RunError) as caught:
        run.read_array("a.npy", mmap=mmap)
    assert caught.value.file == str(run / "a.npy")


def test_what_is_written_comes_back(run, rng):
    array = rng.normal(size=(4, 3)).astype(np.float32)
    run.write_array("deep/a.npy", array)
    run.write_arrays("deep/b.npz", one=array, two=array[:1])
    run.write_json("deep/c.json", {"value": np.float32(0.5), "nan": float("nan")})
    np.testing.assert_array_equal(run.read_array("deep/a.npy"), array)
    mapped = run.read_array("deep/a.npy", mmap=True)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, array)
    with np.load(run / "deep/b.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["two"], array[:1])
    assert run.read_json("deep/c.json") == {"value": 0.5, "nan": None}


@pytest.mark.parametrize(
    "write",
    [
        lambda run: run.write_json("file", list(range(2000))),
        lambda run: run.write_text("file", "x" * 9000),
        lambda run: run.write_array("file", np.zeros(3000)),
        lambda run: run.write_arrays("file", a=np.zeros(3000)),
    ],
    ids=["json", "text", "array", "arrays"],
)
def test_every_kind_of_file_survives_a_full_disk(run, write):
    run.write_text("file", "old")
    before = tree(run.path)
    with no_file_above(4096), pytest.raises(WorkError) as caught:
        write(run)
    assert caught.value.file == str(run / "file")
    assert tree(run.path) == before


# one writer

HOLD = """
import sys, time
from stgcn_lens.runs import Run
with Run.open(sys.argv[1]).lock():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(run):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_told_who_writes_and_may_write_once_that_one_was_killed(run, holder):
    with pytest.raises(RunError, match=f"process {holder.pid}") as caught, run.lock():
        pass
    assert caught.value.file == str(run.path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with run.lock():
        assert (run / ".lock").read_text() == f"process {os.getpid()}"


def test_the_lock_is_free_again_after_an_exception(run):
    with pytest.raises(RuntimeError), run.lock():
        raise RuntimeError
    with run.lock(), pytest.raises(RunError), run.lock():
        pass


def test_a_run_that_cannot_be_locked_is_told(run):
    (run / ".lock").mkdir()
    with pytest.raises(WorkError) as caught, run.lock():
        pass
    assert caught.value.file == str(run / ".lock")


def test_who_takes_the_lock_removes_what_a_killed_process_left(run):
    for name in (".a.json.12.00ff00.tmp", "graphs/.input.npz.12.00ff00.tmp"):
        run.write_text(name, "half")
    run.write_text(".embeddings.12.00ff00.tmp/input/.rows.npy.12.00ff01.tmp", "half")
    run.write_text("figures/kept", "new")
    run.write_text(".figures.12.00ff00.old/kept", "old")
    run.write_text(".saliency.12.00ff00.old/kept", "taken away, its successor never put in place")
    run.write_text(".mine.tmp", "not made by a run")
    with run.lock():
        pass
    kept = {MANIFEST, ".lock", ".mine.tmp", "figures/kept", "saliency/kept"}
    assert set(tree(run.path)) == kept
    assert (run / "figures/kept").read_text() == "new"
    assert not (run / ".embeddings.12.00ff00.tmp").exists()


# stages


def test_a_stage_is_running_then_done(run):
    with run.stage("embed", config={"seed": 3, "window": 8}, inputs={"train": "t"}, device="cuda") as record:
        running = run.manifest()["stages"]["embed"]
        assert running["status"] == "running"
        assert "seconds" not in running
        with pytest.raises(RunError, match="'embed' was interrupted"):
            run.key("embed")
        record["layers"] = np.int64(11)
    done = run.manifest()["stages"]["embed"]
    assert done["status"] == "done"
    assert done["layers"] == 11
    assert done["seconds"] >= 0
    assert (done["config"], done["seed"], done["inputs"]) == ({"seed": 3, "window": 8}, 3, {"train": "t"})
    assert done["device"] == "cuda"
    assert {"python", "numpy", "torch"} <= set(done["versions"])
    assert run.key("embed") == stage_key({"seed": 3, "window": 8}, {"train": "t"})


@pytest.mark.parametrize("kind", [RuntimeError, Stop])
def test_a_stage_that_raises_is_failed(run, kind):
    with pytest.raises(kind), run.stage("graph", config={}, inputs={}):
        raise kind
    assert run.manifest()["stages"]["graph"]["status"] == "failed"
    assert not run.fresh("graph", stage_key({}, {}))
    with pytest.raises(RunError, match="interrupted") as caught:
        run.key("graph")
    assert str(run.path) in caught.value.fix


def test_the_error_of_the_work_is_told_even_if_the_failure_cannot_be_recorded(run):
    with pytest.raises(RuntimeError, match="the work"), run.stage("graph", config={}, inputs={}):  # noqa: PT012
        (run / MANIFEST).unlink()
        raise RuntimeError("the work")


def test_a_stage_that_was_never_run_names_its_command(run):
    with pytest.raises(RunError, match="'explain' has not been run") as caught:
        run.key("explain")
    assert caught.value.fix == f"run: stgcn-lens explain {run.path}"
    assert not run.fresh("explain", "")


def test_stages_do_not_disturb_each_other(run):
    with run.stage("train", config={}, inputs={}):
        pass
    with pytest.raises(RuntimeError), run.stage("embed", config={}, inputs={}):
        raise RuntimeError
    assert {name: record["status"] for name, record in run.manifest()["stages"].items()} == {
        "train": "done",
        "embed": "failed",
    }


def test_a_stage_is_fresh_only_for_its_own_configuration_and_inputs(run):
    config, inputs = Inner(Path("a"), (1.0, 2.0)), {"b": "1", "a": "2"}
    with run.stage("embed", config=config, inputs=inputs):
        assert not run.fresh("embed", stage_key(config, inputs))
    assert run.fresh("embed", stage_key(config, inputs))
    assert run.fresh("embed", stage_key(Inner(Path("a"), (1.0, 2.0)), {"a": "2", "b": "1"}))
    for other in (
        stage_key(Inner(Path("a"), (1.0, 2.5)), inputs),
        stage_key(config, {"b": "1", "a": "3"}),
        stage_key(config, {"b": "1"}),
    ):
        assert not run.fresh("embed", other)
