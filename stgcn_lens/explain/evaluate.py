"""Can a map be trusted? What readers of finished maps need of the evaluation; nothing here needs torch.

The parts: `localisation` (planted evidence), `controls`, `tables` (class by joint), `fidelity` (removal and noise),
`stability`, `randomisation`, `contrast`, `sparsity`.
"""

from stgcn_lens.explain.controls import motion
from stgcn_lens.explain.localisation import (
    Interval,
    Localisation,
    LocalisationConfig,
    average_precision,
    localise,
    pointing,
)
from stgcn_lens.explain.tables import class_by_joint

__all__ = [
    "Interval",
    "Localisation",
    "LocalisationConfig",
    "average_precision",
    "class_by_joint",
    "localise",
    "motion",
    "pointing",
]
