"""Graphs over clips at one layer, and what they say about it.

kNN (`knn.knn`), NNK weights (`nnk.nnk`), both in one call (`layer_graph`), label smoothness (`summary`), comparison
of layers (`overlap`, `linear_cka`), export to other programs (`export`). From plain arrays, in the manner of
scikit-learn: `estimators.KNN` and `estimators.NNK`.
"""

from stgcn_lens.graphs.compare import jaccard, linear_cka, mean_windows, overlap
from stgcn_lens.graphs.kernel import KERNELS, Kernel
from stgcn_lens.graphs.knn import Neighbours
from stgcn_lens.graphs.layer import GraphConfig, layer_graph
from stgcn_lens.graphs.nnk import NNKGraph
from stgcn_lens.graphs.smoothness import LayerGeometry, summary
from stgcn_lens.intervals import Value

__all__ = [
    "KERNELS",
    "GraphConfig",
    "Kernel",
    "LayerGeometry",
    "NNKGraph",
    "Neighbours",
    "Value",
    "jaccard",
    "layer_graph",
    "linear_cka",
    "mean_windows",
    "overlap",
    "summary",
]
