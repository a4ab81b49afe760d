"""A layer's clips as points on a plane: what is read of them, and the ways to lay them out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stgcn_lens.projection.pca import pca
from stgcn_lens.projection.plane import Plane
from stgcn_lens.projection.tsne import tsne
from stgcn_lens.projection.umap import umap


@dataclass(frozen=True)
class Projection:
    """One way to lay clips out.

    `function` takes features (P, D) and a seed; `title` is its name for people, `about` what distances in it mean;
    `quick`: it takes well under a second for some thousand clips.
    """

    title: str
    function: Callable[[np.ndarray, int], Plane]
    about: str
    quick: bool


PROJECTIONS: dict[str, Projection] = {
    "pca": Projection("PCA", pca, "The two directions of largest variance: far apart here is far apart.", True),
    "tsne": Projection("t-SNE", tsne, "Near neighbours stay near; distances between groups mean little.", False),
    "umap": Projection("UMAP", umap, "Near neighbours stay near; distances between groups mean little.", False),
}
