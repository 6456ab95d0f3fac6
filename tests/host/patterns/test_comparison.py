"""Measures of whole networks, and kinds of patterns compared."""

from __future__ import annotations

import numpy as np
import pytest

from presparse.contract.network import Network
from presparse.contract.pattern import PATTERN_KINDS
from presparse.errors import ArgumentError, PatternError
from presparse.model import Model
from presparse.patterns import KINDS, Kind, adjacency, compare, draw, measure, paths, scatter, tiles

NETWORK = Network(
    features=12,
    classes=4,
    layers=(12, 8, 4),
    out_degree=(2, 2),
    lanes=(3, 4),
    activations=("relu", "sigmoid"),
)
EVEN = [
    np.array([[(right + 4 * bank) % 12 for bank in range(3)] for right in range(8)]),
    np.array([[right, 4 + right, right + 1 if right < 3 else 0, 4 + (right + 1) % 4] for right in range(4)]),
]
"""Right neurons of junction 1 see left neurons 4 apart; the first four and the last four see the same."""
PADDED = Network(
    features=10,
    classes=3,
    layers=(12, 8, 4),
    out_degree=(2, 2),
    lanes=(3, 4),
    activations=("relu", "sigmoid"),
)


def test_by_hand() -> None:
    measured = measure(NETWORK, EVEN)
    first, second = measured.junctions
    assert (first.density, second.density) == (0.25, 0.5)
    assert (first.out_degrees.least, first.out_degrees.most, first.out_degrees.unconnected) == (2, 2, 0)
    assert first.dispersion == 1
    # Of 28 pairs, the 4 that are 4 apart share all three.
    assert (first.overlap_mean, first.overlap_most) == (12 / 28, 3)
    assert first.scatter_forward == 1  # one edge in each third
    assert first.scatter_backward == 1  # one edge in each half
    # Output r sees hidden r, r + 1 (mod 4) and the same + 4: in the paths, inputs r and r + 1 mod 4, twice each.
    assert (measured.reach_least, measured.reach_mean) == (0.5, 0.5)
    assert measured.scatters == (1, 1, second.scatter_forward, second.scatter_backward,
                                 measured.scatter_forward, measured.scatter_backward)  # fmt: skip
    assert measured.scatter == min(measured.scatters)


def test_fully_connected() -> None:
    full = Network(
        features=12, classes=4, layers=(12, 8, 4), out_degree=(8, 4), lanes=(3, 4), activations=("relu", "sigmoid")
    )
    for kind in (*KINDS, "fully connected"):
        measured = measure(full, draw(full, kind, 1))
        assert measured.scatters == (1,) * 6
        assert (measured.reach_least, measured.reach_mean) == (1, 1)
        assert [j.dispersion for j in measured.junctions] == [1, 1]
        assert [j.overlap_mean for j in measured.junctions] == [12, 8]


def test_two_networks_in_one() -> None:
    """Two halves that know nothing of each other: half of all scatters and of the reach."""
    halves = [
        np.array([[0, 1, 2], [3, 4, 5]] * 2 + [[6, 7, 8], [9, 10, 11]] * 2),
        np.array([[0, 1, 2, 3]] * 2 + [[4, 5, 6, 7]] * 2),
    ]
    measured = measure(NETWORK, halves)
    assert measured.junctions[0].dispersion == 0
    assert measured.junctions[1].scatter_backward == 0.5  # 2 edges in the same of 2 halves
    assert (measured.scatter_forward, measured.scatter_backward) == (0.5, 0.5)
    assert (measured.reach_least, measured.reach_mean) == (0.5, 0.5)


def test_padding_does_not_count() -> None:
    """Edges from features that are not there and to classes that are not there are as if they were not there."""
    measured = measure(PADDED, EVEN)
    first, second = measured.junctions
    assert first.density == pytest.approx((24 - 4) / (8 * 10))
    assert first.out_degrees.mean == 2
    assert second.density == 12 / (3 * 8)
    assert second.out_degrees.least == 1
    assert (measured.reach_least, measured.reach_mean) == (pytest.approx(0.4), pytest.approx((6 + 5 + 4) / 30))
    seen = paths([adjacency(EVEN[0], 12)[:, :10], adjacency(EVEN[1], 8)[:3]])
    assert (measured.scatter_forward, measured.scatter_backward) == (scatter(seen), scatter(seen.T))
    assert measured.scatter_forward != measured.scatter_backward


