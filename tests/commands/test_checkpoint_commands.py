"""Weights of others come in and ours go out by command, and what cannot be known is asked for by name."""

import json
import re

import pytest
import torch

from stgcn_lens.cli import main
from stgcn_lens.models.checkpoints import load
from stgcn_lens.models.foreign import to_released
from tests.models.weights import clips, stgcn


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
