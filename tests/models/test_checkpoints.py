"""Checkpoints come back bit for bit, or are refused with the file and what to do; nothing in them can run."""

import ast
import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import stgcn_lens
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.errors import CheckpointError
from stgcn_lens.files import file_hash
from stgcn_lens.models.checkpoints import fill, load, save
from tests.models.weights import clips, stgcn

CLASSES = ("wave", "clap", "kick, high", "sit", "bow")


def saved(folder: Path, model=None, **about: object) -> Path:
    given = {
        "architecture": "stgcn",
        "classes": CLASSES,
        "preprocessing": Preprocessing(frames=20, rotate=False),
        "bodies": 2,
        "about": {"key": "k"},
    }
    save(folder, model or stgcn(), **{**given, **about})
    return folder


def edited(folder: Path, change) -> Path:
    """The folder with its model.json changed by a function on the parsed content."""
    file = folder / "model.json"
    about = json.loads(file.read_text())
    replacement = change(about)
    file.write_text(json.dumps(about if replacement is None else replacement))
    return folder


def reweighted(folder: Path, change) -> Path:
    """The folder with other weights, and with the hash that belongs to them."""
    file = folder / "model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file)
    return edited(folder, lambda about: about.update(weights_sha256=file_hash(file)))


def refusal(folder: Path) -> CheckpointError:
    """The error of loading, which names a file of the folder and says what to do."""
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    assert caught.value.file in (str(folder / "model.json"), str(folder / "model.safetensors"))
    assert caught.value.fix
    assert str(caught.value).count("\n") == 0
    return caught.value


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"configuration": "paper", "partition": "distance-tied", "normalisation": "column"},
        {"configuration": "compact", "importance": False, "kernel": 3, "layout": "coco17", "channels": 2},
    ],
    ids=["release", "paper", "compact"],
)
def test_a_loaded_network_gives_the_same_logits_bit_for_bit(tmp_path, settings):
    model = stgcn(**settings)
    x = clips(2, model.channels, 20, model.layout.V, 2)
    loaded = load(saved(tmp_path, model))
    with torch.no_grad():
        assert torch.equal(loaded.model(x), model(x))
    assert loaded.model.config == model.config
    assert loaded.layout == model.layout
    assert not loaded.model.training


def test_a_checkpoint_says_all_that_is_needed_to_use_it(tmp_path):
    loaded = load(saved(tmp_path))
    assert loaded.classes == CLASSES
    assert loaded.preprocessing == Preprocessing(frames=20, rotate=False)
    assert loaded.bodies == 2
    assert loaded.hash == file_hash(tmp_path / "model.safetensors")
    assert loaded.about["about"] == {"key": "k"}
    assert loaded.about["parameters"] == sum(p.numel() for p in loaded.model.parameters())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_a_model_in_training_is_saved_with_its_running_statistics_and_stays_in_training(tmp_path):
    model = stgcn().train()
    with torch.no_grad():
        model(clips(4, 3, 20, 25, 1))
    loaded = load(saved(tmp_path, model))
    assert model.training
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[key], tensor), key


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_folder_without_one_of_the_files_is_no_checkpoint(tmp_path, name):
    (saved(tmp_path) / name).unlink()
    assert refusal(tmp_path).file == str(tmp_path / name)


def test_a_file_of_weights_is_told_to_be_imported_first(tmp_path):
    torch.save(stgcn().state_dict(), tmp_path / "st_gcn.pt")
    with pytest.raises(CheckpointError, match="a file of weights, not a checkpoint folder; import it first") as caught:
        load(tmp_path / "st_gcn.pt")
    assert f"checkpoint import {tmp_path}/st_gcn.pt" in caught.value.fix


def test_weights_of_another_kind_of_number_are_refused(tmp_path):
    def change(weights):
        weights["head.weight"] = weights["head.weight"].to(torch.int8)

    error = refusal(reweighted(saved(tmp_path), change))
    assert error.got == "1 of another shape or kind: head.weight of torch.int8 for torch.float32"
    half = load(reweighted(saved(tmp_path), lambda w: w.update({"head.weight": w["head.weight"].half()})))
    assert half.model.head.weight.dtype == torch.float32


def test_missing_unexpected_and_misshaped_keys_are_all_listed(tmp_path):
    def change(weights):
        del weights["blocks.3.temporal.bias"]
        weights["blocks.3.temporal.bais"] = torch.zeros(4)
        weights["head.weight"] = torch.zeros(6, 16)

    error = refusal(reweighted(saved(tmp_path), change))
    assert "1 missing: blocks.3.temporal.bias" in error.got
    assert "1 unexpected: blocks.3.temporal.bais" in error.got
    assert "head.weight (6, 16) for (5, 16)" in error.got


def test_many_missing_keys_are_counted(tmp_path):
    error = refusal(reweighted(saved(tmp_path), lambda w: [w.pop(key) for key in list(w) if key.startswith("blocks.")]))
    assert "missing: blocks.0." in error.got
    assert "more" in error.got
    assert len(str(error)) < 500


@pytest.mark.parametrize("fault", ["missing", "unexpected", "misshaped"])
def test_a_refused_model_keeps_its_own_weights(fault):
    model, other = stgcn(0), stgcn(1).state_dict()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    if fault == "missing":
        del other["head.bias"]
    elif fault == "unexpected":
        other["head.more"] = torch.zeros(1)
    else:
        other["head.bias"] = torch.zeros(9)
    with pytest.raises(CheckpointError):
        fill(model, other, Path("model.safetensors"))
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key


