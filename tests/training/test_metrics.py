"""Scores against scikit-learn, and the cases that it leaves open."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, top_k_accuracy_score

from stgcn_lens.training.metrics import confusion, scores, split_scores


@pytest.fixture
def answers(rng):
    """Logits (200, 8) that are right about half the time, and labels of unequal frequency in which all occur."""
    labels = np.concatenate([np.arange(8), rng.choice(8, 192, p=np.arange(1, 9) / 36)])
    return rng.normal(size=(200, 8)) + 1.5 * np.eye(8)[labels], labels


def test_scores_equal_those_of_scikit_learn(answers):
    logits, labels = answers
    predicted = logits.argmax(axis=1)
    expected = {
        "top1": accuracy_score(labels, predicted),
        "top5": top_k_accuracy_score(labels, logits, k=5),
        "mean_class_accuracy": balanced_accuracy_score(labels, predicted),
        "n": 200,
    }
    assert scores(logits, labels) == pytest.approx(expected)
    assert 0.3 < expected["top1"] < expected["top5"] < 1


def test_confusion_equals_that_of_scikit_learn_with_true_classes_in_rows(answers):
    logits, labels = answers
    predicted = logits.argmax(axis=1)
    np.testing.assert_array_equal(confusion(predicted, labels, 8), confusion_matrix(labels, predicted))
    np.testing.assert_array_equal(confusion(np.array([2]), np.array([0]), 3), [[0, 0, 1], [0, 0, 0], [0, 0, 0]])


def test_mean_class_accuracy_is_over_the_classes_that_occur():
    logits = np.eye(4)[[0, 0, 0, 3]]
    assert scores(logits, np.array([0, 0, 1, 1]))["mean_class_accuracy"] == 0.5
    assert scores(logits, np.array([0, 0, 0, 1]))["mean_class_accuracy"] == 0.5
    assert scores(logits, np.array([0, 0, 0, 1]))["top1"] == 0.75


def test_with_fewer_than_five_classes_the_top_five_hold_the_truth():
    assert scores(np.array([[3.0, 2.0, 1.0]]), np.array([2]))["top5"] == 1


def test_each_side_is_scored_over_its_own_labelled_clips():
    logits, labels = np.eye(2)[[0, 0, 1, 1, 0]], np.array([0, 1, 1, -1, 1])
    sides = np.array(["train", "train", "test", "test", "dropped"])
    got = split_scores(logits, labels, sides)
    assert {name: (value["top1"], value["n"]) for name, value in got.items()} == {"train": (0.5, 2), "test": (1.0, 1)}


@pytest.mark.parametrize(("labels", "sides"), [([0, -1], ["train", "test"]), ([0, 0], ["train", "none"])])
def test_a_side_without_a_labelled_clip_has_no_score(labels, sides):
    assert set(split_scores(np.eye(2), np.array(labels), np.array(sides))) == {"train"}
