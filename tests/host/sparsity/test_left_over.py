"""Only exact zeros are counted, and a neuron is left if a weight that leaves it is not zero."""

from __future__ import annotations

import torch
from torch import nn

from presparse.sparsity import LayerLeft, left_over
from presparse.train.sparse_linear import SparseLinear


def model() -> nn.Sequential:
    layers = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        layers.get_parameter("0.weight").copy_(torch.tensor([[0.0, -1.0, 1e-30], [0.0, 0.0, -0.0]]))
        layers.get_parameter("0.bias").copy_(torch.tensor([-3.0, 0.0]))
        layers.get_parameter("2.weight").copy_(torch.tensor([[-2.0, 0.0], [-1e-4, 0.0]]))
        layers.get_parameter("2.bias").copy_(torch.tensor([-1.0, -2.0]))
    return layers


def test_negative_and_tiny_weights_are_not_zero() -> None:
    """A fault of a widely used implementation: it counted every weight below a positive threshold."""
    left = left_over(model())
    assert (left.zeros, left.weights) == (7, 14)
    assert left.exact_zeros == 0.5
    assert left.layers == (LayerLeft(name="0", left=2, neurons=3), LayerLeft(name="2", left=1, neurons=2))
    assert str(left) == "50.0% of 14 weights are zero; neurons left: 2/3, 1/2"


def test_a_model_of_negative_weights_has_no_zeros() -> None:
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(-1e-3)
    assert left_over(layer).exact_zeros == 0.0


def test_entries_that_do_not_exist_are_neither_weights_nor_zeros() -> None:
    layers = model()
    mask = torch.tensor([[True, True, False], [True, False, False]])
    left = left_over(layers, parameters=["0.weight"], masks={"0.weight": mask})
    assert (left.zeros, left.weights) == (2, 3)
    assert left.layers == (LayerLeft(name="0", left=1, neurons=3),)


def test_edges_and_scales() -> None:
    layers = nn.Sequential(SparseLinear(3, [[0, 1], [1, 2]]), nn.BatchNorm1d(2))
    with torch.no_grad():
        layers.get_parameter("0.weight").copy_(torch.tensor([[0.0, 0.0], [-1.0, 0.0]]))
        layers.get_parameter("0.bias").fill_(-1.0)
        layers.get_parameter("1.weight")[0] = 0.0
    left = left_over(layers)
    assert (left.zeros, left.weights, left.layers) == (3, 6, (LayerLeft(name="0", left=1, neurons=3),))
    scales = left_over(layers, parameters=["1.weight"])
    assert (scales.zeros, scales.weights, scales.layers) == (1, 2, ())
