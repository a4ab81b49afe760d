"""The house rules that a reader cannot see in one file: who may import whom, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "stgcn_lens"
FILES = sorted(PACKAGE.rglob("*.py"))

# Module or package -> what it may import of this package, beyond itself and what those may import.
MAY = {
    "errors": set(),
    "arrays": {"errors"},
    "files": {"errors"},
    "intervals": {"errors"},
    "runs": {"files"},
    "parts": {"files"},
    "processes": {"errors"},
    "shelf": {"arrays", "parts"},
    "skeleton": {"errors"},
    "adjacency": {"skeleton"},
    "data": {"arrays", "runs", "skeleton"},
    "models": {"adjacency", "data", "runs"},
    "training": {"models", "processes"},
    "activations": {"models"},
    "windows": {"data"},
    "embeddings": {"activations", "processes", "shelf", "windows"},
    "distances": {"runs"},
    "projection": {"arrays"},
    "graphs": {"distances", "intervals"},
    "explain": {"activations", "intervals"},
    "studies": {"training", "embeddings", "graphs", "explain", "report"},
    "viz": {"data"},
    "report": {"viz", "explain"},  # of explain only what places maps in time; no torch, see below
    "commands": {"studies"},
    "cli": {"commands"},
}
TORCH_IN = {Path("distances/on_gpu")}  # nothing that others import when they are imported
NO_TORCH = {
    "adjacency",
    "arrays",
    "data",
    "distances",
    "errors",
    "files",
    "graphs",
    "intervals",
    "parts",
    "projection",
    "report",
    "runs",
    "shelf",
    "skeleton",
    "viz",
}


def imports(file: Path) -> set[str]:
    """Full names of all that a file imports, type-checking blocks left out."""
    tree = ast.parse(file.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(file: Path) -> str:
    """First-level module that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed(name: str) -> set[str]:
    """All that a part may import, directly or through others."""
    found = {name}
    for below in MAY[name]:
        found |= allowed(below)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_run_one_way(file: Path) -> None:
    name = part(file)
    if name in ("__init__", "__main__"):
        return
    ours = {i.split(".")[1] for i in imports(file) if i.startswith("stgcn_lens.")} - {"__version__"}
    assert ours <= allowed(name), f"{name} must not import {sorted(ours - allowed(name))}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_streamlit_stays_in_the_app_and_torch_out_of_the_numpy_parts(file: Path) -> None:
    roots = {name.split(".")[0] for name in imports(file)}
    assert "streamlit" not in roots
    if part(file) in NO_TORCH and file.relative_to(PACKAGE).parent not in TORCH_IN:
        assert "torch" not in roots


@pytest.mark.parametrize(
    "module", ["", ".graphs", ".projection", ".distances", ".data.readers", ".report", ".viz", ".cli"]
)
def test_importing_loads_no_torch(module: str) -> None:
    code = f"import sys, stgcn_lens{module}; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_file_that_a_part_has_is_known_to_the_rules() -> None:
    assert {part(file) for file in FILES} - {"__init__", "__main__"} == set(MAY)
