"""UMAP (McInnes, Healy, Melville, arXiv 1802.03426) on the first principal components, where its package is there."""

from importlib import import_module

import numpy as np

from stgcn_lens.errors import LensError
from stgcn_lens.projection.pca import principal
from stgcn_lens.projection.plane import Plane

_COMPONENTS = 50  # as for t-SNE
_NEIGHBOURS = 15  # the authors' default
_FEWEST = 8  # clips (ours): with fewer its spectral start fails


def umap(features: np.ndarray, seed: int = 0) -> Plane:
    """Points that keep near neighbours near.

    Raises
    ------
    LensError
        umap-learn is not installed, or there are too few clips.
    """
    try:
        package = import_module("umap")
    except ImportError as error:
        raise LensError(
            "UMAP needs a package that is not installed", got="no umap-learn", fix="pip install 'stgcn-lens[umap]'"
        ) from error
    if len(features) < _FEWEST:
        raise LensError("too few clips for UMAP", got=len(features), expected=f"at least {_FEWEST}", fix="choose PCA")
    components, _ = principal(features, min(_COMPONENTS, features.shape[1]), seed)
    neighbours = min(_NEIGHBOURS, len(features) - 1)
    layout = package.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)
    return Plane(np.asarray(layout.fit_transform(components), np.float64), f"{neighbours} neighbours")
