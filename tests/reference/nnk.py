"""NNK node by node: a non-negative least-squares problem on a factor of the kernel."""

import numpy as np
from scipy.optimize import nnls


def weights(kernel: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """argmin over theta >= 0 of 1/2 theta' (K + ridge I) theta - theta' k = 1/2 ||L' theta - L^-1 k||^2 + const."""
    low = np.linalg.cholesky(kernel + ridge * np.eye(len(kernel)))
    return nnls(low.T, np.linalg.solve(low, target))[0]


def graph(distances: np.ndarray, k: int, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Dense weights (N, N) and errors (N,) of the Gaussian NNK graph of a full distance matrix."""
    n = len(distances)
    order = [[j for j in np.lexsort((np.arange(n), distances[i])) if j != i][:k] for i in range(n)]
    sigma = np.mean([distances[i, order[i][-1]] for i in range(n)]) / 3
    kernel = np.exp(-(distances**2) / (2 * sigma**2))
    theta, errors = np.zeros((n, n)), np.zeros(n)
    for i in range(n):
        s = np.array(order[i])
        k_ss, k_si = kernel[np.ix_(s, s)], kernel[s, i]
        values, vectors = np.linalg.eigh(k_ss)
        k_ss = (vectors * np.maximum(values, 0)) @ vectors.T
        theta[i, s] = weights(k_ss, k_si, ridge)
        errors[i] = 0.5 * theta[i, s] @ k_ss @ theta[i, s] - theta[i, s] @ k_si + 0.5 * kernel[i, i]
    return theta, errors


def undirected(theta: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Each pair's weight from the end with the smaller error; the larger weight if the errors are equal."""
    n = len(errors)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if errors[i] == errors[j]:
                out[i, j] = max(theta[i, j], theta[j, i])
            else:
                out[i, j] = theta[i, j] if errors[i] < errors[j] else theta[j, i]
    return out
