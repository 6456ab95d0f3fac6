"""How the weights of every junction are distributed, before and after training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from presparse.model import Model
from presparse.report.style import BLUE, INK, SOFT, figure, plain


def weights(before: Model, after: Model) -> Figure:
    """One histogram per junction, in real units; the range of the number format is its frame."""
    network = after.network
    fmt = network.formats.weight
    drawn = figure(5.6, 5.4)
    axes = drawn.subplots(len(network.junctions), 1, squeeze=False)[:, 0]
    most = max(np.abs(fmt.decode(w)).max() for w in after.weights)
    edges = np.linspace(-most, most, 61)
    for j, old, new, ax in zip(network.junctions, before.weights, after.weights, axes, strict=True):
        plain(ax)
        ax.hist(fmt.decode(new).reshape(-1), edges, color=BLUE, label="after training")
        ax.hist(fmt.decode(old).reshape(-1), edges, histtype="step", color=SOFT, linewidth=1.2, label="before training")
        ax.set_title(f"Junction {j.index}: {j.edges:,} weights", loc="left", color=INK, fontsize=11)
        ax.set_ylabel("edges")
    axes[0].legend(frameon=False, fontsize=9.5, loc="upper right", labelcolor=INK)
    axes[-1].set_xlabel(f"weight ({fmt.width} bits: from {fmt.decode(fmt.min):g} to {fmt.decode(fmt.max):.5g})")
    return drawn
