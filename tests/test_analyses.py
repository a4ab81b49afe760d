"""Recipes: short, with their command on top, and in working order."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stgcn_lens.data.synthetic import SyntheticConfig
from stgcn_lens.data.transforms import Preprocessing
from stgcn_lens.embeddings import EmbedConfig
from stgcn_lens.graphs import GraphConfig
from stgcn_lens.models import STGCNConfig
from stgcn_lens.studies.depth import DepthConfig
from stgcn_lens.studies.layers import GeometryConfig
from stgcn_lens.studies.noise import NoiseConfig
from stgcn_lens.training import TrainConfig, TrainJob
from tests.data import people
from tests.data.makers import msr_action3d as msr
from tests.data.makers import utd_mhad as utd

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted((ROOT / "analyses").glob("*.py"))
LAYERS = [recipe for recipe in RECIPES if recipe.stem.endswith("_layers")]  # trained, then analysed by command
JOB = TrainJob(
    model=STGCNConfig(configuration="compact", width=4),
    preprocessing=Preprocessing(frames=16),
    training=TrainConfig(epochs=1, batch=8),
)
GEOMETRY = GeometryConfig(graph=GraphConfig(k=4), resamples=10, permutations=5)


def load(recipe: Path):
    spec = importlib.util.spec_from_file_location(recipe.stem, recipe)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_recipes() -> None:
    assert {"synthetic_layers", "utd_mhad_layers", "msr_action3d_layers", "own_network", "transfer"} <= {
        recipe.stem for recipe in RECIPES
    }


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_is_short_and_begins_with_its_command(recipe) -> None:
    text = recipe.read_text()
    assert len(text.splitlines()) <= 60
    doc = ast.get_docstring(ast.parse(text))
    assert doc is not None
    assert f"\n    python analyses/{recipe.name} DATA OUT\n" in doc


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_has_help_that_shows_the_command(recipe) -> None:
    shown = subprocess.run([sys.executable, recipe, "--help"], capture_output=True, text=True, check=True).stdout
    assert f"python analyses/{recipe.name} DATA OUT" in shown


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_tells_a_missing_folder_in_one_line(recipe, tmp_path, monkeypatch) -> None:
    if recipe.stem == "synthetic_layers":
        (tmp_path / "nowhere").mkdir()
    monkeypatch.setattr(sys, "argv", [recipe.name, str(tmp_path / "nowhere"), str(tmp_path / "run")])
    with pytest.raises(SystemExit) as stop:
        load(recipe).main()
    assert str(stop.value).startswith(f"{tmp_path}/nowhere: no ")
    assert not (tmp_path / "run").exists()


def small_set(name: str, folder: Path) -> None:
    """A few clips of four subjects in the format of a recipe."""
    folder.mkdir()
    for i, (a, s, t) in enumerate((a, s, t) for a in (1, 2, 3) for s in (1, 2, 3, 4) for t in (1, 2)):
        clip = people.clip(14, layout="kinect20", seed=i)
        if name == "utd_mhad_layers":
            utd.write(clip, folder, f"a{a}_s{s}_t{t}_skeleton")
        else:
            msr.write(clip, folder, f"a{a:02}_s{s:02}_e{t:02}_skeleton3D")


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(recipe, id=recipe.stem, marks=[] if recipe.stem == "synthetic_layers" else pytest.mark.long)
        for recipe in LAYERS
    ],
)
def test_a_recipe_goes_through_and_goes_on_where_it_was(recipe, tmp_path, monkeypatch, capsys) -> None:
    module = load(recipe)
    data, run = tmp_path / "data", tmp_path / "run"
    if recipe.stem == "synthetic_layers":
        few = SyntheticConfig(subjects=(1, 2, 21, 22, 23), views=(2,), actions=("clap", "jump"))
        monkeypatch.setattr(module, "PEOPLE", few)
    else:
        small_set(recipe.stem, data)
    monkeypatch.setattr(module, "JOB", JOB)
    monkeypatch.setattr(module, "GEOMETRY", GEOMETRY)
    monkeypatch.setattr(module, "EMBED", EmbedConfig(window=4))
    monkeypatch.setattr(sys, "argv", [recipe.name, str(data), str(run)])
    module.main()
    assert (run / "report.html").is_file()
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    assert stages["embed"]["config"]["window"] == 4
    assert stages["graph"]["config"]["graph"]["k"] == 4
    assert (run / "saliency/localisation.json").is_file() == (recipe.stem == "synthetic_layers")
    capsys.readouterr()
    module.main()
    assert capsys.readouterr().out.count("(unchanged, skipped)") == 5


def test_the_recipe_of_a_network_of_ones_own_goes_through_and_goes_on_where_it_was(
    tmp_path, monkeypatch, capsys
) -> None:
    module, run = load(ROOT / "analyses/own_network.py"), tmp_path / "run"
    small_set("utd_mhad_layers", tmp_path / "data")
    monkeypatch.setattr(module, "GEOMETRY", GEOMETRY)
    monkeypatch.setattr(module, "EMBED", EmbedConfig(window=4))
    monkeypatch.setattr(sys, "argv", ["own_network.py", str(tmp_path / "data"), str(run)])
    module.main()
    assert capsys.readouterr().out == f"report {run}/report.html\n"
    assert "TwoConvolutions with" in (run / "summary.md").read_text()
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    assert [stage["status"] for stage in stages.values()] == ["done"] * 5
    module.main()
    assert json.loads((run / "manifest.json").read_text())["stages"] == stages


@pytest.mark.long
def test_the_recipe_of_noise_trains_two_networks_and_studies_both(tmp_path, monkeypatch, capsys) -> None:
    module, data, out = load(ROOT / "analyses/utd_mhad_noise.py"), tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for i, (a, s, t) in enumerate((a, s, t) for a in (1, 2, 3) for s in (1, 2, 3, 4) for t in (1, 2, 3)):
        utd.write(people.clip(14, layout="kinect20", seed=i), data, f"a{a}_s{s}_t{t}_skeleton")
    monkeypatch.setattr(module, "JOB", JOB)
    monkeypatch.setattr(module, "STUDY", NoiseConfig(kinds=("gaussian",), levels=(20.0,), seeds=(0,), resamples=10))
    monkeypatch.setattr(sys, "argv", ["utd_mhad_noise.py", str(data), str(out)])
    module.main()
    assert "noisy (trained with noise down to 10 dB)" in capsys.readouterr().out
    found = json.loads((out / "plain/studies/noise.json").read_text())
    assert [network["noise_db"] for network in found["networks"]] == [None, 10.0]
    module.main()
    assert "(unchanged, skipped)" in capsys.readouterr().out


def test_the_recipe_of_the_study_of_layers_goes_through(tmp_path, monkeypatch, capsys) -> None:
    module = load(ROOT / "analyses/layers_study.py")
    small_set("utd_mhad_layers", tmp_path / "data")
    monkeypatch.setattr(module, "JOB", JOB)
    monkeypatch.setattr(module, "STUDY", DepthConfig(windows=(8,), strides=("whole",), ks=(4,), resamples=20))
    monkeypatch.setattr(GraphConfig, "__init__", _fewer(GraphConfig.__init__))
    run = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["layers_study.py", str(tmp_path / "data"), str(run)])
    module.main()
    assert "finding 1 " in capsys.readouterr().out
    assert json.loads((run / "results.json").read_text())["studies"]["layers"]["sensitivity"]["rows"]
    assert "Finding 1" in (run / "report.html").read_text()
    module.main()
    assert capsys.readouterr().out.count("(unchanged, skipped)") == 3


def test_the_recipe_that_compares_networks_goes_through(tmp_path, monkeypatch, capsys) -> None:
    module = load(ROOT / "analyses/compare_networks.py")
    small_set("utd_mhad_layers", tmp_path / "data")
    small = STGCNConfig(configuration="compact", width=4)
    networks = {"seed_0": ("stgcn", small, 0), "seed_1": ("stgcn", small, 1)}
    monkeypatch.setattr(module, "NETWORKS", networks)
    monkeypatch.setattr(module, "PREPROCESSING", JOB.preprocessing)
    monkeypatch.setattr(module, "TRAINING", JOB.training)
    monkeypatch.setattr(GraphConfig, "__init__", _fewer(GraphConfig.__init__))
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["compare_networks.py", str(tmp_path / "data"), str(out)])
    module.main()
    assert "Of 2 runs" in capsys.readouterr().out
    assert json.loads((out / "compare.json").read_text())["comparison"]["groups"][0]["runs"] == ["seed_0", "seed_1"]


def _fewer(init):
    """A constructor whose k is 4: there are twelve clips."""

    def made(self, *args, k=4, **settings):
        init(self, *args, k=k, **settings)

    return made
