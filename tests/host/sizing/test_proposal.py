"""Sizes, degrees and lanes chosen for a user: always valid, never smaller than asked, balanced, explained."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from presparse.contract.errors import NetworkError
from presparse.contract.network import Network, densities
from presparse.sizing.automatic import HIDDEN_EDGES
from presparse.sizing.proposal import design

pytestmark = pytest.mark.slow


sizes = st.integers(1, 2000)
shares = st.floats(0.01, 1.0)


def _busy(network: Network) -> float:
    """Share of all lanes' cycles in which they process an edge; 1 if all junctions take equally long."""
    period = max(j.cycles for j in network.junctions)
    return sum(j.lanes * j.cycles for j in network.junctions) / (period * sum(network.lanes))


@settings(max_examples=150, deadline=None)
@given(features=sizes, classes=sizes, hidden=st.lists(sizes, max_size=3), data=st.data())
def test_any_request_gives_a_valid_network_at_least_as_large(
    features: int, classes: int, hidden: list[int], data: st.DataObject
) -> None:
    density = data.draw(st.one_of(shares, st.lists(shares, min_size=len(hidden) + 1, max_size=len(hidden) + 1)))
    lanes = data.draw(st.integers(len(hidden) + 1, 500))
    # Network itself refuses whatever breaks a rule, so reaching the next line means: valid.
    network = design(features, classes, hidden, density=density, lanes=lanes).network
    assert all(size >= asked for size, asked in zip(network.layers, (features, *hidden, classes), strict=True))
    assert (network.features, network.classes) == (features, classes)
    assert sum(network.lanes) <= lanes


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(8, 64),
    layers=st.lists(st.integers(64, 1000), min_size=1, max_size=4),
    density=st.floats(0.05, 0.5),
)
def test_funnels_keep_their_lanes_busy_and_are_near_the_density(
    classes: int, layers: list[int], density: float
) -> None:
    features, *hidden = sorted(layers, reverse=True)
    network = design(features, classes, hidden, density=density).network
    assert _busy(network) >= 0.6  # few lanes come in coarse numbers
    for j in network.junctions:
        thinnest = densities(j.left, j.right)[0][0] / j.right  # a density may be out of reach of these sizes
        assert density / 2.5 <= j.density <= max(2.5 * density, thinnest)


@pytest.mark.parametrize("density", [0.05, 0.1, 0.2, 0.5])
@pytest.mark.parametrize(
    ("features", "hidden", "classes"),
    [
        (64, [128], 10),
        (784, [112], 10),
        (784, [512], 10),
        (784, [300, 100], 10),
        (784, [112, 56], 10),
        (1024, [256], 32),
        (128, [64, 64, 32], 20),
        (30, [24], 2),
        (784, [], 10),
    ],
)
def test_usual_networks_keep_every_lane_busy(features: int, hidden: list[int], classes: int, density: float) -> None:
    network = design(features, classes, hidden, density=density).network
    assert _busy(network) >= 0.9


@settings(max_examples=60, deadline=None)
@given(features=st.integers(8, 1000), hidden=st.integers(8, 300), cycles=st.integers(1, 3000))
def test_a_cycle_target_is_met_or_refused(features: int, hidden: int, cycles: int) -> None:
    try:
        network = design(features, 10, [hidden], cycles=cycles).network
    except NetworkError as error:
        possible = re.search(r"the fewest possible here are (\d+)", str(error))
        assert possible is not None
        fewest = int(possible.group(1))
        assert fewest > cycles
        assert max(j.cycles for j in design(features, 10, [hidden], cycles=fewest).network.junctions) == fewest
    else:
        assert max(j.cycles for j in network.junctions) <= cycles


def test_more_lanes_are_never_slower() -> None:
    cycles = [max(j.cycles for j in design(784, 10, [112], lanes=n).network.junctions) for n in (8, 16, 32, 64, 128)]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] < cycles[0]


