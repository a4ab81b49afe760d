"""The baselines of table 1: what each shares and does not share, against loops."""

import numpy as np
import torch

from stgcn_lens.adjacency import links
from stgcn_lens.models.baselines import BaselineConfig, LocalConv, LocalConvNet, TemporalConvNet
from stgcn_lens.skeleton import get_layout
from tests.models.weights import clips, randomised

NTU = get_layout("ntu25")


def test_local_convolution_has_a_matrix_for_every_joint_and_neighbour():
    layer, x = randomised(LocalConv(3, 4, NTU)).double(), clips(2, 3, 5, 25).double()
    near = links(NTU) + np.eye(25)
    assert layer.weight.shape == (3 * 25 - 2, 3, 4)
    expected = layer.bias.detach().numpy().T[None, :, None].repeat(2, 0).repeat(5, 2)
    edge = 0
    for source in range(25):
        for target in range(25):
            if near[source, target]:
                w = layer.weight[edge].detach().numpy()
                expected[..., target] += np.einsum("nct,cd->ndt", x[..., source].numpy(), w)
                edge += 1
    with torch.no_grad():
        np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-10, atol=1e-12)


def test_only_neighbours_reach_a_joint():
    layer, x = randomised(LocalConv(2, 2, NTU)), clips(1, 2, 1, 25).requires_grad_()
    layer(x)[..., 7].sum().backward()
    reached = x.grad.abs().sum(dim=(0, 1, 2)) > 0
    assert reached.tolist() == (links(NTU)[7] + np.eye(25)[7] > 0).tolist()


def test_a_temporal_network_says_the_same_of_every_joint_and_hears_them_all():
    model, x = randomised(TemporalConvNet(BaselineConfig(width=4), NTU, classes=5)), clips(1, 3, 16, 25, 1)
    x.requires_grad_()
    features = model.features(x)
    assert (features == features[..., :1]).all()
    model(x)[0, 0].backward()
    assert (x.grad.abs().sum(dim=(0, 1, 2, 4)) > 0).all()


def test_unshared_weights_make_the_local_network_the_larger_one():
    count = lambda model: sum(p.numel() for p in model.parameters())  # noqa: E731
    local = LocalConvNet(BaselineConfig(), NTU, classes=60)
    first = 73 * 3 * 64 + 25 * 64  # the first block's graph part: one matrix an edge, one bias a joint
    assert count(local.blocks[0].graph) == first
    assert count(local) > 10_000_000
