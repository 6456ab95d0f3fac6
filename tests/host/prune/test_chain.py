"""Which models can be pruned, and what is said of those that cannot."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false
# (a layer of nn.Sequential is known to be a module, and no more)

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as masks

from presparse.contract.network import Network
from presparse.errors import ArgumentError
from presparse.prune import UnsupportedModel, compact
from presparse.train.quantized import QuantizedNetwork


class Functional(nn.Module):
    """LeNet as it is written in most tutorials: functions, a view, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4)])
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.hidden = nn.Linear(6 * 9, 12)
        self.output = nn.Linear(12, 5)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x = F.max_pool2d(F.relu(self.norms[0](self.first(x))), 2)
        x = F.avg_pool2d(torch.tanh(self.second(x)), kernel_size=2, ceil_mode=True)
        x = x.view(x.size(0), -1)
        x = F.dropout(self.hidden(x).sigmoid(), 0.4, training=self.training)
        return F.log_softmax(self.output(x), dim=1)


def test_functions_become_layers() -> None:
    torch.manual_seed(0)
    model = Functional().double()
    with torch.no_grad():
        model.first.weight[1] = 0
        model.first.bias[1] = -1
        model.second.weight[2] = 0
        model.hidden.weight[4] = 0
        model.output.weight[:, 7] = 0
    pruned = compact(model)
    assert [type(layer).__name__ for layer in pruned.layers] == [
        *("Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Conv2d", "Tanh", "AvgPool2d", "Flatten"),
        *("Linear", "Sigmoid", "Dropout", "Linear", "LogSoftmax"),
    ]
    assert pruned.widths == (1, 3, 5, 10, 5)
    assert pruned.layers[10].p == 0.4
    assert pruned.layers[10].training
    assert model.calls == 0  # not even a counter in its forward moved
    assert model.training
    x = torch.randn(4, 1, 13, 13).double()
    model.eval()
    pruned.eval()
    with torch.no_grad():
        assert float((model(x) - pruned(x)).abs().max()) <= 1e-13


class Calls(nn.Module):
    """A model whose forward is `call(self, x)`."""

    def __init__(self, call) -> None:  # noqa: ANN001 (a function of this model and x)
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.other = nn.Linear(6, 6)
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: torch.relu(m.layer(torch.flatten(x, 1))),
        lambda m, x: m.layer(x.flatten(start_dim=1)).relu_(),
        lambda m, x: F.leaky_relu(m.layer(x.view(x.shape[0], -1)), 0.3),
        lambda m, x: F.gelu(m.layer(x.reshape(-1, 6)), approximate="tanh"),
        lambda m, x: F.elu(m.layer(x.view((x.size()[0], 6)).contiguous()), alpha=0.5),
        lambda m, x: F.softmax(m.layer(F.silu(x)), dim=-1),
        lambda m, x: m.layer(x).softmax(1),
        lambda m, x: F.hardtanh(m.layer(x), -0.5, 0.5),
        lambda m, x: m.other(F.celu(m.layer(x))),
    ],
)
def test_functions_mean_what_they_mean_in_torch(call) -> None:  # noqa: ANN001
    torch.manual_seed(1)
    model = Calls(call).eval()
    with torch.no_grad():
        model.layer.weight[:, 2] = 0
        x = torch.randn(5, 6)
        assert torch.allclose(compact(model)(x), model(x), rtol=0, atol=1e-6)


def test_a_layer_alone_is_a_model() -> None:
    assert compact(nn.Linear(4, 2)).widths == (4, 2)


def test_results_that_nobody_uses_are_left_out() -> None:
    def call(model: Calls, x: Tensor) -> Tensor:
        hidden = model.layer(x)
        model.other(hidden)
        return hidden

    assert len(compact(Calls(call)).layers) == 1


def in_place(work: Callable[[Calls, Tensor], object]) -> Calls:
    def call(model: Calls, x: Tensor) -> Tensor:
        x = model.layer(x)
        work(model, x)
        return model.other(x)

    return Calls(call)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (in_place(lambda m, x: F.relu(x, inplace=True)), "relu"),
        (in_place(lambda m, x: F.relu(x, True)), "relu"),
        (in_place(lambda m, x: x.relu_()), "relu_"),
        (in_place(lambda m, x: torch.relu_(x)), "relu_"),
        (in_place(lambda m, x: operator.iadd(x, 1)), "add"),
        (in_place(lambda m, x: torch.add(x, 1, out=x)), "add"),
        (in_place(lambda m, x: m.active(x)), "active"),
    ],
)
def test_work_in_place_without_a_result_is_noticed(model: Calls, name: str) -> None:
    """It changes what the next layer sees, and the graph does not show it."""
    model.active = nn.ReLU(inplace=True)
    with pytest.raises(UnsupportedModel, match=rf"^the result of {name} is not used, and it may change its input"):
        compact(model)


@pytest.mark.parametrize("training", [True, False])
def test_functions_are_in_the_mode_of_the_model(training: bool) -> None:
    model = Calls(lambda m, x: m.other(F.dropout(m.layer(x), training=m.training))).train(training)
    assert [layer.training for layer in compact(model).layers] == [training] * 3


class Own(nn.Linear):
    """A user's own linear layer."""


