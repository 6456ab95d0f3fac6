"""The smallest networks that are worth a bitstream."""

from __future__ import annotations

from presparse.contract.build import Build
from presparse.contract.network import Network

NANO = Network(name="nano", features=8, classes=4, layers=(8, 4), out_degree=(2,), lanes=(2,), activations=("sigmoid",))
TINY = Network(
    name="tiny",
    features=16,
    classes=4,
    layers=(16, 16, 4),
    out_degree=(4, 2),
    lanes=(4, 2),
    activations=("relu", "sigmoid"),
)
NANO_INFERENCE = Build(network=NANO, lanes=(1,), mode="infer")
NANO_STORING = Build(network=NANO, lanes=(1,), mode="infer", store_memory="sdram", store_samples=1000)
TINY_TRAINING = Build(network=TINY)
