"""From what a user has (features, classes, a density) to a network that is valid and balanced, and why.

Layer sizes, degrees and lanes depend on one another: densities come from the common divisors of two layers,
lanes must divide a layer and suit its in-degree, and a network is balanced when every junction takes the
same number of cycles. `design` searches sizes that are a little larger than asked, degrees near the asked
density and lanes that give all junctions one junction cycle, and takes the cheapest combination. A junction
with too few edges for that idles instead, which costs little: it has few lanes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from presparse.contract.description import shortened
from presparse.contract.errors import NetworkError
from presparse.contract.formats import Formats
from presparse.contract.network import MAX_ROWS, Activation, Network, RateRange, densities, lanes_fit
from presparse.sizing.automatic import HIDDEN_EDGES, OUTPUT_EDGES, hidden_layer, layer_densities
from presparse.sizing.lanes import divisors

DEFAULT_LANES = 80
"""Lanes in all, where neither lanes nor cycles are asked for: 64 + 16, which a mid-size FPGA holds."""
MAX_NEURONS = 65536

Auto = Literal["auto"]


@dataclass(frozen=True)
class Sizing:
    """A network, and one plain sentence for every choice that led to it."""

    network: Network
    layers: list[str]
    """Why its layers are as large as they are."""
    degrees: list[str]
    """Why junctions have so many edges."""
    lanes: list[str]
    """Why so many lanes process them."""

    @property
    def reasons(self) -> list[str]:
        """All of them."""
        return [*self.layers, *self.degrees, *self.lanes]


@dataclass(frozen=True)
class _Choice:
    """One junction as it could be: sizes, degrees, lanes, and its price against what was asked."""

    left: int
    right: int
    out_degree: int
    in_degree: int
    lanes: int
    padding: float
    """Edges that padding adds: log2 of the growth, weighted with the junction's part of all edges."""
    deviation: float
    """Distance from the wanted density: log2 of the ratio, positive."""
    share: float
    """The junction's part of all wanted edges."""
    cycles: int
    group: int
    """Right neurons that are finished at once."""

    @property
    def cost(self) -> float:
        return self.padding + self.deviation

    def idling(self, period: int) -> float:
        """What it costs if a sample takes so many cycles: the more of them the junction idles, weighted with its
        share."""
        return self.cost + self.share * math.log2(period / self.cycles)


_Priced = tuple[float, _Choice]
_Alike = list[list[_Choice]]
"""Choices of one junction that differ in lanes alone, which ascend."""


def design(
    features: int,
    classes: int,
    hidden: Sequence[int] | Auto = "auto",
    *,
    density: float | Sequence[float] | Auto = "auto",
    samples: int | None = None,
    lanes: int | None = None,
    cycles: int | None = None,
    activations: Sequence[Activation] | None = None,
    formats: Formats | None = None,
    rates: RateRange | None = None,
    name: str = "network",
) -> Sizing:
    """Choose a valid, balanced network for a user's sizes.

    Parameters
    ----------
    features, classes, hidden : the least number of neurons per layer; padding may make layers larger
        `hidden="auto"` is one layer, of as many as `samples` and `classes` ask for (`presparse.sizing.automatic`).
    density : share of all possible edges, in (0, 1]; one number, or one per junction
        "auto" is as dense as a budget of edges allows (`presparse.sizing.automatic`).
    samples : how many there are to learn from; only `hidden="auto"` asks
    lanes : most lanes, all junctions together (default `DEFAULT_LANES`, unless `cycles` is given)
    cycles : most cycles per sample; as few lanes as reach it are used
    activations : one per junction; default ReLU in hidden layers and sigmoid at the output

    Raises NetworkError if a number is out of range, or no choice reaches what was asked.
    """
    asked = _layers_asked(features, classes, hidden, samples)
    count = len(asked) - 1
    wanted = _densities_asked(density, asked)
    _check_lanes_asked(count, lanes, cycles)
    if cycles is None and lanes is None:
        lanes = DEFAULT_LANES

    options = [list(_junction_choices(asked, i, wanted[i], _share(asked, wanted, i))) for i in range(count)]
    chosen = _balanced(options, lanes, cycles)
    if chosen is None or any(c.deviation > 1 for c in chosen):  # not at the price of twice or half the density
        chosen = _unbalanced(options, lanes, cycles) or chosen
    if chosen is None:
        raise NetworkError(_why_not(options, lanes, cycles))

    network = Network(
        name=name,
        features=features,
        classes=classes,
        layers=(chosen[0].left, *(c.right for c in chosen)),
        out_degree=tuple(c.out_degree for c in chosen),
        lanes=tuple(c.lanes for c in chosen),
        activations=tuple(activations) if activations else ("relu",) * (count - 1) + ("sigmoid",),
        formats=formats or Formats(),
        rates=rates or RateRange(),
    )
    return Sizing(
        network,
        layers=[*_hidden_reasons(asked, hidden, samples), *_size_reasons(asked, network)],
        degrees=[*_density_reasons(asked, density), *_degree_reasons(network, wanted)],
        lanes=[*_cycle_reasons(network, lanes, cycles)],
    )


