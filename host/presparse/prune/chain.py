"""A torch model without branches as a chain of layers.

`torch.fx` follows the model's `forward` on a copy, with stand-ins for tensors; every call becomes a layer, functions
(`F.relu`, `x.flatten(1)`) the module that does the same.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.proxy import TraceError
from torch.nn.utils import parametrize

from presparse.contract.description import shortened
from presparse.errors import ArgumentError
from presparse.prune.layers import (
    BATCH_NORM,
    KNOWN,
    POOLS,
    SOFTMAX,
    WEIGHTED,
    Weighted,
    right_channels,
    taken,
)


class UnsupportedModel(ArgumentError):
    """A torch model that cannot be pruned; the message names the layer, and what can be done."""


@dataclass
class Step:
    """One layer of a chain."""

    name: str
    """Of the layer in the user's model, such as '0.conv1', or of the call in its `forward`, such as 'relu_1'."""
    module: nn.Module
    """The chain's own copy."""
    columns: int | None = None
    """What the model's own `view(-1, columns)` asked of a `Flatten`."""
    spread: int = 1
    """Columns that a `Flatten` makes of every channel."""


@dataclass
class Chain:
    """A model's layers in order, with all sizes checked."""

    stem: list[Step]
    """Layers before features are counted: they end with a `Flatten` of the input. Pruning leaves them as they are."""
    steps: list[Step]
    features: int
    """Channels (images) or columns that the first step takes."""

    def __post_init__(self) -> None:
        _check_sizes(self)

    @property
    def images(self) -> bool:
        """The first step takes (k, channels, height, width), not (k, features)."""
        return not self.stem and _takes_images(self.steps)

    @property
    def weighted(self) -> list[Weighted]:
        return [step.module for step in self.steps if isinstance(step.module, Weighted)]

    @property
    def last_weighted(self) -> int:
        """Index of the last weighted step: channels behind it are outputs, and all stay."""
        return max(index for index, step in enumerate(self.steps) if type(step.module) in WEIGHTED)

    @property
    def widths(self) -> tuple[int, ...]:
        """Features, and the channels of every weighted layer."""
        return self.features, *(right_channels(layer) for layer in self.weighted)


def chain(model: nn.Module) -> Chain:
    """The layers of a model, copied. The model is not run and not changed.

    Raises UnsupportedModel for a model that branches, or has a layer that pruning does not know.
    """
    if not isinstance(model, nn.Module):
        raise UnsupportedModel(
            f"the model must be a torch.nn.Module, and is {shortened(model)}; prune.checkpoint.load reads files"
        )
    steps = _steps(model)
    for index, step in enumerate(steps):
        if type(step.module) is nn.Flatten:
            return of_steps(steps[: index + 1], steps[index + 1 :])
        if taken(step.module) is not None:
            break
    return of_steps([], steps)


def of_steps(stem: Iterable[Step], steps: Iterable[Step]) -> Chain:
    """A chain of layers that are already known. Raises UnsupportedModel if they do not fit together."""
    stem, steps = list(stem), list(steps)
    if not any(type(step.module) in WEIGHTED for step in steps):
        raise UnsupportedModel(
            f"the model has nothing to prune: none of its layers ({_listed(step.name for step in stem + steps)}) is "
            "Linear, SparseLinear or Conv2d"
        )
    return Chain(stem=stem, steps=steps, features=_next_taken(steps, 0))


# --- from a model to steps --------------------------------------------------------------------------


_OWNED = ("call_module", "get_attr")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, tuple(KNOWN)) or super().is_leaf_module(m, module_qualified_name)


def _steps(model: nn.Module) -> list[Step]:
    """Layers in the order of the calls, ending with the output."""
    for name, module in model.named_modules():
        _check_unhooked(name or "model", module)
    try:
        graph = _Tracer().trace(nn.Sequential(deepcopy(model).eval()))  # in a Sequential, a layer alone is a model, too
    except (TraceError, TypeError, ValueError, RuntimeError, AttributeError, KeyError, IndexError) as error:
        raise UnsupportedModel(
            f"the forward of {type(model).__name__} cannot be followed without numbers ({error}); "
            "prune a model whose forward calls one layer after the other"
        ) from error
    (start,) = (node for node in graph.nodes if node.op == "placeholder")
    (node,) = (node.args[0] for node in graph.nodes if node.op == "output")
    if not isinstance(node, fx.Node):
        raise UnsupportedModel(f"the model returns {type(node).__name__}; prune a model that returns one tensor")
    own = dict(model.named_modules(remove_duplicate=False))
    steps: list[Step] = []
    followed = [node]
    while node is not start:
        node, step = _step(node, own)
        steps.append(step)
        followed.append(node)
    steps.reverse()
    _check_not_shared(steps)
    for node in graph.nodes:
        if node not in followed and not _is_harmless(node, own):
            raise UnsupportedModel(
                f"the result of {_name(node)} is not used, and it may change its input in place; "
                "leave it out, or use what it returns"
            )
    for step in steps:
        step.module = deepcopy(step.module)
    return steps


