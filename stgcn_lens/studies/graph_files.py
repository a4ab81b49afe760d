"""The graphs of a run as files for other programs."""

import zipfile
from pathlib import Path

import numpy as np

from stgcn_lens.embeddings import read_clips
from stgcn_lens.errors import RunError
from stgcn_lens.graphs import GraphConfig, Kernel, Neighbours, NNKGraph
from stgcn_lens.graphs.export import write_graphs
from stgcn_lens.runs import Run

COLUMNS = ("name", "label", "class_name", "subject", "view", "split", "predicted")  # of clips.csv, told of every node


def export(run: Run, config: GraphConfig, folder: Path) -> list[Path]:
    """Write the graphs of every layer into ``folder/<layer>/``, see `write_graphs`; returns all files.

    Parameters
    ----------
    config : that the graphs were made with.

    Raises
    ------
    RunError : the run has no graphs, or they are damaged or were made by an older version.
    """
    run.key("graph")
    clips = read_clips(run)
    rows = [clips[int(number)] for number in run.read_array("embeddings/clips.npy")]
    attributes = {column: [row[column] for row in rows] for column in COLUMNS if column in rows[0]}
    written: list[Path] = []
    for layer in run.read_json("layers.json"):
        neighbours, nnk = _read(run, config, layer)
        written += write_graphs(folder / layer["layer"], neighbours, nnk, attributes)
    return written


def _read(run: Run, config: GraphConfig, layer: dict) -> tuple[Neighbours, NNKGraph]:
    """The graphs of one layer as they are in the run."""
    file = run / "graphs" / f"{layer['layer']}.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            neighbours = Neighbours(arrays["indices"], arrays["distances"])
            weights, errors = arrays["nnk_weights"], arrays["nnk_errors"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        fix = f"run: stgcn-lens graph {run.path} --force"
        raise RunError(f"not a graph file of this version ({type(error).__name__})", file=file, fix=fix) from error
    kernel = Kernel.fit(config.kernel, neighbours)
    return neighbours, NNKGraph(
        neighbours.indices, neighbours.distances, weights, errors, kernel, layer["indefinite_share"]
    )
