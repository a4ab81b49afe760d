"""A small run, made once by the package's own stages, and the app opened on it without a browser."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from altair.utils import schemapi
from streamlit.testing.v1 import AppTest

from app import charts as _set_first  # noqa: F401 (it switches the checks off)
from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import EmbedConfig, embed
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models import STGCNConfig
from stgcn_lens.runs import Run
from stgcn_lens.studies.layers import GeometryConfig, graph
from stgcn_lens.studies.saliency import ExplainConfig, explain
from stgcn_lens.training import TrainConfig, TrainJob, train

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
ACTIONS = ("clap", "throw", "sit down", "handshake")


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Path:
    """A run with every stage the app reads: 12 test clips of four actions, one for two people."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "small")
    clips = synthetic_set(SyntheticConfig(subjects=(1, 2, 3, 4), views=(2,), actions=ACTIONS), into=run / "data")
    job = TrainJob(
        model=STGCNConfig(width=4, kernel=3),
        preprocessing=Preprocessing(frames=16),
        training=TrainConfig(epochs=2, batch=4, warmup=0),
    )
    train(run, clips, np.array(["train"] * 4 + ["test"] * 12), job)
    embed(run, EmbedConfig())
    graph(run, GeometryConfig(graph=GraphConfig(k=4), resamples=20, permutations=5))
    explain(run, ExplainConfig())
    return run.path


@pytest.fixture(autouse=True)
def _charts_are_checked(monkeypatch) -> None:
    """Every chart that a page draws is held against the grammar of its language."""
    monkeypatch.setattr(schemapi, "DEBUG_MODE", True)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same run, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.fixture
def open_app(monkeypatch, tmp_path) -> Callable[..., AppTest]:
    """Opens the app on a run (None: the demo model) and a page, with query parameters; returns it after a run."""

    def opened(run: Path | None, page: str = "clip", /, **query: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["main.py"])
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("STGCN_LENS_ROOT", raising=False)
        if run is None:
            monkeypatch.delenv("STGCN_LENS_RUN", raising=False)
        else:
            monkeypatch.setenv("STGCN_LENS_RUN", str(run))
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        if page == "clip":
            return app.run()
        app.run()
        return app.switch_page(f"views/{page}.py").run()

    return opened
