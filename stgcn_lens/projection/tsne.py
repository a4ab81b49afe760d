"""t-SNE (van der Maaten and Hinton, JMLR 2008) on the first principal components."""

import numpy as np

from stgcn_lens.projection.pca import principal
from stgcn_lens.projection.plane import Plane

_COMPONENTS = 50  # that distances are taken in, as the authors do
_PERPLEXITY = 30.0  # the authors: 5 to 50
_FEWEST = 4  # clips (ours) that can be neighbours of one another in more than one way


def tsne(features: np.ndarray, seed: int = 0) -> Plane:
    """Points that keep near neighbours near; begun from the principal components."""
    components, _ = principal(features, min(_COMPONENTS, features.shape[1]), seed)
    if len(features) < _FEWEST or not np.ptp(components, axis=0).any():
        return Plane(np.pad(components, ((0, 0), (0, 2)))[:, :2], "too few different clips: principal components")
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
    start = components[:, :2] / max(components[:, 0].std(), 1e-12) * 1e-4  # the scale that sklearn's own "pca" has
    start = np.pad(start, ((0, 0), (0, 2 - start.shape[1])))
    points = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=seed, n_jobs=1).fit_transform(
        components
    )
    return Plane(points.astype(np.float64), f"perplexity {perplexity:.3g}")
