"""Shared fixtures: seeds, and where the real skeletons lie if they are here."""

from pathlib import Path

import numpy as np
import pytest

from tests.browser import browser  # noqa: F401 (a fixture for all)

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the real skeletons are not here ({SHARED})")
    return SHARED


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    # Small tensors on shared cores: more threads only wait for each other, and sums keep one order. For every test
    # anew: numba shares OpenMP with torch, and its parallel loops leave their own number of threads behind.
    import torch

    torch.set_num_threads(1)
