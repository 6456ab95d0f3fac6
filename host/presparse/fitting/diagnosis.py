"""Whether a training has learned anything, and if not, why: what a look at the model, its samples and its history
finds.

Nothing here is part of the training. Limits are wide: what they find is wrong, not merely unusual.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from presparse import inference
from presparse.contract.activation import derivative_frac
from presparse.contract.formats import Format, rescale, saturate
from presparse.contract.network import Activation
from presparse.errors import LearningWarning
from presparse.fitting.class_weight import balanced_rows
from presparse.history import Epoch, History
from presparse.model import Model

_LOOKED_AT = 1000
"""Samples, evenly drawn."""
_FEWEST = 20
"""Samples, below which nothing is said about neurons."""
_TELLING = 100
"""Held-out samples, below which the training's own samples say more."""
_MOSTLY = 0.5
_NEARLY_ALL = 0.9
_FALLEN = 0.1
"""Accuracy that a training loses only if it diverges."""
_NAMED = 5
"""Features that a warning names; the others are counted."""

Features = Callable[[NDArray[np.int64]], NDArray[np.signedinteger]]
"""Rows (m,) of the samples that were learned to their encoded features (m, N_0)."""


@dataclass(frozen=True, kw_only=True)
class LayerFound:
    """A hidden layer."""

    number: int
    """From 1: the right layer of that junction."""
    neurons: int
    dead: int
    """Neurons that give the same for every sample."""
    saturated: int
    """Neurons that are at an end of their range for nearly all samples, where they do not learn."""
    lost_deltas: float | None
    """Share of its deltas that round to 0, of samples that are wrong; None if too few are."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Of a training."""

    accuracy: float
    measured: str
    """Of which samples: 'held-out' or 'training'."""
    samples: int
    """How many of them."""
    majority: float
    """Share of them that is of the most frequent class."""
    features: int
    saturated_features: tuple[int, ...]
    """Columns of X that are at an end of the activation format for most samples."""
    layers: tuple[LayerFound, ...]
    """Hidden ones; none without a model, or with a handful of samples."""
    warnings: tuple[str, ...]
    """What is wrong, and how to mend it: one line each. None if all is well."""

    def warn(self, *, stacklevel: int) -> None:
        """Give the warnings as `LearningWarning`s, as from `stacklevel` calls above the caller's own."""
        for text in self.warnings:
            warnings.warn(text, LearningWarning, stacklevel=stacklevel + 2)


def diagnose(
    features: Features, learned: NDArray[np.int64], held: NDArray[np.int64] | None, history: History, model: Model
) -> Diagnosis:
    """A look at a training that ended with `model`.

    `learned` (k,) and `held` are the classes of its samples and of those that it held out, as it saw them: with classes
    balanced every one is there as often.
    """
    accuracy, measured, judged = _judged(learned, held, history)
    rows = _rows(len(learned))
    encoded = features(rows)
    saturated = _saturated_features(model, encoded)
    layers = _layers(model, encoded, learned[rows]) if len(rows) >= _FEWEST else ()
    found = Diagnosis(
        accuracy=accuracy,
        measured=measured,
        samples=len(judged),
        majority=float(np.bincount(judged).max() / len(judged)),
        features=model.network.features,
        saturated_features=saturated,
        layers=layers,
        warnings=(),
    )
    return replace(found, warnings=tuple(_told(found, encoded, learned, judged, history, model)))


def diagnose_samples(
    X: NDArray[np.float64],
    learned: NDArray[np.int64],
    held: NDArray[np.int64] | None,
    history: History,
    model: Model,
    *,
    balanced: bool,
) -> Diagnosis:
    """The same of checked samples X (k, width); with `balanced` every class counted alike in the history."""
    rows = balanced_rows(learned) if balanced else np.arange(len(learned))
    if balanced and held is not None:
        held = held[balanced_rows(held)]
    return diagnose(lambda some: model.encode_checked(X[rows[some]]), learned[rows], held, history, model)


def suspicious(
    features: Features, learned: NDArray[np.int64], held: NDArray[np.int64] | None, history: History, model: Model
) -> bool:
    """Whether a training calls for a diagnosis. Of the model only its scaling matters: it need not be read for that."""
    accuracy, _, judged = _judged(learned, held, history)
    failed = _fails(accuracy, judged) or _fallen(history) is not None
    return failed or bool(_saturated_features(model, features(_rows(len(learned)))))


