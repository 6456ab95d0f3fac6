"""What users hold: a board that predicts, trains and gives its model back. Numpy in, numpy out, real units."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.build import Build
from presparse.contract.memory import Counter
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.contract.wire import Identity
from presparse.data import Scaling, scaling
from presparse.device import Device
from presparse.errors import ArgumentError, BuildError, DeviceFault, ModelError, ResultsLost
from presparse.history import Epoch, History, Progress
from presparse.model import Model, checked_features, checked_labels
from presparse.rates import Rate, Rates, rate_exponent, rate_exponents

PROGRESS_SECONDS = 0.25
"""Wanted time between two reports of progress."""
_FIRST_CHUNK = 32
_LARGEST_CHUNK = 4096
"""Samples handed to the device at once."""
_ATTEMPTS = 4
"""Times that samples are predicted whose scores were lost with the connection."""


class Accelerator:
    """A device with a model.

    Every call that feeds samples ends with a flush, and so does every epoch of `fit`. So what the board has learned
    depends only on the model it was loaded with, on the training samples in their order with their rates, and on
    where calls and epochs end; not on time, predictions, validation, the link, or the kind of device.

    All arguments are checked before anything is sent: FeatureError for X and y, RateError for rates, ArgumentError
    for the rest. All methods raise LinkError if the board cannot be reached, DeviceFault if it misbehaves.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._model: Model | None = None
        """Loaded here, or adopted: how real features become integers."""
        self._drained = True

    @property
    def build(self) -> Build:
        """What the board was built as."""
        return self._device.build

    @property
    def network(self) -> Network:
        """The network that the board computes."""
        return self._device.build.network

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the device back; what a board has learned stays on it. Closing twice is allowed."""
        self._device.close()

    # Model

    def load(self, model: Model) -> None:
        """Write a model, read it back and compare. Raises ModelError for a model of another network."""
        self._drain()
        self._device.load(model)
        self._model = model

    def adopt(self, model: Model) -> None:
        """Use `model`'s scaling of features, and leave the board's weights as they are: for a board that was
        loaded or trained earlier. Raises ModelError for a model of another network."""
        if model.network.hash != self.network.hash:
            raise ModelError(
                f"the model is of network {model.network.name} ({model.network.hash[:12]}), and the board of "
                f"{self.network.name} ({self.network.hash[:12]}); use a model of that network"
            )
        self._model = model

    def read_model(self) -> Model:
        """The board's current model, exact, with the scaling it was loaded (or adopted) with."""
        scale = self._scaled_by()
        self._drain()
        held = self._device.read()
        return Model(
            network=self.network,
            left=held.left,
            weights=held.weights,
            biases=held.biases,
            offset=scale.offset,
            gain=scale.gain,
        )

    # Prediction

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Classes (k,) of X (k, features): the largest score, the lowest class if several are largest."""
        return self._scores(X).argmax(axis=1)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (k, classes); every row sums to 1.

        A sigmoid output is each class's own probability: a row is divided by its sum (equal shares if that is 0).
        Scores of an identity output go through a softmax.
        """
        scores = self.scores(X)
        if self.network.activations[-1] == "identity":
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        sums = scores.sum(axis=1, keepdims=True)
        return np.divide(scores, sums, out=np.full_like(scores, 1 / self.network.classes), where=sums > 0)

    def scores(self, X: ArrayLike) -> NDArray[np.float64]:
        """What the output neurons of the classes give, in real units (k, classes)."""
        return self.network.formats.output.decode(self._scores(X))

    def outputs(self, X: ArrayLike) -> NDArray[np.int64]:
        """What every output neuron gives, padding outputs too: (k, N_L) integers of the output format, exact."""
        features = self._encode(checked_features(X, self.network.features))
        self._drain()
        parts = []
        for first in range(0, len(features), _LARGEST_CHUNK):
            parts.append(self._predict(Samples.predict(features[first : first + _LARGEST_CHUNK])))
        return np.concatenate(parts)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy on X (k, features), y (k,); the board itself counts, so no score crosses the link."""
        values, labels = self._checked(X, y)
        features = self._encode(values)
        self._drain()
        return self._evaluate(features, labels)

    # Training

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 1,
        rate: Rates = 2**-6,
        shuffle: bool = True,
        seed: int = 0,
        scale: Scaling = "per feature",
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> History:
        """Train on the board for some epochs over X (k, features), y (k,), going on from the loaded model.

        If none is loaded, `Model.initial(network, seed=seed)` is, with features scaled as `scale` says
        (`presparse.data.scaling`).
        `rate` is 2^-k, one for all epochs or one each. With `shuffle`, epoch e has the order of the e-th
        `permutation(k)` of `numpy.random.default_rng(seed)`; without, X's. Every epoch ends with a flush, then
        accuracy on `validation` (X, y) is measured.

        Ctrl-C ends the fit: what was trained stays, and the history says `interrupted`.
        """
        values, labels = self._checked(X, y)
        held_out = None if validation is None else self._checked(*validation)
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ArgumentError(f"epochs must be a whole number, at least 1, and is {epochs!r}")
        exponents = rate_exponents(self.network, rate, epochs)
        self._check_training()
        if self._model is None:
            offset, gain = scaling(values, scale)
            self.load(Model.initial(self.network, seed=seed, offset=offset, gain=gain))
        features = self._encode(values)
        held_out = None if held_out is None else (self._encode(held_out[0]), held_out[1])
        del values
        self._drain()

        rng = np.random.default_rng(seed)
        history = History()
        for number, exponent in enumerate(exponents, start=1):
            order = rng.permutation(len(labels)) if shuffle else np.arange(len(labels))
            meter = _Meter(self._device, number, epochs, len(labels), progress)
            measured = None
            try:
                self._train(features, labels, order, exponent, meter)
                if held_out is not None:
                    measured = self._evaluate(*held_out)
                history.epochs.append(meter.epoch(exponent, measured))
                meter.finish(measured)
            except KeyboardInterrupt:
                history.interrupted = True
                self._drain()
                if len(history.epochs) < number and meter.began:
                    history.epochs.append(meter.epoch(exponent, measured))
                break
        return history

    def partial_fit(self, X: ArrayLike, y: ArrayLike, *, rate: Rate = 2**-6) -> float:
        """Train once on X (k, features), y (k,), in their order.

        Returns the accuracy of predicting each sample before it was learned. Raises ModelError if no model is
        loaded. After Ctrl-C, what was trained stays.
        """
        values, labels = self._checked(X, y)
        exponent = rate_exponent(self.network, rate)
        self._check_training()
        features = self._encode(values)
        self._drain()
        meter = _Meter(self._device, 1, 1, len(labels), None)
        try:
            self._train(features, labels, np.arange(len(labels)), exponent, meter)
        except KeyboardInterrupt:
            self._drain()
            raise
        return meter.total()[1]

    # The board

    def identify(self) -> Identity:
        """What the board says about itself."""
        return self._device.identify()

    def counters(self) -> dict[Counter, int]:
        """The board's counters since they were cleared (docs/protocol.md); a device leaves out those it lacks."""
        return self._device.counters()

    def clear_counters(self) -> None:
        """All counters to zero."""
        self._device.clear_counters()

    def _scores(self, X: ArrayLike) -> NDArray[np.int64]:
        """(k, classes) integers of the output format."""
        return self.outputs(X)[:, : self.network.classes]

    def _predict(self, samples: Samples) -> NDArray[np.int64]:
        """(k, N_L) scores. Predicting changes no weight, so what a cut lost is predicted again."""
        for attempt in range(_ATTEMPTS):
            self._drained = False
            try:
                scores = np.concatenate([self._device.run(samples), self._device.flush()])
            except ResultsLost:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            break
        self._drained = True
        if len(scores) != len(samples):
            raise DeviceFault(
                f"{len(samples)} samples were predicted, and the device gives {len(scores)} scores; reset it"
            )
        return scores

    def _evaluate(self, features: NDArray[np.signedinteger], labels: NDArray[np.int64]) -> float:
        before = self._device.counters()
        self._drained = False
        for first in range(0, len(labels), _LARGEST_CHUNK):
            part = slice(first, first + _LARGEST_CHUNK)
            self._device.run(Samples.evaluate(features[part], labels[part]))
        self._drain()
        after = self._device.counters()
        counted = after["evaluated"] - before["evaluated"]
        if counted != len(labels):
            raise DeviceFault(f"{len(labels)} samples were evaluated, and the device counts {counted}; reset it")
        return (after["correct"] - before["correct"]) / counted

    def _train(
        self,
        features: NDArray[np.signedinteger],
        labels: NDArray[np.int64],
        order: NDArray[np.int64],
        exponent: int,
        meter: _Meter,
    ) -> None:
        """One pass, then a flush."""
        meter.begin()
        self._drained = False
        done, chunk = 0, _FIRST_CHUNK
        while done < len(order):
            part = order[done : done + chunk]
            self._device.run(Samples.train(features[part], labels[part], exponent))
            done += len(part)
            chunk = meter.sent(done)
        self._drain()
        meter.total()

    def _drain(self) -> None:
        """Flush, if an earlier call has not: it was interrupted, or ended with an error."""
        if not self._drained:
            self._device.flush()
            self._drained = True

    def _checked(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        values = checked_features(X, self.network.features)
        return values, checked_labels(y, len(values), self.network.classes)

    def _check_training(self) -> None:
        if not self.build.training:
            raise BuildError("this build only infers; use one with mode 'train', or train in PyTorch (presparse.train)")

    def _scaled_by(self) -> Model:
        if self._model is None:
            raise ModelError(
                "no model is loaded; call load(model), or adopt(model) if the board was loaded or trained earlier"
            )
        return self._model

    def _encode(self, values: NDArray[np.float64]) -> NDArray[np.signedinteger]:
        """(k, N_0) integers of the activation format, in the smallest type that holds them."""
        model = self._scaled_by()
        width = self.network.formats.activation.width
        encoded = np.empty((len(values), self.network.layers[0]), np.int16 if width <= 16 else np.int32)
        for first in range(0, len(values), _LARGEST_CHUNK):
            part = slice(first, first + _LARGEST_CHUNK)
            encoded[part] = model.encode(values[part])
        return encoded


class _Meter:
    """Measures one epoch with the board's own counters, and reports."""

    def __init__(
        self, device: Device, epoch: int, epochs: int, of: int, report: Callable[[Progress], None] | None
    ) -> None:
        self._device, self._epoch, self._epochs, self._of, self._report = device, epoch, epochs, of, report
        self.began = False
        self._total: tuple[int, float, float] | None = None

    def begin(self) -> None:
        """From now on samples are trained."""
        self._before = self._device.counters()
        self._start = time.perf_counter()
        self.began = True

    def sent(self, samples: int) -> int:
        """Report after so many samples (not the last ones: `finish` does); returns how many to send next."""
        speed = samples / (time.perf_counter() - self._start)
        if self._report is not None and samples < self._of:
            self._report(self._progress(samples, speed, self._learned()[1], None))
        return max(1, min(_LARGEST_CHUNK, int(speed * PROGRESS_SECONDS)))

    def total(self) -> tuple[int, float, float]:
        """(samples trained, accuracy, seconds); first asked for when the pipeline is flushed after training."""
        if self._total is None:
            self._total = (*self._learned(), time.perf_counter() - self._start)
        return self._total

    def epoch(self, exponent: int, validation: float | None) -> Epoch:
        """The epoch's entry in the history."""
        samples, accuracy, seconds = self.total()
        return Epoch(rate=2.0**-exponent, samples=samples, accuracy=accuracy, validation=validation, seconds=seconds)

    def finish(self, validation: float | None) -> None:
        """Report the whole epoch."""
        if self._report is not None:
            samples, accuracy, seconds = self.total()
            self._report(self._progress(samples, samples / seconds, accuracy, validation))

    def _progress(self, samples: int, speed: float, accuracy: float, validation: float | None) -> Progress:
        return Progress(
            epoch=self._epoch,
            epochs=self._epochs,
            samples=samples,
            of=self._of,
            samples_per_second=speed,
            accuracy=accuracy,
            validation=validation,
        )

    def _learned(self) -> tuple[int, float]:
        """Samples trained since the epoch began, and the share of them that was predicted rightly."""
        now = self._device.counters()
        trained = now["trained"] - self._before["trained"]
        return trained, (now["correct"] - self._before["correct"]) / trained if trained else 0.0