# What is asked


def _layers_asked(features: int, classes: int, hidden: Sequence[int] | Auto, samples: int | None) -> tuple[int, ...]:
    if isinstance(hidden, str):
        _check_auto("hidden", hidden)
        _check_sizes((features, classes))
        return features, hidden_layer(classes, samples), classes
    _check_sizes((features, *hidden, classes))
    return features, *hidden, classes


def _densities_asked(density: float | Sequence[float] | Auto, layers: Sequence[int]) -> tuple[float, ...]:
    if isinstance(density, str):
        _check_auto("density", density)
        return layer_densities(layers)
    count = len(layers) - 1
    wanted = (density,) * count if isinstance(density, int | float) else tuple(density)
    if len(wanted) != count:
        raise NetworkError(f"density needs one number, or one per junction ({count}), and has {len(wanted)}")
    for value in wanted:
        if not 0 < value <= 1:
            raise NetworkError(f"density must be more than 0 and at most 1 (0.2 is 20 %), and is {value}")
    return wanted


def _check_auto(name: str, word: str) -> None:
    if word != "auto":
        raise NetworkError(f"{name} must be numbers, or 'auto', and is {shortened(word)}")


def _check_sizes(layers: Sequence[int]) -> None:
    names = ["features", *(f"hidden[{i}]" for i in range(len(layers) - 2)), "classes"]
    for what, size in zip(names, layers, strict=True):
        if not 1 <= size <= MAX_NEURONS:
            raise NetworkError(f"{what} must be between 1 and {MAX_NEURONS}, and is {size}")


def _check_lanes_asked(junctions: int, lanes: int | None, cycles: int | None) -> None:
    if lanes is not None and cycles is not None:
        raise NetworkError("lanes and cycles cannot both be asked for: one follows from the other; give one")
    if lanes is not None and lanes < junctions:
        raise NetworkError(f"lanes must be at least one per junction ({junctions}), and is {lanes}")
    if cycles is not None and cycles < 1:
        raise NetworkError(f"cycles must be at least 1, and is {cycles}")


# What is possible


def _share(asked: Sequence[int], wanted: Sequence[float], junction: int) -> float:
    """Part of all wanted edges that one junction has: padding costs most where the edges are."""
    edges = [p * n * d for p, n, d in zip(asked, asked[1:], wanted, strict=False)]
    return edges[junction] / sum(edges)


