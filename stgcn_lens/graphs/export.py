"""Graphs for other programs: scipy, networkx, GraphML."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
from scipy import sparse

from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.graphs.nnk import NNKGraph

Attributes = Mapping[str, Sequence[object]]
# What XML 1.0 has no way to write.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_csr(indices: np.ndarray, weights: np.ndarray | None = None) -> sparse.csr_array:
    """Directed graph as an (N, N) sparse matrix: row i holds the weights of i's neighbours.

    Parameters
    ----------
    indices : (N, k) neighbours.
    weights : (N, k) their weights, entries of zero are no edges; by default 1/k each.
    """
    n, k = indices.shape
    values = np.full((n, k), 1 / k) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (n, k):
        raise LensError("weights of another graph", got=values.shape, expected=(n, k))
    rows = np.repeat(np.arange(n), k)
    there = values.ravel() != 0
    return sparse.csr_array((values.ravel()[there], (rows[there], indices.ravel()[there])), shape=(n, n))


def to_networkx(
    graph: sparse.csr_array,
    *,
    directed: bool,
    attributes: Attributes | None = None,
    distances: sparse.csr_array | None = None,
) -> nx.Graph:
    """The graph for networkx: nodes 0 to N - 1, edges with "weight".

    Parameters
    ----------
    graph : (N, N) sparse matrix; symmetric if not `directed`.
    attributes : name -> one value for each node, such as {"class_name": [...], "name": [...]}.
    distances : (N, N), adds "distance" to the edges; what it does not hold is 0.

    Raises
    ------
    LensError
        If the matrix is not symmetric although the graph is undirected, or an attribute is not one a node.
    """
    if not directed and abs(graph - graph.T).max() > 0:
        raise LensError("not symmetric", got="a directed graph", expected="an undirected one", fix="pass directed=True")
    out = nx.from_scipy_sparse_array(graph, create_using=nx.DiGraph if directed else nx.Graph)
    if distances is not None:
        edges = list(out.edges)
        ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
        far = np.asarray(distances.tocsr()[ends[:, 0], ends[:, 1]]).ravel().tolist() if edges else []
        nx.set_edge_attributes(out, dict(zip(edges, far, strict=True)), "distance")
    for name, values in (attributes or {}).items():
        _check_attribute(name, values, graph.shape[0])
        nx.set_node_attributes(out, {node: _plain(value) for node, value in enumerate(values)}, name)
    return out


def write_graphml(path: Path | str, graph: nx.Graph) -> None:
    """Write a networkx graph as a GraphML file (Gephi, Cytoscape, igraph), whole or not at all."""
    with atomic(Path(path)) as temporary:
        nx.write_graphml_xml(graph, temporary)


def write_graphs(
    folder: Path | str, neighbours: Neighbours, nnk: NNKGraph | None = None, attributes: Attributes | None = None
) -> list[Path]:
    """Write a layer's graphs for other programs; returns the files, each whole or not there.

    ``knn``, ``nnk`` and ``nnk_undirected`` as ``.npz`` (`scipy.sparse.load_npz`) and ``.graphml`` (`networkx`, Gephi,
    Cytoscape, igraph), and ``nodes.csv`` with the attributes in the order of the rows. Weights are 1/k in kNN, theta in
    NNK; kNN and directed NNK edges have their distance in GraphML too.

    Parameters
    ----------
    folder : made if it is not there; files of these names are replaced.
    neighbours, nnk : of the same N clips.
    attributes : name -> one value a clip, such as {"name": [...], "label": [...], "class_name": [...]}.
    """
    folder, attributes = Path(folder), attributes or {}
    for name, values in attributes.items():
        _check_attribute(name, values, len(neighbours))
    if nnk is not None and nnk.indices.shape != neighbours.indices.shape:
        raise LensError("graphs of two sets", got=nnk.indices.shape, expected=neighbours.indices.shape)
    graphs = {"knn": (to_csr(neighbours.indices), True)}
    if nnk is not None:
        graphs["nnk"] = (to_csr(nnk.indices, nnk.weights), True)
        graphs["nnk_undirected"] = (nnk.undirected(), False)
    distances = to_csr(neighbours.indices, neighbours.distances)
    written = [folder / "nodes.csv"]
    with atomic(written[0]) as temporary, temporary.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["node", *attributes])
        rows.writerows([node, *row] for node, row in enumerate(_rows(attributes, len(neighbours))))
    for name, (graph, directed) in graphs.items():
        matrix, drawing = folder / f"{name}.npz", folder / f"{name}.graphml"
        with atomic(matrix) as temporary, temporary.open("wb") as file:
            sparse.save_npz(file, graph)
        write_graphml(
            drawing,
            to_networkx(graph, directed=directed, attributes=attributes, distances=distances if directed else None),
        )
        written += [matrix, drawing]
    return written


def _check_attribute(name: str, values: Sequence[object], n: int) -> None:
    if len(values) != n:
        raise LensError(f"attribute '{name}' of other nodes", got=len(values), expected=n)


def _rows(attributes: Attributes, n: int) -> list[list[object]]:
    return [[_plain(values[node]) for values in attributes.values()] for node in range(n)]


def _plain(value: object) -> object:
    # GraphML knows Python's own types only, has no word for "missing", and XML no word for most control characters.
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return value
    return _NOT_XML.sub("\ufffd", str(value))
