"""compact: the same outputs from a smaller model, and nothing dead is left in it."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false
# (a layer of nn.Sequential is known to be a module, and no more)

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.prune import PrunedModel, compact
from presparse.train.network import SparseNetwork
from presparse.train.sparse_linear import SparseLinear
from tests.host.prune.models import left_over, random_case
from tests.networks import random_network


def difference(one: nn.Module, other: nn.Module, x: Tensor) -> float:
    with torch.no_grad():
        return float((one(x) - other(x)).abs().max())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("seed", range(100))
def test_same_outputs_and_nothing_dead_left(seed: int, dtype: torch.dtype, tolerance: float) -> None:
    case = random_case(seed, dtype)
    before = deepcopy(case.model.state_dict())
    pruned = compact(case.model)
    assert difference(pruned, case.model, case.x) <= tolerance
    kept, widths = left_over(case)
    assert pruned.kept_features.tolist() == kept
    assert pruned.widths == widths
    assert all(parameter.dtype == dtype for parameter in pruned.parameters())
    assert all(torch.equal(value, before[key]) for key, value in case.model.state_dict().items())

    again = compact(pruned)
    assert torch.equal(again.kept_features, pruned.kept_features)
    assert again.summary == pruned.summary
    assert difference(again, pruned, case.x) <= tolerance


@pytest.mark.slow
def test_random_cases_are_not_trivial() -> None:
    """Else the test above could not fail."""
    ratios, outputs = [], []
    for seed in range(100):
        case = random_case(seed)
        pruned = compact(case.model)
        ratios.append(pruned.remaining_parameters / pruned.original_parameters)
        with torch.no_grad():
            outputs.append(float(case.model(case.x).std(0).max()))
    assert sum(0.05 < ratio < 0.8 for ratio in ratios) > 40
    assert sum(ratio > 0.99 for ratio in ratios) > 3
    assert sum(output > 0.01 for output in outputs) > 60


# --- one rule at a time -----------------------------------------------------------------------------


def filled(*layers: nn.Module) -> nn.Sequential:
    """In float64 and evaluation mode, with numbers everywhere."""
    torch.manual_seed(0)
    model = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
    return model


def zero(values: Tensor) -> None:
    with torch.no_grad():
        values.zero_()


def test_constant_of_a_neuron_without_inputs_is_folded() -> None:
    model = filled(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sigmoid(), nn.Linear(4, 2))
    zero(model[0].weight[1])
    pruned = compact(model)
    assert pruned.widths == (3, 3, 2)
    norm = model[1]
    constant = torch.sigmoid(
        (model[0].bias[1] - norm.running_mean[1]) / (norm.running_var[1] + norm.eps).sqrt() * norm.weight[1]
        + norm.bias[1]
    )
    expected = model[3].bias + model[3].weight[:, 1] * constant
    assert torch.allclose(pruned.layers[3].bias, expected, rtol=0, atol=1e-15)


def test_scale_of_zero_makes_a_constant_and_frees_what_it_is_made_from() -> None:
    model = filled(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.BatchNorm1d(2), nn.Tanh(), nn.Linear(2, 2))
    zero(model[3].weight[0])
    zero(model[2].weight[1, :3])
    pruned = compact(model)
    assert pruned.widths == (3, 1, 1, 2)  # hidden neurons 0 to 2 fed only the neuron that is constant
    x = torch.randn(8, 3).double()
    assert difference(pruned, model, x) <= 1e-14


def test_features_that_nothing_reads_are_dropped_and_remembered() -> None:
    model = filled(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    zero(model[0].weight[:, 0])
    zero(model[0].weight[:, 3])
    pruned = compact(model, features=5)
    assert pruned.kept_features.tolist() == [1, 2, 4]
    assert pruned.features == 5
    x = torch.randn(8, 5).double()
    assert difference(pruned, model, x) <= 1e-14
    with torch.no_grad():
        assert torch.equal(pruned.layers(x[:, [1, 2, 4]]), pruned(x))


def test_removal_goes_on_through_layers() -> None:
    """Neuron 0 of the last hidden layer is dead; it alone reads neuron 1, which alone reads feature 2."""
    model = filled(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    zero(model[4].weight[:, 0])
    zero(model[2].weight[1, 1])
    zero(model[0].weight[0, 2])
    assert compact(model).widths == (2, 1, 1, 1)


def test_a_layer_without_biases_gets_them_only_for_a_constant() -> None:
    model = filled(nn.Linear(3, 4, bias=False), nn.Sigmoid(), nn.Linear(4, 2, bias=False))
    assert compact(model).layers[2].bias is None
    zero(model[0].weight[1])
    pruned = compact(model)
    assert pruned.layers[0].bias is None
    assert torch.allclose(pruned.layers[2].bias, model[2].weight[:, 1] / 2, rtol=0, atol=1e-15)  # sigmoid(0) = 1/2
    assert difference(pruned, model, torch.randn(8, 3).double()) <= 1e-14


def test_input_batch_norm() -> None:
    model = filled(nn.BatchNorm1d(4), nn.Linear(4, 2))
    zero(model[0].weight[2])
    pruned = compact(model)
    assert pruned.kept_features.tolist() == [0, 1, 3]
    assert difference(pruned, model, torch.randn(8, 4).double()) <= 1e-14


# --- convolutions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "left"),
    [
        (nn.Conv2d(3, 2, 3), 2),
        (nn.Conv2d(3, 2, 3, padding="valid"), 2),
        (nn.Conv2d(3, 2, 1, padding="same"), 2),
        (nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"), 2),
        (nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular"), 2),
        (nn.Conv2d(3, 2, 3, padding=1), 3),  # at the border, the constant is 0
        (nn.Conv2d(3, 2, 3, padding=(0, 1)), 3),
        (nn.Conv2d(3, 2, 3, padding="same"), 3),
    ],
)
@pytest.mark.parametrize("constant", [0.0, 0.7])
def test_constant_channels_before_padding(second: nn.Conv2d, left: int, constant: float) -> None:
    model = filled(nn.Conv2d(1, 3, 3), nn.ReLU(), second)
    zero(model[0].weight[1])
    with torch.no_grad():
        model[0].bias[1] = constant
    pruned = compact(model)
    assert pruned.widths == (1, left if constant else 2, 2)
    assert difference(pruned, model, torch.randn(4, 1, 8, 8).double()) <= 1e-13


@pytest.mark.parametrize(
    ("pool", "left"),
    [
        (nn.MaxPool2d(3, padding=1), 2),
        (nn.MaxPool2d(3, stride=2, ceil_mode=True), 2),
        (nn.AvgPool2d(2), 2),
        (nn.AvgPool2d(4, stride=3, ceil_mode=True), 2),
        (nn.AvgPool2d(2, padding=1, count_include_pad=False), 2),
        (nn.AvgPool2d(2, padding=1), 3),
        (nn.AvgPool2d(2, divisor_override=3), 3),
        (nn.AdaptiveAvgPool2d((3, None)), 2),
        (nn.AdaptiveMaxPool2d(2), 2),
    ],
)
def test_constant_channels_through_pools(pool: nn.Module, left: int) -> None:
    model = filled(nn.Conv2d(2, 3, 3, bias=True), pool, nn.Conv2d(3, 2, 2))
    zero(model[0].weight[1])
    pruned = compact(model)
    assert pruned.widths == (2, left, 2)
    assert difference(pruned, model, torch.randn(4, 2, 9, 9).double()) <= 1e-13


def test_a_channel_is_its_columns_behind_flatten() -> None:
    model = filled(nn.Conv2d(1, 4, 2), nn.Tanh(), nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 3))
    zero(model[0].weight[1])  # constant: folded
    zero(model[4].weight[:, 8:12])  # channel 2 is not read
    zero(model[4].weight[:, 13:16])  # one column of channel 3 is
    pruned = compact(model)
    assert pruned.widths == (1, 2, 3)
    assert pruned.layers[4].weight.shape == (3, 8)
    assert pruned.layers[3].num_features == 8
    assert difference(pruned, model, torch.randn(4, 1, 3, 3).double()) <= 1e-13


def test_input_channels_are_features() -> None:
    model = filled(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    zero(model[0].weight[:, 1])
    pruned = compact(model, features=3)
    assert pruned.kept_features.tolist() == [0, 2]
    assert difference(pruned, model, torch.randn(4, 3, 8, 8).double()) <= 1e-13


def test_layers_in_front_of_flatten_see_the_whole_image() -> None:
    model = filled(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9, 2))
    zero(model[3].weight[:, 4])
    pruned = compact(model)
    assert pruned.kept_features.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert difference(pruned, model, torch.randn(4, 1, 6, 6).double()) <= 1e-14


# --- sparse layers ----------------------------------------------------------------------------------


def test_sparse_layers_stay_sparse() -> None:
    """Left neuron 1 leaves; right neurons with two edges left set the in-degree, and the other gets an edge of 0."""
    model = filled(nn.Linear(3, 5), nn.ReLU(), SparseLinear(5, [[4, 1], [0, 2], [3, 2]]), nn.Linear(3, 2))
    zero(model[0].weight[1])
    zero(model[0].bias[1])
    pruned = compact(model)
    layer = pruned.layers[2]
    assert isinstance(layer, SparseLinear)
    assert layer.left_features == 4
    assert layer.left.tolist() == [[3, 0], [0, 1], [1, 2]]
    assert layer.weight[0].tolist() == [model[2].weight[0, 0].item(), 0]
    assert difference(pruned, model, torch.randn(8, 3).double()) <= 1e-14


def test_a_sparse_layer_that_loses_no_left_neuron_keeps_the_order_of_its_edges() -> None:
    model = filled(SparseLinear(3, [[2, 0], [0, 1], [1, 2]]), nn.Linear(3, 2))
    zero(model[1].weight[:, 1])
    assert compact(model).layers[0].left.tolist() == [[2, 0], [1, 2]]


@pytest.mark.parametrize("seed", range(5))
def test_sparse_network(seed: int) -> None:
    """A network as it is trained for the board: its dead parts leave, whatever its activations."""
    import numpy as np

    network = SparseNetwork.initial(random_network(np.random.default_rng(seed)), random_state=seed)
    with torch.no_grad():
        for layer in network.sparse_layers:
            layer.bias.normal_()
            layer.weight[::3] = 0
    pruned = compact(network)
    x = torch.rand(8, network.network.layers[0])
    assert difference(pruned, network, x) <= 1e-5
    assert pruned.remaining_parameters < pruned.original_parameters
    assert all(isinstance(layer, SparseLinear) for layer in pruned.layers if len(list(layer.parameters())))


# --- nothing left, and what stays as it was ---------------------------------------------------------


@pytest.mark.parametrize("dead", [0, 2, 4])
def test_a_dead_network_is_its_constant_and_no_layer_is_empty(dead: int) -> None:
    model = filled(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    zero(model[dead].weight)
    pruned = compact(model)
    assert pruned.widths == (1, 1, 1, 2)
    assert pruned.kept_features.tolist() == [0]
    x = torch.randn(8, 3).double()
    assert difference(pruned, model, x) <= 1e-14
    assert pruned(x).std(0).max().item() <= 1e-15


def test_a_dead_convolution_is_its_constant() -> None:
    model = filled(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    zero(model[3].weight)
    pruned = compact(model)
    assert pruned.widths == (1, 1, 2)
    assert difference(pruned, model, torch.randn(4, 2, 4, 4).double()) <= 1e-15


def test_mode_gradients_and_random_numbers_stay() -> None:
    model = filled(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.25), nn.ReLU(inplace=True), nn.Linear(4, 2)).train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    zero(model[0].weight[2])
    state = torch.get_rng_state()
    pruned = compact(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert pruned.training
    assert [layer.training for layer in pruned.layers] == [True, False, True, True, True]
    assert pruned.layers[2].p == 0.25
    assert [p.requires_grad for p in pruned.layers[0].parameters()] == [False, True]
    pruned.eval()
    assert difference(pruned, model.eval(), torch.randn(8, 3).double()) <= 1e-14
    with torch.no_grad():
        for parameter in pruned.parameters():
            parameter.zero_()
    assert float(model[4].weight.detach().abs().min()) > 0  # no memory is shared


def test_a_pruned_model_that_is_pruned_again_remembers_the_original_features() -> None:
    model = filled(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    zero(model[0].weight[:, 1])
    first = compact(model)
    zero(first.layers[0].weight[:, 2])  # original feature 3
    second = compact(first, features=5)
    assert second.kept_features.tolist() == [0, 2, 4]
    assert second.original_widths == (5, 4, 2)
    assert second.original_parameters == first.original_parameters == 34
    assert first.widths == (4, 4, 2)
    assert difference(second, first, torch.randn(8, 5).double()) <= 1e-14


def test_summary() -> None:
    model = filled(nn.Linear(5, 400), nn.ReLU(), nn.Linear(400, 2))
    zero(model[0].weight[:, 1])
    zero(model[2].weight[:, :300])
    pruned = compact(model)
    assert pruned.summary == "5-400-2 -> 4-100-2, 3,202 -> 702 parameters (78.1% fewer)"
    assert pruned.summary in str(pruned)
    assert isinstance(pruned, PrunedModel)


def test_wrong_features() -> None:
    with pytest.raises(ArgumentError) as error:
        compact(filled(nn.Linear(5, 2)), features=6)
    assert str(error.value) == "features must be 5, which is what the model takes, and is 6"
