"""Random changes of training clips, on the device, a batch at a time; all randomness from one generator."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from stgcn_lens.skeleton import Layout
from stgcn_lens.training.config import NOISE_DB, TrainConfig

TURN = 0.3  # radians about the up axis and 0.3 of it about the others (ours)
SCALE = 0.1  # relative (ours)
CROP = 0.75  # least share of the clip that is kept, stretched back to T (ours)
JITTER = 0.005  # in the clip's own unit, a spine length or a metre (ours); below a Kinect's joint noise
# [S] section 3.6 and its released code: candidates at the anchors between which the motion is interpolated.
MOVING_ANGLE, MOVING_SCALE, MOVING_SHIFT = math.radians(10), 0.1, 0.2


@dataclass(frozen=True)
class Share:
    """A generator for clips that are a share of a batch: it draws for all `total` and gives out those of `part`.

    So several processes change each clip as one process would.
    """

    generator: torch.Generator
    part: slice
    total: int


Source = torch.Generator | Share


def augment(
    x: torch.Tensor, present: torch.Tensor, layout: Layout, config: TrainConfig, generator: Source
) -> torch.Tensor:
    """Randomly changed copy of clips (N, C, T, V, M); absent bodies (`present` (N, T, M)) stay zero."""
    if config.augment:
        x, present = temporal_crop(x, present, generator)
        x = turn(x, layout, generator)
        x = x + JITTER * _randn(x.shape, x, generator) * _spatial(x, layout)
    if config.random_moving:
        x = random_moving(x, layout, generator)
    if config.flip:
        x = flip(x, layout, generator)
    if config.noise_db is not None:
        x = noise(x, present, layout, config.noise_db, generator)
    return x * present[:, None, :, None, :]


def temporal_crop(x: torch.Tensor, present: torch.Tensor, generator: Source) -> tuple[torch.Tensor, torch.Tensor]:
    """A random run of at least `CROP` of the frames, linearly resampled to T."""
    n, t = x.shape[0], x.shape[2]
    share = CROP + (1 - CROP) * _rand((n, 1), x, generator)
    start = (1 - share) * _rand((n, 1), x, generator)
    at = (start + share * torch.linspace(0, 1, t, device=x.device)) * (t - 1)
    low = at.floor().long().clamp(max=t - 1)
    high = (low + 1).clamp(max=t - 1)
    weight = (at - low)[:, None, :, None, None]
    rows = torch.arange(n, device=x.device)[:, None]
    frames = x.transpose(1, 2)  # (N, T, C, V, M)
    mixed = frames[rows, low].transpose(1, 2) * (1 - weight) + frames[rows, high].transpose(1, 2) * weight
    return mixed, present[rows, low] & present[rows, high]


def turn(x: torch.Tensor, layout: Layout, generator: Source) -> torch.Tensor:
    """A small rotation, mostly about the up axis (2-D: in the image plane), and a change of size."""
    n = x.shape[0]
    angles = (2 * _rand((n, 3), x, generator) - 1) * TURN
    size = 1 + (2 * _rand((n,), x, generator) - 1) * SCALE
    if min(layout.dims, x.shape[1]) == 2:
        matrix = _plane(0.3 * angles[:, 0]) * size[:, None, None]
        return torch.cat([torch.einsum("nij,njtvm->nitvm", matrix, x[:, :2]), x[:, 2:]], dim=1)
    return torch.einsum(
        "nij,njtvm->nitvm", _rotation(angles * angles.new_tensor([0.3, 1, 0.3])) * size[:, None, None], x
    )


def random_moving(x: torch.Tensor, layout: Layout, generator: Source) -> torch.Tensor:
    """Rotation, scale and shift that drift between random anchors over the clip ([S] section 3.6)."""
    n, _, t, _, _ = x.shape
    anchors = _rand((n, 4, 2), x, generator) * 2 - 1
    drift = torch.nn.functional.interpolate(
        anchors.transpose(1, 2).reshape(n, 2, 4), t, mode="linear", align_corners=True
    )
    shift_anchors = _rand((n, 2, 2), x, generator) * 2 - 1
    shift = torch.nn.functional.interpolate(shift_anchors, t, mode="linear", align_corners=True) * MOVING_SHIFT
    angle, size = drift[:, 0] * MOVING_ANGLE, 1 + drift[:, 1] * MOVING_SCALE
    matrix = _plane(angle.reshape(-1)).view(n, t, 2, 2) * size[..., None, None]
    moved = torch.einsum("ntij,njtvm->nitvm", matrix, x[:, :2]) + shift[..., None, None]
    return torch.cat([moved, x[:, 2:]], dim=1)


def flip(x: torch.Tensor, layout: Layout, generator: Source) -> torch.Tensor:
    """Half of the clips mirrored in x, with left and right joints swapped."""
    chosen = (_rand((x.shape[0],), x, generator) < 0.5)[:, None, None, None, None]
    mirrored = x[:, :, :, list(layout.mirror)].clone()
    mirrored[:, 0] *= -1
    return torch.where(chosen, mirrored, x)


def noise(x: torch.Tensor, present: torch.Tensor, layout: Layout, weakest: float, generator: Source) -> torch.Tensor:
    """Gaussian noise, of each clip at a ratio of signal to noise drawn evenly between `weakest` and `NOISE_DB`.

    The signal is the mean square of a coordinate about the centre joint of its body and frame, as in `data.noise`, but
    of the clip as the network gets it.
    """
    ratio = weakest + (NOISE_DB - weakest) * _rand((len(x),), x, generator)
    drawn = _randn(x.shape, x, generator) * _spatial(x, layout)
    counted = present[:, None, :, None, :] * _spatial(x, layout).expand_as(x)
    about = (x - x[:, :, :, layout.centre, None]) * counted
    power = about.square().sum(dim=(1, 2, 3, 4)) / counted.sum(dim=(1, 2, 3, 4)).clamp(min=1)
    return x + drawn * (power * 10 ** (-ratio / 10)).sqrt()[:, None, None, None, None]


def _rand(shape: tuple[int, ...], like: torch.Tensor, generator: Source) -> torch.Tensor:
    return _drawn(torch.rand, shape, like, generator)


def _randn(shape: tuple[int, ...], like: torch.Tensor, generator: Source) -> torch.Tensor:
    return _drawn(torch.randn, shape, like, generator)


def _drawn(
    draw: Callable[..., torch.Tensor], shape: tuple[int, ...], like: torch.Tensor, generator: Source
) -> torch.Tensor:
    """Random numbers on the device of `like`, drawn where the generator is."""
    if isinstance(generator, Share):
        whole = _drawn(draw, (generator.total, *shape[1:]), like, generator.generator)
        return whole[generator.part]
    return draw(shape, generator=generator, device=generator.device).to(like.device)


def _spatial(x: torch.Tensor, layout: Layout) -> torch.Tensor:
    """1 for coordinate channels, 0 for a score channel, (C, 1, 1, 1)."""
    keep = torch.ones(x.shape[1], device=x.device)
    keep[layout.dims :] = 0
    return keep[:, None, None, None]


def _plane(angle: torch.Tensor) -> torch.Tensor:
    """Rotations of the plane, (n, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def _rotation(angles: torch.Tensor) -> torch.Tensor:
    """Rotations about x, then y, then z, (n, 3, 3)."""
    n = angles.shape[0]
    product = torch.eye(3, device=angles.device).expand(n, 3, 3)
    for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        matrix = torch.eye(3, device=angles.device).repeat(n, 1, 1)
        cos, sin = angles[:, axis].cos(), angles[:, axis].sin()
        matrix[:, i, i], matrix[:, j, j], matrix[:, i, j], matrix[:, j, i] = cos, cos, -sin, sin
        product = matrix @ product
    return product
