"""A control: a training whose labels say nothing, because they were dealt out anew among the clips that train."""

import numpy as np

from stgcn_lens.training.config import TrainConfig


def taught(labels: np.ndarray, trains: np.ndarray, config: TrainConfig) -> np.ndarray:
    """The labels (N,) that the network learns; those of the clips are kept as they are.

    With `shuffle_labels` the labels of the clips that train, (N,) bool, are permuted among them by the seed: every
    class keeps its number of clips. Clips without a label (negative) stay without one.
    """
    if not config.shuffle_labels:
        return labels
    mixed = labels.copy()
    chosen = np.flatnonzero(trains & (labels >= 0))
    mixed[chosen] = np.random.default_rng([config.seed, 2]).permutation(labels[chosen])
    return mixed
