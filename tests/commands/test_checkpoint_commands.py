"""Weights of others come in and ours go out by command, and what cannot be known is asked for by name."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stgcn_lens.cli import main
from stgcn_lens.files import file_hash
from stgcn_lens.models.checkpoints import load
from stgcn_lens.models.foreign import to_released
from tests.models.weights import clips, stgcn
from tests.training.clips import clip_set


@pytest.fixture
def weights(tmp_path):
    """A small ST-GCN as the released code would save it."""
    model = stgcn(layout="openpose18", partition="spatial-release")
    torch.save(to_released(model), tmp_path / "st_gcn.pt")
    return tmp_path / "st_gcn.pt", model


def test_an_imported_network_computes_the_same_and_goes_out_again(weights, tmp_path, capsys):
    file, model = weights
    (tmp_path / "classes.txt").write_text("wave\nclap\nkick\nsit\nstand\n")
    given = ["--frames", "300", "--bodies", "1", "--classes", str(tmp_path / "classes.txt")]
    assert main(["checkpoint", "import", str(file), "--out", str(tmp_path / "in"), *given]) == 0
    told = capsys.readouterr().out
    assert "every one used" in told
    assert "partition spatial-release" in told
    loaded, x = load(tmp_path / "in"), clips(2, 3, 30, 18, 1)
    assert loaded.classes == ("wave", "clap", "kick", "sit", "stand")
    assert (loaded.preprocessing.frames, loaded.preprocessing.bodies, loaded.bodies) == (300, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(x), model(x))
    assert main(["checkpoint", "export", str(tmp_path / "in"), "--out", str(tmp_path / "out.pt")]) == 0
    back = torch.load(tmp_path / "out.pt", weights_only=True)
    for name, tensor in torch.load(file, weights_only=True).items():
        assert torch.equal(back[name], tensor), name


def test_information_is_the_same_of_the_file_and_of_the_folder(weights, tmp_path, capsys):
    file, _ = weights
    main(["checkpoint", "import", str(file), "--frames", "300", "--out", str(tmp_path / "in")])
    capsys.readouterr()
    said = []
    for path in (file, tmp_path / "in"):
        assert main(["checkpoint", "info", str(path), "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    for key in ("architecture", "config", "layout", "channels", "classes", "parameters", "layers"):
        assert said[0][key] == said[1][key], key
    assert said[0]["layers"]["block_10"] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "FILE", "--out", "OUT"], "--frames"),
        (["import", "FILE", "--out", "OUT", "--frames", "300", "--layout", "coco17"], "got 17 joints|no adjacency|18"),
        (["import", "FILE", "--out", "OUT", "--frames", "300", "--classes", "NOWHERE"], "no such file of class names"),
        (["import", "NOWHERE", "--out", "OUT", "--frames", "300"], "no such file"),
        (["info", "NOWHERE"], "no such file"),
        (["export", "NOWHERE", "--out", "OUT"], "no checkpoint here"),
        (["export", "FILE", "--out", "OUT"], "a file of weights, not a checkpoint folder; import it first: stgcn-lens"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(weights, tmp_path, capsys, words, message):
    places = {"FILE": str(weights[0]), "OUT": str(tmp_path / "out"), "NOWHERE": str(tmp_path / "nowhere")}
    assert main(["checkpoint", *(places.get(word, word) for word in words)]) == 2
    said = capsys.readouterr().err.strip()
    assert re.search(message, said), said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_number_of_class_names_that_does_not_fit_is_refused(weights, tmp_path, capsys):
    (tmp_path / "classes.txt").write_text("one\ntwo\n")
    words = ["--frames", "300", "--classes", str(tmp_path / "classes.txt"), "--out", str(tmp_path / "out")]
    assert main(["checkpoint", "import", str(weights[0]), *words]) == 2
    assert "got 2, expected 5" in capsys.readouterr().err


def test_nothing_is_replaced_unasked(weights, tmp_path, capsys):
    words = ["checkpoint", "import", str(weights[0]), "--frames", "300", "--out", str(tmp_path / "in")]
    assert [main(words), main(words), main([*words, "--force"])] == [0, 2, 0]
    assert "a checkpoint is there" in capsys.readouterr().err


def cut_weights(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def without_a_key(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["blocks.5.temporal.weight"]
    rewrite(folder, weights)


def of_whole_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["head.bias"] = (weights["head.bias"] * 100).to(torch.int8)
    rewrite(folder, weights)


def rewrite(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, folder / "model.safetensors")
    about = json.loads((folder / "model.json").read_text())
    about["weights_sha256"] = file_hash(folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(about))


def cut_description(folder: Path) -> None:
    (folder / "model.json").write_text((folder / "model.json").read_text()[:300])


@pytest.mark.parametrize(
    ("spoil", "file", "message"),
    [
        (cut_weights, "model.safetensors", "not those that model.json describes .*got sha256 .*expected .*; restore"),
        (without_a_key, "model.safetensors", "do not fit .*got 1 missing: blocks.5.temporal.weight, expected exactly"),
        (
            of_whole_numbers,
            "model.safetensors",
            "1 of another shape or kind: head.bias of torch.int8 for torch.float32",
        ),
        (cut_description, "model.json", r"cannot be read \(JSONDecodeError.*; restore the file"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors", "no checkpoint here"),
    ],
)
def test_half_a_checkpoint_is_refused_by_every_command_that_reads_one(
    weights, tmp_path, capsys, spoil, file, message
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    assert main(["checkpoint", "import", str(weights[0]), "--frames", "12", "--out", str(folder)]) == 0
    capsys.readouterr()
    spoil(folder)
    clip_set(4, 1, layout="openpose18").save(tmp_path / "clips")
    train = ["train", "--data", str(tmp_path / "clips"), "--out", str(out), "--train-ids", "1", "--init", str(folder)]
    for words in (
        ["checkpoint", "info", str(folder)],
        ["checkpoint", "export", str(folder), "--out", str(out)],
        ["adopt", str(folder), "--data", str(tmp_path / "clips"), "--out", str(out)],
        train,
    ):
        assert main(words) == 2, words
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.startswith(f"stgcn-lens: {folder / file}: ")
        assert re.search(message, said), said
    assert not (out / "model.json").exists()


def drop(name: str):
    return lambda weights: weights.pop(name)


def cut(name: str, places: tuple[slice, ...]):
    return lambda weights: weights.update({name: weights[name][places].clone()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("fcn.weight"), "half a checkpoint of released ST-GCN: a part is missing: got no 'fcn.weight'; get the"),
        (drop("data_bn.weight"), "got no 'data_bn.weight'"),
        (drop("A"), "half a checkpoint: no adjacency; get the file again"),
        (drop("st_gcn_networks.5.tcn.2.weight"), "got 1 missing: st_gcn_networks.5.tcn.2.weight, expected exactly 171"),
        (cut("fcn.weight", (slice(3),)), r"fcn.weight \(3, 16\) for \(5, 16\), .*; get the file again; .*an adapter"),
        (cut("A", (slice(2),)), r"another size .*: got \(2, 18, 18\), expected \(3, 18, 18\): 3 partitions, 18 joints"),
        (cut("A", (slice(3), slice(9), slice(9))), r"got \(3, 9, 9\), expected \(3, 18, 18\)"),
        (cut("edge_importance.4", (slice(1),)), r"got \(1, 18, 18\), expected \(3, 18, 18\)"),
        (cut("st_gcn_networks.0.tcn.0.weight", (slice(0),)), "in shapes that it does not have: got ZeroDivisionError"),
        (lambda weights: weights.update({"fcn.bias": torch.tensor(1.0)}), "in shapes that it does not have"),
    ],
)
def test_half_a_file_of_weights_is_refused_under_the_names_that_the_file_has(
    weights, tmp_path, capsys, change, message
):
    content = torch.load(weights[0], weights_only=True)
    change(content)
    torch.save(content, tmp_path / "spoilt.pt")
    for words in (["import", "--frames", "12", "--out", str(tmp_path / "out")], ["info"]):
        assert main(["checkpoint", words[0], str(tmp_path / "spoilt.pt"), *words[1:]]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"stgcn-lens: {tmp_path}/spoilt.pt: ")
        assert re.search(message, said), said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_weights_that_is_cut_off_is_told_so(weights, tmp_path, capsys, share, zipped):
    torch.save(torch.load(weights[0], weights_only=True), tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(whole[: int(share * len(whole))])
    assert main(["checkpoint", "import", str(tmp_path / "w.pt"), "--frames", "12", "--out", str(tmp_path / "out")]) == 2
    size = f"{int(share * len(whole)):,} bytes"
    said = capsys.readouterr().err.strip()
    assert said == f"stgcn-lens: {tmp_path}/w.pt: half a file of weights: it is cut off: got {size}; get the file again"


def test_weights_of_one_bone_set_are_not_taken_for_another(tmp_path, capsys):
    torch.save(to_released(stgcn(partition="spatial-release")), tmp_path / "ntu.pt")
    words = ["checkpoint", "import", str(tmp_path / "ntu.pt"), "--frames", "12", "--out", str(tmp_path / "out")]
    assert main([*words, "--layout", "ntu25-hand"]) == 2
    assert (
        "the adjacency in the weights is that of another layout: got layout ntu25, partition spatial-release, "
        "expected layout ntu25-hand; --layout ntu25, or leave --layout out" in capsys.readouterr().err
    )
    assert main([*words, "--layout", "ntu25"]) == 0


def test_a_pickled_network_is_named_and_not_run(weights, tmp_path, capsys):
    torch.save(weights[1], tmp_path / "whole.pt")
    assert main(["checkpoint", "info", str(tmp_path / "whole.pt")]) == 2
    said = capsys.readouterr().err
    assert (
        "got UnpicklingError: Weights only load failed (GLOBAL stgcn_lens.models.stgcn.STGCN), expected a file" in said
    )
    assert "\x1b" not in said
