"""Groups are the outgoing weights of left neurons, whatever the layer; biases and chosen scales are groups of one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.sparsity import L1, GroupLasso, Groups, groups_of
from presparse.train.sparse_linear import SparseLinear


def members(groups: Groups) -> list[set[int]]:
    """Per group, the flat positions of its entries in the parameter, from the parameter's own numbers 1, 2, 3, ..."""
    with torch.no_grad():
        groups.parameter.copy_(torch.arange(1, groups.parameter.numel() + 1).view(groups.parameter.shape))
    return [{int(value) - 1 for value in column if value} for column in groups.values().detach().T]


def positions(shape: tuple[int, ...], *index: int | slice) -> set[int]:
    size = torch.Size(shape).numel()
    return set(torch.arange(size).view(shape)[index].flatten().tolist())


def weight_groups(model: nn.Module, **options: object) -> list[Groups]:
    return [groups for groups in groups_of(model, **options) if groups.layer is not None]  # pyright: ignore[reportArgumentType]


EVERY = slice(None)


def test_a_linear_layer_has_one_group_for_each_left_neuron() -> None:
    """Outgoing weights: columns of (out, in), not rows."""
    weight, bias = groups_of(nn.Linear(3, 5))
    assert (weight.name, bias.name) == ("weight", "bias")
    assert members(weight) == [positions((5, 3), EVERY, j) for j in range(3)]
    assert weight.sizes.tolist() == [5, 5, 5]
    assert members(bias) == [{k} for k in range(5)]
    assert bias.sizes.tolist() == [1] * 5


def test_a_convolution_has_one_group_for_each_input_channel() -> None:
    (weight,) = groups_of(nn.Conv2d(3, 4, (2, 5), bias=False))
    assert members(weight) == [positions((4, 3, 2, 5), EVERY, c) for c in range(3)]
    assert weight.sizes.tolist() == [40] * 3


@pytest.mark.parametrize(("kind", "dimensions"), [(nn.Conv1d, 1), (nn.Conv3d, 3)])
def test_other_dimensions(kind: type[nn.Conv1d] | type[nn.Conv3d], dimensions: int) -> None:
    (weight,) = groups_of(kind(2, 3, 2, bias=False))
    assert members(weight) == [positions((3, 2, *[2] * dimensions), EVERY, c) for c in range(2)]