def _rows(samples: int) -> NDArray[np.int64]:
    """Of those that are looked at."""
    return np.linspace(0, samples - 1, min(samples, _LOOKED_AT)).astype(np.int64)


def _judged(
    learned: NDArray[np.int64], held: NDArray[np.int64] | None, history: History
) -> tuple[float, str, NDArray[np.int64]]:
    """Accuracy of the epoch that was kept, of which samples, and their classes."""
    epoch = _judged_epoch(history)
    if held is None or len(held) < _TELLING or epoch.validation is None:
        return epoch.accuracy, "training", learned
    return epoch.validation, "held-out", held


def _judged_epoch(history: History) -> Epoch:
    return history.epochs[-1 if history.kept is None else history.kept - 1]


def _fails(accuracy: float, labels: NDArray[np.int64]) -> bool:
    """What always naming the most frequent class gives, within noise: two standard errors."""
    share = float(np.bincount(labels).max() / len(labels))
    return accuracy <= share + 2 * math.sqrt(share * (1 - share) / len(labels))


def _fallen(history: History) -> tuple[int, int, History] | None:
    """Numbers of the best epoch and of the last one, if that one is far worse, and is kept."""
    epochs = [epoch for epoch in history.epochs if epoch.samples == history.epochs[0].samples]
    if history.kept is not None:
        return None
    best = max(range(len(epochs)), key=lambda index: epochs[index].accuracy)
    share = epochs[best].accuracy
    noise = 2 * math.sqrt(share * (1 - share) / epochs[best].samples)
    return (best + 1, len(epochs), history) if epochs[-1].accuracy < share - _FALLEN - noise else None


def _saturated_features(model: Model, features: NDArray[np.signedinteger]) -> tuple[int, ...]:
    """Columns of X that are at an end of the activation format for most of these encoded samples (k, N_0)."""
    at_end = _at_end(features, model.network.formats.activation).mean(axis=0) > _MOSTLY
    return tuple(int(column) for column in model.inputs.columns[at_end[model.inputs.places]])


def _layers(model: Model, features: NDArray[np.signedinteger], labels: NDArray[np.int64]) -> tuple[LayerFound, ...]:
    network = model.network
    given = [*inference.activations(network, model.left, model.weights, model.biases, features)]
    lost = _lost_deltas(model, given, labels)
    found = []
    for junction, values, share in zip(network.junctions[:-1], given[:-1], lost, strict=True):
        dead = (values == values[0]).all(axis=0)
        flat = _derivatives(values, junction.activation, network.formats.activation) == 0
        if junction.activation == "relu":
            flat &= values > 0  # where it is 0 most samples pass by, which is what makes it a ReLU
        found.append(
            LayerFound(
                number=junction.index,
                neurons=junction.right,
                dead=int(dead.sum()),
                saturated=int((~dead & (flat.mean(axis=0) > _NEARLY_ALL)).sum()),
                lost_deltas=share,
            )
        )
    return tuple(found)


def _lost_deltas(model: Model, given: Sequence[NDArray[np.int64]], labels: NDArray[np.int64]) -> list[float | None]:
    """Per hidden layer the share of deltas that are not 0 but round to it, of samples that are wrong; None if they are
    too few. `given`: what every layer gives (k, N_i). As docs/arithmetic.md has it, with all weights as they are now.
    """
    network, formats = model.network, model.network.formats
    wrong = np.flatnonzero(inference.classes(network, given[-1]) != labels)
    if len(wrong) < _FEWEST:
        return [None] * (len(network.junctions) - 1)
    targets = np.zeros((len(wrong), network.layers[-1]), dtype=np.int64)
    targets[np.arange(len(wrong)), labels[wrong]] = formats.output.one
    deltas = saturate(rescale(given[-1][wrong] - targets, formats.output.frac, formats.delta.frac), formats.delta)
    lost: list[float | None] = []
    for index in range(len(network.junctions) - 1, 0, -1):
        junction, left = network.junctions[index], network.junctions[index - 1]
        operands = np.zeros((junction.right, junction.left), dtype=np.int64)
        np.put_along_axis(operands, model.left[index], model.weights[index] >> formats.operand_shift, axis=1)
        exact = deltas @ operands * _derivatives(given[index - 1][wrong], left.activation, formats.activation)
        frac = formats.operand.frac + formats.delta.frac + derivative_frac(left.activation, formats.activation)
        deltas = saturate(rescale(exact, frac, formats.delta.frac), formats.delta)
        some = np.count_nonzero(exact)
        lost.append(float(np.count_nonzero((exact != 0) & (deltas == 0)) / some) if some else 0.0)
    return lost[::-1]