def _check_unhooked(name: str, module: nn.Module) -> None:
    if parametrize.is_parametrized(module):
        raise UnsupportedModel(
            f"layer {name} computes its weights (torch.nn.utils.parametrize); "
            "call parametrize.remove_parametrizations(layer, 'weight') first"
        )
    if module._forward_pre_hooks or module._forward_hooks:
        raise UnsupportedModel(
            f"layer {name} has forward hooks, which pruning would lose; remove them first "
            "(masks of torch.nn.utils.prune: prune.remove(layer, 'weight'))"
        )


def _step(node: fx.Node, own: dict[str, nn.Module]) -> tuple[fx.Node, Step]:
    """The node before, and this node as a layer."""
    before = [value for value in node.all_input_nodes if not _is_batch_size(value)]
    name = _name(node)
    for value in before:
        if value.op == "get_attr":
            raise UnsupportedModel(f"{name} uses {_name(value)}, which is no layer; use a layer of torch.nn")
    if len(before) > 1:
        raise UnsupportedModel(
            f"{name} joins {len(before)} values ({_listed(map(_name, before))}): the model branches there; "
            "prune its branches as models of their own"
        )
    if not before:
        raise UnsupportedModel(
            f"{name} does not depend on the model's input; prune a model whose layers follow each other"
        )
    if node.op == "call_module":
        module = own[name]
        _check_known(name, module)
        return before[0], Step(name, module)
    operation = _METHODS.get(str(node.target)) if node.op == "call_method" else _FUNCTIONS.get(node.target)
    if operation is None or node.args[:1] != (before[0],):
        called = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", node.target)
        raise UnsupportedModel(
            f"{name} calls {called}, which pruning does not know; use a layer of torch.nn: {_known_names()}"
        )
    arguments: Any = fx.map_arg(node.args[1:], lambda _: None)  # what is left of tensors: the batch size
    try:
        module = operation(*arguments, **node.kwargs)
    except (TypeError, ValueError) as error:
        raise UnsupportedModel(
            f"{name} cannot be pruned with its arguments ({error}); use a layer of torch.nn"
        ) from error
    if isinstance(module, _View):
        return before[0], Step(name, nn.Flatten(), columns=module.columns)
    _check_known(name, module)
    return before[0], Step(name, module.train(own[""].training))


def _name(node: fx.Node) -> str:
    """As the user knows it: the model's own by their names there ('' is the model), calls by theirs in forward."""
    return str(node.target).removeprefix("0").removeprefix(".") if node.op in _OWNED else node.name


def _is_harmless(node: fx.Node, own: dict[str, nn.Module]) -> bool:
    """A call that changes nothing, so that it can be left out if nobody uses its result."""
    if node.op == "call_module":
        return not getattr(own[_name(node)], "inplace", False)
    if node.op not in ("call_method", "call_function") or node.target in ("size", getattr, operator.getitem):
        return True
    if node.op == "call_method":
        return str(node.target) in _OPERATIONS  # not relu_
    return node.target in _FUNCTIONS and not node.kwargs.get("inplace") and "out" not in node.kwargs


def _is_batch_size(node: fx.Node) -> bool:
    """x.size(0), x.size()[0] or x.shape[0], which forwards give to view and reshape."""
    if node.op == "call_method" and node.target == "size":
        return node.args[1:] == (0,)
    if node.target is not operator.getitem or node.args[1] != 0:
        return False
    shape = node.args[0]
    return isinstance(shape, fx.Node) and (
        shape.target == "size" or (shape.target is getattr and shape.args[1] == "shape")
    )


def _check_known(name: str, module: nn.Module) -> None:
    kind = type(module)
    if kind not in KNOWN:
        like = next((known.__name__ for known in KNOWN if isinstance(module, known)), None)
        what = f"{kind.__name__}, a class of its own after {like}" if like else kind.__name__
        raise UnsupportedModel(f"layer {name or 'model'} is {what}, which pruning does not know; use {_known_names()}")
    problem = _problem(module)
    if problem:
        raise UnsupportedModel(f"layer {name or 'model'} ({kind.__name__}) {problem}")


def _problem(module: nn.Module) -> str | None:
    """Why a layer of a known kind cannot be pruned, and what can be done."""
    if isinstance(module, nn.Conv2d) and module.groups != 1:
        return f"has groups={module.groups}, whose channels are tied together; use groups=1"
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.running_mean is None:
        return "has no running statistics, and so no fixed output; make it with track_running_stats=True"
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
        return f"flattens dimensions {module.start_dim} to {module.end_dim}; use nn.Flatten(), which flattens 1 to -1"
    if isinstance(module, (nn.MaxPool2d, nn.AdaptiveMaxPool2d)) and module.return_indices:
        return "returns indices; use return_indices=False"
    return None


