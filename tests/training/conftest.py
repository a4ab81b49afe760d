"""One finished training, which tests may read, and copies of it, which they may change."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.runs import Run
from stgcn_lens.training import Step, train
from tests.training.clips import clip_set, job, splits

EPOCHS = 16


@dataclass(frozen=True)
class Finished:
    run: Run
    clips: ClipSet
    metrics: dict[str, Any]
    steps: list[Step]


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Finished:
    torch.set_num_threads(1)  # a fixture of the session is made before the one of each test that sees to this
    clips, steps = clip_set(), []
    run = Run.create(tmp_path_factory.mktemp("training") / "run")
    with run.lock():
        metrics = train(run, clips, splits(clips), job(epochs=EPOCHS), progress=steps.append)
    return Finished(run, clips, metrics, steps)


@pytest.fixture
def copy(finished, tmp_path) -> Run:
    shutil.copytree(finished.run.path, tmp_path / "copy")
    return Run.open(tmp_path / "copy")


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "run")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
