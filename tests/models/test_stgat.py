"""STGAT against its literal transcription, with every switch, and its published size."""

from dataclasses import replace

import pytest
import torch

from stgcn_lens.errors import LensError
from stgcn_lens.models.stgat import STGAT, STGATConfig, difference, windows
from stgcn_lens.skeleton import get_layout
from tests.models.weights import clips, randomised
from tests.reference import stgat as reference

SMALL = STGATConfig(width=8, heads=2, kernel=3)


def built(config, layout="coco17", channels=3, classes=4):
    return randomised(STGAT(config, get_layout(layout), channels, classes)).double()


def test_it_has_its_published_number_of_parameters():
    model = STGAT(STGATConfig(), get_layout("ntu25"), channels=3, classes=60)
    assert sum(p.numel() for p in model.parameters()) == 5_607_740


@pytest.mark.parametrize(
    "change",
    [{}, {"scope": False}, {"dynamic": False}, {"motion": False}, {"released": True}, {"heads": 4, "window": 5}],
    ids=str,
)
def test_a_whole_network_equals_the_transcription(change):
    config = replace(SMALL, **change)
    model, x = built(config), clips(2, 3, 7, 17, 2).double()
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    with torch.no_grad():
        actual = model(x)
    for clip, logits in zip(x, actual, strict=True):
        expected = reference.network(clip.numpy(), weights, model.layout, config)
        torch.testing.assert_close(logits, torch.from_numpy(expected), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("switch", ["scope", "dynamic", "motion", "released"])
def test_every_switch_changes_what_is_computed(switch):
    on, off = (built(replace(SMALL, **{switch: value}), "ntu25") for value in (True, False))
    if switch != "motion":  # the other switches add no weights but the gate's, so the rest can be shared
        shared = {k: v for k, v in on.state_dict().items() if k in off.state_dict()}
        off.load_state_dict(shared)
    x = clips(1, 3, 6, 25, 1).double()
    with torch.no_grad():
        assert not torch.allclose(on(x), off(x), rtol=1e-4)


def test_a_head_reaches_exactly_its_number_of_bones():
    model = built(replace(SMALL, heads=4), "ntu25")
    far = reference.bones_between(model.layout)
    allowed = model.blocks[0].attention.allowed[:, :25].numpy()
    for head in range(4):
        assert (allowed[head] == ((far == head + 1) | (far == 0))).all()


@pytest.mark.parametrize("step", [-2, -1, 1, 2])
def test_a_difference_beyond_the_ends_is_zero(step):
    x = torch.arange(5.0).view(1, 1, 5, 1) ** 2
    expected = [t**2 - (t + step) ** 2 if 0 <= t + step < 5 else 0 for t in range(5)]
    assert difference(x, step).flatten().tolist() == expected
    assert difference(x[:, :, :1], step).flatten().tolist() == [0]


def test_a_window_holds_the_frames_around_with_offsets_major():
    x = torch.arange(6.0).view(1, 1, 3, 2)
    assert windows(x, 3)[0, 0].tolist() == [[0, 0, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 0, 0]]


@pytest.mark.parametrize("wrong", [{"width": 12}, {"heads": 3}, {"window": 2}, {"kernel": 4}, {"dropout": 1.0}])
def test_an_impossible_shape_is_refused(wrong):
    with pytest.raises(LensError, match="impossible"):
        STGATConfig(**wrong)