def _check_not_shared(steps: list[Step]) -> None:
    owners: dict[int, str] = {}
    for step in steps:
        for parameter in step.module.parameters():
            if id(parameter) in owners:
                raise UnsupportedModel(
                    f"layer {step.name} uses the weights of layer {owners[id(parameter)]} again, and pruning would "
                    "part them; give each place its own layer"
                )
            owners[id(parameter)] = step.name


def _known_names() -> str:
    return ", ".join(sorted(kind.__name__ for kind in KNOWN))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


# --- functions as layers ----------------------------------------------------------------------------


@dataclass
class _View:
    """What view and reshape ask for, in place of a layer."""

    columns: int | None


def _max_pool2d(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> nn.Module:
    return nn.MaxPool2d(kernel_size, stride, padding, dilation, return_indices, ceil_mode)


def _flatten(start_dim: int = 0, end_dim: int = -1) -> nn.Module:
    return nn.Flatten(start_dim, end_dim)


def _dropout(p: float = 0.5, training: bool = True, inplace: bool = False) -> nn.Module:
    if training:
        raise ValueError("it drops in evaluation mode, too: give it training=self.training")
    return nn.Dropout(p)


def _softmax(kind: type[nn.Module]) -> Callable[..., nn.Module]:
    def make(dim: int | None = None, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> nn.Module:
        if dtype is not None:
            raise ValueError(f"it converts to {dtype}")
        return kind(dim)

    return make


def _view(*shape: Any) -> _View:
    """None stands for the batch size."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list, torch.Size)) else shape
    if len(sizes) != 2 or sizes == (-1, -1) or sizes[0] not in (None, -1) or not isinstance(sizes[1], int):
        raise ValueError("only view(batch size, -1) and view(-1, columns) are known")
    return _View(None if sizes[1] == -1 else sizes[1])


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
    "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
    "avg_pool2d": nn.AvgPool2d,
    "celu": nn.CELU,
    "contiguous": nn.Identity,
    "dropout": _dropout,
    "elu": nn.ELU,
    "flatten": _flatten,
    "gelu": nn.GELU,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU,
    "log_softmax": _softmax(nn.LogSoftmax),
    "logsigmoid": nn.LogSigmoid,
    "max_pool2d": _max_pool2d,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "reshape": _view,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softmax": _softmax(nn.Softmax),
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "tanh": nn.Tanh,
    "view": _view,
}
"""By the name that the function has in torch and torch.nn.functional, and that tensors have for the method."""

_FUNCTIONS = {
    getattr(home, name): make for name, make in _OPERATIONS.items() for home in (torch, F) if hasattr(home, name)
}
_METHODS = {
    name + end: make for name, make in _OPERATIONS.items() for end in ("", "_") if hasattr(torch.Tensor, name + end)
}


# --- sizes ------------------------------------------------------------------------------------------


def _takes_images(steps: list[Step]) -> bool:
    for step in steps:
        if type(step.module) in (nn.Conv2d, nn.BatchNorm2d, *POOLS):
            return True
        if type(step.module) in (*WEIGHTED, *BATCH_NORM):
            return False
    return False


def _next_taken(steps: list[Step], index: int) -> int:
    """What the first layer from `index` on that has a size takes; 0 if there is none."""
    return next((size for step in steps[index:] if (size := taken(step.module)) is not None), 0)


def _check_sizes(chain: Chain) -> None:
    """Raise UnsupportedModel if layers do not fit together; set the spread of every `Flatten`."""
    channels, images = chain.features, chain.images
    for index, step in enumerate(chain.steps):
        module, kind = step.module, type(step.module)
        what = f"layer {step.name} ({kind.__name__})"
        if kind in SOFTMAX and index < chain.last_weighted:
            raise UnsupportedModel(
                f"{what} mixes channels before the last weighted layer; move it behind, or leave it out"
            )
        if images and kind in (*WEIGHTED, *BATCH_NORM) and kind not in (nn.Conv2d, nn.BatchNorm2d):
            raise UnsupportedModel(f"{what} takes neurons, and is given images; put nn.Flatten() before it")
        if not images and (kind in (nn.Conv2d, nn.BatchNorm2d, *POOLS)):
            raise UnsupportedModel(f"{what} takes images, and is given neurons; put it before nn.Flatten()")
        if isinstance(module, nn.Flatten):
            columns = _next_taken(chain.steps, index) or channels
            step.spread = columns // channels
            if columns % channels or (step.spread > 1 and not images) or step.columns not in (None, columns):
                raise UnsupportedModel(
                    f"{what} flattens {channels} channels, and the layer after it takes {columns} columns; "
                    "give it a multiple of the channels"
                )
            channels, images = columns, False
        elif taken(module) not in (None, channels):
            raise UnsupportedModel(f"{what} takes {taken(module)} channels, and is given {channels}; correct the model")
        if isinstance(module, Weighted):
            channels = right_channels(module)