def _sizes(asked: int) -> list[int]:
    """Layer sizes worth trying: the next multiples of 1, 2, 4, ... that at most double the layer (or reach 16)."""
    limit = min(max(2 * asked, 16), MAX_NEURONS)
    multiples = (1 << k for k in range(limit.bit_length()))
    return sorted({size for m in multiples if (size := -(-asked // m) * m) <= limit})


def _degrees(left: int, right: int, wanted: float) -> Iterator[tuple[int, int]]:
    """(out_degree, in_degree) near the wanted density: the nearest, and the nearest with useful divisors."""
    possible = densities(left, right)
    nearest = round(wanted * len(possible))
    unit = [1 << k for k in range(len(possible).bit_length())]
    steps = {u * max(1, nearest // u + up) for u in unit for up in (0, 1)}
    return (possible[k - 1] for k in sorted(steps) if k <= len(possible))


def _junction_choices(asked: Sequence[int], junction: int, wanted: float, share: float) -> Iterator[_Choice]:
    """Every junction that is valid by itself. Prices are logarithms of ratios, so that they add up."""
    for left in _sizes(asked[junction]):
        lane_numbers = [z for z in divisors(left) if left // z <= MAX_ROWS]
        for right in _sizes(asked[junction + 1]):
            padding = share * math.log2(left * right / (asked[junction] * asked[junction + 1]))
            for out_degree, in_degree in _degrees(left, right, wanted):
                deviation = abs(math.log2(out_degree / right / wanted))
                for lanes in lane_numbers:
                    if lanes_fit(left, in_degree, lanes):
                        cycles, group = left * out_degree // lanes, max(1, lanes // in_degree)
                        yield _Choice(
                            left, right, out_degree, in_degree, lanes, padding, deviation, share, cycles, group
                        )


# What is best


def _balanced(options: list[list[_Choice]], lanes: int | None, cycles: int | None) -> list[_Choice] | None:
    """The cheapest network in which every junction takes equally many cycles."""
    by_cycles: list[dict[int, list[_Priced]]] = []
    for choices in options:
        table: dict[int, list[_Priced]] = defaultdict(list)
        for choice in choices:
            table[choice.cycles].append((choice.cost, choice))
        by_cycles.append(table)
    common = set(by_cycles[0]).intersection(*by_cycles[1:])
    return _cheapest(((c, [table[c] for table in by_cycles]) for c in common), lanes, cycles)


def _unbalanced(options: list[list[_Choice]], lanes: int | None, cycles: int | None) -> list[_Choice] | None:
    """A good network whose junctions take at most a common number of cycles; faster ones idle."""
    alike = [_alike(choices) for choices in options]
    if cycles is not None:
        found = _within(alike, cycles, lanes)
        return found[1] if found else None
    longest = max(choice.cycles for choices in options for choice in choices)
    best: tuple[float, list[_Choice]] | None = None
    before = 0
    for eighth in range(8 * longest.bit_length() + 1):  # periods in steps of 2^(1/8), the fastest first
        period = 2 ** (eighth / 8)
        found = _within(alike, round(period), lanes) if round(period) > before else None
        before = round(period)
        if found and lanes is not None and sum(c.lanes for c in found[1]) <= lanes:
            cost = found[0] + math.log2(period)
            if best is None or cost < best[0]:
                best = cost, found[1]
        if best and math.log2(period) > best[0]:  # later ones are slower than that by themselves
            break
    return best[1] if best else None


def _alike(choices: list[_Choice]) -> _Alike:
    same: dict[tuple[int, int, int], list[_Choice]] = defaultdict(list)
    for c in choices:
        same[c.left, c.right, c.out_degree].append(c)
    return list(same.values())


def _within(alike: list[_Alike], period: int, lanes: int | None = None) -> tuple[float, list[_Choice]] | None:
    """The cheapest network with at most `period` cycles in every junction, and its cost; cycles that a junction idles
    cost. None, too, where it would surely take more than so many lanes."""
    fitting: list[list[_Choice]] = []
    for choices in alike:
        found: list[_Choice] = []
        for same in choices:
            first = bisect_left(same, True, key=lambda c: c.cycles <= period)
            if first < len(same):  # more than twice the lanes that are needed would only idle
                found += same[first : bisect_right(same, 2 * same[first].lanes, key=lambda c: c.lanes)]
        fitting.append(found)
    if not all(fitting) or (lanes is not None and sum(min(c.lanes for c in found) for found in fitting) > lanes):
        return None
    return _chain([[(c.idling(period), c) for c in found] for found in fitting])


def _cheapest(
    periods: Iterable[tuple[int, list[list[_Priced]]]], lanes: int | None, cycles: int | None
) -> list[_Choice] | None:
    best: tuple[float, list[_Choice]] | None = None
    for period, options in periods:
        if cycles is not None and period > cycles:
            continue
        found = _chain(options)
        if found is None or (lanes is not None and sum(c.lanes for c in found[1]) > lanes):
            continue
        cost, chain = found
        # With a limit on lanes faster is better; with a limit on cycles fewer lanes are.
        cost += math.log2(period) if cycles is None else math.log2(cycles / period)
        if best is None or cost < best[0]:
            best = cost, chain
    return best[1] if best else None


def _chain(options: list[list[_Priced]]) -> tuple[float, list[_Choice]] | None:
    """The cheapest chain of junctions: equal sizes where they meet, and g_i dividing z_{i+1} (shortest path)."""
    # Reached so far: (size of the last layer, right neurons it finishes at once) -> (cost, junctions).
    ends: dict[tuple[int, int], tuple[float, list[_Choice]]] = {}
    for price, choice in options[0]:
        _keep(ends, choice, price, [])
    for choices in options[1:]:
        longer: dict[tuple[int, int], tuple[float, list[_Choice]]] = {}
        by_left: dict[int, list[_Priced]] = defaultdict(list)
        for price, choice in choices:
            by_left[choice.left].append((price, choice))
        for (size, group), (cost, chain) in ends.items():
            for price, choice in by_left[size]:
                if choice.lanes % group == 0:
                    _keep(longer, choice, cost + price, chain)
        ends = longer
    return min(ends.values(), key=lambda end: end[0], default=None)


def _keep(
    ends: dict[tuple[int, int], tuple[float, list[_Choice]]], choice: _Choice, cost: float, before: list[_Choice]
) -> None:
    key = choice.right, choice.group
    if key not in ends or cost < ends[key][0]:
        ends[key] = cost, [*before, choice]


# Why


def _hidden_reasons(asked: Sequence[int], hidden: Sequence[int] | Auto, samples: int | None) -> Iterator[str]:
    if isinstance(hidden, str):
        told = f"{samples:,} samples" if samples else "as many samples as there may be"
        yield f"One hidden layer of {asked[1]} neurons suits {told} of {_counted(asked[-1], 'class', 'classes')}."


def _size_reasons(asked: Sequence[int], network: Network) -> Iterator[str]:
    names = ["features", *["hidden neurons"] * (len(asked) - 2), "classes"]
    for i, (what, least, size) in enumerate(zip(names, asked, network.layers, strict=True)):
        if size == least:
            yield f"Layer {i}: {size} neurons, exactly the {least} {what} asked for."
            continue
        neighbor = network.layers[i - 1] if i else network.layers[1]
        before, after = math.gcd(least, neighbor), math.gcd(size, neighbor)
        yield f"Layer {i}: {size} neurons for {least} {what} (padding: {size - least}): " + (
            f"beside a layer of {neighbor}, {least} neurons can have {_counted(before, 'density', 'densities')}, "
            f"and {size} can have {after}."
            if after > before
            else "its divisors give the junctions beside it degrees and lanes that suit one another."
        )


def _density_reasons(asked: Sequence[int], density: float | Sequence[float] | Auto) -> Iterator[str]:
    if isinstance(density, str):
        yield (
            f"Junctions are as dense as {HIDDEN_EDGES:,} edges allow, the last one {OUTPUT_EDGES:,}."
            if len(asked) > 2
            else "Without a hidden layer every class must see every feature."
        )


def _degree_reasons(network: Network, wanted: Sequence[float]) -> Iterator[str]:
    for j, target in zip(network.junctions, wanted, strict=True):
        nearest = min(densities(j.left, j.right), key=lambda d: abs(d[0] / j.right - target))[0]
        note = (
            "the nearest possible"
            if j.out_degree == nearest
            else f"the nearest that suits the lanes; out-degree {nearest} would be nearer"
        )
        yield (
            f"Junction {j.index}: out-degree {j.out_degree}, in-degree {j.in_degree}, density {j.density:.1%} "
            f"({target:.1%} asked for, {note})."
        )
    seen = math.prod(j.in_degree for j in network.junctions)
    if seen < network.features:
        yield (
            f"Every class sees at most {seen} of the {network.features} features: a hidden layer or more density would "
            "let it see more."
        )


def _cycle_reasons(network: Network, lanes: int | None, cycles: int | None) -> Iterator[str]:
    period = max(j.cycles for j in network.junctions)
    for j in network.junctions:
        idle = "" if j.cycles == period else f"; it idles {period - j.cycles} cycles per sample"
        yield (
            f"Junction {j.index}: {_counted(j.lanes, 'lane')} for its {_counted(j.edges, 'edge')}: "
            f"{_counted(j.cycles, 'cycle')}{idle}."
        )
    total = sum(network.lanes)
    goal = f"at most {cycles} cycles were asked for" if cycles is not None else f"at most {lanes} lanes were allowed"
    if all(j.cycles == period for j in network.junctions):
        yield (
            f"Every junction takes {_counted(period, 'cycle')} per sample, so no lane idles; "
            f"{_counted(total, 'lane')} in all ({goal})."
        )
    else:
        yield (
            f"No choice of lanes makes all junctions take equally long: a sample takes {_counted(period, 'cycle')}, "
            f"on {_counted(total, 'lane')} in all ({goal})."
        )


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def _why_not(options: list[list[_Choice]], lanes: int | None, cycles: int | None) -> str:
    if cycles is not None:
        # More cycles allow all that fewer allow, so bisection finds the fewest.
        periods = sorted({choice.cycles for choices in options for choice in choices})
        alike = [_alike(choices) for choices in options]
        fewest = bisect_left(periods, True, key=lambda period: _within(alike, period) is not None)
        return (
            f"cycles: no valid lanes reach {_counted(cycles, 'cycle')} per sample; the fewest possible here are "
            f"{periods[fewest]}; ask for more cycles or less density"
        )
    return f"lanes: no valid network of these sizes has at most {lanes} lanes; ask for more lanes or smaller layers"
