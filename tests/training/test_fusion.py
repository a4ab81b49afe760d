"""Sums worked out by hand, clips matched by name, and every kind of file that scores come in."""

import math
import pickle

import numpy as np
import pytest

from stgcn_lens.errors import DataError, LensError, RunError
from stgcn_lens.runs import Run
from stgcn_lens.training.fusion import fuse, probabilities, softmax
from stgcn_lens.training.scorefile import Scores, bare, read, write

CLASSES = ("wave", "kick")


def scores(file: str, logits, labels=None, names=None, **about) -> Scores:
    logits = np.array(logits, dtype=float)
    labels = np.full(len(logits), -1) if labels is None else np.array(labels)
    names = tuple(names or (f"clip {i}" for i in range(len(logits))))
    return Scores(file, names, labels, logits, **about)


# softmax (1/4, 3/4) and (4/5, 1/5): wrong and right about a clip of class 0
LEFT = scores("left", [[0, math.log(3)]], [0])
RIGHT = scores("right", [[math.log(4), 0]], [0])


def test_probabilities_are_summed_by_weight():
    equal = fuse([LEFT, RIGHT])
    np.testing.assert_allclose(equal.total, [[(0.25 + 0.8) / 2, (0.75 + 0.2) / 2]])
    np.testing.assert_allclose(fuse([LEFT, RIGHT], [3, 1]).total, [[(0.75 + 0.8) / 4, (2.25 + 0.2) / 4]])


def test_logits_are_summed_by_weight():
    total = fuse([LEFT, RIGHT], [1, 3], "logits").total
    np.testing.assert_allclose(total, [[3 * math.log(4) / 4, math.log(3) / 4]])


def test_a_weight_belongs_to_the_file_at_its_place():
    assert fuse([LEFT, RIGHT], [3, 1]).metrics["top1"] == 0  # (1.55, 2.45) / 4
    assert fuse([LEFT, RIGHT], [1, 3]).metrics["top1"] == 1
    assert fuse([RIGHT, LEFT], [3, 1]).metrics["top1"] == 1
    told = fuse([RIGHT, LEFT], [3, 1]).single
    assert [(one["file"], one["weight"]) for one in told] == [("right", 3), ("left", 1)]


def test_only_the_ratio_of_weights_matters():
    np.testing.assert_allclose(fuse([LEFT, RIGHT], [2, 6]).total, fuse([LEFT, RIGHT], [0.1, 0.3]).total)
    np.testing.assert_allclose(fuse([LEFT, RIGHT], [0, 2]).total, softmax(RIGHT.logits))


def test_softmax_and_logits_can_differ():
    # logits 4 : 3; probabilities 0.269 + 0.269 + 0.953 = 1.491 against 0.731 + 0.731 + 0.047 = 1.509
    files = [scores("a", [[0.5, 1.5]], [0]), scores("b", [[0.5, 1.5]]), scores("c", [[3, 0]])]
    assert fuse(files, summed="logits").total.argmax() == 0
    assert fuse(files, summed="softmax").total.argmax() == 1


def test_a_file_of_probabilities_is_not_squashed_again():
    given = scores("probabilities", softmax(RIGHT.logits), [0])
    for summed in ("softmax", "logits"):
        fused = fuse([LEFT, given], summed=summed)
        assert fused.notes[0].startswith("probabilities holds probabilities")
        # Logarithms are logits up to a constant, which moves no class against another.
        gap = np.diff(fuse([LEFT, RIGHT], summed=summed).total)
        np.testing.assert_allclose(np.diff(fused.total), gap)
    assert fuse([LEFT, RIGHT]).notes == []
    assert not probabilities(np.array([[1.2, -0.2]]))


