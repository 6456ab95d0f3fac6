"""An inference build has no training hardware: one multiplier per lane, and no memory for deltas or derivatives."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import pytest
from amaranth.back import rtlil

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse_hw.core.core import Core

pytestmark = pytest.mark.slow


NETWORK = Network(
    features=12,
    classes=4,
    layers=(12, 8, 8, 4),
    out_degree=(4, 4, 2),
    lanes=(6, 4, 4),
    activations=("relu", "sigmoid", "sigmoid"),
)


def cells(mode: Literal["train", "infer"]) -> Counter[str]:
    """How many cells of each kind the core has, and how many bits of memory ("memory")."""
    kinds: Counter[str] = Counter()
    for line in rtlil.convert(Core(Build(network=NETWORK, mode=mode)), name="core").splitlines():
        words = line.split()
        if words[:1] == ["cell"]:
            kinds[words[1]] += 1
        elif words[:1] == ["memory"]:
            kinds["memory"] += int(words[2]) * int(words[4])
    return kinds


def test_multipliers() -> None:
    group = [j.group for j in NETWORK.junctions]
    assert cells("infer")["$mul"] == sum(NETWORK.lanes)
    # FF and UP in every lane, BP from junction 2 on, and the derivative of the sigmoid layer.
    assert cells("train")["$mul"] == 2 * sum(NETWORK.lanes) + sum(NETWORK.lanes[1:]) + group[1]


def test_memories() -> None:
    """Weights, rows with their first-touch bit, activations, biases, results, sigmoid tables: nothing else."""
    build = Build(network=NETWORK, mode="infer")
    f = NETWORK.formats
    bits = 0
    for j, plan in zip(build.junctions, build.schedule.junctions, strict=True):
        row_bits = (j.rows - 1).bit_length()
        bits += j.edges * (f.weight.width + row_bits + 1) + j.right * f.weight.width
        bits += j.lanes * (plan.forward_slots << row_bits) * f.activation.width
        if j.activation == "sigmoid":
            bits += j.group * f.activation.width << f.activation.frac + 2
    output = build.junctions[-1]
    bits += build.result_capacity * output.steps * (output.group * f.output.width + 1)
    assert cells("infer")["memory"] == bits


@pytest.mark.parametrize("kind", ["train", "infer"])
def test_both_elaborate_without_warnings(kind: Literal["train", "infer"], recwarn: pytest.WarningsRecorder) -> None:
    cells(kind)
    assert [str(warning.message) for warning in recwarn] == []
