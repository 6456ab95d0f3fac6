"""The baseline in C does what numpy does, and a program that does not is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from presparse.benchmark import plain_c
from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.pytorch import eager, network_of
from presparse.benchmark.workload import training_samples
from presparse.contract.network import Network
from presparse.model import Model
from presparse.train.fit import output_loss
from tests.host import small

DEEP = Network(
    name="deep",
    features=11,
    classes=3,
    layers=(12, 8, 16, 4),
    out_degree=(2, 4, 2),
    lanes=(3, 2, 4),
    activations=("sigmoid", "identity", "identity"),
)


@pytest.mark.parametrize("network", [small.NETWORK, DEEP, Network.load("digits-small"), Network.load("mnist-dey")])
def test_weights_equal_numpy_s(network: Network) -> None:
    model = Model.initial(network, random_state=3)
    samples = training_samples(network, 64, seed=1)
    features = network.formats.activation.decode(samples.features).astype(np.float32)
    labels = samples.labels.astype(np.int32)
    program = plain_c.PlainC(model)
    program.train(features, labels)
    weights, biases = plain_c.numpy_sgd(model, features, labels)
    for own, wanted in zip([*program.weights, *program.biases], [*weights, *biases], strict=True):
        np.testing.assert_allclose(own, wanted, rtol=0, atol=plain_c.TOLERANCE)
    assert max(float(np.abs(w).max()) for w in weights) < 10  # it has not diverged, so the tolerance says something


@pytest.mark.parametrize("network", [small.NETWORK, DEEP])
def test_numpy_s_steps_are_autograd_s(network: Network) -> None:
    """Otherwise C and numpy might be wrong alike."""
    model = Model.initial(network, random_state=3)
    samples = training_samples(network, 20, seed=1)
    features = network.formats.activation.decode(samples.features)
    weights, biases = plain_c.numpy_sgd(model, features, samples.labels.astype(np.int64))
    judge = network_of(model, masked=False).double()
    optimizer = torch.optim.SGD(judge.parameters(), lr=plain_c.RATE)
    for x, label in zip(torch.tensor(features), torch.tensor(samples.labels.astype(np.int64)), strict=True):
        optimizer.zero_grad()
        output_loss(judge, judge(x[None]), label[None]).backward()
        optimizer.step()
    for layer, w, b in zip(judge.sparse_layers, weights, biases, strict=True):
        np.testing.assert_allclose(layer.weight.detach().numpy(), w, atol=1e-10)
        np.testing.assert_allclose(layer.bias.detach().numpy(), b, atol=1e-10)


def test_training_goes_on_over_the_same_samples() -> None:
    model, samples = Model.initial(small.NETWORK), training_samples(small.NETWORK, 10)
    features = small.NETWORK.formats.activation.decode(samples.features).astype(np.float32)
    labels = samples.labels.astype(np.int32)
    program = plain_c.PlainC(model)
    for _ in range(3):
        program.train(features, labels)
    weights, _ = plain_c.numpy_sgd(model, np.tile(features, (3, 1)), np.tile(labels, 3))
    np.testing.assert_allclose(program.weights[0], weights[0], atol=plain_c.TOLERANCE)


def test_a_program_whose_work_was_dropped_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples = Model.initial(small.NETWORK), training_samples(small.NETWORK, 64)
    monkeypatch.setattr(plain_c.PlainC, "train", lambda program, features, labels: None)
    with pytest.raises(BenchmarkError, match=r"has moved its weights by 0;"):
        plain_c.plain_c(model, samples)


@pytest.mark.parametrize("batch", [1, 8])
def test_masked_dense_layers_learn_as_sparse_ones_do(batch: int) -> None:
    model, samples = Model.initial(DEEP, random_state=2), training_samples(DEEP, 16, seed=4)
    inputs = torch.tensor(DEEP.formats.activation.decode(samples.features), dtype=torch.float32)
    sparse, masked = network_of(model, masked=False), network_of(model, masked=True)
    torch.testing.assert_close(masked(inputs), sparse(inputs))
    found = []
    for network in (sparse, masked):
        output_loss(network, network(inputs[:batch]), torch.tensor(samples.labels[:batch].astype(np.int64))).backward()
        layer = network.sparse_layers[0]
        assert layer.weight.grad is not None
        dense = layer.weight.grad
        found.append(dense if layer.weight.shape == layer.left.shape else dense.gather(1, layer.left))
    torch.testing.assert_close(found[1], found[0])
    eager(model, samples, masked=True, batch=batch)(2 * batch)  # runs, and goes round
