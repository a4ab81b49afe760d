"""What holds for every row of EXPLAINERS."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from stgcn_lens import explain
from stgcn_lens.explain import EXPLAINERS, Explainer
from tests.explain.mock import Mock, clips


@pytest.mark.parametrize("key", EXPLAINERS)
def test_every_row_is_complete_and_named_by_its_key(key: str) -> None:
    row = EXPLAINERS[key]
    assert isinstance(row, Explainer)
    assert row.name == key
    assert all((row.what, row.source, row.function.__doc__))
    assert "\n" not in row.what


@pytest.mark.parametrize("row", EXPLAINERS.values(), ids=list(EXPLAINERS))
def test_every_row_explains_the_class_it_is_asked_for(row: Explainer) -> None:
    model, x = Mock(), clips()
    result = row.function(model, x, torch.tensor([1, 2, 3]))
    assert result.target.tolist() == [1, 2, 3]
    assert np.allclose(result.logits, model.eval()(x).detach().numpy(), atol=1e-6)
    assert list(result.maps) == ([name for name in model.layers if name != "input"] if row.per_layer else ["input"])
    for name, map in result.maps.items():
        assert map.shape == (3, -(-9 // model.strides[name]), 5, 2)
        assert map.dtype == np.float32
        assert np.isfinite(map).all()
        assert (map >= 0).all()
        assert np.array_equal(result.no_evidence[name], ~map.any(axis=(1, 2, 3)))


@pytest.mark.parametrize("row", EXPLAINERS.values(), ids=list(EXPLAINERS))
def test_every_row_explains_the_prediction_unless_asked(row: Explainer) -> None:
    result = row.function(Mock(), clips())
    assert np.array_equal(result.target, result.logits.argmax(axis=1))


def test_readers_of_finished_maps_need_no_torch() -> None:
    code = "import stgcn_lens.explain.upsample, stgcn_lens.explain.evaluate, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_that_are_not_there_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = explain.NOTHING
