"""Random changes of clips keep what must be kept: absent bodies, bone proportions, scores, the clip's own range."""

import numpy as np
import pytest
import torch

from stgcn_lens.errors import LensError
from stgcn_lens.skeleton import LAYOUTS, get_layout
from stgcn_lens.training import TrainConfig
from stgcn_lens.training.augment import CROP, SCALE, Share, augment, flip, random_moving, temporal_crop, turn
from tests.data.people import clip

NTU = get_layout("ntu25")
SWITCHES = [
    {"augment": True},
    {"augment": False, "random_moving": True},
    {"augment": False, "flip": True},
    {"augment": False, "noise_db": 10.0},
    {"augment": True, "random_moving": True, "flip": True},
]
switches = pytest.mark.parametrize("switch", SWITCHES, ids=lambda s: "+".join(k for k, on in s.items() if on))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(n: int, t: int, layout=NTU, m: int = 2, channels: int = 3) -> torch.Tensor:
    return torch.randn((n, channels, t, layout.V, m), generator=seeded(9))


def bones(x: torch.Tensor, dims: int) -> torch.Tensor:
    """Distances between all joints, (N, T, V, V, M)."""
    return (x[:, :dims, :, :, None] - x[:, :dims, :, None]).square().sum(dim=1).sqrt()


