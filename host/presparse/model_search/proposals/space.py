"""The space that a search draws networks from: bounds, formats and rates."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from presparse.contract.description import LARGEST_FILE, Description, toml_table
from presparse.contract.errors import NetworkError, PresparseError
from presparse.contract.formats import Formats
from presparse.contract.network import Network, RateRange
from presparse.errors import SearchError
from presparse.support import atomic_files, input_files

MOST_NEURONS = 8192
"""Of a hidden layer."""

_SMOOTH = sorted({factor << power for factor in (1, 3, 5) for power in range(14)})
"""Sizes with many divisors, so that there are many densities and lanes."""
_NARROW = "mnist-dey-narrow"
"""The network whose formats are the narrow ones."""


class Numbers(Description):
    """Number formats, and the rates of networks that have them."""

    refusal: ClassVar[type[PresparseError]] = SearchError

    formats: Formats = Formats()
    rates: RateRange = RateRange()

    @model_validator(mode="after")
    def _any_network_can_have_them(self) -> Numbers:
        try:  # as wide as sums become
            Network(
                features=1,
                classes=1,
                layers=(65536, 256, MOST_NEURONS),
                out_degree=(256, MOST_NEURONS),
                lanes=(8, 1),
                activations=("sigmoid", "sigmoid"),
                formats=self.formats,
                rates=self.rates,
            )
        except NetworkError as error:
            raise ValueError(f"no network can have these formats and rates ({error})") from None
        return self


def _usual() -> tuple[Numbers, ...]:
    narrow = Network.load(_NARROW)
    return Numbers(), Numbers(formats=narrow.formats, rates=narrow.rates)


class SearchSpace(Description):
    """Bounds of the networks that a search draws; a TOML file has the same keys.

    Raises SearchError, naming the key, its value and how to mend it.
    """

    refusal: ClassVar[type[PresparseError]] = SearchError

    hidden_layers: tuple[int, int] = Field(default=(0, 3), description="fewest and most")
    hidden_neurons: tuple[int, int] = Field(default=(16, 1024), description="fewest and most in a hidden layer")
    edges: tuple[int, int] | Literal["auto"] = Field(
        default="auto", description="about the fewest and the most of a network; 'auto': as the data's size suggests"
    )
    lanes: int = Field(default=256, ge=1, le=65536, description="most in all that patterns are made for")
    activations: tuple[Literal["relu", "sigmoid"], ...] = Field(
        default=("relu", "sigmoid"), description="of hidden layers, the same in all of a network"
    )
    rates: tuple[int, int] = Field(default=(4, 7), description="k of the first learning rate 2^-k, least and most")
    windows: bool = Field(default=True, description="half of the networks see windows where features are an image")
    shipped: bool = Field(default=True, description="networks that ship with Presparse and suit the data come first")
    numbers: tuple[Numbers, ...] = Field(
        default_factory=_usual, description="formats that networks may have, with their rates"
    )

    @model_validator(mode="after")
    def _valid(self) -> SearchSpace:
        for key in ("activations", "numbers"):
            if not getattr(self, key):
                raise ValueError(f"{key} must have one entry at least, and has none; leave it out for the usual ones")
        self._check_range("hidden_layers", self.hidden_layers, 0, 8)
        self._check_range("hidden_neurons", self.hidden_neurons, 1, MOST_NEURONS)
        self._check_range("rates", self.rates, 0, 15)
        if self.edges != "auto":
            self._check_range("edges", self.edges, 1, 1 << 24)
        if not self.sizes and self.hidden_layers[1]:
            below, above = (next(iter(sizes), None) for sizes in (self._sizes_below(), self._sizes_above()))
            nearest = " and ".join(str(size) for size in (below, above) if size)
            raise ValueError(
                f"hidden_neurons must hold a size with many divisors (2^k, 3 x 2^k or 5 x 2^k), and {self._between()} "
                f"is none; the nearest are {nearest}"
            )
        for number, numbers in enumerate(self.numbers, start=1):
            if not self.exponents(numbers):
                least, most = numbers.rates.least, numbers.rates.most
                raise ValueError(
                    f"rates must have one that numbers {number} allow, k from {least} to {most}, and are k from "
                    f"{self.rates[0]} to {self.rates[1]}"
                )
        return self

    @staticmethod
    def _check_range(key: str, given: tuple[int, int], least: int, most: int) -> None:
        if not least <= given[0] <= given[1] <= most:
            raise ValueError(
                f"{key} must be two numbers from {least} to {most}, the smaller one first, and is {list(given)}"
            )

    def _between(self) -> str:
        low, high = self.hidden_neurons
        return str(low) if low == high else f"{low} to {high}"

    def _sizes_below(self) -> list[int]:
        return [size for size in reversed(_SMOOTH) if size < self.hidden_neurons[0]]

    def _sizes_above(self) -> list[int]:
        return [size for size in _SMOOTH if self.hidden_neurons[1] < size <= MOST_NEURONS]

    @property
    def sizes(self) -> list[int]:
        """That hidden layers may have, ascending."""
        return [size for size in _SMOOTH if self.hidden_neurons[0] <= size <= self.hidden_neurons[1]]

    def exponents(self, numbers: Numbers) -> range:
        """k of the first rates 2^-k that networks with these numbers may have."""
        return range(max(self.rates[0], numbers.rates.least), min(self.rates[1], numbers.rates.most) + 1)

    def edge_range(self, features: int, classes: int) -> tuple[int, int]:
        """About the fewest and the most edges of a network for such data."""
        if self.edges != "auto":
            return self.edges
        neurons = features + classes
        return 4 * neurons, max(64 * neurons, 8192)

    def to_toml(self) -> str:
        """The TOML that `load` reads: everything, defaults included."""
        import tomlkit  # only those who write one wait for it

        return tomlkit.dumps(self.model_dump(mode="json"))

    def save(self, path: str | Path) -> None:
        """Write the TOML that `load` reads. Raises OutputError."""
        atomic_files.write(path, self.to_toml())

    @classmethod
    def load(cls, path: str | Path) -> SearchSpace:
        """Read a TOML file. Raises SearchError, naming the key and how to mend it."""
        try:
            text = input_files.read(path, LARGEST_FILE).decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise SearchError(f"{path}: not a readable search space ({reason})") from error
        return cls.from_toml(text, where=str(path))

    @classmethod
    def from_toml(cls, text: str, *, where: str = "search space") -> SearchSpace:
        """Parse a space. Raises SearchError, naming the key and how to mend it."""
        return cls.from_table(toml_table(text, "a search space", where, SearchError), where)
