"""A running mean of a network's weights, which is smoother than the weights of the last step."""

from copy import deepcopy

import torch


class Average:
    """Exponential moving average of all weights and running statistics.

    Parameters
    ----------
    decay : share of the mean that is kept at each step; less in the first steps, (1 + n) / (10 + n), so that the
        weights at random from which a training starts do not stay in it (as TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.mean = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        """Take in the weights after a step; counters are copied."""
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        new = model.state_dict()
        floats = [name for name, tensor in new.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.mean[name] for name in floats], [new[name] for name in floats], share)
        for name in new.keys() - set(floats):
            self.mean[name].copy_(new[name])

    def model(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy of the network with the mean weights."""
        copied = deepcopy(model)
        copied.load_state_dict(self.mean)
        return copied

    def state(self) -> dict[str, object]:
        """For the file of an unfinished training."""
        return {"steps": self.steps, "mean": self.mean}

    def restore(self, state: dict[str, object]) -> None:
        """Go on from `state`."""
        self.steps = int(state["steps"])  # type: ignore[call-overload]
        for name, tensor in state["mean"].items():  # type: ignore[attr-defined]
            self.mean[name].copy_(tensor)
