"""SparseLinear equals a dense layer with a mask, and trains its edges only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from presparse.contract.pattern import PATTERN_KINDS, generate
from presparse.train import sparse_linear
from presparse.train.network import SparseNetwork
from presparse.train.sparse_linear import SparseLinear, edge_product
from tests.networks import random_network

SCATTERED = [(6, 4, 3), (64, 128, 8), (5, 1, 5), (1, 7, 1)]
GATHERED = (512, 6, 4)
COMPRESSED = (1024, 256, 32)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """More only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_layer(left: int, right: int, in_degree: int, seed: int = 0) -> SparseLinear:
    rng = np.random.default_rng(seed)
    edges = np.stack([rng.permutation(left)[:in_degree] for _ in range(right)])
    layer = SparseLinear(left, edges, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.tensor(rng.integers(-100, 100, size=tuple(parameter.shape))))
    return layer


def masked(layer: SparseLinear) -> tuple[nn.Linear, Tensor]:
    """The same layer as a dense one, and the mask of its edges."""
    right, left = len(layer.left), layer.left_features
    dense = nn.Linear(left, right, dtype=torch.float64)
    mask = torch.zeros(right, left, dtype=torch.bool)
    with torch.no_grad():
        dense.weight.zero_()
        for r in range(right):
            for k, neuron in enumerate(layer.left[r].tolist()):
                dense.weight[r, neuron] = layer.weight[r, k]
                mask[r, neuron] = True
        dense.bias.copy_(layer.bias)
    return dense, mask


@pytest.mark.parametrize(("left", "right", "in_degree"), [*SCATTERED, GATHERED, COMPRESSED])
def test_forward_and_gradients_equal_the_masked_dense_layer(left: int, right: int, in_degree: int) -> None:
    """Whole numbers, so that any order of summation gives the same bits."""
    layer = random_layer(left, right, in_degree)
    dense, mask = masked(layer)
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(-50, 50, (9, left), generator=generator).double()
    upstream = torch.randint(-50, 50, (9, right), generator=generator).double()
    own, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = layer(own), dense(other)
    assert torch.equal(y, expected)
    y.backward(upstream)
    expected.backward(upstream)
    assert own.grad is not None
    assert layer.weight.grad is not None
    assert dense.weight.grad is not None
    assert other.grad is not None
    assert layer.bias.grad is not None
    assert dense.bias.grad is not None
    assert torch.equal(own.grad, other.grad)
    assert torch.equal(layer.bias.grad, dense.bias.grad)
    assert torch.equal(layer.weight.grad, dense.weight.grad.gather(1, layer.left))
    assert not (dense.weight * ~mask).any()


@pytest.mark.parametrize("way", ["gathered", "compressed", "scattered"])
def test_gradients_are_derivatives(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all three ways, made to take a layer that is small enough."""
    monkeypatch.setattr(sparse_linear, "_GATHERED", 9.0 if way == "gathered" else 0.0)
    monkeypatch.setattr(sparse_linear, "_COMPRESSED", 1.0)
    monkeypatch.setattr(sparse_linear, "_LARGE", 1 if way == "compressed" else 1 << 30)
    layer = random_layer(7, 4, 3)
    x = torch.rand(2, 7, dtype=torch.float64, requires_grad=True)
    assert ("Compressed" in str(edge_product(x, layer.left, layer.weight).grad_fn)) == (way == "compressed")
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradcheck(
        lambda x, weight: edge_product(x, layer.left, weight), (x, layer.weight.detach().requires_grad_())
    )


def test_which_way_a_product_takes() -> None:
    """By samples, density and size; features that need no gradient get none."""
    ways = {}
    for name, count, (left, right, in_degree) in (
        ("few samples", 8, COMPRESSED),
        ("large", 9, COMPRESSED),
        ("dense", 9, (1024, 256, 129)),
        ("small", 9, (1024, 255, 32)),
    ):
        layer = random_layer(left, right, in_degree)
        x = torch.rand(count, left, dtype=torch.float64)
        y = edge_product(x, layer.left, layer.weight)
        ways[name] = type(y.grad_fn).__name__
        y.sum().backward()
        assert layer.weight.grad is not None
    assert ways == {
        "few samples": "SumBackward1",
        "large": "_CompressedBackward",
        "dense": "MmBackward0",
        "small": "MmBackward0",
    }


def test_no_samples_give_no_outputs() -> None:
    assert random_layer(6, 4, 3)(torch.rand(0, 6, dtype=torch.float64)).shape == (0, 4)


@pytest.mark.slow
def test_pytorch_tells_nobody_that_csr_is_new() -> None:
    """In a process of its own: PyTorch says it once."""
    code = (
        "import torch; from presparse.train import SparseLinear;"
        "SparseLinear(1024, [[r] for r in range(256)])(torch.rand(300, 1024))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_parameters_are_edges_and_biases() -> None:
    layer = random_layer(64, 128, 8)
    assert sorted(tuple(p.shape) for p in layer.parameters()) == [(128,), (128, 8)]
    assert layer.density == 1 / 8
    assert str(layer) == "SparseLinear(64 -> 128, in_degree=8, density=0.125)"


@pytest.mark.parametrize("kind", [kind for kind in PATTERN_KINDS if kind != "windows"])  # of images: test_windows
def test_networks_of_every_pattern_run_and_learn(kind: str) -> None:
    rng = np.random.default_rng(7)
    network = random_network(rng, junctions=3, neurons=24)
    left = [generate(j, kind, rng) for j in network.junctions]  # pyright: ignore[reportArgumentType]
    torch.manual_seed(0)
    sparse = SparseNetwork(network, left)
    with torch.no_grad():
        for parameter in sparse.parameters():
            parameter.normal_()
    sums = sparse(torch.rand(4, network.layers[0]))
    assert sums.shape == (4, network.layers[-1])
    sums.square().sum().backward()
    for layer, edges in zip(sparse.sparse_layers, left, strict=True):
        assert layer.weight.grad is not None
        assert layer.weight.shape == edges.shape


def test_state_survives_saving() -> None:
    layer = random_layer(6, 4, 3)
    copy = SparseLinear(6, np.zeros((4, 3), dtype=np.int64), dtype=torch.float64)
    copy.load_state_dict(layer.state_dict())
    x = torch.rand(2, 6, dtype=torch.float64)
    assert torch.equal(copy(x), layer(x))
