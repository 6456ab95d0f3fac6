"""The network description: what is trained and run, with every rule that makes it valid.

Nothing here depends on a board: lanes in a description say for how many lanes its patterns are
clash-free; a build may use any divisor of them (`presparse.contract.build`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from presparse.contract.description import LARGEST_FILE, Description, toml_table
from presparse.contract.errors import NetworkError
from presparse.contract.formats import Formats, signed_width
from presparse.contract.images import Image, Layout, Size, checked_layout, clash_free, dilations, nearest_sizes, written
from presparse.support import atomic_files, input_files

_FOLDER = Path(__file__).parent.parent / "networks"
SHIPPED = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""Names of the networks that come with Presparse."""

MAX_ROWS = 8192
"""Rows per bank: a row takes 13 bits of an edge word (`presparse.contract.address_map`)."""

MAX_EDGES = 1 << 24
"""Words of a junction's edge region."""
MAX_SIGMOID_FRAC = 12
"""A sigmoid table has four entries per output LSB: 2^(frac + 2) in all."""
MAX_SUM_WIDTH = 62
"""Bits of the widest exact sum; half an LSB is added to it before it is rounded."""

Activation = Literal["relu", "sigmoid", "identity"]


class RateRange(Description):
    """Learning rates 2^-k that a network may be trained with: k from `least` to `most`.

    UP scales delta by 2^(most-k) before it multiplies, so `most - least` bits are added to the
    multiplier's delta operand, which must fit 18 bits.
    """

    least: int = Field(default=2, ge=0, le=15, description="smallest k: the largest rate is 2^-least")
    most: int = Field(default=8, ge=0, le=15, description="largest k: the smallest rate is 2^-most")

    @model_validator(mode="after")
    def _ordered(self) -> RateRange:
        if self.least > self.most:
            raise ValueError(f"least must not exceed most, and {self.least} > {self.most}")
        return self

    @property
    def span(self) -> int:
        return self.most - self.least


