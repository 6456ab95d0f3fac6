"""Patterns (sparsity masks as index lists): which left neurons every right neuron is connected to.

A pattern is an integer array `left` of shape (right, in_degree), edges in order: edge e = r * in_degree + k
is `left[r, k]`. It is clash-free (free of bank conflicts) for z lanes when edge e has its left neuron in bank e % z, so
that every lane reads its own bank only. Sources: Dey et al., ReConFig 2018 and JETCAS 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.errors import PatternError
from presparse.contract.images import grid
from presparse.contract.network import Junction, Network

ClashFreeKind = Literal["windows", "one seed", "seed per sweep", "free"]
PatternKind = ClashFreeKind | Literal["random", "fully connected"]
CLASH_FREE_KINDS: tuple[PatternKind, ...] = ("one seed", "seed per sweep", "free")
"""Of every junction; windows are clash-free, too, where there are images."""
PATTERN_KINDS: tuple[PatternKind, ...] = ("windows", *CLASH_FREE_KINDS, "random", "fully connected")
Pattern = PatternKind | Callable[[Junction, np.random.Generator], ArrayLike] | Sequence[ArrayLike] | None
"""How a network's pattern is chosen: by a kind, by a function of junction and random generator, or by its arrays, one
per junction. Arrays are (right, in_degree) left neurons; their order within a right neuron does not matter. None:
'windows' if the network has images, else 'seed per sweep'."""


def arranged(network: Network, pattern: Pattern, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """The pattern of every junction, (right, in_degree).

    Raises PatternError for an unknown kind, windows without images, another number of arrays, or an array that no order
    makes clash-free.
    """
    junctions = network.junctions
    if sees_windows(network, pattern):
        return _windows(network, rng)
    pattern = "seed per sweep" if pattern is None else pattern
    if isinstance(pattern, str):
        return tuple(generate(junction, pattern, rng) for junction in junctions)
    if not callable(pattern) and not isinstance(pattern, Iterable):
        raise PatternError(
            f"a pattern is one of {', '.join(PATTERN_KINDS)}, a function or arrays, and not {type(pattern).__name__}"
        )
    arrays = [pattern(junction, rng) for junction in junctions] if callable(pattern) else list(pattern)
    if len(arrays) != len(junctions):
        raise PatternError(f"a pattern has one array per junction, {len(junctions)}, and this one has {len(arrays)}")
    return tuple(_ordered(junction, array) for junction, array in zip(junctions, arrays, strict=True))


def sees_windows(network: Network, pattern: Pattern) -> bool:
    """The pattern is of windows, which see features where `Network.places` has them; others take them in order."""
    return bool(network.image) if pattern is None else isinstance(pattern, str) and pattern == "windows"


def _ordered(junction: Junction, array: ArrayLike) -> NDArray[np.int64]:
    """As it is if that is clash-free, else in an order that is."""
    try:
        left = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:  # the first and the last, of tensors
        reason = "have unequal lengths" if "inhomogeneous" in str(error) else f"are no array ({error})"
        raise PatternError(f"junction {junction.index}: the rows of a pattern {reason}") from error
    if not np.issubdtype(left.dtype, np.integer):
        raise PatternError(
            f"junction {junction.index}: a pattern holds numbers of left neurons, integers, and this one {left.dtype}"
        )
    _check_edges(junction, left)
    left = left.astype(np.int64)
    return left if _first_clash(junction, left) is None else arrange(junction, left)


def generate(junction: Junction, kind: PatternKind | str, rng: np.random.Generator) -> NDArray[np.int64]:
    """A pattern of the given kind, shape (right, in_degree); windows are of a whole network (`arranged`).

    'one seed', 'seed per sweep' and 'free' are clash-free for `junction.lanes`; 'random' gives every right
    neuron `in_degree` distinct left neurons and out-degrees as they fall (comparison in PyTorch only);
    'fully connected' is every edge, whatever the density (shape (right, left)).
    """
    if kind == "one seed":
        return from_rows(junction, _one_seed(junction, rng))
    if kind == "seed per sweep":
        return from_rows(junction, _seed_per_sweep(junction, rng))
    if kind == "free":
        return from_rows(junction, _free(junction, rng))
    if kind == "random":
        keys = rng.random((junction.right, junction.left))
        return np.sort(np.argpartition(keys, junction.in_degree - 1, axis=1)[:, : junction.in_degree], axis=1)
    if kind == "fully connected":
        return np.tile(np.arange(junction.left), (junction.right, 1))
    if kind == "windows":
        raise PatternError(
            "windows are of a network's images, and not of a junction alone; give presparse.patterns.windows"
        )
    raise PatternError(f"pattern must be one of {', '.join(PATTERN_KINDS)}, and is {kind!r}")


def _windows(network: Network, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """Windows on images, spread evenly; 'seed per sweep' in the junctions that have no image."""
    if not network.image:
        raise PatternError(
            f"network {network.name} has no images, of which patterns of kind 'windows' are; describe them as [[image]]"
        )
    found: list[NDArray[np.int64]] = []
    for index, j in enumerate(network.junctions):
        if index >= len(network.image):
            found.append(generate(j, "seed per sweep", rng))
            continue
        layout, window = network.layouts[index], network.image[index].window_size
        if index + 1 < len(network.image):  # a right neuron looks where it is itself
            places = np.empty((j.right, 3), dtype=np.int64)
            following = network.layouts[index + 1]
            places[following.all_neurons()] = grid(layout.phase_size, window, following.size)
        else:
            places = layout.even_places(window, j.right)
        found.append(arrange(j, layout.window_neurons(window, places)))
    return tuple(found)


def _one_seed(j: Junction, rng: np.random.Generator) -> NDArray[np.int64]:
    """Row (phi[m] + c) mod D in cycle c of lane m; shape (C, z)."""
    phi = rng.integers(j.rows, size=j.lanes)
    return (phi + np.arange(j.cycles)[:, None]) % j.rows


def _seed_per_sweep(j: Junction, rng: np.random.Generator) -> NDArray[np.int64]:
    """A new phi for each sweep; shape (C, z).

    A right neuron that spans two sweeps reads a tail and a head of q rows in all; they are disjoint
    exactly when phi advances by 0 .. D - q from sweep to sweep.
    """
    spans = j.rows % j.cycles_per_step != 0
    steps = rng.integers(j.rows - j.cycles_per_step + 1 if spans else j.rows, size=(j.out_degree, j.lanes))
    if spans:
        steps[0] = rng.integers(j.rows, size=j.lanes)
        steps = np.cumsum(steps, axis=0)
    phi = np.repeat(steps, j.rows, axis=0)  # (C, z)
    return (phi + np.arange(j.cycles)[:, None]) % j.rows


def _free(j: Junction, rng: np.random.Generator) -> NDArray[np.int64]:
    """Any permutation of rows per lane and sweep; shape (C, z)."""
    rows = rng.permuted(np.tile(np.arange(j.rows), (j.out_degree, j.lanes, 1)), axis=2)  # (sweep, lane, D)
    if j.rows % j.cycles_per_step:
        lane = np.arange(j.lanes)[:, None]
        for sweep in range(1, j.out_degree):
            # A right neuron that began in the last sweep goes on here: its rows must not come first.
            tail = sweep * j.rows % j.cycles_per_step
            head = j.cycles_per_step - tail if tail else 0
            used = np.zeros((j.lanes, j.rows), dtype=bool)
            used[lane, rows[sweep - 1, :, j.rows - tail :]] = True
            order = np.argsort(used[lane, rows[sweep]], axis=1, kind="stable")
            first, rest = order[:, :head], rng.permuted(order[:, head:], axis=1)
            rows[sweep] = np.take_along_axis(rows[sweep], np.concatenate([first, rest], axis=1), axis=1)
    return rows.transpose(0, 2, 1).reshape(j.cycles, j.lanes)


def from_rows(junction: Junction, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The pattern that reads `rows[c, m]` in cycle c of lane m; shape (right, in_degree)."""
    left = rows * junction.lanes + np.arange(junction.lanes)
    return left.reshape(junction.right, junction.in_degree)


