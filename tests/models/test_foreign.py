"""Weights of others are recognised, used to the last key, and compute what their own network computes."""

import os
import pickle

import pytest
import torch

from stgcn_lens.adjacency import partitions
from stgcn_lens.errors import CheckpointError
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import fill
from stgcn_lens.models.foreign import read_foreign, to_released
from stgcn_lens.skeleton import get_layout
from tests.models.weights import clips, randomised, stgcn
from tests.reference import foreign as reference

RELEASE = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


def run(found, x):
    """Logits of the network that a file was recognised as."""
    model = MODELS[found.architecture].build(found.config, found.layout, found.channels, found.classes)
    fill(model, found.weights, "weights")
    with torch.no_grad():
        return model.eval()(x)


def pyskl_weights(layout="ntu25-hand", partition="spatial-release", normalisation="column", mask=True, noise=0.0):
    """A small ST-GCN under pyskl's names."""
    model = stgcn(layout=layout, partition=partition, normalisation=normalisation)
    out = {}
    for name, tensor in model.state_dict().items():
        block, _, rest = name.removeprefix("blocks.").partition(".")
        for ours, theirs in (
            ("graph.importance", "gcn.PA"),
            ("graph.conv", "gcn.conv"),
            ("graph_norm", "gcn.bn"),
            ("temporal_norm", "tcn.bn"),
            ("temporal", "tcn.conv"),
            ("shortcut.0", "residual.conv"),
            ("shortcut.1", "residual.bn"),
        ):
            if name.startswith("blocks.") and (rest == ours or rest.startswith(f"{ours}.")):
                out[f"backbone.gcn.{block}.{theirs}{rest[len(ours) :]}"] = tensor
                break
        else:
            out[name.replace("entry.norm", "backbone.data_bn").replace("head", "cls_head.fc")] = tensor
    a = torch.from_numpy(partitions(get_layout(layout), partition, normalisation))
    generator = torch.Generator().manual_seed(1)
    for i in range(10):
        out[f"backbone.gcn.{i}.gcn.A"] = a + noise * torch.randn(a.shape, generator=generator)
        if not mask:
            del out[f"backbone.gcn.{i}.gcn.PA"]
    return out


