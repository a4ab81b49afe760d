"""One run for all tests that only read it."""

import shutil

import pytest

from stgcn_lens.runs import Run
from tests.studies.transfer import made


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> Run:
    return made.run(tmp_path_factory.mktemp("transfer"))


@pytest.fixture
def run(source, tmp_path) -> Run:
    return Run.open(shutil.copytree(source.path, tmp_path / "run"))
