"""slim: one threshold for the whole network, no layer emptied, and a choice of what becomes of the shifts."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false
# (a layer of nn.Sequential is known to be a module, and no more)

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.prune import UnsupportedModel, compact, slim


def perceptron(*scales: list[float], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Hidden layers with the given BatchNorm scales, five features, three outputs, in float64 and evaluation mode."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    left = 5
    for scale in scales:
        norm = nn.BatchNorm1d(len(scale)).double()
        norm.running_mean.normal_()  # pyright: ignore[reportOptionalMemberAccess]
        with torch.no_grad():
            norm.weight.copy_(torch.tensor(scale, dtype=torch.float64))
            norm.bias.normal_()
        layers += [nn.Linear(left, len(scale)), norm, activation()]
        left = len(scale)
    return nn.Sequential(*layers, nn.Linear(left, 3)).double().eval()


def outputs(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x)


X = torch.randn(20, 5, generator=torch.Generator().manual_seed(0)).double()


def test_one_threshold_for_all_layers() -> None:
    """The six smallest of ten scales, whatever their sign and layer."""
    model = perceptron([0.1, -2, 0.3, -0.2, 0.9, 3], [0.15, 0.4, -5, 0.05])
    slimmed = slim(model, fraction=0.6)
    assert slimmed.widths == (5, 3, 1, 3)
    assert slimmed.layers[1].weight.tolist() == [-2, 0.9, 3]
    assert slimmed.layers[4].weight.tolist() == [-5]


def test_removed_channels_are_constants_with_fold() -> None:
    model = perceptron([0.1, -2, 0.3], [0.15, 0.4, -5], activation=nn.Sigmoid)
    expected = deepcopy(model)
    with torch.no_grad():
        expected[1].weight[0] = 0
        expected[4].weight[0] = 0
    slimmed = slim(model, fraction=1 / 3)
    assert slimmed.widths == (5, 2, 2, 3)
    assert torch.allclose(outputs(slimmed, X), outputs(expected, X), rtol=0, atol=1e-12)


def test_removed_channels_are_gone_with_drop() -> None:
    """Their shifts, too: even where the activation of 0 is not 0."""
    model = perceptron([0.1, -2, 0.3], [0.15, 0.4, -5], activation=nn.Sigmoid)
    expected = deepcopy(model)
    with torch.no_grad():
        expected[3].weight[:, 0] = 0
        expected[6].weight[:, 0] = 0
    slimmed = slim(model, fraction=1 / 3, shift="drop")
    assert slimmed.widths == (5, 2, 2, 3)
    assert torch.allclose(outputs(slimmed, X), outputs(expected, X), rtol=0, atol=1e-12)
    assert not torch.allclose(outputs(slimmed, X), outputs(slim(model, fraction=1 / 3), X), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shift", ["fold", "drop"])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("at_least", [1, 2, 5])
def test_no_layer_is_emptied(fraction: float, at_least: int, shift: str) -> None:
    """All scales of the first layer are below all of the second."""
    model = perceptron([0.01, 0.03, 0.02, 0.04], [1, 2, 3, 4, 5, 6])
    slimmed = slim(model, fraction=fraction, at_least=at_least, shift=shift)  # pyright: ignore[reportArgumentType]
    gone = round(fraction * 10)
    first = max(min(at_least, 4), 4 - gone)
    second = max(at_least, 6 - max(0, gone - 4))
    assert slimmed.widths == (5, first, second, 3)
    assert slimmed.layers[1].weight.tolist() == [s for s in [0.01, 0.03, 0.02, 0.04] if s > 0.0401 - 0.01 * first]


def test_scales_of_zero_cost_nothing() -> None:
    """After training with a proximal operator, slimming is exact; equal scales go in order."""
    model = perceptron([0, 1, 0, 0, 1, 1], [1, 0, 1])
    slimmed = slim(model, fraction=4 / 9)
    assert slimmed.widths == compact(model).widths == (5, 3, 2, 3)
    assert torch.allclose(outputs(slimmed, X), outputs(model, X), rtol=0, atol=1e-12)
    equal = slim(perceptron([1, 1, 1, 1]), fraction=0.5)
    assert torch.equal(equal.layers[0].weight, perceptron([1, 1, 1, 1])[0].weight[2:])


def test_parameters_before_and_after() -> None:
    model = perceptron([0.1] * 30 + [1] * 20, [0.1] * 20 + [1] * 10)
    slimmed = slim(model, fraction=0.625)
    assert slimmed.summary == "5-50-30-3 -> 5-20-10-3, 2,083 -> 423 parameters (79.7% fewer)"


def test_convolutions() -> None:
    """Channels behind Flatten are their columns; with padding, a folded constant is right inside, not at the border."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 25, 3)),
    ).double()  # fmt: skip
    model.eval()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([1, 0.1, 2, 3]))
        model[1].bias.fill_(0.5)
        model[5].weight.copy_(torch.tensor([0.2, 5, 4, 0.3, 6, 7]))
        model[5].bias.fill_(0.5)
    slimmed = slim(model, fraction=0.3)
    assert slimmed.widths == (1, 3, 4, 3)
    assert slimmed.layers[-1].weight.shape == (3, 100)

    expected = deepcopy(model)
    with torch.no_grad():
        expected[1].weight[1] = 0
        expected[5].weight[[0, 3]] = 0
        x = torch.randn(4, 1, 12, 12).double()
        pixels = (expected[:6](x)[:, [1, 2, 4, 5]] - slimmed.layers[:6](x)).abs().amax((0, 1))
        assert float(pixels[1:-1, 1:-1].max()) <= 1e-12
        assert float(pixels.max()) > 1e-3
    assert compact(expected).widths == (1, 4, 4, 3)  # the exact way keeps the channel in front of padding