def test_gain_mends_and_spoils_are_those_of_each_file():
    labels = [0, 0, 1, 1]
    one = scores("one", [[9, 0], [0, 9], [0, 9], [0, 9]], labels)  # mistakes clip 1
    two = scores("two", [[0, 1], [99, 0], [1, 0], [0, 1]], labels)  # mistakes clips 0 and 2
    fused = fuse([one, two], summed="logits")
    assert fused.metrics["top1"] == 1
    assert [part["metrics"]["top1"] for part in fused.single] == [0.75, 0.5]
    assert [part["gain"]["top1"] for part in fused.single] == [0.25, 0.5]
    assert [(part["mends"], part["spoils"]) for part in fused.single] == [(1, 0), (2, 0)]
    assert fuse([one, two], [1, 0]).single[1]["spoils"] == 1


def test_clips_are_matched_by_name_in_any_order_with_or_without_a_suffix():
    rng = np.random.default_rng(0)
    names, logits = [f"S001C001P001R001A{i:03}" for i in range(1, 21)], rng.normal(size=(20, 2))
    one = scores("one", logits, [i % 2 for i in range(20)], names)
    order = rng.permutation(20)
    two = scores("two", logits[order], names=[f"{names[i]}.skeleton" for i in order])
    fused = fuse([one, two], summed="logits")
    assert fused.names == tuple(names)
    np.testing.assert_allclose(fused.total, logits)
    assert fused.labels.tolist() == [i % 2 for i in range(20)]
    assert (bare("a.b.skeleton"), bare("a.b")) == ("a.b", "a.b")


def test_clips_that_a_file_lacks_are_listed_and_left_out():
    one = scores("one", np.eye(3), [0, 1, 2], ["a", "b", "c"])
    two = scores("two", np.eye(3)[[2, 0, 1]], [2, 0, 1], ["c", "d", "b"])
    fused = fuse([one, two])
    assert fused.names == ("b", "c")
    assert fused.missing == {"one": ["d"], "two": ["a"]}
    assert fused.metrics["n"] == 2
    assert [part["metrics"]["n"] for part in fused.single] == [2, 2]


def test_a_label_of_any_file_counts_and_clips_without_one_are_listed():
    one = scores("one", np.eye(2), [0, -1])
    two = scores("two", np.eye(2), [-1, -1])
    fused = fuse([two, one])
    assert (fused.names, fused.labels.tolist(), fused.unlabelled) == (("clip 0",), [0], ["clip 1"])


@pytest.mark.parametrize(
    ("files", "weights", "kind", "told"),
    [
        ([LEFT], None, LensError, "nothing to fuse: got 1 file"),
        ([LEFT, RIGHT], [1], LensError, "got 1 weights, expected 2, in their order"),
        ([LEFT, RIGHT], [1, -1], LensError, "impossible weights"),
        ([LEFT, RIGHT], [0, 0], LensError, "impossible weights"),
        ([LEFT, RIGHT], [1, math.nan], LensError, "impossible weights"),
        ([LEFT, scores("more", [[1, 2, 3]])], None, DataError, "more: scores of other classes: got 3 classes"),
        ([LEFT, scores("other", [[1, 2]], [1])], None, DataError, "clip 0: .*disagree.*left: class 0; other: class 1"),
        ([LEFT, scores("far", [[1, 2]], names=["x"])], None, DataError, "no clip is in all files.*'clip 0'.*'x'"),
        ([scores("a", [[1, 2]]), scores("b", [[1, 2]])], None, DataError, "no file says the true classes"),
        (
            [scores("a", [[1, 2]], [0], classes=CLASSES), LEFT, scores("b", [[1, 2]], classes=("wave", "clap"))],
            None,
            DataError,
            "b: scores of other classes: got 'clap' as class 1, expected 'kick', as in a",
        ),
        ([LEFT, scores("twins", [[1, 2]] * 2, names=["a", "a.npy"])], None, DataError, "twins: clips that differ only"),
    ],
)
def test_what_cannot_be_fused_is_refused_with_the_reason(files, weights, kind, told):
    with pytest.raises(kind, match=told):
        fuse(files, weights)


# files