def test_a_grouped_convolution() -> None:
    """Input channel 3 of 6 in 3 groups is the second of group 1, which makes output channels 4 to 7 of 12."""
    (weight,) = groups_of(nn.Conv2d(6, 12, 3, groups=3, bias=False))
    shape = (12, 2, 3, 3)
    expected = [positions(shape, slice(4 * (c // 2), 4 * (c // 2) + 4), c % 2) for c in range(6)]
    assert members(weight) == expected


def test_grouped_convolution_by_its_outputs() -> None:
    """The members of a group are the weights whose gradient its input channel reaches, and no others."""
    layer = nn.Conv2d(6, 9, 2, groups=3, bias=False)
    (weight,) = groups_of(layer)
    for c, group in enumerate(members(weight)):
        image = torch.zeros(1, 6, 4, 4)
        image[0, c] = 1
        (gradient,) = torch.autograd.grad(layer(image).sum(), layer.weight)
        assert set(gradient.flatten().nonzero().flatten().tolist()) == group


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(4 * 9, 5),
        nn.ReLU(),
        nn.Linear(5, 2),
    )


def test_a_flattened_channel_is_its_consecutive_columns() -> None:
    first, flattened, last = weight_groups(convolutional())
    assert [first.layer, flattened.layer, last.layer] == ["0.0", "2", "4"]
    assert members(flattened) == [positions((5, 36), EVERY, slice(9 * c, 9 * c + 9)) for c in range(4)]
    assert flattened.sizes.tolist() == [45] * 4
    assert members(last) == [positions((2, 5), EVERY, j) for j in range(5)]


def test_a_flattened_channel_by_its_outputs() -> None:
    model = convolutional().eval()
    _, flattened, _ = weight_groups(model)
    groups = members(flattened)
    linear = model[2]
    assert isinstance(linear, nn.Linear)
    for c in range(4):
        channel = torch.zeros(1, 4, 3, 3)
        channel[0, c] = 1
        (gradient,) = torch.autograd.grad(linear(channel.flatten(1)).sum(), linear.weight)
        assert set(gradient.flatten().nonzero().flatten().tolist()) == groups[c]


class OwnForward(nn.Module):
    """Nothing but its forward tells that `last` reads `first`."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3)
        self.last = nn.Linear(36, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).flatten(1))


def test_behind_a_convolution_of_an_own_forward_the_columns_must_be_told() -> None:
    with pytest.raises(ArgumentError) as error:
        groups_of(OwnForward())
    assert str(error.value) == (
        "last has 36 inputs and comes after first, which has 4 channels: say how many consecutive inputs belong to one "
        "channel, such as flattened={'last': 9} (1 if it does not read the convolution)"
    )
    _, last = weight_groups(OwnForward(), flattened={"last": 9})
    assert last.sizes.tolist() == [18] * 4
    _, last = weight_groups(OwnForward(), flattened={"last": 1})
    assert last.sizes.tolist() == [2] * 36
    assert len(groups_of(OwnForward(), parameters=["first.weight"])) == 1


def test_edges_of_one_left_neuron_are_a_group() -> None:
    """|g| is the number of edges that exist; left neuron 3 has none."""
    layer = SparseLinear(4, [[0, 1], [2, 0], [0, 2]])
    weight, bias = groups_of(layer)
    assert members(weight) == [{0, 3, 4}, {1}, {2, 5}, set()]
    assert weight.sizes.tolist() == [3, 1, 2, 0]
    assert bias.sizes.tolist() == [1, 1, 1]


def test_edges_behind_a_flattened_convolution() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), SparseLinear(8, [[0, 5], [3, 1], [7, 4]]))
    _, weight = weight_groups(model)
    assert members(weight) == [{0, 2, 3}, {1, 4, 5}]


def test_masked_entries_do_not_count() -> None:
    layer = nn.Linear(3, 4, bias=False)
    mask = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.bool)
    (weight,) = groups_of(layer, masks={"weight": mask})
    assert members(weight) == [{0, 6}, {1, 4, 7, 10}, set()]
    assert weight.sizes.tolist() == [2, 4, 0]


def test_scales_of_normalization_are_groups_of_one_when_chosen() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.PReLU(), nn.LayerNorm(4))
    assert [groups.name for groups in groups_of(model)] == ["0.weight", "0.bias"]
    norm = model.get_parameter("1.weight")
    (scales,) = groups_of(model, parameters=[norm])
    assert (scales.name, scales.layer) == ("1.weight", None)
    assert members(scales) == [{0}, {1}, {2}, {3}]


def test_parameters_are_chosen_by_name_or_themselves_and_frozen_ones_only_so() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model.get_parameter("0.weight").requires_grad_(False)
    assert [groups.name for groups in groups_of(model)] == ["0.bias", "1.weight", "1.bias"]
    chosen = groups_of(model, parameters=["0.weight", model.get_parameter("1.bias")])
    assert [groups.name for groups in chosen] == ["0.weight", "1.bias"]


def test_a_shared_layer_counts_once() -> None:
    layer = nn.Linear(3, 3)
    assert len(groups_of(nn.Sequential(layer, nn.ReLU(), layer))) == 2


def test_a_penalty_without_groups_takes_any_chosen_parameter() -> None:
    regularizer = L1(1.0).on(nn.LSTM(2, 3), parameters=["weight_ih_l0"])
    assert regularizer.groups[0].sizes.tolist() == [1] * 24


class TestErrors:
    def message(self, model: nn.Module, **options: object) -> str:
        with pytest.raises(ArgumentError) as error:
            groups_of(model, **options)  # pyright: ignore[reportArgumentType]
        return str(error.value)

    def test_layers_that_are_not_known(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 3))
        assert self.message(model) == ("no groups are known for 1 (GRU): choose what to penalize with parameters=[...]")
        with pytest.raises(ArgumentError) as error:
            GroupLasso(1.0).on(model, parameters=["1.weight_ih_l0"])
        assert str(error.value) == (
            "no groups are known for 1.weight_ih_l0, a parameter of GRU: choose others with parameters=[...], "
            "or a penalty without groups"
        )

    def test_a_transposed_convolution_is_not_taken_for_a_convolution(self) -> None:
        assert "ConvTranspose2d" in self.message(nn.ConvTranspose2d(2, 3, 2))

    def test_parameters(self) -> None:
        model = nn.Linear(2, 3)
        assert self.message(model, parameters=["wieght"]) == (
            "the model has no parameter 'wieght'; it has weight, bias"
        )
        stranger = nn.Parameter(torch.zeros(2))
        assert self.message(model, parameters=[stranger]) == "not a parameter of the model: (2,)"
        assert self.message(model, parameters=[7]) == "not a parameter of the model: 7"
        nothing = "there is nothing to penalize: the model has no trainable weights, or none was chosen"
        assert self.message(model, parameters=[]) == nothing
        assert self.message(nn.ReLU()) == nothing

    def test_masks(self) -> None:
        model = nn.Linear(2, 3)
        assert self.message(model, masks={"weight": torch.ones(3, 2)}) == (
            "the mask of weight must be a boolean tensor, and is torch.float32"
        )
        assert self.message(model, masks={"weight": torch.ones(2, 3, dtype=torch.bool)}) == (
            "the mask of weight must have its shape (3, 2), and is (2, 3)"
        )
        assert self.message(model, parameters=["bias"], masks={"weight": torch.ones(3, 2, dtype=torch.bool)}) == (
            "there is a mask for weight, which is not among the penalized parameters"
        )

    def test_flattened(self) -> None:
        model = OwnForward()
        assert self.message(model, flattened={"last": 5}) == (
            "flattened['last'] must divide the layer's 36 inputs, and is 5"
        )
        assert self.message(model, flattened={"last": 9, "first": 9}) == (
            "flattened names 'first', which is no fully connected layer of the model"
        )

    def test_a_lazy_layer(self) -> None:
        assert self.message(nn.LazyLinear(3)) == "weight has no shape yet: pass one batch through the model first"
