"""The graph convolution's own form against the published one: equal gradients."""

import pytest
import torch

from stgcn_lens.adjacency import partitions
from stgcn_lens.models.blocks import GraphConv
from stgcn_lens.skeleton import get_layout
from tests.models.weights import clips, randomised


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