def conv(**arguments: object) -> nn.Module:
    return nn.Conv2d(4, 4, 3, **arguments)  # pyright: ignore[reportArgumentType]


def hooked() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6))
    masks.random_unstructured(model[0], "weight", 0.5)
    return model


def shared() -> nn.Module:
    layer = nn.Linear(6, 6)
    return nn.Sequential(layer, nn.ReLU(), layer)


UNKNOWN = r"which pruning does not know; use .*BatchNorm1d, .*Conv2d, .*Linear, .*SparseLinear"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Calls(lambda m, x: x + m.layer(x)),
         r"^add joins 2 values \(input_1, layer\): the model branches there; prune its branches as models"),
        (Calls(lambda m, x: torch.cat([m.layer(x), m.other(x)], 1)), r"^cat joins 2 values \(.*layer, .*other\)"),
        (Calls(lambda m, x: m.layer(x) * 2), r"^mul calls mul, which pruning does not know; use a layer of torch\.nn"),
        (Calls(lambda m, x: m.layer(x).squeeze(1)), r"^squeeze calls squeeze, which pruning does not know"),
        (Calls(lambda m, x: F.linear(x, m.layer.weight)), r"^linear uses layer\.weight, which is no layer; use a"),
        (Calls(lambda m, x: m.layer.weight), r"^layer.weight does not depend on the model's input; prune a"),
        (Calls(lambda m, x: m.layer(x) if x.sum() > 0 else x),
         r"^the forward of Calls cannot be followed without numbers \(symbolically traced variables cannot be used"),
        (Calls(lambda m, x: (m.layer(x), x)),
         r"^the model returns tuple; prune a model that returns one tensor$"),
        (Calls(lambda m, x: m.layer(F.dropout(x))),
         r"^dropout cannot be pruned with its arguments \(it drops in evaluation mode, too: give it training=self\.tr"),
        (Calls(lambda m, x: m.layer(x.view(2, -1, 6))), r"^view cannot be pruned .*\(only view\(batch size, -1\) and "),
        (Calls(lambda m, x: m.layer(torch.flatten(x))),
         r"^layer flatten \(Flatten\) flattens dimensions 0 to -1; use nn\.Flatten\(\), which flattens 1 to -1$"),
        (Calls(lambda m, x: m.other(m.layer(x).softmax(1))),
         r"^layer softmax \(Softmax\) mixes channels before the last weighted layer; move it behind, or leave it out$"),
        (Calls(lambda m, x: m.layer(torch.zeros(1, 6))), r"^layer uses _tensor_constant0, which is no layer; use a"),
        (nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6)), rf"^layer 1 is LayerNorm, {UNKNOWN}"),
        (nn.Sequential(nn.Sequential(Own(6, 6))), rf"^layer 0\.0 is Own, a class of its own after Linear, {UNKNOWN}"),
        (nn.Sequential(conv(groups=2)),
         r"^layer 0 \(Conv2d\) has groups=2, whose channels are tied together; use groups=1$"),
        (nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=False)),
         r"^layer 1 \(BatchNorm1d\) has no running statistics, and so no fixed output; make it with track_running_st"),
        (nn.Sequential(conv(), nn.MaxPool2d(2, return_indices=True)),
         r"^layer 1 \(MaxPool2d\) returns indices; use return_indices=False$"),
        (nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 6))),
         r"^layer 0 computes its weights \(torch\.nn\.utils\.parametrize\); call parametrize\.remove_parametrizations"),
        (hooked(), r"^layer 0 has forward hooks, which pruning would lose; remove them first \(masks of torch"),
        (shared(), r"^layer 0 uses the weights of layer 0 again, and pruning would part them; give each place"),
        (nn.Sequential(nn.ReLU(), nn.Flatten()), r"^the model has nothing to prune: none of its layers \(0, 1\) is"),
        (nn.Sequential(nn.Linear(6, 5), nn.Linear(6, 2)),
         r"^layer 1 \(Linear\) takes 6 channels, and is given 5; correct the model$"),
        (nn.Sequential(conv(), nn.Linear(4, 2)),
         r"^layer 1 \(Linear\) takes neurons, and is given images; put nn\.Flatten\(\) before it$"),
        (nn.Sequential(nn.Linear(6, 4), conv()),
         r"^layer 1 \(Conv2d\) takes images, and is given neurons; put it before nn\.Flatten\(\)$"),
        (nn.Sequential(conv(), nn.Flatten(), nn.Linear(7, 2)),
         r"^layer 1 \(Flatten\) flattens 4 channels, and the layer after it takes 7 columns; give it a multiple"),
        (nn.Bilinear(2, 2, 2), rf"^layer model is Bilinear, {UNKNOWN}"),
        (QuantizedNetwork.initial(Network.load("digits")),
         r"^the forward of QuantizedNetwork cannot be followed without numbers \("),
    ],
)  # fmt: skip
def test_models_that_cannot_be_pruned(model: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message) as error:
        compact(model)
    assert isinstance(error.value, ArgumentError)


def test_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(
        UnsupportedModel,
        match=r"^the forward of Two cannot be followed without numbers \(.* missing 1 required positional argument",
    ):
        compact(Two())
