"""One line that says where, what was got, what was expected and what to do."""

import pytest

from stgcn_lens.errors import CheckpointError, DataError, LensError, RunError, WorkError


def test_the_line_holds_every_part_in_order():
    error = DataError("wrong count", file="a.skeleton", frame=0, got=24, expected=25, fix="record it again")
    assert str(error) == "a.skeleton, frame 0: wrong count: got 24, expected 25; record it again"


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({}, "it failed"),
        ({"file": "f"}, "f: it failed"),
        ({"frame": 3}, "frame 3: it failed"),
        ({"got": 0}, "it failed: got 0"),
        ({"expected": 1}, "it failed: expected 1"),
        ({"fix": "do this"}, "it failed; do this"),
        ({"got": False, "expected": ""}, "it failed: got False, expected "),
    ],
)
def test_parts_that_are_not_known_leave_no_trace(parts, line):
    assert str(LensError("it failed", **parts)) == line


def test_the_parts_can_be_asked_for():
    error = RunError("what", file="f", frame=2, got=1, expected=2, fix="fix")
    assert (error.what, error.file, error.frame, error.got, error.expected, error.fix) == ("what", "f", 2, 1, 2, "fix")


def test_bad_input_and_failed_work_leave_with_different_codes():
    assert {kind: kind("x").exit_code for kind in (LensError, DataError, CheckpointError, RunError, WorkError)} == {
        LensError: 2,
        DataError: 2,
        CheckpointError: 2,
        RunError: 2,
        WorkError: 1,
    }


@pytest.mark.parametrize("kind", [DataError, CheckpointError, RunError, WorkError])
def test_every_kind_is_caught_as_a_lens_error_and_as_a_value_error(kind):
    assert issubclass(kind, LensError)
    assert issubclass(kind, ValueError)
