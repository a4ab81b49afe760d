"""One trained run with its study, which tests may read, and copies of it, which they may change."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.depth import DepthConfig, study
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.training import train
from tests.training.clips import CLASSES, clip_set, job

EMBED = EmbedConfig(window=4)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=4), resamples=50, permutations=20)
CONFIG = DepthConfig(windows=(4, 2), ks=(3, 4, 99), resamples=200)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forty clips of three classes, subjects 3 and 4 under analysis."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)  # noise, so that no layer is without error
    noisy = [clip.replace(xyz=clip.xyz + rng.normal(0, 0.3, clip.xyz.shape).astype("f4")) for clip in clip_set(40, 3)]
    clips = ClipSet.from_clips(noisy, CLASSES).save(tmp_path_factory.mktemp("depth") / "clips")
    run = Run.create(tmp_path_factory.mktemp("depth") / "run")
    run.write_json("manifest.json", {**run.manifest(), "data": str(clips.folder)})
    sides = ["test" if row.subject in (3, 4) else "train" for row in clips.rows]
    with run.lock():
        train(run, clips, np.array(sides), job(epochs=12))
        embed(run, EMBED)
        graph(run, GEOMETRY)
    return run


@pytest.fixture(scope="session")
def studied(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = copied(trained, tmp_path_factory.mktemp("studied") / "run")
    study(run, CONFIG)
    return run


@pytest.fixture
def copy(trained: Run, tmp_path: Path) -> Run:
    """The trained and analysed run, without a study."""
    return copied(trained, tmp_path / "run")


def copied(run: Run, folder: Path) -> Run:
    shutil.copytree(run.path, folder)
    return Run.open(folder)