def test_windows_of_an_image() -> None:
    """12 pixels, 3 x 4: the columns of a 3 x 4 image are the neurons 4 apart."""
    columns, rows = tiles(3, 4, 1, 4), tiles(3, 4, 3, 1)
    assert measure(NETWORK, EVEN, inputs=rows).junctions[0].scatter_forward == 1
    assert measure(NETWORK, EVEN, inputs=columns).junctions[0].scatter_forward == 0.25
    assert measure(NETWORK, EVEN, inputs=columns).scatter_forward == 0.5
    assert measure(NETWORK, EVEN, inputs=rows).scatter_forward == 1
    assert measure(NETWORK, EVEN, inputs=columns).junctions[1] == measure(NETWORK, EVEN).junctions[1]


def test_kinds_are_those_of_a_model() -> None:
    assert set(KINDS) | {"fully connected", "windows"} == {*PATTERN_KINDS, "structured"}
    for kind in ("one seed", "seed per sweep", "free"):
        for pattern, expected in zip(
            draw(NETWORK, kind, 5), Model.initial(NETWORK, random_state=5, pattern=kind).left, strict=True
        ):
            assert np.array_equal(pattern, expected)


def test_comparison() -> None:
    kinds: tuple[Kind, ...] = ("random", "structured")
    table = compare(NETWORK, kinds, seeds=(3, 4, 9))
    assert {(line.kind, line.junction) for line in table} == {(kind, j) for kind in kinds for j in (0, 1, 2)}
    assert len({(line.kind, line.junction, line.measure) for line in table}) == len(table) == 2 * (9 + 9 + 5)
    for kind in kinds:
        runs = [measure(NETWORK, draw(NETWORK, kind, seed)) for seed in (3, 4, 9)]
        for junction, name, values in (
            (1, "dispersion", [run.junctions[0].dispersion for run in runs]),
            (2, "overlap, most", [run.junctions[1].overlap_most for run in runs]),
            (1, "left neurons without an edge", [run.junctions[0].out_degrees.unconnected for run in runs]),
            (2, "scatter backward", [run.junctions[1].scatter_backward for run in runs]),
            (0, "scatter, least", [run.scatter for run in runs]),
            (0, "reach, mean", [run.reach_mean for run in runs]),
        ):
            (line,) = [a for a in table if (a.kind, a.junction, a.measure) == (kind, junction, name)]
            assert line.seeds == 3
            assert line.mean == pytest.approx(sum(values) / 3)
            assert line.deviation == pytest.approx(np.sqrt(sum((v - line.mean) ** 2 for v in values) / 2))


def test_one_seed_has_no_spread() -> None:
    assert {line.deviation for line in compare(NETWORK, ("random",), seeds=(1,))} == {0.0}


def test_kinds_differ_at_the_size_of_mnist() -> None:
    """Equal out-degrees where they are promised, unequal in random patterns; one seed repeats what neurons see."""
    network = Network(
        features=784, classes=10, layers=(784, 400, 10), out_degree=(50, 10), lanes=(49, 20),
        activations=("relu", "sigmoid"),
    )  # fmt: skip
    table = {(line.kind, line.measure): line.mean for line in compare(network, seeds=range(2)) if line.junction == 1}
    for kind in KINDS[:-1]:
        assert (table[kind, "out-degree, least"], table[kind, "out-degree, most"]) == (50, 50)
    assert table["random", "out-degree, least"] < 40
    assert table["random", "out-degree, most"] > 60
    assert table["one seed", "overlap, most"] == 98
    assert all(table[kind, "overlap, most"] < 49 for kind in KINDS[1:])
    for kind in KINDS[:3]:
        assert table[kind, "scatter backward"] == pytest.approx(1)
    assert table["structured", "scatter backward"] < 0.75


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match=r"^a comparison needs at least one seed$"):
        compare(NETWORK, seeds=())
    with pytest.raises(PatternError, match=r"^pattern must be one of .*, and is 'none'$"):
        draw(NETWORK, "none", 0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(PatternError, match=r"^the network has 2 junctions, and there are 1 patterns$"):
        measure(NETWORK, EVEN[:1])
    with pytest.raises(PatternError, match=r"^junction 2 has 4 right neurons, and its pattern 3$"):
        measure(NETWORK, [EVEN[0], EVEN[1][:3]])
