"""The layers' fast forms against their plain ones: gradients in training, dropout's shares, memory layout."""

import pytest
import torch
import torch.nn.functional as F

from stgcn_lens.adjacency import partitions
from stgcn_lens.models.blocks import Dropout, GraphConv
from stgcn_lens.skeleton import get_layout
from tests.models.weights import clips, randomised, stgcn


@pytest.mark.parametrize("learned", [False, True])
def test_gradients_of_a_graph_convolution_equal_those_of_the_published_formulation(learned):
    adjacency = torch.from_numpy(partitions(get_layout("ntu25"), "spatial", "column"))
    graph = randomised(GraphConv(4, 6, adjacency, importance=True, learned=learned)).double()
    x = clips(2, 4, 5, 25).double().requires_grad_()
    y = graph.conv(x).view(2, 3, 6, 5, 25)
    plain = torch.einsum("nkctv,kvw->nctw", y, graph.adjacency * graph.importance)
    towards = torch.randn(plain.shape, generator=torch.Generator().manual_seed(0)).double()
    wanted = [x, *graph.parameters()]
    expected = torch.autograd.grad(plain, wanted, towards)
    actual = torch.autograd.grad(graph(x), wanted, towards)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_every_block_keeps_the_channels_last_layout():
    model, seen = stgcn(dropout=0.5).train(), []
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append(out))
    model(clips(2, 3, 16, 25, 2))
    assert len(seen) == len(model.blocks)
    assert all(out.permute(0, 2, 3, 1).is_contiguous() for out in seen)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_mean(p):
    torch.manual_seed(0)
    x = torch.ones(4, 16, 20, 25).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = Dropout(p).train()(x)
    assert float((y == 0).float().mean().detach()) == pytest.approx(p, abs=0.02)
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / (1 - p)))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y)
    # No joint, frame or channel is spared: neighbours in memory are drawn apart.
    assert float((F.relu(y[:, 1:]) == y[:, :-1]).float().mean().detach()) == pytest.approx(
        p**2 + (1 - p) ** 2, abs=0.02
    )


def test_dropout_does_nothing_outside_training():
    x = clips(2, 4, 5, 25)
    assert Dropout(0.5).eval()(x) is x