def _derivatives(values: NDArray[np.int64], activation: Activation, right: Format) -> NDArray[np.int64]:
    """Of activations of hidden neurons; of a sigmoid from its rounded value, which is near enough here."""
    if activation == "sigmoid":
        return rescale(values * (right.one - values), 2 * right.frac, right.frac)
    inside = (values > (0 if activation == "relu" else right.min)) & (values < right.max)
    return inside.astype(np.int64)


def _at_end(values: NDArray[np.signedinteger], held_in: Format) -> NDArray[np.bool_]:
    return (values == held_in.min) | (values == held_in.max)


def _told(
    found: Diagnosis,
    encoded: NDArray[np.signedinteger],
    learned: NDArray[np.int64],
    judged: NDArray[np.int64],
    history: History,
    model: Model,
) -> Iterator[str]:
    """The warnings. What is a consequence of another thing that is wrong is not told."""
    if len(np.unique(learned)) == 1:
        yield f"all {len(learned):,} samples are of one class: there is nothing to learn; give samples of others, too"
        return
    if (encoded == encoded[0]).all():
        yield (
            f"all {found.features} features are the same for every sample: there is nothing to learn from; give "
            "others, or scale them, as scale='auto' does"
        )
        return
    if fallen := _fallen(history):
        yield _of_divergence(*fallen)
    elif _fails(found.accuracy, judged):
        yield _of_majority(found, history, learned)
    if found.saturated_features:
        yield _of_features(model, found.saturated_features)
    for layer in found.layers:
        yield from _of_layer(model, layer)


def _of_majority(found: Diagnosis, history: History, learned: NDArray[np.int64]) -> str:
    right = (
        f"{found.accuracy:.1%} of {found.samples:,} {found.measured} samples are right, and {found.majority:.1%} are "
        "of one class: nothing was learned beyond it"
    )
    accuracy = _judged_epoch(history).accuracy
    if not _fails(accuracy, learned):
        return (
            f"{right} but the training's own samples, {accuracy:.1%} of them, by heart; see that features and labels "
            "belong together, then try more samples, fewer hidden neurons or less density"
        )
    return (
        f"{right}; see that features and labels belong together, then try more epochs, another lr, more hidden neurons "
        "or density, or, where classes are unequal, class_weight='balanced'"
    )


def _of_divergence(best: int, last: int, history: History) -> str:
    good, bad = history.epochs[best - 1], history.epochs[last - 1]
    return (
        f"the training diverged: {good.accuracy:.1%} of its samples were right in epoch {best}, and {bad.accuracy:.1%} "
        f"in epoch {last}; train with a lower lr, such as {bad.lr / 4:g}, or 'auto'"
    )


def _of_features(model: Model, saturated: tuple[int, ...]) -> str:
    named = [model.inputs.names[column] if model.inputs.names else str(column) for column in saturated[:_NAMED]]
    more = [f"{len(saturated) - _NAMED} more"] if len(saturated) > _NAMED else []
    held = model.network.formats.activation
    return (
        f"{len(saturated)} of {model.network.features} features ({', '.join(named + more)}) lie outside "
        f"{held.min / held.one:g} to {held.max / held.one:g} for most samples, so that their values are lost; "
        "scale them, as scale='auto' does"
    )


def _of_layer(model: Model, layer: LayerFound) -> list[str]:
    formats, found = model.network.formats, []
    if layer.dead > _MOSTLY * layer.neurons:
        found.append(
            f"{layer.dead} of {layer.neurons} neurons of layer {layer.number} are dead: they give the same for every "
            "sample; train anew with a lower lr, scaled features, more density or another random_state"
        )
    if layer.saturated > _MOSTLY * layer.neurons:
        found.append(
            f"{layer.saturated} of {layer.neurons} neurons of layer {layer.number} are saturated for nearly all "
            f"samples ({formats.activation}); train with a lower lr or scaled features, or give formats.activation "
            "fewer fraction bits"
        )
    if layer.lost_deltas is not None and layer.lost_deltas > _NEARLY_ALL:
        found.append(
            f"{layer.lost_deltas:.0%} of the deltas of layer {layer.number} round to 0 ({formats.delta}), of samples "
            "that are wrong: it does not learn from them; give formats.delta more fraction bits, or train fewer "
            "layers, ReLU rather than sigmoid"
        )
    return found