@switches
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("t", [1, 2, 13])
def test_shape_and_absent_bodies_stay(switch, layout, t):
    layout = get_layout(layout)
    x = clips(4, t, layout)
    present = torch.ones((4, t, 2), dtype=torch.bool)
    present[1, :, 1] = False
    present[2, t // 2 :, 0] = False
    x = x * present[:, None, :, None, :]
    changed = augment(x, present, layout, TrainConfig(**switch), seeded())
    assert changed.shape == x.shape
    assert changed.dtype == x.dtype
    assert (changed[1, ..., 1] == 0).all()
    assert (changed[2, :, t // 2 :, :, 0] == 0).all()
    assert (changed[0].abs().sum(dim=(0, 2)) > 0).all()
    assert not torch.equal(changed, x)


@switches
def test_the_generator_alone_decides(switch):
    x, present, config = clips(6, 9), torch.ones((6, 9, 2), dtype=torch.bool), TrainConfig(**switch)
    outside, before = torch.get_rng_state(), x.clone()
    changed = augment(x, present, NTU, config, seeded(1))
    assert torch.equal(augment(x, present, NTU, config, seeded(1)), changed)
    assert not torch.equal(augment(x, present, NTU, config, seeded(2)), changed)
    assert torch.equal(torch.get_rng_state(), outside)
    assert torch.equal(x, before)


def test_without_a_switch_nothing_changes():
    x, present = clips(3, 5), torch.ones((3, 5, 2), dtype=torch.bool)
    config = TrainConfig(augment=False, random_moving=False, flip=False)
    assert torch.equal(augment(x, present, NTU, config, seeded()), x)


@pytest.mark.parametrize(("layout", "channels"), [("ntu25", 3), ("openpose18", 3), ("coco17", 2), ("ntu25", 2)])
def test_turning_keeps_the_proportions_of_the_body_up_to_one_scale_per_clip(layout, channels):
    layout = get_layout(layout)
    dims = min(layout.dims, channels)
    x = clips(16, 5, layout, channels=channels)
    turned = turn(x, layout, seeded())
    ratio = bones(turned, dims) / bones(x, dims).clamp(min=1e-9)
    off = ~torch.eye(layout.V, dtype=torch.bool)[None, None, :, :, None].expand_as(ratio)
    each = ratio[off].view(16, -1)
    torch.testing.assert_close(each, each[:, :1].expand_as(each), rtol=1e-3, atol=1e-4)
    assert (each - 1).abs().max() <= SCALE + 1e-3
    assert each[:, 0].std() > 0.01
    assert not torch.allclose(turned / each[:, 0].view(-1, 1, 1, 1, 1), x, atol=1e-2)


def test_turning_is_no_mirror_image():
    axes = torch.zeros((8, 3, 1, 25, 1))
    for axis in range(3):
        axes[:, axis, 0, axis, 0] = 1
    turned = turn(axes, NTU, seeded())[:, :, 0, :3, 0]
    assert (torch.linalg.det(turned) > 0).all()


def test_turning_leans_little_and_turns_more():
    up = torch.zeros((200, 3, 1, 25, 1))
    up[:, 1] = 1
    y = turn(up, NTU, seeded())[:, :, 0, 0, 0]
    lean = torch.rad2deg(torch.acos((y[:, 1] / y.norm(dim=1)).clamp(max=1)))
    across = torch.zeros((200, 3, 1, 25, 1))
    across[:, 0] = 1
    z = turn(across, NTU, seeded())[:, :, 0, 0, 0]
    heading = torch.rad2deg(torch.atan2(z[:, 2], z[:, 0]).abs())
    assert lean.max() < 10
    assert 10 < heading.max() < 20


@pytest.mark.parametrize("layout", ["openpose18", "coco17"])
def test_scores_are_kept(layout):
    layout = get_layout(layout)
    still = clips(4, 1, layout).expand(-1, -1, 9, -1, -1).clone()  # a crop in time changes nothing
    present = torch.ones((4, 9, 2), dtype=torch.bool)
    config = TrainConfig(augment=True, random_moving=True)
    changed = augment(still, present, layout, config, seeded())
    torch.testing.assert_close(changed[:, 2], still[:, 2])
    assert not torch.allclose(changed[:, :2], still[:, :2])


def test_a_mirror_image_swaps_left_and_right_and_twice_is_the_clip():
    x = clips(64, 3)
    once = flip(x, NTU, seeded(3))
    assert torch.equal(flip(once, NTU, seeded(3)), x)
    expected = x.clone()
    for left, right in NTU.pairs:
        expected[:, :, :, left], expected[:, :, :, right] = x[:, :, :, right], x[:, :, :, left]
    expected[:, 0] = -expected[:, 0]
    mirrored = [torch.equal(a, b) for a, b in zip(once, expected, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(once, x, strict=True)]
    assert [a + b for a, b in zip(mirrored, kept, strict=True)] == [1] * 64
    assert 16 < sum(mirrored) < 48


def test_a_crop_is_an_even_stretch_of_the_clips_own_frames():
    t = 41
    ramp = torch.arange(t, dtype=torch.float32)[None, None, :, None, None].expand(200, 3, t, 25, 1)
    cropped, _ = temporal_crop(ramp, torch.ones((200, t, 1), dtype=torch.bool), seeded())
    at = cropped[:, 0, :, 0, 0]
    assert at.min() >= 0
    assert at.max() <= t - 1
    steps = at.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=0, atol=1e-3)
    span = (at[:, -1] - at[:, 0]) / (t - 1)
    assert span.min() >= CROP - 1e-5
    assert span.max() <= 1 + 1e-5
    assert span.std() > 0.03
    assert (at[:, 0] > 1).any()
    assert (at[:, -1] < t - 2).any()


def test_a_cropped_frame_between_a_present_and_an_absent_one_is_absent():
    t = 21
    x = torch.ones((50, 3, t, 25, 1))
    present = torch.ones((50, t, 1), dtype=torch.bool)
    present[:, 10:] = False
    x[:, :, 10:] = 0
    changed, there = temporal_crop(x, present, seeded())
    assert (changed[:, 0, :, 0][there] == 1).all()
    assert there.any(dim=1).all()
    assert not there.all(dim=1).any()


def test_random_moving_is_a_drifting_similarity_in_the_image_plane():
    x = clips(6, 31)
    moved = random_moving(x, NTU, seeded())
    assert torch.equal(moved[:, 2], x[:, 2])
    off = ~torch.eye(25, dtype=torch.bool)
    before, after = bones(x, 2)[:, :, off], bones(moved, 2)[:, :, off]
    size = (after / before).flatten(2)  # (N, T, joint pairs and bodies)
    torch.testing.assert_close(size, size[:, :, :1].expand_as(size), rtol=1e-2, atol=1e-2)
    scale = size.median(dim=2).values
    assert (scale - 1).abs().max() <= 0.1 + 1e-3
    assert scale.diff(dim=1).abs().max() < 0.03  # it drifts
    assert (scale.max(dim=1).values - scale.min(dim=1).values > 0.01).any()


def test_noise_has_a_ratio_between_the_weakest_and_forty_decibels_and_leaves_absent_bodies_alone() -> None:
    layout, n = NTU, 300
    x = torch.from_numpy(np.stack([clip(8, 2, seed=i).xyz for i in range(n)]))
    present = torch.ones(n, 8, 2, dtype=torch.bool)
    present[:, 3:, 1] = False
    x = x * present[:, None, :, None, :]
    config = TrainConfig(augment=False, noise_db=10.0)
    noisy = augment(x, present, layout, config, torch.Generator().manual_seed(0))
    assert not noisy[:, :, 3:, :, 1].any()
    ratios = []
    for one, other, there in zip(x.double().numpy(), noisy.double().numpy(), present.numpy(), strict=True):
        # Clip by clip: power about each body's centre in each frame, over what is there.
        cells = [(t, m) for t, m in zip(*np.nonzero(there), strict=True)]
        signal = np.mean([(one[:, t, :, m] - one[:, t, layout.centre, m][:, None]) ** 2 for t, m in cells])
        ratios.append(10 * np.log10(signal / np.mean([(other - one)[:, t, :, m] ** 2 for t, m in cells])))
    ratios = np.sort(ratios)
    assert 9 < ratios[0] < 12
    assert 38 < ratios[-1] < 41
    np.testing.assert_allclose(ratios, np.linspace(10, 40, n), atol=3.5)  # evenly drawn


def test_noise_of_a_share_is_that_of_the_whole_batch() -> None:
    layout = NTU
    x = torch.from_numpy(np.stack([clip(6, 1, seed=i).xyz for i in range(4)]))
    present, config = torch.ones(4, 6, 1, dtype=torch.bool), TrainConfig(noise_db=5.0)
    whole = augment(x, present, layout, config, torch.Generator().manual_seed(1))
    share = Share(torch.Generator().manual_seed(1), slice(1, 3), 4)
    torch.testing.assert_close(augment(x[1:3], present[1:3], layout, config, share), whole[1:3])


def test_noise_is_told_where_it_is_used_and_impossible_noise_is_refused() -> None:
    assert "noise_db" not in TrainConfig().told()
    assert TrainConfig(noise_db=0.0).told()["noise_db"] == 0.0
    for wrong in (41.0, float("nan")):
        with pytest.raises(LensError, match="impossible noise"):
            TrainConfig(noise_db=wrong)
