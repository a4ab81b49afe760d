"""A small data set in files, and a run made of it by the commands themselves."""

import shutil
from pathlib import Path

import pytest

from stgcn_lens.cli import main
from stgcn_lens.data.readers import ntu
from stgcn_lens.data.synthetic import SyntheticConfig, synthetic_set

ACTIONS = ("wave left", "clap", "throw", "check watch", "sit down", "handshake")
SUBJECTS = (1, 2, 3, 4, 21, 22, 23, 24)  # half of them on either side of the synthetic protocol
SMALL = ("--width", "8", "--configuration", "compact", "--frames", "32", "--epochs", "2", "--batch", "8")


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 NTU files of 6 actions by 8 subjects."""
    clips = synthetic_set(SyntheticConfig(subjects=SUBJECTS, views=(2,), actions=ACTIONS))
    return ntu.write_set(clips, tmp_path_factory.mktemp("recordings") / "ntu")


@pytest.fixture(scope="session")
def trained(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run; to be copied, not changed."""
    out = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "--data", str(recordings), "--split", "subject", "--out", str(out), *SMALL]) == 0
    return out


@pytest.fixture(scope="session")
def analysed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, analysed."""
    out = tmp_path_factory.mktemp("analysed") / "run"
    shutil.copytree(trained, out)
    assert main(["analyse", str(out)]) == 0
    return out