def test_scales_of_the_input_the_output_and_columns_do_not_count() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.BatchNorm2d(2), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(16)),
        *(nn.Linear(16, 3), nn.BatchNorm1d(3)),
    )
    with torch.no_grad():
        for index in (0, 5, 7):
            model[index].weight.fill_(1e-6)
        model[2].weight.copy_(torch.tensor([3.0, 2, 1, 4]))
    slimmed = slim(model, fraction=0.5)
    assert slimmed.widths == (2, 2, 3)
    assert slimmed.layers[2].weight.tolist() == [3, 4]


def test_the_model_is_not_changed() -> None:
    model = perceptron([0.1, -2, 0.3], [0.15, 0.4, -5])
    before = deepcopy(model.state_dict())
    for shift in ("fold", "drop"):
        slim(model, fraction=0.5, shift=shift)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_pruned_model_is_slimmed() -> None:
    model = perceptron([0.1, -2, 0.3, 1])
    with torch.no_grad():
        model[0].weight[:, 1] = 0
    slimmed = slim(compact(model), fraction=0.5)
    assert slimmed.kept_features.tolist() == [0, 2, 3, 4]
    assert (slimmed.original_widths, slimmed.widths) == ((5, 4, 3), (4, 2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 1.0}, "fraction must be at least 0 and below 1, such as 0.5 for half the channels, and is 1.0"),
        ({"fraction": "1"}, "fraction must be at least 0 and below 1, such as 0.5 for half the channels, and is '1'"),
        ({"fraction": 0.5, "at_least": 0}, "at_least must be a whole number of channels, at least 1, and is 0"),
        ({"fraction": 0.5, "shift": "keep"}, "shift must be 'fold' or 'drop', and is 'keep'"),
        ({"fraction": 0.5, "features": 4}, "features must be 5, which is what the model takes, and is 4"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        slim(perceptron([1, 2]), **arguments)
    assert str(error.value) == message


def test_models_without_scales() -> None:
    with pytest.raises(ArgumentError) as error:
        slim(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), fraction=0.5)
    assert str(error.value) == (
        "slimming goes by BatchNorm scales, and the model has none between two weighted layers; "
        "put nn.BatchNorm1d or 2d there, and train it"
    )
    with pytest.raises(UnsupportedModel, match=r"^layer 0 is LayerNorm"):
        slim(nn.Sequential(nn.LayerNorm(4)), fraction=0.5)
