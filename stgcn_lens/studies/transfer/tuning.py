"""One tuning: what lies above a cut is trained on a few clips of the target, with a new head, and tested."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from stgcn_lens.activations import evaluating
from stgcn_lens.errors import WorkError
from stgcn_lens.models import MODELS
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.models.trunk import Trunk
from stgcn_lens.studies.transfer.frozen import Material
from stgcn_lens.training import finetune
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.optim import learning_rate, sgd
from stgcn_lens.training.speed import autocast
from stgcn_lens.training.steps import answer, finite, parts, watched

_TEST = 64  # clips at a time


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came of it: the class that each test clip is taken for (n_test,), and numbers on the training."""

    predicted: np.ndarray
    loss: float
    epochs: int
    steps: int
    parameters: int
    seconds: float


class Upper(nn.Module):
    """A network from above one of its layers on: features (N, M, T_l, V, C_l) to logits (N, classes).

    The layer's features come with channels last, as the blocks compute.
    """

    def __init__(self, model: Trunk, below: str) -> None:
        super().__init__()
        self.model, self.below = model, below

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The logits that the whole network has for the clips which the features are of."""
        y = self.model.between(features.flatten(0, 1).permute(0, 3, 1, 2), self.below)
        return self.model.scores(y.unflatten(0, features.shape[:2]))


def network(loaded: Loaded, classes: int, seed: int, *, weights: bool = True) -> Trunk:
    """The network with a new head, drawn by the seed; the rest with its weights, or as drawn by the seed, too."""
    spec = MODELS[loaded.about["architecture"]["model"]]
    config = loaded.model.config  # type: ignore[attr-defined]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = spec.build(config, loaded.layout, int(loaded.about["channels"]), classes)
    if weights:
        finetune.start(model, loaded, new_head=True)
    assert isinstance(model, Trunk)
    return model


def passes(clips: int, batch: int, epochs: int, least_steps: int) -> int:
    """Passes over so many clips that make at least `epochs` and at least `least_steps` steps."""
    return max(epochs, math.ceil(least_steps / steps(clips, batch)))


def steps(clips: int, batch: int) -> int:
    """Steps of one pass over so many clips."""
    return len(parts(clips, batch))


def tune(
    model: Trunk,
    material: Material,
    clips: np.ndarray,
    labels: np.ndarray,
    training: TrainConfig,
    device: str,
    said: Callable[[int], None],
) -> Tuned:
    """Train what lies above the cut, in place, and classify the test clips.

    Parameters
    ----------
    clips : (n,) positions among the training clips. `labels` : (n,) their classes.
    said : called with the number of steps taken, after each.

    Raises
    ------
    WorkError : a weight is no longer a finite number.
    """
    began = time.perf_counter()
    still = finetune.frozen(model, material.below)
    upper = Upper(model.to(device), material.below)
    optimiser, division = sgd(model, training), parts(len(clips), training.batch)
    target = torch.from_numpy(labels)
    loss = torch.zeros(())
    for epoch in range(training.epochs):
        model.train()
        for module in still:
            module.eval()
        # As in `train`: an epoch's randomness is its own. Order and versions are the same for every cut.
        seed = training.seed * 1_000_003 + epoch
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(clips), generator=generator)
        version = torch.randint(material.versions, (len(clips),), generator=generator).numpy()
        with torch.random.fork_rng(devices=[device] if device != "cpu" else []):
            torch.manual_seed(seed)
            for step, part in enumerate(division):
                for settings in optimiser.param_groups:
                    settings["lr"] = learning_rate(training, epoch + step / len(division))
                chosen = order[part]
                rows = material.places(clips[chosen.numpy()], version[part])
                features = torch.from_numpy(material.features[rows]).to(device)
                with autocast(device, training.precision):
                    logits = answer(upper, features)
                loss = F.cross_entropy(
                    logits.float(), target[chosen].to(device), label_smoothing=training.label_smoothing
                )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                said(epoch * len(division) + step + 1)
    if not finite(watched(model)):
        what = f"weights that are not finite after tuning above {material.below}"
        raise WorkError(what, got=f"{len(clips)} clips, rate {training.lr:g}", fix="lower --lr")
    return Tuned(
        predicted=_classes(upper, material, device),
        loss=float(loss.detach()),
        epochs=training.epochs,
        steps=training.epochs * len(division),
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        seconds=time.perf_counter() - began,
    )


def _classes(upper: Upper, material: Material, device: str) -> np.ndarray:
    """The most likely class of every test clip."""
    found = []
    with evaluating(upper), torch.inference_mode():
        for start in range(0, material.n_test, _TEST):
            rows = material.features[start : min(start + _TEST, material.n_test)]
            found.append(upper(torch.from_numpy(np.array(rows)).to(device)).argmax(dim=1).cpu().numpy())
    return np.concatenate(found)
