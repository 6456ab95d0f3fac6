"""Receptive fields: where in an image the neurons of the first hidden layer look, and what they look for."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from presparse.contract.images import Size, sized, written
from presparse.errors import ArgumentError
from presparse.model import Model
from presparse.report.style import LINE, figure

_COLUMNS, _ROWS = 16, 4


def receptive_fields(model: Model, shape: tuple[int, ...] = ()) -> Figure:
    """Some neurons, evenly chosen: the image with the weight of every edge, red below 0 and blue above; grey: no edge.

    Without a `shape` (rows, columns) or (rows, columns, channels) the network's own image is meant, or that of the
    features behind a convolution. Of several channels the sum is shown. Raises ArgumentError without an image, or for
    one of another number of pixels than features.
    """
    network = model.network
    convolution = model.inputs.convolution
    if not shape and convolution is not None:
        shape = convolution.shape
    if not shape and not network.image:
        raise ArgumentError(f"network {network.name} has no image; give the shape of one, such as (28, 28)")
    size = sized(shape) if shape else network.image[0].size
    if np.prod(size) != network.features:
        raise ArgumentError(
            f"an image of {written(size)} has {np.prod(size)} pixels, and the network {network.features} features"
        )
    right = network.junctions[0].right
    columns = min(_COLUMNS, right)
    rows = min(_ROWS, -(-right // columns))
    shown = np.linspace(0, right - 1, min(right, rows * columns)).round().astype(np.int64)
    fields = np.ma.stack([field(model, neuron, size) for neuron in shown])
    most = float(np.abs(fields).max()) or 1.0
    drawn = figure(11, 11 / columns * rows * size[0] / size[1] + 0.1)
    colors = colormaps["RdBu"].with_extremes(bad=LINE)
    for ax in (grid := drawn.subplots(rows, columns, squeeze=False)).flat:
        ax.set_axis_off()
    for ax, weights in zip(grid.flat, fields, strict=False):
        ax.imshow(weights, cmap=colors, vmin=-most, vmax=most, interpolation="nearest")
    return drawn


def field(model: Model, neuron: int, size: Size) -> np.ma.MaskedArray:
    """(rows, columns): the weights, in real units, of a first hidden neuron's edges; masked where it has none."""
    feature = np.full(model.network.layers[0], -1)
    feature[model.inputs.places] = np.arange(model.network.features)
    pixels = feature[model.left[0][neuron]]
    weights = model.network.formats.weight.decode(model.weights[0][neuron])
    found: NDArray[np.float64] = np.zeros(model.network.features)
    seen = np.zeros(model.network.features, dtype=np.bool_)
    found[pixels[pixels >= 0]], seen[pixels[pixels >= 0]] = weights[pixels >= 0], True
    return np.ma.array(found.reshape(size).sum(axis=2), mask=~seen.reshape(size).any(axis=2))