@pytest.mark.parametrize("place", [0.0, 0.02, 0.5, 1.0])
def test_one_flipped_bit_is_noticed_wherever_it_is(tmp_path, place):
    file = saved(tmp_path) / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    file.write_bytes(content)
    assert "damaged or exchanged" in str(refusal(tmp_path))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.9])
def test_truncated_weights_are_noticed(tmp_path, share):
    file = saved(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert refusal(tmp_path).file == str(file)


def test_weights_of_another_training_are_noticed(tmp_path):
    saved(tmp_path / "a", stgcn(0))
    saved(tmp_path / "b", stgcn(1))
    (tmp_path / "a" / "model.safetensors").write_bytes((tmp_path / "b" / "model.safetensors").read_bytes())
    assert "exchanged" in str(refusal(tmp_path / "a"))


def test_a_file_that_is_no_safetensors_is_refused_even_if_its_hash_is_right(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    file = saved(tmp_path) / "model.safetensors"
    file.write_bytes(pickle.dumps(Trap()))
    edited(tmp_path, lambda about: about.update(weights_sha256=file_hash(file)))
    assert "not a safetensors file" in str(refusal(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["", "{", '{"format": 1', "[]", "null", '"x"', "\udcff"], ids=repr)
def test_a_model_json_that_is_none_is_refused(tmp_path, text):
    (saved(tmp_path) / "model.json").write_bytes(text.encode(errors="surrogateescape"))
    assert refusal(tmp_path).file == str(tmp_path / "model.json")


@pytest.mark.parametrize(
    "key",
    ["format", "architecture", "layout", "bones", "channels", "bodies", "classes", "preprocessing", "weights_sha256"],
)
@pytest.mark.parametrize("how", ["missing", "null"])
def test_every_entry_of_model_json_is_needed(tmp_path, key, how):
    def change(about):
        about[key] = None
        if how == "missing":
            del about[key]

    assert refusal(edited(saved(tmp_path), change)).file == str(tmp_path / "model.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(format=99), "got 99, expected 1"),
        (lambda a: a["architecture"].update(model="stgat2"), "got 'stgat2', expected one of stgcn"),
        (lambda a: a["architecture"]["config"].update(widht=4), "STGCNConfig.*got widht"),
        (lambda a: a["architecture"]["config"].update(width="4"), "'width'.*got '4', expected int"),
        (lambda a: a["architecture"]["config"].update(width=4.0), "'width'.*got 4.0, expected int"),
        (lambda a: a["architecture"]["config"].update(width=True), "'width'.*got True, expected int"),
        (lambda a: a["architecture"]["config"].update(kernel=4), "odd kernel"),
        (lambda a: a["architecture"]["config"].update(partition="x"), "got 'x'"),
        (lambda a: a["architecture"].update(config=[]), "list"),
        (lambda a: a["preprocessing"].update(mirror=True), "Preprocessing.*got mirror"),
        (lambda a: a["preprocessing"].update(frames=20.5), "'frames'.*got 20.5, expected int"),
        (lambda a: a["preprocessing"].update(fit="stretch"), "got 'stretch'"),
        (lambda a: a.update(layout="ntu26"), "got 'ntu26'"),
        (lambda a: a.update(channels=-3), "channels -3"),
        (lambda a: a.update(bodies=0), "bodies 0"),
        (lambda a: a.update(channels=2), "of another shape"),
        (lambda a: a["classes"].append("one more"), "of another shape"),
        (lambda a: a["architecture"]["config"].update(width=8), "of another shape"),
        (
            lambda a: a["architecture"]["config"].update(configuration="paper"),
            "unexpected: .*missing|missing: .*unexpected",
        ),
    ],
)
def test_a_model_json_that_does_not_fit_is_refused_with_the_setting(tmp_path, change, message):
    def apply(about):
        change(about)

    refused = refusal(edited(saved(tmp_path), apply))
    assert re.search(message, str(refused)), str(refused)


@pytest.mark.parametrize(("mine", "other"), [("ntu25", "ntu25-hand"), ("ntu25-hand", "ntu25")])
def test_weights_of_another_bone_set_do_not_load_under_a_layout_of_equal_joints(tmp_path, mine, other):
    edited(saved(tmp_path, stgcn(layout=mine)), lambda about: about.update(layout=other))
    error = refusal(tmp_path)
    assert f"'{other}'" in error.what
    assert "variant" in error.fix


def test_a_second_save_replaces_both_files(tmp_path):
    saved(tmp_path, stgcn(0))
    x, second = clips(1, 3, 20, 25, 1), stgcn(1)
    loaded = load(saved(tmp_path, second))
    with torch.no_grad():
        assert torch.equal(loaded.model(x), second(x))


def test_loading_needs_no_pickle(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object):
        raise AssertionError("pickle was used")

    saved(tmp_path)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert load(tmp_path).classes == CLASSES


SOURCES = [path for part in ("models", "training") for path in (Path(stgcn_lens.__file__).parent / part).glob("*.py")]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_source_loads_what_can_run(path):
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"pickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load"):
            flags = {word.arg: ast.unparse(word.value) for word in node.keywords}
            safe = {"torch.load": ("weights_only", "True"), "np.load": ("allow_pickle", "False")}
            name, value = safe[ast.unparse(node.func)]
            assert flags.get(name) == value, f"line {node.lineno}"
