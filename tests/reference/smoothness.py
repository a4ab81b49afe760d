"""Label smoothness as sums over all pairs of clips, with one-hot labels."""

import numpy as np


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(int(labels.max()) + 1)[labels]


def agreement_form(w: np.ndarray, labels: np.ndarray) -> float:
    """mean_i (1 - sum_j w_ij [y_j = y_i]) with rows of w summing to one."""
    total = 0.0
    for i in range(len(w)):
        total += 1 - sum(w[i, j] for j in range(len(w)) if labels[j] == labels[i])
    return total / len(w)


def difference_form(w: np.ndarray, labels: np.ndarray) -> float:
    """(1 / 2N) sum_ij w_ij ||y_i - y_j||^2."""
    y = one_hot(labels)
    total = 0.0
    for i in range(len(w)):
        for j in range(len(w)):
            total += w[i, j] * float(((y[i] - y[j]) ** 2).sum())
    return total / (2 * len(w))


def laplacian_trace(w: np.ndarray, labels: np.ndarray) -> float:
    """tr(Y' (D - W) Y)."""
    y = one_hot(labels)
    return float(np.trace(y.T @ (np.diag(w.sum(axis=1)) - w) @ y))


def vote(near: list[int]) -> int:
    """The class with most votes; of equals the one that is met first."""
    return max(near, key=lambda label: (near.count(label), -near.index(label)))


def laplacian_per_class(w: np.ndarray, labels: np.ndarray) -> list[float]:
    """For each class: weight from its clips to clips of other classes, divided by all weight at its clips."""
    found = []
    for c in range(int(labels.max()) + 1):
        mine = [i for i in range(len(w)) if labels[i] == c]
        away = sum(w[i, j] for i in mine for j in range(len(w)) if labels[j] != c)
        found.append(away / sum(w[i, j] for i in mine for j in range(len(w))))
    return found
