"""What users hold: a board that predicts, trains and gives its model back. Numpy in, numpy out, real units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.permutation import epoch_seed
from presparse.contract.samples import Samples
from presparse.contract.store import Contents, StoreLayout
from presparse.contract.wire import Identity
from presparse.data import Scaling, scaling
from presparse.device.protocol import Device
from presparse.errors import ArgumentError, BuildError, ModelError, StoreError
from presparse.fitting.feeding import Encoded, Feeding, Labels
from presparse.fitting.history import History
from presparse.fitting.meter import LARGEST_CHUNK, Meter
from presparse.fitting.progress import Progress
from presparse.fitting.rates import Rate, Rates, rate_exponent, rate_exponents
from presparse.fitting.sources import FromLink, FromStore, HeldOut, Source, StoredPart, Validation, held_out_count
from presparse.model import Model
from presparse.validation import checked_features, checked_labels


class Accelerator:
    """A device with a model.

    Every call that feeds samples ends with a flush, and so does every epoch of `fit`. So what the board has learned
    depends only on the model it was loaded with, on the training samples in their order with their rates, and on
    where calls and epochs end; not on time, predictions, validation, the link, or the kind of device.

    All arguments are checked before anything is sent: FeatureError for X and y, RateError for rates, StoreError for
    what is (to be) stored, ArgumentError for the rest. All methods raise LinkError if the board cannot be reached,
    DeviceFault if it misbehaves.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._model: Model | None = None
        """Loaded here, or adopted: how real features become integers."""
        self._feeding = Feeding(device)
        self._stored: Contents | None = None
        """What the board's store holds ..."""
        self._stored_for: Model | None = None
        """... as encoded for this model."""

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
        self._feeding.drain()
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
        scaled_as = self._scaled_by()
        self._feeding.drain()
        held = self._device.read()
        return replace(scaled_as, network=self.network, left=held.left, weights=held.weights, biases=held.biases)

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
        features = self._encode(checked_features(X, self._width))
        self._feeding.drain()
        parts = []
        for first in range(0, len(features), LARGEST_CHUNK):
            parts.append(self._feeding.predict(Samples.predict(features[first : first + LARGEST_CHUNK])))
        return np.concatenate(parts)

    def score(self, X: ArrayLike | None = None, y: ArrayLike | None = None) -> float:
        """Accuracy on X (k, features), y (k,), or on what `store` put on the board; the board itself counts."""
        if X is None and y is None:
            stored = self._stored_contents()
            self._feeding.drain()
            return self._feeding.evaluate_stored(0, len(stored))
        values, labels = self._checked(X, y)
        features = self._encode(values)
        self._feeding.drain()
        return self._feeding.evaluate(features, labels)

    # Training

    def store(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        scale: Scaling = "per feature",
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Put X (k, features), y (k,) into the board's sample store instead of what is there, and compare.

        `fit` and `score` without data use them. They are encoded as the loaded model scales features; if none is
        loaded, one is started as `fit` does, with `scale` and `seed`. `progress(done, of)` counts words of the
        transfer. Raises BuildError if the board has no store, StoreError if the samples do not fit.
        """
        layout = self._layout()
        values, labels = self._checked(X, y)
        self._start(values, scale, seed)
        contents = Contents.encode(layout, self._encode(values), labels)
        self._upload(contents, progress)

    def fit(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        epochs: int = 1,
        rate: Rates = 2**-6,
        shuffle: bool = True,
        seed: int = 0,
        scale: Scaling = "per feature",
        validation: Validation = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> History:
        """Train on the board for some epochs over X (k, features), y (k,), or over what `store` put on the board,
        going on from the loaded model.

        If none is loaded, `Model.initial(network, seed=seed)` is, with features scaled as `scale` says
        (`presparse.data.scaling`).
        `rate` is 2^-k, one for all epochs or one each. With `shuffle`, epoch e has the order
        `permutation(k, epoch_seed(seed, e))` of `presparse.contract.permutation`; without, X's. Every epoch ends with
        a flush, then accuracy on `validation` is measured: on (X, y), or on so many of the last samples or such a
        share of them, which are then not trained.

        A board with a sample store gets the samples once, if they fit there; the history says which way was taken,
        and why. The result does not depend on it. Ctrl-C ends the fit: what was trained stays, and the history says
        `interrupted`.
        """
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ArgumentError(f"epochs must be a whole number, at least 1, and is {epochs!r}")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ArgumentError(f"seed must be a whole number, at least 0, and is {seed!r}")
        exponents = rate_exponents(self.network, rate, epochs)
        self._check_training()
        if X is None and y is None:
            source = self._stored_source(validation)
        else:
            source = self._source(X, y, validation, scale, seed)
        self._feeding.drain()

        history = History(source=source.name, reason=source.reason)
        for number, exponent in enumerate(exponents, start=1):
            meter = Meter(self._device, number, epochs, source.size, progress)
            measured = None
            try:
                source.train(exponent, epoch_seed(int(seed), number) if shuffle else None, meter)
                measured = source.evaluate()
                history.epochs.append(meter.epoch(exponent, measured))
                meter.finish(measured)
            except KeyboardInterrupt:
                history.interrupted = True
                self._feeding.drain()
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
        self._feeding.drain()
        meter = Meter(self._device, 1, 1, len(labels), None)
        try:
            self._feeding.train(features, labels, np.arange(len(labels)), exponent, meter)
        except KeyboardInterrupt:
            self._feeding.drain()
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

    # Samples

    def _source(
        self, X: ArrayLike | None, y: ArrayLike | None, validation: Validation, scale: Scaling, seed: int
    ) -> Source:
        """Samples of this computer, in the board's store if there is one and they fit, else to be sent again and again.

        Checks all of them before anything is sent.
        """
        values, labels = self._checked(X, y)
        if isinstance(validation, tuple):
            held_values, held_labels = self._checked(*validation)
            values = np.concatenate([values, held_values])
            labels = np.concatenate([labels, held_labels])
            held = len(held_labels)
        else:
            held = 0 if validation is None else held_out_count(validation, len(labels))
        size = len(labels) - held
        self._start(values[:size], scale, seed)
        features = self._encode(values)
        del values
        held_out = None
        if held:
            held_out = HeldOut(feeding=self._feeding, features=features[size:], labels=labels[size:])
        if self.build.store is None:
            reason = "the board has no sample store"
        else:
            try:
                return self._put_into_store(self.build.store, features, labels, held_out)
            except StoreError as error:
                reason = str(error)
        return FromLink(
            feeding=self._feeding, features=features[:size], labels=labels[:size], held_out=held_out, reason=reason
        )

    def _put_into_store(
        self, layout: StoreLayout, features: Encoded, labels: Labels, held_out: HeldOut | None
    ) -> FromStore:
        """All samples, or at least those to learn from. Raises StoreError if these do not fit either."""
        size = len(labels) - (0 if held_out is None else len(held_out.labels))
        part: StoredPart | HeldOut | None = held_out
        try:
            contents = Contents.encode(layout, features, labels)
        except StoreError:
            if held_out is None:
                raise
            contents = Contents.encode(layout, features[:size], labels[:size])
        else:
            if held_out is not None:
                part = StoredPart(feeding=self._feeding, first=size, count=len(labels) - size)
        if self._stored is None or not self._stored.equals(contents):
            self._upload(contents, None)
        return FromStore(feeding=self._feeding, size=size, held_out=part, reason=_stored_reason(contents))

    def _stored_source(self, validation: Validation) -> FromStore:
        contents = self._stored_contents()
        if isinstance(validation, tuple):
            held_values, held_labels = self._checked(*validation)
            part = HeldOut(feeding=self._feeding, features=self._encode(held_values), labels=held_labels)
            size = len(contents)
        else:
            held = 0 if validation is None else held_out_count(validation, len(contents))
            size = len(contents) - held
            part = StoredPart(feeding=self._feeding, first=size, count=held) if held else None
        return FromStore(feeding=self._feeding, size=size, held_out=part, reason=_stored_reason(contents))

    def _stored_contents(self) -> Contents:
        """What was stored last. Raises StoreError if nothing was, or the loaded model scales features otherwise."""
        self._layout()
        if self._stored is None or self._stored_for is None:
            raise StoreError("nothing is stored on this board yet; call store(X, y), or pass X and y")
        model = self._scaled_by()
        same = np.array_equal(model.offset, self._stored_for.offset)
        if not same or not np.array_equal(model.gain, self._stored_for.gain):
            raise StoreError("the stored samples were encoded for a model with another scaling; call store(X, y) again")
        return self._stored

    def _upload(self, contents: Contents, progress: Callable[[int, int], None] | None) -> None:
        self._feeding.drain()
        self._stored = None
        self._device.store(contents, progress or (lambda done, of: None))
        self._stored, self._stored_for = contents, self._model

    def _layout(self) -> StoreLayout:
        if self.build.store is None:
            raise BuildError("this build has no sample store; build the board with store_samples")
        return self.build.store

    def _start(self, values: NDArray[np.float64], scale: Scaling, seed: int) -> None:
        """Load an initial model if none is loaded."""
        if self._model is None:
            offset, gain = scaling(values, scale)
            self.load(Model.initial(self.network, seed=seed, offset=offset, gain=gain))

    def _checked(self, X: ArrayLike | None, y: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if X is None or y is None:
            raise ArgumentError("X and y come together: both, or none to use the samples in the board's store")
        values = checked_features(X, self._width)
        return values, checked_labels(y, len(values), self.network.classes)

    def _check_training(self) -> None:
        if not self.build.training:
            raise BuildError("this build only infers; use one with mode 'train', or train in PyTorch (presparse.train)")

    @property
    def _width(self) -> int:
        """Columns of X."""
        return self.network.features if self._model is None else self._model.width

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
        for first in range(0, len(values), LARGEST_CHUNK):
            part = slice(first, first + LARGEST_CHUNK)
            encoded[part] = model.encode(values[part])
        return encoded


def _stored_reason(contents: Contents) -> str:
    return f"{len(contents):,} samples are in the board's store, {contents.layout.bits} bits per feature"
