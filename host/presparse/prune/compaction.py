"""Dead-unit elimination, exact removal of what is dead: the smaller network gives the same outputs, to floating-point
rounding.

Three passes over a chain of layers, each in `torch.float64`:
1. Forwards, *fold*: a neuron without non-zero incoming weights is the constant f(b), through BatchNorm (running
   statistics) and activation. Its contribution moves into the next layer's biases, and its outgoing weights become 0.
   A BatchNorm scale of 0 makes a constant, too.
2. Backwards, *keep*: a channel is needed if a channel of the next layer that matters has a non-zero weight from it.
   What a channel is made from does not matter if its BatchNorm scale is 0.
3. *Shrink*: every other channel leaves, with all that belongs to it.

Constants depend only on what comes before, and needs only on what comes behind: one pass each way reaches the fixed
point.
"""

from __future__ import annotations

from copy import deepcopy
from math import prod

import torch
from torch import Tensor, nn

from presparse.errors import ArgumentError
from presparse.prune.chain import Chain, chain, of_steps
from presparse.prune.layers import BatchNorm, Weighted, constant_after, matrix, pads_with_zeros, scales, silence
from presparse.prune.pruned import PrunedModel
from presparse.train.sparse_linear import SparseLinear


def compact(model: nn.Module, *, features: int | None = None) -> PrunedModel:
    """A smaller model with the same outputs in evaluation mode: dead neurons, features and channels are gone.

    `model` is any chain of the layers in `presparse.prune.layers.KNOWN`, in any module; it is not changed. Its mode
    (training or evaluation), dtype and device are those of the result. `features` is checked against what the model
    takes: input channels of a model that begins with images, else numbers per sample.

    - Every layer keeps one channel at least, and the model one feature: the lowest, with outgoing weights of 0. A
      network of which everything is dead so gives its constant output.
    - A constant channel before a convolution that pads with zeros is not constant at the border. It stays, unless
      it is 0.
    - A `SparseLinear` stays one. If left neurons leave, its in-degree becomes the largest number of edges that any
      right neuron has left; the others get edges of weight 0 to left neurons that they were not connected to.

    Equal outputs need finite ones: 0 times infinity is not 0. A `PrunedModel` can be compacted again; its features
    stay the original ones.

    Raises UnsupportedModel naming a layer that cannot be pruned, ArgumentError for a wrong number of features.
    """
    return shrunk(model, checked_chain(model, features))


def checked_chain(model: nn.Module, features: int | None) -> Chain:
    """The layers of a model, or those of a pruned one behind its choice of features."""
    if isinstance(model, PrunedModel):
        layers, takes = deepcopy(model.chain()), model.features
    else:
        layers = chain(model)
        takes = layers.features
    if features not in (None, takes):
        raise ArgumentError(f"features must be {takes}, which is what the model takes, and is {features!r}")
    return layers


def shrunk(model: nn.Module, layers: Chain, *, across_borders: bool = False) -> PrunedModel:
    """What `layers`, which belong to `model` and are used up, have left. `across_borders` as for `fold`."""
    before, widths = sum(parameter.numel() for parameter in model.parameters()), layers.widths
    fold(layers, across_borders=across_borders)
    kept_features = shrink(layers)
    if isinstance(model, PrunedModel):
        kept_features = model.kept_features.cpu()[kept_features]
        before, widths = model.original_parameters, model.original_widths
    return PrunedModel.of_chain(
        of_steps(layers.stem, layers.steps),
        kept_features.to(next(layers.weighted[0].parameters()).device),
        original_parameters=before,
        original_widths=widths,
        training=model.training,
    )


def fold(layers: Chain, *, across_borders: bool = False) -> None:
    """Move what constant channels contribute into the next biases, and set their outgoing weights to 0.

    With `across_borders`, as if no convolution padded: at its border, outputs then change.
    """
    constant = torch.full((layers.features,), torch.nan, dtype=torch.float64)  # NaN: varies from sample to sample
    for step in layers.steps:
        if isinstance(step.module, Weighted):
            constant = _absorb(step.module, constant, across_borders)
        elif isinstance(step.module, nn.Flatten):
            constant = constant.repeat_interleave(step.spread)
        else:
            constant = constant_after(step.module, constant)


