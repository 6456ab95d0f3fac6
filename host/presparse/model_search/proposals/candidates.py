"""Networks that a search tries, one after the other: valid by construction, and of every size that the space allows.

How they are spread matters as much as who proposes them. The wanted edges of proposals number 0, 1, 2, ... are the
multiples of the golden ratio on a logarithmic scale: however many there are, and of any that follow one another, they
are even between the fewest and the most, and so are speeds. All else is drawn at random.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from presparse.contract.description import shortened
from presparse.contract.images import Image, Size, sized
from presparse.contract.network import MAX_ROWS, SHIPPED, Activation, Network, lanes_fit
from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.wire import value_bytes
from presparse.errors import SearchError
from presparse.model_search.proposals.chance import pick
from presparse.model_search.proposals.space import Numbers, SearchSpace
from presparse.model_search.proposals.windows import Windows, on_features, on_windows
from presparse.sizing.lanes import Lanes, divisors, fastest_lanes

USUAL_RATE = 5
"""k of the first rate 2^-k of networks that ship with Presparse, or the nearest to it that they have."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_DEPTHS = (1, 4, 3, 2)
"""How often networks have 0, 1, 2, 3 hidden layers, beside each other; more: as often as 3. There are few without."""
_NEAR = math.log2(1.25)
"""A network with so few more edges than wanted, or fewer, is near enough: log2."""
_NEAR_DENSITY = 1.25
"""Densities so many times the wanted one, or a part of it, are near enough to choose from, ..."""
_DENSITIES = 16
"""... and so many are looked at."""
_SHAPES = 24
"""That are drawn for one network, with windows or without: the first that is near enough is taken, else the nearest."""
_NEW = 8
"""Networks that are drawn until one is new; then new rates of old ones count, too."""
_LAST = 64
"""Networks that are drawn until the space is taken to hold no more."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network to be tried."""

    number: int
    """0, 1, ... in its search."""
    network: Network
    rate: int
    """k of its first learning rate, 2^-k."""


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """A network's layers and edges."""

    layers: tuple[int, ...]
    out_degree: tuple[int, ...]
    images: tuple[Image, ...]
    allowed: tuple[Sequence[int], ...]
    """Lanes that each junction can have by itself, ascending."""

    @property
    def edges(self) -> list[int]:
        return [left * out for left, out in zip(self.layers[:-1], self.out_degree, strict=True)]

    @property
    def in_degrees(self) -> list[int]:
        return [edges // right for edges, right in zip(self.edges, self.layers[1:], strict=True)]


class Proposals:
    """The candidates of a search; `proposals[number]` is one. They depend on what is given here alone.

    No candidate is the same as another, and no network, as long as the space has others: then it comes with another
    rate. Networks that ship with Presparse for such features and classes come first.

    Parameters
    ----------
    features, classes : of the data
    image : rows and columns, perhaps channels, if the features are an image, row by row; else None

    Raises SearchError if the space has no networks for such data, or, when one is asked for, no more.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        *,
        features: int,
        classes: int,
        image: Sequence[int] | None = None,
    ) -> None:
        for name, given in (("features", features), ("classes", classes)):
            if not 1 <= given <= 65536:
                raise SearchError(f"{name} must be from 1 to 65536, and is {given}")
        if image is not None and (len(image) not in (2, 3) or math.prod(image) != features or min(image) < 1):
            raise SearchError(
                f"image must be rows and columns, perhaps channels, that make the {features} features, and is "
                f"{shortened(list(image))}"
            )
        self._space, self._seed = space, seed
        self._features, self._classes = features, classes
        self._image: Size | None = None if image is None else sized(tuple(image))
        self._inputs = _padded(features, 65536)
        self._outputs = [_padded(classes, MAX_PAYLOAD // value_bytes(n.formats.output)) for n in space.numbers]
        if not any(self._outputs):
            raise SearchError(f"a board tells at most {MAX_PAYLOAD} classes apart, and the data has {classes}")
        self._edges = space.edge_range(features, classes)
        self._shift = np.random.default_rng(seed).random()
        self._found = [Candidate(number=k, network=n, rate=r) for k, (n, r) in enumerate(self._shipped())]
        self._known = {_identity(each.network) for each in self._found}
        self._tried = {(_identity(each.network), each.rate) for each in self._found}
        self._first = len(self._found)

    def __getitem__(self, number: int) -> Candidate:
        """Candidate 0, 1, ...; those before it are drawn, too, once."""
        if number < 0:
            raise SearchError(f"candidates have numbers from 0 on, and not {number}")
        while len(self._found) <= number:
            self._found.append(self._next(len(self._found)))
        return self._found[number]

    def wanted_edges(self, number: int) -> float:
        """About how many edges a candidate that is drawn shall have."""
        low, high = self._edges
        return low * (high / low) ** ((self._shift + (number - self._first) * _GOLDEN) % 1)

    def _shipped(self) -> Iterator[tuple[Network, int]]:
        for name in SHIPPED if self._space.shipped else ():
            network = Network.load(name)
            suits = (network.features, network.classes) == (self._features, self._classes)
            if suits and (not network.image or network.image[0].size == self._image):
                yield network, min(max(USUAL_RATE, network.rates.least), network.rates.most)

    def _next(self, number: int) -> Candidate:
        rng, wanted = np.random.default_rng((self._seed, number)), self.wanted_edges(number)
        for count in range(_LAST):
            which = pick(rng, [n for n, outputs in enumerate(self._outputs) if outputs])
            numbers = self._space.numbers[which]
            rate = pick(rng, self._space.exponents(numbers))
            activation: Activation = pick(rng, self._space.activations)
            found = self._drawn(rng, wanted, self._outputs[which])
            if found is None:
                continue
            network = self._network(*found, numbers, activation, f"candidate-{number}")
            identity = _identity(network)
            if (identity, rate) not in self._tried and (identity not in self._known or count >= _NEW):
                self._known.add(identity)
                self._tried.add((identity, rate))
                return Candidate(number=number, network=network, rate=rate)
        raise SearchError(
            f"the space holds no more than {number} candidates for {self._features} features and {self._classes} "
            "classes, as far as could be found; try fewer, or widen hidden_layers, hidden_neurons, edges or lanes"
        )

    def _network(self, shape: _Shape, lanes: Lanes, numbers: Numbers, activation: Activation, name: str) -> Network:
        return Network(
            name=name,
            features=self._features,
            classes=self._classes,
            layers=shape.layers,
            out_degree=shape.out_degree,
            lanes=lanes,
            activations=(activation,) * (len(lanes) - 1) + ("sigmoid",),
            formats=numbers.formats,
            rates=numbers.rates,
            image=shape.images,
        )

    def _drawn(self, rng: np.random.Generator, wanted: float, outputs: Sequence[int]) -> tuple[_Shape, Lanes] | None:
        """A shape with about as many edges as wanted, and lanes; if none has windows, one without."""
        windows = self._image is not None and self._space.windows and rng.random() < 0.5
        drawn: list[tuple[float, _Shape]] = []
        for way in (True, False) if windows else (False,):
            for _ in range(_SHAPES):
                shape = self._shape(rng, wanted, outputs, way)
                if shape is None:
                    continue
                drawn.append((abs(math.log2(sum(shape.edges) / wanted)), shape))
                if drawn[-1][0] <= _NEAR and _all_seen(shape) and (lanes := self._lanes(shape)):
                    return shape, lanes
        for _, shape in sorted(drawn, key=lambda each: (not _all_seen(each[1]), each[0])):
            if lanes := self._lanes(shape):
                return shape, lanes
        return None

    def _lanes(self, shape: _Shape) -> Lanes | None:
        return fastest_lanes(shape.edges, shape.in_degrees, shape.allowed, self._space.lanes)

    def _shape(self, rng: np.random.Generator, wanted: float, outputs: Sequence[int], windows: bool) -> _Shape | None:
        """Layers, then degrees that make about as many edges as wanted; None if what was drawn cannot be."""
        fewest, most = self._space.hidden_layers
        often = [_DEPTHS[min(depth, 3)] for depth in range(fewest, most + 1)]
        depth = fewest + bisect_left(np.cumsum(often), int(rng.integers(1, sum(often) + 1)))
        begun = self._windows(rng, depth) if windows and depth else []
        if windows and (not begun or sum(each.edges for each in begun) > wanted):
            return None
        free = depth - len(begun)
        first = [begun[0].left, *(each.right for each in begun)] if begun else [pick(rng, self._inputs)]
        layers = (*first, *(pick(rng, self._space.sizes) for _ in range(free)), pick(rng, outputs))
        rest = layers[len(begun) :]
        degrees = _degrees(rng, rest, wanted - sum(each.edges for each in begun))
        return _Shape(
            layers=layers,
            out_degree=(*(each.edges // each.left for each in begun), *degrees),
            images=tuple(each.image for each in begun),
            allowed=(
                *(each.lanes for each in begun),
                *(
                    _allowed(left, left * out // right)
                    for (left, right), out in zip(pairwise(rest), degrees, strict=True)
                ),
            ),
        )

    def _windows(self, rng: np.random.Generator, depth: int) -> list[Windows]:
        """One junction of windows, or two."""
        first = on_features(rng, self._image, self._space.sizes) if self._image else None
        if first is None:
            return []
        second = on_windows(rng, self._space.sizes, first.right) if depth > 1 and rng.random() < 0.5 else None
        return [first, second] if second else [first]


def _degrees(rng: np.random.Generator, layers: Sequence[int], wanted: float) -> list[int]:
    """Out-degrees with about as many edges in all as wanted: densities differ at random, and the last junction is
    denser, as the classes need more of its few edges; then each becomes one near by."""
    sizes = [left * right for left, right in pairwise(layers)]
    sparsest = [1 / math.gcd(left, right) for left, right in pairwise(layers)]
    tilt = 2.0 ** rng.uniform(-1, 1, len(sizes))
    tilt[-1] *= 2.0 ** rng.uniform(0, 3)

    def densities(scale: float) -> list[float]:
        return [min(1.0, max(least, scale * own)) for least, own in zip(sparsest, tilt, strict=True)]

    low, high = -24.0, 4.0  # of log2 of the scale
    for _ in range(24):
        middle = (low + high) / 2
        edges = sum(size * density for size, density in zip(sizes, densities(2**middle), strict=True))
        low, high = (middle, high) if edges < wanted else (low, middle)
    return [
        _out_degree(left, right, density)
        for (left, right), density in zip(pairwise(layers), densities(2**high), strict=True)
    ]


def _out_degree(left: int, right: int, density: float) -> int:
    """Of the possible ones near a density the one that allows most numbers of lanes, then the nearest."""
    unit = math.gcd(left, right)
    wanted = min(max(density * unit, 1), unit)
    near = range(math.floor(wanted / _NEAR_DENSITY), math.ceil(wanted * _NEAR_DENSITY) + 1)
    possible = {round(k) for k in np.linspace(max(near[0], 1), min(near[-1], unit), min(len(near), _DENSITIES))}
    best = min(possible, key=lambda k: (-len(_allowed(left, left // unit * k)), abs(math.log2(k / wanted)), k))
    return right // unit * best


def _all_seen(shape: _Shape) -> bool:
    """Every class can see every feature."""
    return math.prod(shape.in_degrees) >= shape.layers[0]


@cache
def _allowed(left: int, in_degree: int) -> list[int]:
    return [z for z in divisors(left) if left // z <= MAX_ROWS and lanes_fit(left, in_degree, z)]


def _padded(asked: int, most: int) -> list[int]:
    """Sizes of a layer that holds so many: multiples of 1, 2, 4, ..., at most a third larger, or up to 16."""
    limit = min(max(4 * asked // 3, 16, 1 << (asked - 1).bit_length()), most)
    multiples = (1 << k for k in range(limit.bit_length()))
    return sorted({size for m in multiples if (size := -(-asked // m) * m) <= limit})


def _identity(network: Network) -> tuple[str, Lanes, tuple[Image, ...]]:
    """All but its name."""
    return network.hash, network.lanes, network.image