@pytest.fixture
def folder(tmp_path):
    """The same two clips in every kind of file."""
    names, logits = ["a", "b"], np.array([[1.5, -2.0, 0.25], [0.0, 3.0, -1.0]], np.float32)
    np.savez(tmp_path / "x.npz", names=np.array(names), labels=np.array([2, -1]), logits=logits)
    for suffix, protocol in (("pkl", 2), ("pickle", 5)):
        (tmp_path / f"x.{suffix}").write_bytes(
            pickle.dumps(dict(zip(names, logits, strict=True)), protocol)  # as 2s-AGCN: each row a view of one array
        )
    np.save(tmp_path / "x.npy", logits)
    (tmp_path / "x.txt").write_text("a\nb\n")
    (tmp_path / "x.csv").write_text("a,1.5,-2,0.25\nb,0,3,-1\n")
    (tmp_path / "named.csv").write_text("name,wave,label,kick,sit\na,1.5,2,-2,0.25\n\nb,0,-1,3,-1\n")
    (tmp_path / "pandas.csv").write_text(",0,1,2\na,1.5,-2,0.25\nb,0,3,-1\n")
    return tmp_path


@pytest.mark.parametrize("file", ["x.npz", "x.pkl", "x.pickle", "x.npy", "x.csv", "named.csv", "pandas.csv"])
def test_every_kind_of_file_holds_the_same_scores(folder, file):
    found = read(folder / file)
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(found.logits, [[1.5, -2.0, 0.25], [0.0, 3.0, -1.0]])
    assert found.labels.tolist() == ([2, -1] if file in ("x.npz", "named.csv") else [-1, -1])


def test_what_is_written_is_read_again(tmp_path):
    run = Run.create(tmp_path / "run")
    given = scores("x", [[0.5, 1.25], [3, 4]], [1, -1], ["é", "b c"], classes=CLASSES)
    found = read(write(run, "test", given))
    assert (found.names, found.classes, found.labels.tolist()) == (given.names, CLASSES, [1, -1])
    np.testing.assert_array_equal(found.logits, given.logits)
    with pytest.raises(RunError, match="missing from the run"):
        read(run.path)


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.pkl", pickle.dumps({"a": Trap()}), "print"),
        ("x.pkl", pickle.dumps([1, 2]), "no scores by name: got list"),
        ("x.pkl", pickle.dumps({1: [1.0]}), "other keys than text"),
        ("x.pkl", pickle.dumps({"a": [1.0, 2.0], "b": [1.0]}), "rows of equal length"),
        ("x.pkl", pickle.dumps({"a": "text"}), "rows of equal length"),
        ("x.pkl", pickle.dumps({"a": [1.0, math.nan]}), "not finite numbers: got those of 'a'"),
        ("x.csv", b"a,1,2\nb,1\n", "line 2 is no line of scores: got b,1, expected a name and 2 numbers"),
        ("x.csv", b"name,x,y\na,1,2\nb,1,z\n", "line 3 is no line of scores"),
        ("x.csv", b"a,1,2\na,3,4\n", "a clip's name occurs twice: got 'a'"),
        ("x.csv", b"name,label,x\na,1,2\n", "label out of range: got class 1"),
        ("x.csv", b"", "do not fit"),
        ("x.npy", b"", "without the names of their clips.*x.txt"),
        ("x.npz", b"no zip", "not a file of scores"),
        ("x.bin", b"", "no kind of scores that is known"),
    ],
)
def test_a_file_that_is_no_scores_is_refused_by_name_and_nothing_runs(tmp_path, capsys, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert capsys.readouterr().out == ""


def test_an_npz_with_objects_or_without_a_part_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", names=np.array(["a", None], object), labels=np.zeros(2, int), logits=np.zeros((2, 2)))
    with pytest.raises(DataError, match="not a file of scores"):
        read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", names=np.array(["a"]), logits=np.zeros((1, 2)))
    with pytest.raises(DataError, match="labels"):
        read(tmp_path / "x.npz")
