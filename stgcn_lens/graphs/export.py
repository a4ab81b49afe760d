"""Graphs for other programs: scipy, networkx, GraphML."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
from scipy import sparse

from stgcn_lens.errors import LensError
from stgcn_lens.files import atomic


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
    graph: sparse.csr_array, *, directed: bool, attributes: Mapping[str, Sequence[object]] | None = None
) -> nx.Graph:
    """The graph for networkx: nodes 0 to N - 1, edges with "weight".

    Parameters
    ----------
    graph : (N, N) sparse matrix; symmetric if not `directed`.
    attributes : name -> one value for each node, such as {"class_name": [...], "name": [...]}.

    Raises
    ------
    LensError
        If the matrix is not symmetric although the graph is undirected, or an attribute is not one a node.
    """
    if not directed and abs(graph - graph.T).max() > 0:
        raise LensError("not symmetric", got="a directed graph", expected="an undirected one", fix="pass directed=True")
    out = nx.from_scipy_sparse_array(graph, create_using=nx.DiGraph if directed else nx.Graph)
    for name, values in (attributes or {}).items():
        if len(values) != graph.shape[0]:
            raise LensError(f"attribute '{name}' of other nodes", got=len(values), expected=graph.shape[0])
        nx.set_node_attributes(out, {node: _plain(value) for node, value in enumerate(values)}, name)
    return out


def write_graphml(path: Path | str, graph: nx.Graph) -> None:
    """Write a networkx graph as a GraphML file (Gephi, Cytoscape, igraph), whole or not at all."""
    with atomic(Path(path)) as temporary:
        nx.write_graphml_xml(graph, temporary)


def _plain(value: object) -> object:
    # GraphML knows Python's own types only, and has no word for "missing".
    if isinstance(value, np.generic):
        return value.item()
    return "" if value is None else value
