"""A model: the integers that a board holds for a network, and how real features become integers.

Shapes follow the contract: junction i's edges are arrays (right, in_degree) in edge order. A model is
valid for its network's lanes, and so for every build of that network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import save as serialize

from presparse import inference
from presparse.contract.description import problems, shortened
from presparse.contract.errors import PatternError
from presparse.contract.network import Junction, Network
from presparse.contract.pattern import Pattern, arranged, check
from presparse.errors import ModelError
from presparse.history import History, TrainedOn
from presparse.support import atomic_files, tensor_files
from presparse.validation import checked_features, checked_labels, checked_seed, real_numbers, whole_numbers

FILE_VERSION = "2"
"""Changes whenever an older Presparse would misread a file."""

_READABLE = ("1", FILE_VERSION)
"""Version 1 has no columns: every model took all features in order."""

_ENCODED_AT_ONCE = 4096
"""Samples; more would take memory several times over."""
_WIDEST = (1 << 31) - 1
"""Columns of X that a file can tell apart."""
_SHOWN = 5
"""Differences listed per array; the rest are counted."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """Integer weights, biases and pattern of a network. Arrays are read-only copies.

    Raises ModelError for numbers that do not fit the network, PatternError for a pattern that clashes.
    """

    network: Network
    left: tuple[NDArray[np.int64], ...]
    """Per junction (right, in_degree): the left neuron of every edge."""
    weights: tuple[NDArray[np.int64], ...]
    """Per junction (right, in_degree), in the weight format."""
    biases: tuple[NDArray[np.int64], ...]
    """Per junction (right,), in the weight format."""
    offset: NDArray[np.float64]
    """(features,): subtracted from a feature first."""
    gain: NDArray[np.float64]
    """(features,): then multiplied with; the result is encoded in the activation format."""
    columns: NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    """(features,): which column of the user's X each input neuron takes; none given: 0, 1, 2 ..., all in order."""
    width: int = 0
    """Columns of the user's X, of which a pruned network takes some; 0 becomes `network.features`."""
    history: History | None = None
    """Of the training that ended in this model; not kept in files."""
    trained_on: TrainedOn | None = None
    """Which samples `presparse train` trained it on; None: nobody has noted it."""

    def __post_init__(self) -> None:
        if not isinstance(self.network, Network):
            raise ModelError(f"a model has a Network, and not {shortened(self.network)}; give Network.load(...)")
        for key in ("left", "weights", "biases"):
            arrays = getattr(self, key)
            if len(arrays) != len(self.network.junctions):
                raise ModelError(
                    f"{key} needs one array per junction: {len(self.network.junctions)}, and has {len(arrays)}"
                )
            named = zip(self.network.junctions, arrays, strict=True)
            object.__setattr__(self, key, tuple(_of_junction(j, key, array) for j, array in named))
        weight = self.network.formats.weight
        for j, left, weights, biases in zip(self.network.junctions, self.left, self.weights, self.biases, strict=True):
            check(j, left)
            for name, array in (("weights", weights), ("biases", biases)):
                outside = array[(array < weight.min) | (array > weight.max)]
                if outside.size:
                    raise ModelError(
                        f"junction {j.index}: {name} are integers {weight.min} to {weight.max} ({weight}), "
                        f"and one is {outside[0]}"
                    )
        for key in ("offset", "gain"):
            values = real_numbers(getattr(self, key), key, (self.network.features,), ModelError)
            object.__setattr__(self, key, values)
        self._set_columns()

    def _set_columns(self) -> None:
        features = self.network.features
        given = self.columns if np.size(self.columns) else np.arange(features)
        columns = whole_numbers(given, "columns", (features,), ModelError)
        width = int(whole_numbers(self.width, "width", (), ModelError))
        if not 0 <= width <= _WIDEST:
            raise ModelError(f"width must be 0 to {_WIDEST}, and is {width}")
        width = width or features
        outside = columns[(columns < 0) | (columns >= width)]
        if outside.size:
            raise ModelError(f"columns are 0 to {width - 1}, one of X's {width} each, and one is {outside[0]}")
        if len(np.unique(columns)) < features:
            raise ModelError("columns must differ, and two input neurons take the same")
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "width", width)

    @classmethod
    def initial(
        cls,
        network: Network | str | Path,
        *,
        pattern: Pattern = "seed per sweep",
        random_state: int = 0,
        offset: ArrayLike = 0.0,
        gain: ArrayLike = 1.0,
    ) -> Model:
        """A fresh, untrained model: a pattern (`presparse.contract.pattern.arranged`), normal weights, zero biases; the
        same for the same `random_state`. `network` may be a name or path, `offset` and `gain` one number for all.

        Raises NetworkError, PatternError, ArgumentError for a random_state that is no seed, ModelError for scalings.
        """
        network = Network.given(network)
        rng = np.random.default_rng(checked_seed(random_state))
        left = arranged(network, pattern, rng)
        pairs = zip(network.junctions, left, strict=True)
        weights = [initial_weights(network, junction, edges, rng) for junction, edges in pairs]
        return cls(
            network=network,
            left=left,
            weights=tuple(network.formats.weight.encode(w) for w in weights),
            biases=tuple(np.zeros(j.right, dtype=np.int64) for j in network.junctions),
            offset=real_numbers(offset, "offset", (network.features,), ModelError),
            gain=real_numbers(gain, "gain", (network.features,), ModelError),
        )

    def save(self, path: str | Path) -> None:
        """Write a safetensors file. An existing file stays whole until the new one has replaced it.

        Raises OutputError if the folder or the file cannot be written.
        """
        tensors = self._tensors()
        content = serialize(
            tensors,
            metadata={
                "presparse_model": FILE_VERSION,
                "network": self.network.model_dump_json(),
                "network_hash": self.network.hash,
                "content_hash": _content_hash(self.network, tensors),
                **({"trained_on": self.trained_on.model_dump_json()} if self.trained_on else {}),
            },
        )
        atomic_files.write(path, content)

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """Read a file that `save` wrote.

        Raises ModelError if it is missing, truncated, altered, not a model, or of another version.
        """
        try:
            metadata, tensors = tensor_files.read(path, "numpy")
        except OSError as error:
            raise ModelError(
                f"{path}: cannot be read ({error.strerror or error}); give the path of a model file"
            ) from error
        except SafetensorError as error:
            raise ModelError(f"{path}: not a model file, or a truncated one ({error}); save the model again") from error
        version = metadata.get("presparse_model")
        if version is None:
            raise ModelError(f"{path}: not a Presparse model; `presparse train` and Model.save write them")
        if version not in _READABLE:
            raise ModelError(
                f"{path}: written by a newer Presparse (file version {version}, and this one reads {FILE_VERSION}); "
                "update Presparse"
            )
        try:
            network = Network.model_validate_json(metadata.get("network", ""))
        except ValidationError as error:
            raise ModelError(f"{path}: its network is not valid ({problems(error)}); save the model again") from error
        if metadata.get("network_hash") != network.hash or metadata.get("content_hash") != _content_hash(
            network, tensors
        ):
            raise ModelError(f"{path}: altered after it was saved (its hash does not match); save the model again")
        numbers = range(1, len(network.junctions) + 1)
        try:
            noted = metadata.get("trained_on")
            return cls(
                network=network,
                left=tuple(tensors[f"junction{i}.left"] for i in numbers),
                weights=tuple(tensors[f"junction{i}.weights"] for i in numbers),
                biases=tuple(tensors[f"junction{i}.biases"] for i in numbers),
                offset=tensors["offset"],
                gain=tensors["gain"],
                **({} if version == "1" else {"columns": tensors["columns"], "width": tensors["width"]}),
                trained_on=None if noted is None else TrainedOn.model_validate_json(noted),
            )
        except ValidationError as error:
            raise ModelError(
                f"{path}: what it was trained on is not valid ({problems(error)}); save it again"
            ) from error
        except KeyError as error:
            raise ModelError(f"{path}: {error} is missing; save the model again") from error
        except (ModelError, PatternError) as error:
            raise ModelError(f"{path}: {error}") from error

    def encode(self, X: ArrayLike) -> NDArray[np.signedinteger]:
        """Real features (k, width) to (k, N_0) integers of the activation format, padded with 0.

        Values beyond the activation format saturate. Raises FeatureError for a wrong shape, no samples,
        NaN, infinity, or anything that is not a number.
        """
        return self.encode_checked(checked_features(X, self.width))

    def encode_checked(self, values: NDArray[np.float64]) -> NDArray[np.signedinteger]:
        """The same, of what `checked_features` returned."""
        activation = self.network.formats.activation
        encoded = np.zeros((len(values), self.network.layers[0]), dtype=activation.dtype)
        for first in range(0, len(values), _ENCODED_AT_ONCE):
            part = values[first : first + _ENCODED_AT_ONCE, self.columns]
            encoded[first : first + len(part), : self.network.features] = activation.encode(
                (part - self.offset) * self.gain
            )
        return encoded

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Classes (k,) of X (k, width): the largest score, the lowest class if several are largest.

        Computed here, in numpy, exactly as a board does. Raises FeatureError, as all of these do.
        """
        return inference.classes(self.network, self.raw_outputs(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (k, classes); every row sums to 1 (`presparse.inference.probabilities`)."""
        return inference.probabilities(self.network, self.raw_outputs(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """What the output neurons of the classes give, in real units (k, classes)."""
        return inference.decision_function(self.network, self.raw_outputs(X))

    def raw_outputs(self, X: ArrayLike) -> NDArray[np.int64]:
        """What every output neuron gives, padding outputs too: (k, N_L) integers of the output format, exact."""
        return inference.raw_outputs(self.network, self.left, self.weights, self.biases, self.encode(X))

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy on X (k, width), y (k,); 0 to 1."""
        predicted = self.predict(X)
        return float(np.mean(predicted == checked_labels(y, len(predicted), self.network.classes)))

    def __repr__(self) -> str:
        history = "" if self.history is None else f", {self.history!r}"
        return f"Model({self.network!r}{history})"

    def _repr_html_(self) -> str:
        """For notebooks: a row per junction."""
        weight = self.network.formats.weight
        rows = "".join(
            f"<tr><td>{j.index}</td><td>{j.left}</td><td>{j.right}</td><td>{j.activation}</td><td>{j.edges:,}</td>"
            f"<td>{j.density:.1%}</td><td>{weight.decode(np.abs(w).max()):.3g}</td></tr>"
            for j, w in zip(self.network.junctions, self.weights, strict=True)
        )
        names = ("junction", "left", "right", "activation", "edges", "density", "largest weight")
        heads = "".join(f"<th>{name}</th>" for name in names)
        return (
            f"<p><b>{self.network.name}</b>: {self.network.edges:,} edges, weights of {weight}</p>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def differences(self, other: Model) -> list[str]:
        """What is not equal bit for bit, in words; [] if nothing. Long lists are cut, and say how many there are."""
        if self.network.hash != other.network.hash:
            return [
                f"network {self.network.name} ({self.network.hash[:12]}), "
                f"other {other.network.name} ({other.network.hash[:12]})"
            ]
        found: list[str] = []
        for i, junction in enumerate(self.network.junctions):
            neuron = f"junction {junction.index}, right neuron {{}}"
            found += _differences(f"{neuron}, edge {{}}: left neuron", self.left[i], other.left[i])
            found += _differences(f"{neuron}, edge {{}}: weight", self.weights[i], other.weights[i])
            found += _differences(f"{neuron}: bias", self.biases[i], other.biases[i])
        found += _differences("feature {}: offset", self.offset, other.offset)
        found += _differences("feature {}: gain", self.gain, other.gain)
        found += _differences("feature {}: column", self.columns, other.columns)
        if self.width != other.width:
            found.append(f"features are columns of {self.width}, other of {other.width}")
        return found

    def _tensors(self) -> dict[str, NDArray[np.generic]]:
        """Arrays by their names in a file; 32 bits hold every weight and neuron number."""
        tensors: dict[str, NDArray[np.generic]] = {
            "offset": self.offset,
            "gain": self.gain,
            "columns": self.columns.astype(np.int32),
            "width": np.array(self.width, dtype=np.int32),
        }
        for index, j in enumerate(self.network.junctions):
            for key in ("left", "weights", "biases"):
                tensors[f"junction{j.index}.{key}"] = getattr(self, key)[index].astype(np.int32)
        return tensors


def initial_weights(
    network: Network, junction: Junction, left: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Real normal weights (right, in_degree): He's deviation before ReLU, else Glorot's.

    Degrees are those of real neurons: edges from padding features and to padding outputs weigh 0, so
    that padding disturbs nothing before it is trained away.
    """
    is_input = junction.index == 1
    inputs = left.shape[1] * (network.features / junction.left if is_input else 1)
    outputs = left.size / junction.left * (network.classes / junction.right if junction.is_output else 1)
    variance = 2 / inputs if junction.activation == "relu" else 2 / (inputs + outputs)
    weights = rng.normal(0.0, np.sqrt(variance), size=left.shape)
    if is_input:
        weights[left >= network.features] = 0.0
    if junction.is_output:
        weights[network.classes :] = 0.0
    return weights


def _of_junction(junction: Junction, key: str, array: object) -> NDArray[np.int64]:
    shape = (junction.right,) if key == "biases" else (junction.right, junction.in_degree)
    return whole_numbers(
        array, f"junction {junction.index}: {key}", shape, PatternError if key == "left" else ModelError
    )


def _content_hash(network: Network, tensors: dict[str, NDArray[np.generic]]) -> str:
    """SHA-256 of the network's description and every array."""
    digest = hashlib.sha256(network.model_dump_json().encode())
    for key in sorted(tensors):
        array = tensors[key]
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _differences(name: str, own: NDArray[np.generic], other: NDArray[np.generic]) -> list[str]:
    """`name` has one {} for each index."""
    places = np.argwhere(own != other)
    found = [f"{name.format(*p)} {own[tuple(p)]}, other {other[tuple(p)]}" for p in places[:_SHOWN]]
    if len(places) > _SHOWN:
        found.append(f"... {len(places)} of {own.size} such numbers differ")
    return found