@torch.no_grad()
def _absorb(layer: Weighted, constant: Tensor, across_borders: bool) -> Tensor:
    """Fold constants (left,) into a layer; (right,) its own constants."""
    foldable = constant.isfinite()
    if pads_with_zeros(layer) and not across_borders:
        foldable &= constant == 0
    weights = matrix(layer)
    shift = weights.sum(2)[:, foldable] @ constant[foldable]  # (right,)
    if shift.any():
        bias = shift if layer.bias is None else layer.bias.double().cpu() + shift
        trained = (layer.weight if layer.bias is None else layer.bias).requires_grad
        layer.bias = nn.Parameter(bias.to(layer.weight), requires_grad=trained)
    silence(layer, foldable)
    weights[:, foldable] = 0
    bias = torch.zeros(len(weights)) if layer.bias is None else layer.bias
    return bias.double().cpu().masked_fill((weights != 0).flatten(1).any(1), torch.nan)


@torch.no_grad()
def _keep(layers: Chain) -> list[Tensor]:
    """Which channels stay, as masks: of the features, then of every weighted layer.

    Weights into channels that stay, although what they are made from does not matter, become 0.
    """
    outputs = layers.widths[-1] * prod(step.spread for step in layers.steps[layers.last_weighted :])
    keep = alive = torch.ones(outputs, dtype=torch.bool)
    masks: list[Tensor] = []
    for step in reversed(layers.steps):
        scale = scales(step.module)
        if scale is not None:
            alive = alive & (scale != 0)  # the channel's constant may be needed, but not what it is made from
        elif isinstance(step.module, nn.Flatten):
            keep, alive = (mask.view(-1, step.spread).any(1) for mask in (keep, alive))
        elif isinstance(step.module, Weighted):
            masks.append(_not_empty(keep))
            step.module.weight[~alive.to(step.module.weight.device)] = 0
            keep = alive = (matrix(step.module) != 0).any(2).any(0)
    return [_not_empty(keep), *reversed(masks)]


def _not_empty(keep: Tensor) -> Tensor:
    if not keep.any():
        keep = keep.clone()
        keep[0] = True
    return keep


@torch.no_grad()
def shrink(layers: Chain) -> Tensor:
    """Cut every channel that is not needed out of all layers; the indices of the features that stay."""
    masks = _keep(layers)
    keep, rest = masks[0], iter(masks[1:])
    for step in layers.steps:
        module = step.module
        if isinstance(module, Weighted):
            right = next(rest)
            _cut_weighted(module, keep, right)
            keep = right
        elif isinstance(module, nn.Flatten):
            keep = keep.repeat_interleave(step.spread)
        else:
            _cut_channels(module, keep)
    return masks[0].nonzero().flatten()


def _cut_weighted(layer: Weighted, left: Tensor, right: Tensor) -> None:
    """Keep the chosen left and right channels of a layer."""
    left, right = left.to(layer.weight.device), right.to(layer.weight.device)
    if isinstance(layer, SparseLinear):
        _cut_edges(layer, left, right)
    else:
        _set(layer, "weight", layer.weight[right][:, left])
        if isinstance(layer, nn.Linear):
            layer.in_features, layer.out_features = int(left.sum()), int(right.sum())
        else:
            layer.in_channels, layer.out_channels = int(left.sum()), int(right.sum())
    if layer.bias is not None:
        _set(layer, "bias", layer.bias[right])


def _cut_edges(layer: SparseLinear, left: Tensor, right: Tensor) -> None:
    """Edges keep their order if all left neurons stay; else they are sorted by left neuron, added ones last."""
    edges, weight = layer.left[right], layer.weight[right]
    if not left.all():
        absent = torch.ones(len(edges), layer.left_features, dtype=torch.bool, device=edges.device).scatter(
            1, edges, False
        )
        dense = weight.new_zeros(absent.shape).scatter(1, edges, weight)[:, left]
        absent = absent[:, left]
        in_degree = max(1, int((~absent).sum(1).max()))
        edges = absent.to(torch.uint8).argsort(dim=1, stable=True)[:, :in_degree].contiguous()
        weight = dense.gather(1, edges)
        layer.left_features = int(left.sum())
    layer.left = edges
    _set(layer, "weight", weight)


def _cut_channels(module: nn.Module, keep: Tensor) -> None:
    """Keep the chosen channels of a layer that takes every channel on its own."""
    if isinstance(module, BatchNorm):
        module.num_features = int(keep.sum())
        for key in ("weight", "bias", "running_mean", "running_var"):
            values = getattr(module, key)
            if isinstance(values, nn.Parameter):
                _set(module, key, values[keep.to(values.device)])
            elif values is not None:
                setattr(module, key, values[keep.to(values.device)])
    elif isinstance(module, nn.PReLU) and module.num_parameters > 1:
        module.num_parameters = int(keep.sum())
        _set(module, "weight", module.weight[keep.to(module.weight.device)])


def _set(module: nn.Module, key: str, values: Tensor) -> None:
    """Replace a parameter; whether it is trained stays."""
    setattr(module, key, nn.Parameter(values.clone(), requires_grad=getattr(module, key).requires_grad))