@pytest.mark.parametrize("layout", ["ntu25", "ntu25-hand", "openpose18", "coco17"])
@pytest.mark.parametrize(("partition", "normalisation"), [("spatial-release", "column"), ("distance", "symmetric")])
@pytest.mark.parametrize("importance", [True, False])
def test_released_weights_say_all_of_their_network(tmp_path, layout, partition, normalisation, importance):
    model = stgcn(layout=layout, partition=partition, normalisation=normalisation, importance=importance)
    weights = to_released(model)
    torch.save(weights, tmp_path / "w.pt")
    found = read_foreign(tmp_path / "w.pt")
    assert (found.dialect, found.architecture, found.layout.name) == ("released ST-GCN", "stgcn", layout)
    assert (found.config.partition, found.config.normalisation) == (partition, normalisation)
    assert (found.config.importance, found.config.width, found.classes) == (importance, 4, 5)
    x = clips(2, 3, 21, model.layout.V, 2)
    expected = reference.released(x, weights, RELEASE)
    torch.testing.assert_close(run(found, x), expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_the_full_released_network_has_its_names_and_number_of_weights(tmp_path):
    model = randomised(MODELS["stgcn"].build(MODELS["stgcn"].config(), get_layout("openpose18"), 3, 400))
    weights = to_released(model)
    assert next(iter(weights)) == "A"
    assert weights["fcn.weight"].shape == (400, 256, 1, 1)
    assert weights["st_gcn_networks.4.residual.0.weight"].shape == (128, 64, 1, 1)
    assert not any(key.startswith("st_gcn_networks.0.residual") for key in weights)
    assert weights["edge_importance.9"].shape == (3, 18, 18)


@pytest.mark.parametrize(("mask", "noise"), [(True, 0.0), (False, 0.0), (True, 0.1), (False, 0.1)])
def test_pyskl_weights_compute_what_pyskl_computes(tmp_path, mask, noise):
    weights = pyskl_weights(mask=mask, noise=noise)
    torch.save({"meta": {"epoch": 3}, "state_dict": {f"module.{k}": v for k, v in weights.items()}}, tmp_path / "w.pth")
    found = read_foreign(tmp_path / "w.pth", layout="ntu25-hand" if noise else None)
    assert (found.layout.name, found.config.learned) == ("ntu25-hand", noise > 0)
    x = clips(2, 3, 21, 25, 2)
    torch.testing.assert_close(run(found, x), reference.pyskl(x, weights, RELEASE), rtol=1e-4, atol=1e-5)


def test_a_real_checkpoint_is_used_to_the_last_key_and_computes_what_its_network_computes(shared):
    file = shared / "weights" / "pyskl_hagrid" / "hagrid.pth"
    weights = torch.load(file, weights_only=True, map_location="cpu")
    found = read_foreign(file)
    assert (found.architecture, found.layout.name, found.channels, found.classes) == ("stgcn++", "hand21", 2, 40)
    assert len(found.weights) == len(weights) == 418
    assert sum(t.numel() for t in found.weights.values()) == 201_696
    x = clips(3, 2, 10, 21, 1)
    torch.testing.assert_close(run(found, x), reference.pyskl(x, weights, (1,) * 5 + (2,)), rtol=1e-4, atol=1e-5)


def test_counters_that_old_versions_did_not_keep_may_be_missing(tmp_path):
    model = stgcn()
    torch.save({k: v for k, v in to_released(model).items() if "tracked" not in k}, tmp_path / "w.pt")
    x = clips(1, 3, 9, 25, 1)
    with torch.no_grad():
        torch.testing.assert_close(run(read_foreign(tmp_path / "w.pt"), x), model(x))


def test_an_old_file_without_zip_is_read(tmp_path):
    torch.save(to_released(stgcn()), tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    assert read_foreign(tmp_path / "w.pt").layout.name == "ntu25"


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_code_is_refused_and_nothing_runs(tmp_path):
    (tmp_path / "w.pt").write_bytes(pickle.dumps({"a": Evil(tmp_path / "ran")}))
    torch.save({"a": Evil(tmp_path / "ran")}, tmp_path / "v.pt")
    for name in ("w.pt", "v.pt"):
        with pytest.raises(CheckpointError, match=f"{name}: not weights that can be read without running code"):
            read_foreign(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def damaged(change):
    weights = to_released(stgcn())
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.clear(), "no weights in the file"),
        (lambda w: w.pop("fcn.bias"), "half a checkpoint of released ST-GCN: a part is missing: got no 'fcn.bias'"),
        (lambda w: w.pop("A"), "half a checkpoint: no adjacency"),
        (lambda w: w.update(extra=torch.ones(2)), "parts that it does not have: got extra"),
        (lambda w: w["fcn.bias"].fill_(float("nan")), "not finite numbers"),
        (lambda w: [w.pop(k) for k in list(w) if ".9" in k[:18]], "an ST-GCN of another depth"),
        (lambda w: [w.pop(k) for k in list(w) if "networks" in k], "a network that is not known"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_what_is_wrong(tmp_path, change, message):
    torch.save(damaged(change), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=message) as caught:
        read_foreign(tmp_path / "w.pt")
    assert str(tmp_path / "w.pt") in str(caught.value)


def test_joints_that_the_weights_do_not_tell_have_to_be_named(tmp_path):
    torch.save(pyskl_weights(noise=0.1), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="got 25 joints, expected --layout, one of ntu25, ntu25-hand"):
        read_foreign(tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="layout 'coco17' does not fit the weights: got 17 joints, expected 25"):
        read_foreign(tmp_path / "w.pth", layout="coco17")


def test_only_networks_with_released_names_are_exported():
    with pytest.raises(CheckpointError, match="only an ST-GCN has names in the released code: got STGAT"):
        to_released(MODELS["stgat"].build(MODELS["stgat"].config(width=8), get_layout("ntu25"), 3, 5))
    with pytest.raises(CheckpointError, match="no place for a learned adjacency"):
        to_released(stgcn(learned=True))
