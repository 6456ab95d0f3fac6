"""A model: the integers that a board holds for a network, and how real features become integers.

Shapes follow the contract: junction i's edges are arrays (right, in_degree) in edge order. A model is
valid for its network's lanes, and so for every build of that network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import StrictBool, StrictInt, StrictStr, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import save as serialize

from presparse import inference
from presparse.contract.description import Description, problems, shortened
from presparse.contract.errors import PatternError
from presparse.contract.network import Junction, Network
from presparse.contract.pattern import Pattern, arranged, check, sees_windows
from presparse.errors import ModelError
from presparse.features.familiar import check_scale
from presparse.features.inputs import Inputs, differences
from presparse.history import History, TrainedOn
from presparse.support import atomic_files, tensor_files
from presparse.validation import (
    Labels,
    checked_classes,
    checked_features,
    checked_labels,
    checked_seed,
    whole_numbers,
)

FILE_VERSION = "4"
"""Changes whenever an older Presparse would misread a file."""

_READABLE = ("1", "2", "3", FILE_VERSION)
"""Version 1 has no columns: every model took all features in order. Version 2 has neither maps, places nor names,
version 3 no palettes."""
_UNNAMED = ("1", "2")

_ENCODED_AT_ONCE = 4096
"""Samples; more would take memory several times over."""


class _Names(Description):
    """What the user calls things, in a file."""

    columns: tuple[str, ...] = ()
    classes: tuple[StrictBool | StrictInt | StrictStr, ...] = ()


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
    inputs: Inputs
    """How samples in the user's units become numbers, which are then encoded in the activation format."""
    classes_: Labels = field(default_factory=lambda: np.arange(0))
    """(classes,): labels as the user has them, whole numbers or texts, output by output; none given: 0, 1, 2 ..."""
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
        self._check_inputs()
        object.__setattr__(self, "classes_", checked_classes(self.classes_, self.network.classes))

    def _check_inputs(self) -> None:
        if not isinstance(self.inputs, Inputs):
            raise ModelError(f"inputs must be Inputs, and are {shortened(self.inputs)}; give Inputs.plain(features)")
        if self.inputs.features != self.network.features:
            raise ModelError(
                f"inputs must be those of {self.network.features} features, and are those of {self.inputs.features}"
            )
        last = int(self.inputs.places.max())
        if last >= self.network.layers[0]:
            raise ModelError(f"places are input neurons, 0 to {self.network.layers[0] - 1}, and one is {last}")

    @property
    def width(self) -> int:
        """Columns of the user's X."""
        return self.inputs.width

    @classmethod
    def initial(
        cls,
        network: Network | str | Path,
        *,
        pattern: Pattern = None,
        random_state: int = 0,
        inputs: Inputs | None = None,
        classes_: ArrayLike | None = None,
    ) -> Model:
        """A fresh, untrained model: a pattern (`presparse.contract.pattern.arranged`), normal weights, zero biases; the
        same for the same `random_state`. `network` may be a name or path. Without `inputs` features are taken as they
        are, without `classes_` classes are numbers. Patterns of windows put features where they see them.

        Raises NetworkError, PatternError, ArgumentError for a random_state that is no seed, ModelError for inputs or
        classes of another network.
        """
        network = seen_by(Network.given(network), inputs)
        inputs = initial_inputs(network, pattern, inputs)
        rng = np.random.default_rng(checked_seed(random_state))
        left = arranged(network, pattern, rng)
        pairs = zip(network.junctions, left, strict=True)
        weights = [initial_weights(network, junction, edges, rng, inputs) for junction, edges in pairs]
        return cls(
            network=network,
            left=left,
            weights=tuple(network.formats.weight.encode(w) for w in weights),
            biases=tuple(np.zeros(j.right, dtype=np.int64) for j in network.junctions),
            inputs=inputs,
            classes_=np.arange(network.classes) if classes_ is None else np.asarray(classes_),
        )

    def save(self, path: str | Path) -> None:
        """Write a safetensors file. An existing file stays whole until the new one has replaced it.

        Raises OutputError if the folder or the file cannot be written.
        """
        tensors = self._tensors()
        named = _Names(columns=self.inputs.names, classes=tuple(self.classes_.tolist())).model_dump_json()
        content = serialize(
            tensors,
            metadata={
                "presparse_model": FILE_VERSION,
                "network": self.network.model_dump_json(),
                "network_hash": self.network.hash,
                "names": named,
                "content_hash": _content_hash(self.network, tensors, named),
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
        named = "" if version in _UNNAMED else metadata.get("names", "")
        if metadata.get("network_hash") != network.hash or metadata.get("content_hash") != _content_hash(
            network, tensors, named
        ):
            raise ModelError(f"{path}: altered after it was saved (its hash does not match); save the model again")
        numbers = range(1, len(network.junctions) + 1)
        try:
            noted = metadata.get("trained_on")
            names = _Names.model_validate_json(named) if named else _Names()
            return cls(
                network=network,
                left=tuple(tensors[f"junction{i}.left"] for i in numbers),
                weights=tuple(tensors[f"junction{i}.weights"] for i in numbers),
                biases=tuple(tensors[f"junction{i}.biases"] for i in numbers),
                inputs=Inputs.from_tensors(tensors, names.columns),
                classes_=np.array(names.classes),
                trained_on=None if noted is None else TrainedOn.model_validate_json(noted),
            )
        except ValidationError as error:
            raise ModelError(f"{path}: its notes are not valid ({problems(error)}); save the model again") from error
        except KeyError as error:
            raise ModelError(f"{path}: {error} is missing; save the model again") from error
        except (ModelError, PatternError) as error:
            raise ModelError(f"{path}: {error}") from error

    def encode(self, X: ArrayLike) -> NDArray[np.signedinteger]:
        """Real features (k, width) to (k, N_0) integers of the activation format; padding is 0.

        Values beyond the activation format saturate. The columns of a frame are put in order by `inputs.names`.
        Raises FeatureError for a wrong shape, no samples, NaN, infinity, or anything that is not a number.
        """
        return self.encode_checked(checked_features(X, self.width, self.inputs.names))

    def encode_checked(self, values: NDArray[np.float64]) -> NDArray[np.signedinteger]:
        """The same, of what `checked_features` returned. Warns (ScaleWarning) of samples on another scale."""
        if self.inputs.seen.size:
            check_scale(self.inputs.seen, values)
        return self.encode_familiar(values)

    def encode_familiar(self, values: NDArray[np.float64]) -> NDArray[np.signedinteger]:
        """The same, of samples that come from those that the model is trained on, on whatever scale they are."""
        activation = self.network.formats.activation
        encoded = np.zeros((len(values), self.network.layers[0]), dtype=activation.dtype)
        for first in range(0, len(values), _ENCODED_AT_ONCE):
            part = self.inputs.real(values[first : first + _ENCODED_AT_ONCE])
            encoded[first : first + len(part), self.inputs.places] = activation.encode(part)
        return encoded

    def predict(self, X: ArrayLike) -> Labels:
        """Classes (k,) of X (k, width), of `classes_`: the largest score, the first class if several are largest.

        Computed here, in numpy, exactly as a board does. Raises FeatureError, as all of these do.
        """
        return self.classes_[inference.classes(self.network, self.raw_outputs(X))]

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
        """Accuracy on X (k, width), y (k,) of `classes_`; 0 to 1."""
        predicted = inference.classes(self.network, self.raw_outputs(X))
        return float(np.mean(predicted == checked_labels(y, len(predicted), self.classes_)))

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
            found += differences(f"{neuron}, edge {{}}: left neuron", self.left[i], other.left[i])
            found += differences(f"{neuron}, edge {{}}: weight", self.weights[i], other.weights[i])
            found += differences(f"{neuron}: bias", self.biases[i], other.biases[i])
        found += self.inputs.differences(other.inputs)
        found += differences("class {}:", self.classes_, other.classes_)
        return found

    def _tensors(self) -> dict[str, NDArray[Any]]:
        """Arrays by their names in a file; 32 bits hold every weight and neuron number."""
        tensors = self.inputs.tensors()
        for index, j in enumerate(self.network.junctions):
            for key in ("left", "weights", "biases"):
                tensors[f"junction{j.index}.{key}"] = getattr(self, key)[index].astype(np.int32)
        return tensors


def seen_by(network: Network, inputs: Inputs | None) -> Network:
    """A network that sees a convolution's features as the image they are, whatever its description says of pixels."""
    if inputs is None or inputs.convolution is None or inputs.convolution.features != network.features:
        return network
    return network.seeing(inputs.convolution.shape)


def initial_inputs(network: Network, pattern: Pattern, inputs: Inputs | None) -> Inputs:
    """Those given, or features as they are; where the windows of a pattern see them. Raises ModelError."""
    inputs = Inputs.plain(network.features) if inputs is None else inputs
    if sees_windows(network, pattern) and inputs.features == network.features:
        return inputs.placed(network.places)
    return inputs


def initial_weights(
    network: Network,
    junction: Junction,
    left: NDArray[np.int64],
    rng: np.random.Generator,
    inputs: Inputs | None = None,
) -> NDArray[np.float64]:
    """Real normal weights (right, in_degree): He's deviation before ReLU, else Glorot's, twice that between hidden
    layers of sigmoids, whose slopes of a quarter make signals smaller from layer to layer (decision 46).

    Degrees are those of real neurons: edges from padding features and to padding outputs weigh 0, so
    that padding disturbs nothing before it is trained away. Without `inputs` padding features come last.
    """
    is_input = junction.index == 1
    in_degree = left.shape[1] * (network.features / junction.left if is_input else 1)
    out_degree = left.size / junction.left * (network.classes / junction.right if junction.is_output else 1)
    variance = 2 / in_degree if junction.activation == "relu" else 2 / (in_degree + out_degree)
    before = None if is_input else network.junctions[junction.index - 2].activation
    if before == junction.activation == "sigmoid" and not junction.is_output:
        variance *= 4
    weights = rng.normal(0.0, np.sqrt(variance), size=left.shape)
    if is_input:
        padding = np.arange(network.features, junction.left) if inputs is None else inputs.padding(junction.left)
        weights[np.isin(left, padding)] = 0.0
    if junction.is_output:
        weights[network.classes :] = 0.0
    return weights


def _of_junction(junction: Junction, key: str, array: object) -> NDArray[np.int64]:
    shape = (junction.right,) if key == "biases" else (junction.right, junction.in_degree)
    return whole_numbers(
        array, f"junction {junction.index}: {key}", shape, PatternError if key == "left" else ModelError
    )


def _content_hash(network: Network, tensors: dict[str, NDArray[Any]], names: str) -> str:
    """SHA-256 of the network's description, names and every array; older files have no names."""
    digest = hashlib.sha256(f"{network.model_dump_json()}{names}".encode())
    for key in sorted(tensors):
        array = tensors[key]
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
