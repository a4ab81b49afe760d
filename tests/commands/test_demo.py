import json
import shutil

import pytest

from stgcn_lens.cli import main
from stgcn_lens.commands import app, demo
from stgcn_lens.data.splits import PROTOCOLS
from stgcn_lens.data.synthetic import SyntheticConfig
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.models import STGCNConfig
from stgcn_lens.training import TrainConfig, TrainJob

TWO = SyntheticConfig(subjects=(21, 22), views=(2,))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The demo run on two people instead of ten."""
    out = tmp_path_factory.mktemp("demo") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "SHOWN", TWO)
        assert main(["demo", "--out", str(out), "--no-serve"]) == 0
    return out


def test_the_people_shown_have_never_been_seen_in_training() -> None:
    assert not set(demo.SHOWN.subjects) & set(PROTOCOLS["synthetic"]["subject"])


def test_the_bundled_network_recognises_them(made) -> None:
    metrics = json.loads((made / "metrics.json").read_text())
    assert metrics["test"]["n"] == 48
    assert metrics["test"]["top1"] >= 0.85


def test_the_demo_run_is_whole(made) -> None:
    for name in ("report.html", "results.json", "layers.json", "embeddings/clips.npy", "saliency/saliency.json"):
        assert (made / name).is_file()
    layers = json.loads((made / "layers.json").read_text())
    errors = {row["layer"]: row["nnk_label_error"]["value"] for row in layers}  # kNN: 14 of 15 at best
    assert errors["block_10"] < errors["input"]
    scores = {row["layer"]: row for row in json.loads((made / "saliency/localisation.json").read_text())}
    assert scores["block_10"]["difference_to_random"]["ci_low"] > 0


def test_a_second_demo_does_nothing_again(made, monkeypatch, capsys) -> None:
    monkeypatch.setattr(demo, "SHOWN", TWO)
    before = (made / "manifest.json").read_bytes()
    assert main(["demo", "--out", str(made), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (made / "manifest.json").read_bytes() == before
    assert shown["metrics"]["test"]["n"] == 48
    assert all(shown[stage]["skipped"] for stage in ("embed", "graph", "explain", "report"))


def test_the_demo_does_not_replace_a_run_of_ones_own(trained, tmp_path, capsys) -> None:
    shutil.copytree(trained, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("[!.]*") if path.is_file()}
    assert main(["demo", "--out", str(tmp_path / "run"), "--no-serve"]) == 2
    assert "the run was made from other clips" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before


def test_the_demo_can_be_trained_from_nothing(tmp_path, monkeypatch, capsys) -> None:
    people = SyntheticConfig(subjects=(1, 2, 21, 22), views=(2,), actions=("clap", "jump", "kick", "hug", "push"))
    model = STGCNConfig(configuration="compact", width=4)
    job = TrainJob(model=model, preprocessing=Preprocessing(frames=16), training=TrainConfig(epochs=1))
    monkeypatch.setattr(demo, "SyntheticConfig", lambda: people)
    monkeypatch.setattr(demo, "JOB", job)
    # Ten clips on the test side allow fewer neighbours than the default asks for.
    assert main(["demo", "--out", str(tmp_path / "run"), "--train", "--no-serve"]) == 2
    assert "got 10 clips under analysis, expected at least 16" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["stages"]["train"]["config"]["model"]["width"] == 4
    assert json.loads((tmp_path / "run/metrics.json").read_text())["test"]["n"] == 10


def test_closing_the_app_by_ctrl_c_is_no_failure(monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.subprocess, "run", interrupted)
    assert app.until_closed(["the", "app"]) == 0


@pytest.mark.parametrize(("status", "exit_code"), [(0, 0), (3, 1), (-15, 0)])
def test_the_app_opens_on_the_run_and_passes_its_failure_on(status, exit_code, made, monkeypatch, capsys) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(app, "until_closed", lambda command: commands.append(command) or status)
    assert main(["app", str(made), "--port", "8765"]) == exit_code
    assert f"--run={made}" in commands[0]
    assert "--server.port=8765" in commands[0]
    assert "--server.address=127.0.0.1" in commands[0]


@pytest.mark.long
def test_the_whole_demo_keeps_its_promises(tmp_path) -> None:
    out = tmp_path / "run"
    assert main(["demo", "--out", str(out), "--no-serve"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())["test"]
    assert metrics["n"] == 480
    assert metrics["top1"] >= 0.9
    for row in json.loads((out / "saliency/localisation.json").read_text())[-3:]:
        assert row["difference_to_random"]["ci_low"] > 0, row["layer"]