def to_rows(junction: Junction, left: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row that each lane reads in each cycle, shape (C, z), of a clash-free pattern."""
    return left.reshape(junction.cycles, junction.lanes) // junction.lanes


def first_touches(junction: Junction, left: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where an edge is the first of its left neuron in a block, shape (C, z): BP overwrites there."""
    edges = left.reshape(-1)
    first = np.zeros(edges.size, dtype=bool)
    first[np.unique(edges, return_index=True)[1]] = True
    return first.reshape(junction.cycles, junction.lanes)


def check(junction: Junction, left: NDArray[np.int64]) -> None:
    """Raise PatternError unless `left` is a clash-free pattern of this junction without double edges."""
    _check_edges(junction, left)
    if (clash := _first_clash(junction, left)) is not None:
        cycle, lane = clash
        neuron = left.reshape(-1, junction.lanes)[cycle, lane]
        raise PatternError(
            f"junction {junction.index}: not clash-free for {junction.lanes} lanes: in cycle {cycle}, lane {lane} "
            f"needs left neuron {neuron}, which is in bank {neuron % junction.lanes}"
        )


def _first_clash(junction: Junction, left: NDArray[np.int64]) -> tuple[int, int] | None:
    """(cycle, lane) of the first edge whose left neuron is in another lane's bank."""
    clash = np.argwhere(left.reshape(-1, junction.lanes) % junction.lanes != np.arange(junction.lanes))
    return (int(clash[0][0]), int(clash[0][1])) if clash.size else None


def _check_edges(junction: Junction, left: NDArray[np.integer]) -> None:
    """Raise PatternError for another shape, neurons that do not exist, and double edges."""
    shape = (junction.right, junction.in_degree)
    if left.shape != shape:
        raise PatternError(f"junction {junction.index}: a pattern has shape {shape}, and this one {left.shape}")
    if left.size and (left.min() < 0 or left.max() >= junction.left):
        bad = int(left[(left < 0) | (left >= junction.left)][0])
        raise PatternError(
            f"junction {junction.index}: left neurons are 0 to {junction.left - 1}, and an edge has {bad}"
        )
    ordered = np.sort(left, axis=1)
    double = np.argwhere(ordered[:, 1:] == ordered[:, :-1])
    if double.size:
        right, k = double[0]
        raise PatternError(
            f"junction {junction.index}: right neuron {right} is connected twice to left neuron {ordered[right, k]}"
        )


def arrange(junction: Junction, left: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order each right neuron's edges so that a bank-balanced choice of left neurons becomes clash-free.

    `left` (right, in_degree) holds each right neuron's left neurons in any order. Raises PatternError if
    some right neuron has unequally many in the banks of its lanes.
    """
    edge = np.arange(junction.edges).reshape(junction.right, junction.in_degree)
    # The k-th edge of a bank goes to the k-th of its lane's cycles: sort both sides by (bank, order).
    by_bank = np.argsort(left % junction.lanes * junction.left + left, axis=1, kind="stable")
    slots = np.argsort(edge % junction.lanes, axis=1, kind="stable")
    arranged = np.empty_like(left)
    np.put_along_axis(arranged, slots, np.take_along_axis(left, by_bank, axis=1), axis=1)
    check(junction, arranged)
    return arranged
