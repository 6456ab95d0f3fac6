"""Quantization-aware forward passes equal the reference's integers in every score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats, rescale
from presparse.contract.network import Activation, Network
from presparse.contract.samples import Samples
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse.train.quantized import QuantizedNetwork, activate, encoded, exact_type, operand
from tests.networks import random_build, random_model, random_network

FORMAT = Format(width=6, frac=3)


@pytest.mark.parametrize("seed", range(80))
def test_scores_equal_the_references(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    model = random_model(rng, network)
    # Real features, of which many lie between two codes and beyond the format.
    X = rng.normal(0, network.formats.activation.max / network.formats.activation.one, size=(25, network.features))
    expected = Reference(Build(network=network), model).scores(model.encode(X))
    quantized = QuantizedNetwork.from_model(model)
    assert quantized.scores(X).tolist() == expected.tolist()
    assert quantized.predict(X).tolist() == expected[:, : network.classes].argmax(1).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_weights_between_two_codes_round_as_in_the_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    quantized = QuantizedNetwork.from_model(random_model(rng, network))
    with torch.no_grad():
        for parameter in quantized.parameters():
            parameter += torch.tensor(rng.normal(0, 1, size=tuple(parameter.shape))) / network.formats.weight.one
    X = rng.normal(0, 1, size=(25, network.features))
    model = quantized.model()
    assert quantized.scores(X).tolist() == Reference(Build(network=network), model).scores(model.encode(X)).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_model_survives_the_way_through_torch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, random_network(rng))
    assert QuantizedNetwork.from_model(model).model().differences(model) == []


@pytest.mark.parametrize("hidden", ["relu", "sigmoid", "identity"])
@pytest.mark.parametrize("output", ["sigmoid", "identity"])
@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_the_boards_before_rounding(hidden: Activation, output: Activation, seed: int) -> None:
    """A bias's gradient is its neuron's delta: rounded once, it gives exactly the biases that UP stores."""
    rng = np.random.default_rng(seed)
    network = Network(
        features=12, classes=6, layers=(12, 8, 6), out_degree=(4, 3), lanes=(6, 4), activations=(hidden, output)
    )
    formats, k = network.formats, 3
    build, model = Build(network=network), Model.initial(network, pattern="free", random_state=seed)
    features = rng.integers(0, formats.activation.one, size=(1, 12))
    label = int(rng.integers(6))
    reference = Reference(build, model)
    reference.run(Samples.train(features, label, k))
    reference.flush()

    quantized = QuantizedNetwork.from_model(model)
    sums = quantized(torch.tensor(formats.activation.decode(features)))
    error = activate(sums, output, formats.output).detach()
    error[0, label] -= 1
    sums.backward(encoded(error, formats.delta))  # identity's errors may saturate
    for layer, before, after in zip(quantized.sparse_layers, model.biases, reference.model().biases, strict=True):
        assert layer.bias.grad is not None
        delta = formats.delta.encode(layer.bias.grad.numpy())
        assert delta.any()
        step = rescale(delta, formats.delta.frac + k, formats.weight.frac)
        assert after.tolist() == (before - step).tolist()


@pytest.mark.parametrize("values", [[0.0, 0.0624, 0.0625, -0.0625, -0.0626, 3.9, 100.0, -4.0, -4.1, -100.0]])
def test_rounding_is_the_contracts(values: list[float]) -> None:
    assert (encoded(torch.tensor(values), FORMAT) * FORMAT.one).tolist() == FORMAT.encode(values).tolist()


def test_rounding_agrees_with_fake_quantize_away_from_ties() -> None:
    values = torch.linspace(-6, 6, 1001) + 1e-4
    expected = torch.fake_quantize_per_tensor_affine(values, 1 / FORMAT.one, 0, FORMAT.min, FORMAT.max)
    assert torch.equal(encoded(values, FORMAT), expected)


def test_operand_is_an_arithmetic_shift() -> None:
    weights = np.arange(-32, 32)
    kept = operand(torch.tensor(weights / 8), Formats(weight=FORMAT, operand_bits=4))
    assert (kept * 2).tolist() == (weights >> 2).tolist()


def test_gradients_pass_rounding_and_stop_where_the_boards_do() -> None:
    sums = torch.tensor([[-1.0, -0.05, 0.05, 0.5, 3.8, 3.9, 9.0]], dtype=torch.float64, requires_grad=True)
    activate(sums, "relu", FORMAT).sum().backward()
    assert sums.grad is not None
    assert sums.grad.tolist() == [[0, 0, 0, 1, 1, 0, 0]]  # 0.05 rounds to 0; 3.9 to 31, the largest

    sums = torch.tensor([[-9.0, 0.0, 9.0]], dtype=torch.float64, requires_grad=True)
    activate(sums, "identity", FORMAT).sum().backward()
    assert sums.grad is not None
    assert sums.grad.tolist() == [[1, 1, 1]]

    sums = torch.tensor([[0.0, 100.0]], dtype=torch.float64, requires_grad=True)
    activate(sums, "sigmoid", Format(width=10, frac=8)).sum().backward()
    assert sums.grad is not None
    assert sums.grad.tolist() == [[0.25, 0.0]]


def test_clamp_keeps_weights_in_their_format() -> None:
    rng = np.random.default_rng(0)
    quantized = QuantizedNetwork.from_model(random_model(rng, random_network(rng)))
    weight = quantized.network.formats.weight
    with torch.no_grad():
        for parameter in quantized.parameters():
            parameter.mul_(1e6)
    quantized.clamp()
    for layer in quantized.sparse_layers:
        assert layer.weight.detach().min() >= weight.min / weight.one
        assert layer.weight.detach().max() <= weight.max / weight.one


@pytest.mark.parametrize(("large", "dtype"), [(-(1 << 17), torch.float64), (-(1 << 16), torch.float32)])
def test_sums_that_float32_would_round_are_float64(large: int, dtype: torch.dtype) -> None:
    """2^24 + 127 LSBs: in float32 the sum would be 2^24 + 128, and round up instead of down."""
    formats = Formats(
        activation=Format(width=8, frac=2),
        weight=Format(width=18, frac=9),
        operand_bits=18,
        output=Format(width=18, frac=3),
    )
    network = Network(
        features=2, classes=2, layers=(2, 2), out_degree=(2,), lanes=(2,), activations=("identity",), formats=formats
    )
    model = Model(
        network=network,
        left=(np.array([[0, 1]] * 2),),
        weights=(np.array([[large, 1]] * 2),),
        biases=(np.zeros(2, dtype=int),),
        inputs=Inputs.plain(2),
    )
    quantized = QuantizedNetwork.from_model(model)
    layer = quantized.sparse_layers[0]
    assert exact_type(operand(layer.weight, formats), layer.bias, formats) == dtype
    X = np.array([[-128, 127]]) / 4
    assert quantized.scores(X).tolist() == Reference(Build(network=network), model).scores(model.encode(X)).tolist()
    assert quantized.scores(X).tolist() == [[-large * 128 >> 8] * 2]


def test_samples_and_scores_agree_on_padding() -> None:
    rng = np.random.default_rng(1)
    build = random_build(rng, mode="infer")
    model = random_model(rng, build.network)
    X = rng.normal(size=(5, build.network.features))
    reference = Reference(build, model)
    predicted = [*reference.run(Samples.predict(model.encode(X))), *reference.flush()]
    assert np.array(predicted).tolist() == QuantizedNetwork.from_model(model).scores(X).tolist()
