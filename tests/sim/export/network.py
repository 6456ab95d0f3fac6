"""The smallest network with everything that an exported core has: hidden layer, groups, steps, padding."""

from __future__ import annotations

from presparse.contract.network import Network

TINY = Network(
    name="tiny",
    features=5,
    classes=3,
    layers=(6, 4, 4),
    out_degree=(2, 2),
    lanes=(3, 2),
    activations=("relu", "sigmoid"),
)
