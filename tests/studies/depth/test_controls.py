import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.modules.batchnorm import _BatchNorm

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.data.transforms import prepare
from stgcn_lens.embeddings import open_model
from stgcn_lens.errors import RunError
from stgcn_lens.models.checkpoints import load
from stgcn_lens.runs import Run
from stgcn_lens.studies.depth import DepthConfig, controls, study
from stgcn_lens.training import TrainJob, finetune
from tests import tiny


def test_the_untrained_control_has_the_drawn_weights_and_norms_that_do_not_close_a_block(studied: Run) -> None:
    own = TrainJob.read(studied.manifest()["stages"]["train"]["config"])
    _, clips = open_model(studied, "cpu")
    fresh = finetune.network(own, clips).state_dict()
    model = load(studied / "studies/controls/untrained").model
    norms = {name for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    assert any((fresh[f"{name}.weight"] == 0).any() for name in norms)  # as drawn, blocks start as their shortcut
    for name, tensor in model.state_dict().items():
        part, _, kind = name.rpartition(".")
        if part in norms and kind == "weight":
            assert (tensor == 1).all()
        elif not (part in norms and kind.startswith(("running", "num"))):
            assert torch.equal(tensor, fresh[name]), name
    trained = load(studied.path).model.state_dict()
    assert not torch.equal(trained["head.weight"], fresh["head.weight"])


def test_its_running_statistics_are_those_of_the_training_clips(studied: Run) -> None:
    loaded = load(studied / "studies/controls/untrained")
    _, clips = open_model(studied, "cpu")
    rows = tiny.table(studied)
    x = np.stack(
        [
            prepare(clip, loaded.preprocessing, loaded.bodies).x
            for clip, row in zip(clips, rows, strict=True)
            if row["split"] == "train"
        ]
    )
    assert len(x) < controls._AT_ONCE  # all in one batch: plain means
    seen: dict[_BatchNorm, torch.Tensor] = {}
    model = loaded.model
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 0.0  # nothing is learned while we look
            module.register_forward_pre_hook(lambda m, inputs: seen.__setitem__(m, inputs[0]))
    with torch.no_grad():
        model(torch.from_numpy(x))
    assert len(seen) > 10
    for norm, values in seen.items():
        flat = values.transpose(0, 1).flatten(1)
        torch.testing.assert_close(norm.running_mean, flat.mean(1), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(norm.running_var, flat.var(1), rtol=1e-4, atol=1e-5)


def test_the_control_on_shuffled_labels_is_the_runs_own_training_but_for_the_labels(studied: Run) -> None:
    own, other = (
        run.manifest()["stages"]["train"] for run in (studied, Run.open(studied / "studies/controls/shuffled"))
    )
    assert other["inputs"] == own["inputs"]
    told = json.loads(json.dumps(other["config"]))
    assert told["training"].pop("shuffle_labels") is True
    assert told == own["config"]
    weights, theirs = (
        load_file(run / "model.safetensors") for run in (studied.path, studied / "studies/controls/shuffled")
    )
    assert any(not torch.equal(weights[name], theirs[name]) for name in weights)


def test_controls_are_runs_on_the_clips_of_the_run_with_its_sides(studied: Run) -> None:
    for name in ("untrained", "shuffled"):
        control = Run.open(studied / controls.FOLDER / name)
        assert not (control / "data").exists()
        sides = [[row["split"] for row in tiny.table(run)] for run in (control, studied)]
        assert sides[0] == sides[1]
        assert not {"cache", "train_state.pt"} & {path.name for path in control.path.iterdir()}
        for stage in ("embed", "graph"):
            own, other = (run.manifest()["stages"][stage]["config"] for run in (studied, control))
            assert own == other


def test_fewer_epochs_of_the_control_replace_it_and_leave_the_other(copy: Run) -> None:
    config = DepthConfig(sensitivity="none", epochs=1)
    study(copy, config)
    untrained = (copy / "studies/controls/untrained/model.safetensors").stat().st_mtime_ns
    result = study(copy, DepthConfig(sensitivity="none", epochs=2))
    assert result["networks"]["shuffled"]["epochs"] == 2
    assert (copy / "studies/controls/untrained/model.safetensors").stat().st_mtime_ns == untrained


def test_a_moved_run_finds_its_clips_again(copy: Run, tmp_path) -> None:
    clips = ClipSet.open(tmp_path / copy.manifest()["data"])
    clips.save(copy / "data")
    manifest = copy.manifest()
    del manifest["data"]
    copy.write_json("manifest.json", manifest)
    study(copy, DepthConfig(sensitivity="none", shuffled=False))
    copy.path.rename(tmp_path / "moved")
    moved = Run.open(tmp_path / "moved")
    study(moved, DepthConfig(sensitivity="none", shuffled=False, seed=1))
    control = Run.open(moved / "studies/controls/untrained")
    assert control.manifest()["data"] == str((moved / "data").resolve())


def test_a_network_that_was_adopted_has_no_known_training(tmp_path) -> None:
    run = tiny.run(tmp_path, tiny.clips(), tiny.model())
    before = sorted(path.name for path in run.path.iterdir())
    with pytest.raises(RunError, match=r"how the network was trained is not known.*--no-shuffled"):
        study(run, DepthConfig())
    assert sorted(path.name for path in run.path.iterdir()) == before