@settings(max_examples=60, deadline=None)
@given(features=st.integers(1, 5000), classes=st.integers(1, 300), samples=st.one_of(st.none(), st.integers(1, 10**6)))
@example(features=4614, classes=285, samples=None)  # padding once cut off what some classes saw
def test_without_sizes_every_class_sees_every_feature(features: int, classes: int, samples: int | None) -> None:
    sizing = design(features, classes, samples=samples)
    network = sizing.network
    assert math.prod(j.in_degree for j in network.junctions) >= features
    assert network.layers[1] >= min(2 * classes, 256)
    first = network.junctions[0]
    assert first.out_degree >= 2
    assert first.edges <= 4 * max(HIDDEN_EDGES, 4 * features)  # padding and divisors have their own mind
    assert "sees at most" not in " ".join(sizing.reasons)


@pytest.mark.parametrize(
    ("features", "classes", "samples", "neurons", "density"),
    [(4, 3, 112, 32, 1.0), (13, 3, 133, 32, 1.0), (64, 10, 1350, 128, 1.0), (784, 10, 60_000, 256, 0.16)],
)
def test_small_data_gets_small_dense_networks(
    features: int, classes: int, samples: int, neurons: int, density: float
) -> None:
    first = design(features, classes, samples=samples).network.junctions[0]
    assert (first.left - features, first.right) == (0, neurons)
    assert density / 2 <= first.density <= density


def test_no_hidden_layer_is_a_dense_one_unless_told_otherwise() -> None:
    assert design(13, 3, []).network.density == 1
    assert "Every class sees at most 4 of the 13 features" in " ".join(design(13, 3, [], density=0.25).reasons)


def test_the_published_network_is_found() -> None:
    network = design(1024, 32, [64], density=(0.0625, 0.5), cycles=64).network
    assert (network.layers, network.out_degree, network.lanes) == ((1024, 64, 32), (4, 16), (64, 16))


def test_every_number_has_its_reason() -> None:
    sizing = design(784, 10, [112], density=0.2, lanes=64)
    text = "\n".join(sizing.reasons)
    for size in sizing.network.layers:
        assert f"{size} neurons" in text
    for j in sizing.network.junctions:
        assert f"Junction {j.index}: out-degree {j.out_degree}, in-degree {j.in_degree}" in text
        lane = "lane" if j.lanes == 1 else "lanes"
        assert f"Junction {j.index}: {j.lanes} {lane} for its {j.edges} edges: {j.cycles} cycles" in text
    assert "10 neurons can have 2 densities, and 16 can have 16" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": 0}, "features must be between 1 and 65536, and is 0"),
        ({"classes": 70000}, "classes must be between 1 and 65536, and is 70000"),
        ({"hidden": [32, -1]}, r"hidden\[1\] must be between 1 and 65536, and is -1"),
        ({"density": 0.0}, "density must be more than 0 and at most 1 .*, and is 0.0"),
        ({"density": 20}, "density must be more than 0 and at most 1 .*, and is 20"),
        ({"density": float("nan")}, "density must be more than 0 .*, and is nan"),
        ({"density": "much"}, "density must be numbers, or 'auto', and is 'much'"),
        ({"hidden": "some"}, "hidden must be numbers, or 'auto', and is 'some'"),
        ({"density": [0.1]}, r"density needs one number, or one per junction \(2\), and has 1"),
        ({"lanes": 1}, r"lanes must be at least one per junction \(2\), and is 1"),
        ({"cycles": 0}, "cycles must be at least 1, and is 0"),
        ({"lanes": 8, "cycles": 64}, "lanes and cycles cannot both be asked for"),
        ({"cycles": 1, "density": 1.0}, r"no valid lanes reach 1 cycle per sample; the fewest possible here are \d+"),
        ({"activations": ["relu", "relu"]}, r"activations\[-1\]: the output is 'sigmoid'"),
        ({"activations": ["sigmoid"]}, "activations needs one entry per junction: 2"),
        ({"name": "a b"}, "name: "),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments: dict[str, object], message: str) -> None:
    request: dict[str, object] = {"features": 64, "classes": 10, "hidden": [128], **arguments}
    with pytest.raises(NetworkError, match=message):
        design(**request)  # pyright: ignore[reportArgumentType]  # wrong on purpose
