"""What users hold: a board that predicts, trains and gives its model back. Numpy in, numpy out, real units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from presparse import inference
from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.description import shortened
from presparse.contract.network import Network
from presparse.contract.pattern import Pattern
from presparse.contract.samples import Samples
from presparse.contract.store import Contents
from presparse.contract.wire import Identity
from presparse.device.acceptance import check_model
from presparse.device.protocol import Device
from presparse.device.turns import Turns
from presparse.errors import ArgumentError, BuildError, ModelError
from presparse.features.convolution import Convolution
from presparse.features.scaling import Scaling
from presparse.fitting import loop
from presparse.fitting.board_store import BoardStore, StoreProgress
from presparse.fitting.checkpoint import Checkpoint
from presparse.fitting.feeding import Feeding
from presparse.fitting.fresh import Fresh
from presparse.fitting.holding_out import Part, Validation, held_out_count, is_pair, parted
from presparse.fitting.keeper import Keeper, model_of, model_tensors
from presparse.fitting.meter import LARGEST_CHUNK
from presparse.fitting.rates import LR, Rate, Rates, rate_exponent, rate_exponents
from presparse.fitting.sources import FromLink, HeldOut, Source, StoredPart, from_samples, from_stored
from presparse.history import EPOCHS, Callback, History
from presparse.model import Model
from presparse.support.digests import digest
from presparse.validation import (
    Labels,
    checked_callback,
    checked_epochs,
    checked_flag,
    checked_samples,
    checked_seed,
)

_TOGETHER = "X and y come together: both, or none to use the samples in the board's store"
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_Method = Callable[Concatenate["Accelerator", _Given], _Result]


def _in_turn(busy: str = "") -> Callable[[_Method[_Given, _Result]], _Method[_Given, _Result]]:
    """A method that has the device to itself; `busy` says what it does if it calls its user back meanwhile."""

    def decorate(method: _Method[_Given, _Result]) -> _Method[_Given, _Result]:
        @wraps(method)
        def call(board: Accelerator, *given: _Given.args, **named: _Given.kwargs) -> _Result:
            with board._turns.turn(busy):
                return method(board, *given, **named)

        return call

    return decorate


class Accelerator:
    """A device with a model.

    Every call that feeds samples ends with a flush, and so does every epoch of `fit`. So what the board has learned
    depends only on the model it was loaded with, on the training samples in their order with their rates, and on
    where calls and epochs end; not on time, predictions, validation, the link, or the kind of device.

    All arguments are checked before anything is sent: FeatureError for X and y, RateError for rates, StoreError for
    what is (to be) stored, ArgumentError for the rest. All methods raise LinkError if the board cannot be reached
    (LinkClosed once it was closed), DeviceFault if it misbehaves.

    Threads may share one: their calls queue up, as calls of a scikit-learn model may come from any thread. During `fit`
    and `store`, which may take hours and call their `progress` back, other threads get DeviceInUse instead of a wait.
    `close`, from any thread, ends what waits with LinkClosed.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._model: Model | None = None
        """Loaded here, or adopted: how real features become integers."""
        self._feeding = Feeding(device)
        self._store = BoardStore(device, self._feeding)
        self._turns = Turns(device)

    @property
    def build(self) -> Build:
        """What the board was built as."""
        return self._device.build

    @property
    def network(self) -> Network:
        """The network that the board computes."""
        return self._device.build.network

    def __repr__(self) -> str:
        held = "no model loaded" if self._model is None else "a model loaded"
        return f"<Accelerator: {self.network!r}, lanes {self.build.lanes}, {held}>"

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the device back; what a board has learned stays on it. Closing twice is allowed, and so is closing from
        another thread: calls that are under way, or wait, end with LinkClosed."""
        self._turns.close()

    # Model

    @_in_turn()
    def load(self, model: Model) -> None:
        """Write a model, read it back and compare. Raises ModelError for a model of another network."""
        self._check_model(model)
        self._feeding.drain()
        self._device.load(model)
        self._model = model

    @_in_turn()
    def adopt(self, model: Model) -> None:
        """Use `model`'s scaling of features, and leave the board's weights as they are: for a board that was
        loaded or trained earlier. Raises ModelError for a model of another network."""
        self._check_model(model)
        self._model = model

    @_in_turn()
    def read_model(self) -> Model:
        """The board's current model, exact, with the scaling it was loaded (or adopted) with."""
        scaled_as = self._scaled_by()
        self._feeding.drain()
        held = self._device.read()
        return replace(
            scaled_as,
            network=self.network,
            left=held.left,
            weights=held.weights,
            biases=held.biases,
            history=None,  # that of the loaded model is not what made these weights
            trained_on=None,
        )

    # Prediction

    def predict(self, X: ArrayLike) -> Labels:
        """Classes (k,) of X (k, features), of the model's `classes_`: the largest score, the first class if several
        are largest."""
        numbers = inference.classes(self.network, self.raw_outputs(X))
        return self._scaled_by().classes_[numbers]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (k, classes); every row sums to 1 (`presparse.inference.probabilities`)."""
        return inference.probabilities(self.network, self.raw_outputs(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """What the output neurons of the classes give, in real units (k, classes)."""
        return inference.decision_function(self.network, self.raw_outputs(X))

    @_in_turn()
    def raw_outputs(self, X: ArrayLike) -> NDArray[np.int64]:
        """What every output neuron gives, padding outputs too: (k, N_L) integers of the output format, exact."""
        features = self._scaled_by().encode(X)
        self._feeding.drain()
        parts = []
        for first in range(0, len(features), LARGEST_CHUNK):
            parts.append(self._feeding.predict(Samples.predict(features[first : first + LARGEST_CHUNK])))
        return np.concatenate(parts)

    @_in_turn()
    def score(self, X: ArrayLike | None = None, y: ArrayLike | None = None) -> float:
        """Accuracy on X (k, features), y (k,), or on what `store` put on the board; the board itself counts."""
        if X is None and y is None:
            stored = self._store.contents(self._scaled_by())
            self._feeding.drain()
            return self._feeding.evaluate_stored(0, len(stored))
        values, labels = self._checked(X, y, self._scaled_by())
        features = self._scaled_by().encode_checked(values)
        self._feeding.drain()
        return self._feeding.evaluate(features, labels)

    # Training

    @_in_turn("storing samples")
    def store(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        scale: Scaling = "auto",
        pattern: Pattern = None,
        convolution: Convolution | None = None,
        random_state: int = 0,
        progress: StoreProgress | None = None,
    ) -> None:
        """Put X (k, features), y (k,) into the board's sample store instead of what is there, and compare.

        `fit` and `score` without data use them. They are encoded as the loaded model scales features; if none is
        loaded, one begins as with `fit`. `progress(done, of)` counts words of the transfer. Raises BuildError if the
        board has no store, StoreError if the samples do not fit.
        """
        layout = self._store.layout
        checked_callback("progress", progress)
        start = self._start(X, y, scale, pattern, convolution, checked_seed(random_state))
        values, labels = self._checked(X, y, start)
        model = self._begun(start, values)
        self._store.put(Contents.encode(layout, model.encode_checked(values), labels), model, progress)

    @_in_turn("training")
    def fit(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        epochs: int = EPOCHS,
        lr: Rates = LR,
        shuffle: bool = True,
        random_state: int = 0,
        scale: Scaling = "auto",
        pattern: Pattern = None,
        convolution: Convolution | None = None,
        validation: Validation = None,
        progress: Callback | None = None,
        keep_on_interrupt: bool = False,
        checkpoint: str | Path | None = None,
    ) -> History:
        """Train on the board for some epochs over X (k, features), y (k,), or over what `store` put on the board,
        going on from the loaded model.

        If none is loaded, `Model.initial(network, pattern=pattern, random_state=random_state)` is, with features scaled
        as `scale` says (`presparse.features.scaling`), those of images behind a `convolution`
        (`presparse.features.Convolution`). A loaded model has all of these, and takes no others.
        `lr` is 2^-k, one for all epochs or one each. With `shuffle`, epoch e has the order
        `permutation(k, epoch_seed(random_state, e))` of `presparse.contract.permutation`; without, X's. Every epoch
        ends with a flush, then accuracy on `validation` is measured: on (X, y), or on such a share or number of the
        samples, which are then not trained: drawn with `random_state`, every class in proportion
        (`presparse.fitting.holding_out`); of samples that `store` put on the board, the last ones.

        A board with a sample store gets the samples once, if they fit there; the history says which way was taken,
        and why. The result does not depend on it.

        `progress` is called with a `Progress` several times per second; if it returns True, the training ends there.
        Ctrl-C raises KeyboardInterrupt once the pipeline is drained and what was trained stays on the board, or, with
        `keep_on_interrupt`, ends the training; the history says `interrupted`.

        `checkpoint` names a file that keeps the model of the last whole epoch, written every minute and in the end. If
        it is there already, the training goes on from it, and ends as it would have in one go. Remove it when the
        model is saved. It needs X and y, to know them again; ModelError if it is of another training.
        """
        exponents = rate_exponents(self.network, lr, checked_epochs(epochs))
        seed = checked_seed(random_state)
        shuffled, keep = checked_flag("shuffle", shuffle), checked_flag("keep_on_interrupt", keep_on_interrupt)
        checked_callback("progress", progress)
        self._check_training()
        keeper = None
        if X is None and y is None:
            if checkpoint is not None:
                raise ArgumentError("a checkpoint needs X and y, to know the samples again; pass them, or leave it out")
            source = self._stored_source(validation)
        else:
            start = self._start(X, y, scale, pattern, convolution, seed)
            checked = partial(self._checked, start=start)
            learn, held = parted(checked(X, y), validation, seed, checked)
            if checkpoint is not None:
                keeper = self._keeper(checkpoint, start, learn, held, exponents, shuffled, seed)
            source = self._given_source(self._begun(start, learn[0]), learn, held)
        self._feeding.drain()
        return loop.fit(
            self._device,
            self._feeding,
            source,
            exponents=exponents,
            seed=seed if shuffled else None,
            callback=progress,
            keep_on_interrupt=keep,
            keeper=keeper,
        )

    @_in_turn()
    def partial_fit(self, X: ArrayLike, y: ArrayLike, *, lr: Rate = LR) -> float:
        """Train once on X (k, features), y (k,), in their order.

        Returns the accuracy of predicting each sample before it was learned. Raises ModelError if no model is
        loaded. After Ctrl-C, what was trained stays.
        """
        values, labels = self._checked(X, y, self._scaled_by())
        exponent = rate_exponent(self.network, lr)
        self._check_training()
        features = self._scaled_by().encode_checked(values)
        self._feeding.drain()
        source = FromLink(feeding=self._feeding, features=features, labels=labels, held_out=None, reason="as asked for")
        history = loop.fit(
            self._device,
            self._feeding,
            source,
            exponents=[exponent],
            seed=None,
            callback=None,
            keep_on_interrupt=False,
        )
        return history.epochs[0].accuracy

    # The board

    @_in_turn()
    def identify(self) -> Identity:
        """What the board says about itself."""
        return self._device.identify()

    @_in_turn()
    def counters(self) -> dict[Counter, int]:
        """The board's counters since they were cleared (docs/protocol.md); a device leaves out those it lacks."""
        return self._device.counters()

    @_in_turn()
    def clear_counters(self) -> None:
        """All counters to zero."""
        self._device.clear_counters()

    # Samples

    def _keeper(
        self,
        path: str | Path,
        start: Fresh | Model,
        learn: Part,
        held: Part | None,
        exponents: Sequence[int],
        shuffle: bool,
        seed: int,
    ) -> Keeper:
        """Of a training's checkpoint, whose model is loaded if there is one."""
        training = {
            "network": self.network.hash,
            "samples": digest(*learn, *(held or ())),
            "classes": start.classes_.tolist(),
            **self._identity(start),
            "rate exponents": list(exponents),
            "shuffle": shuffle,
            "random_state": seed,
        }
        found = Checkpoint(path, training)
        kept = found.read()
        if kept is not None:
            self.load(model_of(self.network, kept))
        return Keeper(found, self.read_model, kept)

    def _identity(self, start: Fresh | Model) -> dict[str, str]:
        if isinstance(start, Fresh):
            return start.identity()
        return {"start": digest(*model_tensors(self.read_model()).values())}

    def _given_source(self, model: Model, learn: Part, held: Part | None) -> Source:
        """Of checked samples: through the board's store, if it has one and they fit there, else over the link."""
        values, labels = learn
        if held is not None:
            values, labels = np.concatenate([values, held[0]]), np.concatenate([labels, held[1]])
        return from_samples(self._feeding, self._store, model, model.encode_checked(values), labels, len(learn[1]))

    def _stored_source(self, validation: Validation) -> Source:
        model = self._scaled_by()
        contents = self._store.contents(model)
        held_out: StoredPart | HeldOut | None = None
        if is_pair(validation):
            values, labels = self._checked(*validation, model)
            held_out = HeldOut(feeding=self._feeding, features=model.encode_checked(values), labels=labels)
        elif validation is not None:
            count = held_out_count(validation, len(contents))
            held_out = StoredPart(feeding=self._feeding, first=len(contents) - count, count=count)
        return from_stored(self._feeding, contents, held_out)

    def _start(
        self,
        X: ArrayLike | None,
        y: ArrayLike | None,
        scale: Scaling,
        pattern: Pattern,
        convolution: Convolution | None,
        seed: int,
    ) -> Fresh | Model:
        """The loaded model, or what one begins with. Raises ArgumentError for what a loaded one has of its own."""
        if X is None or y is None:
            raise ArgumentError(_TOGETHER)
        if self._model is None:
            return Fresh.of(self.network, X, y, scale=scale, pattern=pattern, convolution=convolution, seed=seed)
        if pattern is not None:
            raise ArgumentError("pattern is for a fresh model, and one is loaded, which has its own; leave it out")
        if convolution is not None and not convolution.equals(self._model.inputs.convolution):
            raise ArgumentError(
                f"{convolution} is not that of the loaded model, which has inputs of its own; leave it out, or open "
                "the board anew"
            )
        return self._model

    def _begun(self, start: Fresh | Model, learned: NDArray[np.float64]) -> Model:
        """The loaded model; a fresh one is loaded if there is none."""
        if self._model is None and isinstance(start, Fresh):
            self.load(start.model(learned))
        return self._scaled_by()

    def _checked(
        self, X: ArrayLike | None, y: ArrayLike | None, start: Fresh | Model
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if X is None or y is None:
            raise ArgumentError(_TOGETHER)
        names = start.names if isinstance(start, Fresh) else start.inputs.names
        return checked_samples(X, y, start.width, start.classes_, names)

    def _check_model(self, model: object) -> None:
        if not isinstance(model, Model):
            raise ModelError(
                f"a board takes a Model, and {shortened(model)} is a {type(model).__name__}; read a model file with "
                f"presparse.Model.load first"
            )
        check_model(self.build, model)

    def _check_training(self) -> None:
        if not self.build.training:
            raise BuildError("this build only infers; use one with mode 'train', or train in PyTorch (presparse.train)")

    def _scaled_by(self) -> Model:
        if self._model is None:
            raise ModelError(
                "no model is loaded; call load(model), or adopt(model) if the board was loaded or trained earlier"
            )
        return self._model