@dataclass(frozen=True, kw_only=True)
class Junction:
    """The edges between two layers, processed by `lanes` edge processors.

    Edges are numbered by right neuron: edge e belongs to right neuron e // in_degree and is processed
    in cycle e // lanes, in lane e % lanes. Left neuron n sits in bank n % lanes, row n // lanes.
    """

    index: int
    """1 .. L."""
    left: int
    """Left neurons."""
    right: int
    """Right neurons."""
    out_degree: int
    """Edges of every left neuron."""
    lanes: int
    """Edges processed per cycle (z)."""
    activation: Activation
    """Activation of the right layer."""
    is_output: bool
    """The right layer is the network's output."""

    @property
    def edges(self) -> int:
        return self.left * self.out_degree

    @property
    def in_degree(self) -> int:
        return self.edges // self.right

    @property
    def density(self) -> float:
        return self.out_degree / self.right

    @property
    def cycles(self) -> int:
        """Junction cycle C = W / z."""
        return self.edges // self.lanes

    @property
    def rows(self) -> int:
        """Rows per bank D = p / z."""
        return self.left // self.lanes

    @property
    def group(self) -> int:
        """Right neurons finished at once, g = max(1, z / in_degree)."""
        return max(1, self.lanes // self.in_degree)

    @property
    def steps(self) -> int:
        """Groups of right neurons per block."""
        return self.right // self.group

    @property
    def cycles_per_step(self) -> int:
        """Cycles spent on one group of right neurons, q = max(1, in_degree / z)."""
        return max(1, self.in_degree // self.lanes)


def densities(left: int, right: int) -> list[tuple[int, int]]:
    """Every (out_degree, in_degree) two layers can have, sparsest first: gcd(left, right) of them."""
    g = math.gcd(left, right)
    return [(right // g * k, left // g * k) for k in range(1, g + 1)]


class Network(Description):
    """A pre-defined sparse network: layer sizes, degrees, activations, formats.

        Network(features=64, classes=10, layers=(64, 128, 16), out_degree=(16, 8), lanes=(16, 16),
                activations=("relu", "sigmoid"))

    `features` and `classes` are the user's; `layers[0]` and `layers[-1]` may be larger (padding with
    zero features and unused outputs), because sizes must be divisible by lanes. `out_degree`, `lanes` and
    `activations` have one entry per junction, that is, between two layers. `presparse new` chooses them all.

    Raises NetworkError, naming the key, its value and how to mend it.
    """

    name: str = Field(default="network", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)
    features: int = Field(ge=1, description="numbers per sample, as the user has them")
    classes: int = Field(ge=1, description="classes, as the user has them")
    layers: tuple[int, ...] = Field(min_length=2, max_length=128, description="neurons per layer, padding included")
    out_degree: tuple[int, ...] = Field(description="edges of every left neuron, one number per junction")
    lanes: tuple[int, ...] = Field(description="lanes for which patterns are clash-free, per junction")
    activations: tuple[Activation, ...] = Field(description="activation of each junction's right layer")
    formats: Formats = Formats()
    rates: RateRange = RateRange()
    image: tuple[Image, ...] = Field(
        default=(), description="layers that are images, from the first on, of which right neurons see windows"
    )

    @model_validator(mode="after")
    def _valid(self) -> Network:
        count = len(self.layers) - 1
        for key in ("out_degree", "lanes", "activations"):
            if len(getattr(self, key)) != count:
                raise ValueError(
                    f"{key} needs one entry per junction: {count} for {len(self.layers)} layers, "
                    f"and has {len(getattr(self, key))}"
                )
        for size in self.layers:
            if not 1 <= size <= 65536:
                raise ValueError(f"layers: every layer needs 1 to 65536 neurons, and one has {size}")
        if self.features > self.layers[0]:
            raise ValueError(f"layers[0] must hold all {self.features} features, and has {self.layers[0]} neurons")
        if self.classes > self.layers[-1]:
            raise ValueError(f"layers[-1] must hold all {self.classes} classes, and has {self.layers[-1]} neurons")
        if self.activations[-1] == "relu":
            raise ValueError("activations[-1]: the output is 'sigmoid' (cross-entropy) or 'identity' (squared error)")
        if self.formats.delta.width + self.rates.span > 18:
            raise ValueError(
                f"rates.most - rates.least must be at most {18 - self.formats.delta.width} with "
                f"{self.formats.delta.width}-bit deltas (the multiplier takes 18 bits), and is {self.rates.span}"
            )
        for i in range(count):
            check_degrees(i + 1, self.layers[i], self.layers[i + 1], self.out_degree[i])
        check_lanes(self, self.lanes)
        for j in self.junctions:
            self._check_widths(j)
        self._check_images()
        return self

    def _check_images(self) -> None:
        of, count = [image.junction for image in self.image], len(self.out_degree)
        if of != list(range(1, len(of) + 1)) or len(of) > count:
            raise ValueError(
                f"image: the images are those of junctions 1, 2, ... in this order, without a gap, and these are of "
                f"junctions {', '.join(map(str, of))}; the network has {count}"
            )
        for image, j in zip(self.image, self.junctions, strict=False):
            pixels, neurons = math.prod(image.size), self.features if j.index == 1 else j.left
            if pixels != neurons:
                raise ValueError(
                    f"image of junction {j.index}: a shape of {written(image.shape)} has {pixels} pixels, and there "
                    f"are {neurons} {'features' if j.index == 1 else 'left neurons'}; the nearest valid shape is "
                    f"{written(nearest_sizes(neurons, image.size)[0])}"
                )
            if j.index > 1 and any(image.margin):
                raise ValueError(
                    f"image of junction {j.index}: only features have a margin, and this one has "
                    f"{written(image.margin)}; leave it out"
                )
            self._layout(image, j)

    @staticmethod
    def _layout(image: Image, j: Junction) -> Layout:
        """Raises ValueError with the nearest valid numbers if its windows are not clash-free."""
        try:
            return checked_layout(
                image.seen,
                image.window_size,
                left=j.left,
                lanes=j.lanes,
                in_degree=j.in_degree,
                dilation=image.dilation,
            )
        except ValueError as error:
            raise ValueError(f"image of junction {j.index}: {error}") from None

    def _check_widths(self, junction: Junction) -> None:
        """Tables and exact sums must stay of a size that gateware and 64-bit references can hold."""
        right = self.formats.right(junction)
        if junction.activation == "sigmoid" and right.frac > MAX_SIGMOID_FRAC:
            raise ValueError(
                f"junction {junction.index}: a sigmoid's table takes at most {MAX_SIGMOID_FRAC} fraction bits, and its "
                f"{'output' if junction.is_output else 'activation'} format has {right.frac}"
            )
        widths = {"FF sum": self.sum_width(junction) + max(0, right.frac - self.sum_frac)}
        if junction.index > 1:  # the derivative is at most as wide as the activation
            widths["BP sum times derivative"] = self.delta_sum_width(junction) + self.formats.activation.width
        for name, width in widths.items():
            if width > MAX_SUM_WIDTH:
                raise ValueError(
                    f"junction {junction.index}: an exact {name} of these formats needs {width} bits, more than "
                    f"{MAX_SUM_WIDTH}; use narrower formats or fewer fraction bits"
                )

    @cached_property
    def junctions(self) -> tuple[Junction, ...]:
        return self.junctions_with(self.lanes)

    def junctions_with(self, lanes: tuple[int, ...]) -> tuple[Junction, ...]:
        """The junctions as a build with these lanes processes them."""
        count = len(self.layers) - 1
        return tuple(
            Junction(
                index=i + 1,
                left=self.layers[i],
                right=self.layers[i + 1],
                out_degree=self.out_degree[i],
                lanes=lanes[i],
                activation=self.activations[i],
                is_output=i == count - 1,
            )
            for i in range(count)
        )

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """Of every image: which left neurons the pixels are that windows see."""
        return tuple(self._layout(image, j) for image, j in zip(self.image, self.junctions, strict=False))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(features,): the input neuron of every feature, for patterns of windows.

        Where the layout of the image has it; the pixels of its margin in the first neurons that are left. Without an
        image the features are the first neurons, in order.
        """
        if not self.image:
            return np.arange(self.features)
        image, layout = self.image[0], self.layouts[0]
        rows, columns = image.margin
        seen = np.zeros(image.size, dtype=np.bool_)
        seen[rows : image.size[0] - rows, columns : image.size[1] - columns] = True
        places = np.empty(self.features, dtype=np.int64)
        places[seen.reshape(-1)] = layout.all_neurons()
        others = np.setdiff1d(np.arange(self.layers[0]), layout.all_neurons())
        places[~seen.reshape(-1)] = others[: np.count_nonzero(~seen)]
        places.setflags(write=False)
        return places

    @property
    def edges(self) -> int:
        return sum(j.edges for j in self.junctions)

    @property
    def density(self) -> float:
        """Edges over those of the fully connected network."""
        return self.edges / sum(j.left * j.right for j in self.junctions)

    def seeing(self, size: Size) -> Network:
        """The same for features that are an image of this size: right neurons of junction 1 see windows of all its
        channels, as square as can be; dilated, where that takes all lanes. Where no window would be clash-free, without
        images."""
        first = self.junctions[0]
        side = max(1, round(math.sqrt(first.in_degree / size[2])))
        windows = [
            {"window": window, "dilation": dilation}
            for window in nearest_sizes(first.in_degree, (side, side, size[2]))
            for dilation in dilations(window, first.lanes)
            if clash_free(size, window, left=first.left, lanes=first.lanes, dilation=dilation)
        ]
        images = [{"junction": 1, "shape": size, **windows[0]}, *self.image[1:]] if windows else []
        return Network.model_validate({**self.model_dump(exclude={"image"}), "image": images})

    @cached_property
    def hash(self) -> str:
        """Identifies what a model of this network means. Lanes, name and images do not change it: a model holds its
        own pattern, and where its features go."""
        shape = self.model_dump(mode="json", exclude={"name", "lanes", "image"})
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()

    @model_serializer(mode="wrap")
    def _without_empty_images(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Files of networks without images, and their hashes, are what they were before there were images."""
        written = fields(self)
        if not self.image:
            written.pop("image", None)
        return written

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.layers))
        return f"Network({self.name}: {sizes}, {self.edges:,} edges, {self.density:.1%} dense)"

    def _repr_html_(self) -> str:
        """For notebooks: a row per junction."""
        rows = "".join(
            f"<tr><td>{j.index}</td><td>{j.left}</td><td>{j.right}</td><td>{j.activation}</td><td>{j.out_degree}</td>"
            f"<td>{j.in_degree}</td><td>{j.edges:,}</td><td>{j.density:.1%}</td><td>{j.lanes}</td></tr>"
            for j in self.junctions
        )
        names = ("junction", "left", "right", "activation", "out-degree", "in-degree", "edges", "density", "lanes")
        heads = "".join(f"<th>{name}</th>" for name in names)
        return (
            f"<p><b>{self.name}</b>: {self.features} features, {self.classes} classes, {self.edges:,} edges, "
            f"{self.density:.1%} dense</p><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def to_toml(self) -> str:
        """The TOML that `load` reads: everything, defaults included."""
        import tomlkit  # only those who write one wait for it

        return tomlkit.dumps(self.model_dump(mode="json"))

    def save(self, path: str | Path) -> None:
        """Write the TOML that `load` reads. An existing file stays whole until the new one has replaced it.

        Raises OutputError.
        """
        atomic_files.write(path, self.to_toml())

    @classmethod
    def load(cls, source: str | Path) -> Network:
        """Read a TOML file, or a network that ships with Presparse by its name.

        Raises `NetworkError`, naming the key and how to mend it.
        """
        shipped = str(source) in SHIPPED and not Path(source).exists()
        path = _FOLDER / f"{source}.toml" if shipped else source
        try:
            text = input_files.read(path, LARGEST_FILE).decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise NetworkError(
                f"{source}: not a readable network file ({reason}). "
                f"Networks that ship with Presparse: {', '.join(SHIPPED)}"
            ) from error
        return cls.from_toml(
            text, name=re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(path).stem).lstrip("-._"), where=str(source)
        )

    @classmethod
    def given(cls, network: Network | str | Path) -> Network:
        """A network as such, or by the name or path that `load` takes. Raises NetworkError for anything else."""
        return network if isinstance(network, Network) else cls.load(network)

    @classmethod
    def from_toml(cls, text: str, *, name: str = "network", where: str = "network") -> Network:
        """Parse a description. Raises `NetworkError`, naming the key and how to mend it."""
        return cls.from_table({"name": name or "network", **toml_table(text, "a network", where, NetworkError)}, where)

    def sum_width(self, junction: Junction) -> int:
        """Bits of the exact FF sum of a right neuron, bias included (format: `sum_frac`)."""
        f = self.formats
        worst = junction.in_degree * f.activation.min * f.operand.min << (self.sum_frac - self.product_frac)
        bias = -f.weight.min << (self.sum_frac - f.weight.frac)
        return signed_width(-(worst + bias), worst + bias)

    @property
    def product_frac(self) -> int:
        """Fraction bits of an FF product, weight operand times activation."""
        return self.formats.activation.frac + self.formats.operand.frac

    @property
    def sum_frac(self) -> int:
        """Fraction bits of the FF sum: a bias must join it exactly."""
        return max(self.product_frac, self.formats.weight.frac)

    def delta_sum_width(self, junction: Junction) -> int:
        """Bits of the exact BP sum of one left neuron of `junction`.

        A learned pattern may give one left neuron every edge of its bank, at most one per right neuron.
        """
        f = self.formats
        worst = min(junction.right, junction.cycles) * f.operand.min * f.delta.min
        return signed_width(-worst, worst)

    @property
    def delta_sum_frac(self) -> int:
        """Fraction bits of a BP sum."""
        return self.formats.operand.frac + self.formats.delta.frac


def check_degrees(index: int, left: int, right: int, out_degree: int) -> None:
    """Raise ValueError unless every right neuron of a junction can have equally many edges."""
    if 1 <= out_degree <= right and left * out_degree % right == 0:
        return
    possible = [d for d, _ in densities(left, right)]
    nearest = min(possible, key=lambda d: (abs(d - out_degree), d))
    raise ValueError(
        f"junction {index}: out_degree must be between 1 and {right} with left * out_degree divisible by right, "
        f"and {left} * {out_degree} is not a valid choice for {right}; the nearest valid out_degree is {nearest}"
    )


def check_lanes(network: Network, lanes: tuple[int, ...]) -> None:
    """Raise ValueError unless `lanes` are valid for the network (docs/architecture.md)."""
    junctions = network.junctions_with(lanes)
    for j in junctions:
        _check_junction_lanes(j)
    for j, following in itertools.pairwise(junctions):
        if following.lanes % j.group:
            valid = [z for z in valid_lanes(following) if z % j.group == 0]
            there = f"use {_nearest(valid, following.lanes)} lanes there, or " if valid else "use "
            raise ValueError(
                f"junction {j.index}: the {j.group} right neurons finished per cycle must divide the {following.lanes} "
                f"lanes of junction {following.index}; {there}at most {j.in_degree} lanes in junction {j.index}"
            )


def _check_junction_lanes(j: Junction) -> None:
    if j.lanes < 1 or not lanes_fit(j.left, j.in_degree, j.lanes):
        if j.lanes < 1 or j.left % j.lanes:
            reason = f"lanes must divide the left layer, and {j.lanes} does not divide {j.left}"
        else:
            reason = (
                f"lanes must divide in_degree or be a multiple of it, and {j.lanes} is neither for in_degree "
                f"{j.in_degree}"
            )
        nearest = _nearest(valid_lanes(j), j.lanes)
        raise ValueError(f"junction {j.index}: {reason}; the nearest valid number is {nearest}")
    if j.rows > MAX_ROWS:
        raise ValueError(
            f"junction {j.index}: a bank holds at most {MAX_ROWS} rows, and {j.left} left neurons "
            f"on {j.lanes} lanes need {j.rows}; use more lanes"
        )
    if j.cycles << (j.lanes - 1).bit_length() > MAX_EDGES:
        raise ValueError(
            f"junction {j.index}: a junction holds at most {MAX_EDGES} edges (rows of lanes padded to a power of "
            f"two), and this one has {j.edges}; use a smaller out_degree or layer"
        )


def valid_lanes(j: Junction) -> list[int]:
    """Every number of lanes that this junction alone can have."""
    return [z for z in range(1, j.left + 1) if lanes_fit(j.left, j.in_degree, z)]


def _nearest(valid: list[int], wanted: int) -> int:
    return min(valid, key=lambda z: (abs(z - wanted), z))


def lanes_fit(left: int, in_degree: int, lanes: int) -> bool:
    """The lane rules that concern one junction alone."""
    return left % lanes == 0 and (in_degree % lanes == 0 or lanes % in_degree == 0)
