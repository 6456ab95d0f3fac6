"""What users hold: a board that predicts, trains and gives its model back. Numpy in, numpy out, real units."""

from __future__ import annotations

from collections.abc import Callable
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
from presparse.contract.wire import Identity, ResultForm
from presparse.device.acceptance import check_model
from presparse.device.protocol import Device
from presparse.device.turns import Turns
from presparse.errors import ArgumentError, BuildError, ModelError
from presparse.features.convolution import Convolution
from presparse.features.scaling import Scaling
from presparse.features.shifts import Shifts
from presparse.fitting import loop
from presparse.fitting.board_store import BoardStore, StoreProgress
from presparse.fitting.checkpoint import Checkpoint
from presparse.fitting.class_weight import ClassWeight, checked_class_weight
from presparse.fitting.compression import palettes_for
from presparse.fitting.diagnosis import diagnose, suspicious
from presparse.fitting.feeding import Feeding
from presparse.fitting.fresh import Fresh
from presparse.fitting.holding_out import Validation, held_out_count, is_pair
from presparse.fitting.keeper import Keeper, model_tensors
from presparse.fitting.meter import LARGEST_CHUNK
from presparse.fitting.rate_schedule import GivenRates, RateSchedule, schedule_of
from presparse.fitting.rates import LR, Rate, Rates, is_auto, rate_exponent
from presparse.fitting.selection import Selection, select, tenth
from presparse.fitting.sources import FromLink, HeldOut, Source, StoredPart, from_moved, from_samples, from_stored
from presparse.history import Callback, History
from presparse.model import Model
from presparse.support.digests import digest
from presparse.validation import (
    MOST_EPOCHS,
    Labels,
    checked_callback,
    checked_count,
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
        return self._scaled_by().classes_[self._predicted(X, ResultForm.CLASS)]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (k, classes); every row sums to 1 (`presparse.inference.probabilities`)."""
        return inference.probabilities(self.network, self.raw_outputs(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """What the output neurons of the classes give, in real units (k, classes)."""
        return inference.decision_function(self.network, self.raw_outputs(X))

    def raw_outputs(self, X: ArrayLike) -> NDArray[np.int64]:
        """What every output neuron gives, padding outputs too: (k, N_L) integers of the output format, exact."""
        return self._predicted(X, ResultForm.SCORES)

    @_in_turn()
    def score(self, X: ArrayLike | None = None, y: ArrayLike | None = None) -> float:
        """Accuracy on X (k, features), y (k,), or on what `store` put on the board; the board itself counts."""
        if X is None and y is None:
            stored = self._store.contents(self._scaled_by())
            self._feeding.drain()
            return self._feeding.evaluate_stored(0, len(stored), stored.slot)
        values, labels = self._checked(X, y, self._scaled_by())
        features = self._scaled_by().encode_checked(values)
        self._feeding.compress(self._scaled_by(), features)
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
        features = model.encode_checked(values)
        palettes = palettes_for(layout.format, model, features)
        self._store.put(Contents.encode(layout, features, labels, palettes), model, progress)

    @_in_turn("training")
    def fit(
        self,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        epochs: int | None = None,
        first_epoch: int = 1,
        lr: Rates = "auto",
        patience: int | None = None,
        class_weight: ClassWeight = None,
        shuffle: bool = True,
        random_state: int = 0,
        scale: Scaling = "auto",
        pattern: Pattern = None,
        convolution: Convolution | None = None,
        shift: int = 0,
        validation: Validation = None,
        progress: Callback | None = None,
        keep_on_interrupt: bool = False,
        checkpoint: str | Path | None = None,
    ) -> History:
        """Train on the board over X (k, features), y (k,), or over what `store` put on the board, going on from the
        loaded model.

        If none is loaded, `Model.initial(network, pattern=pattern, random_state=random_state)` is, with features scaled
        as `scale` says (`presparse.features.scaling`), those of images behind a `convolution`
        (`presparse.features.Convolution`). A loaded model has all of these, and takes no others.

        With lr 'auto' the board tries every rate that its network has on a few samples, and begins with half of the one
        that learned most of them (`presparse.fitting.rate_search`); when `patience` epochs bring no gain it is halved,
        three times in all. Accuracy on `validation` decides, on a tenth of the samples if there is none, and in the end
        the board holds the model of the best epoch, the last of those that a standard error does not tell apart
        (`presparse.fitting.rate_schedule`). `history.chosen` says what was found.
        Otherwise `lr` is 2^-k, one for all epochs or one each, and the last epoch is kept; with `patience` the best,
        and the training ends after so many epochs without a gain.

        `epochs` is the most that are trained; None: as many as make 100,000 samples, and 20 at least.
        With a `first_epoch` above 1 the loaded model was trained in the epochs before it, and the training goes on:
        with the same arguments otherwise, the rates of all epochs in `lr`, it ends in the same bits as in one go. The
        history has the epochs of this call.
        With class_weight 'balanced' every class counts alike: samples of the smaller ones come several times in every
        epoch, and in `validation`.

        With a `shift` of 1 or more the samples are images, each of which is moved by up to so many rows and columns,
        otherwise in every epoch (`presparse.features.shifts`), on its way to the board: no store can do that.

        With `shuffle`, epoch e has the order `permutation(k, epoch_seed(random_state, e))` of
        `presparse.contract.permutation`, with lr 'auto' of samples that were shuffled before; without, X's. Every epoch
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

        A training that has not learned warns (LearningWarning), and says what to try; `history.warnings` has the same.
        """
        wanted = None if epochs is None else checked_epochs(epochs)
        begun = checked_count("first_epoch", first_epoch, MOST_EPOCHS)
        waits = None if patience is None else checked_count("patience", patience, MOST_EPOCHS)
        balanced = checked_class_weight(class_weight)
        seed = checked_seed(random_state)
        shuffled, keep = checked_flag("shuffle", shuffle), checked_flag("keep_on_interrupt", keep_on_interrupt)
        checked_callback("progress", progress)
        self._check_training()
        automatic = is_auto(lr)
        if begun > 1:
            self._check_going_on(automatic or waits is not None)
        scheduled = partial(schedule_of, self.network, lr, epochs=wanted, patience=waits, first_epoch=begun)
        keeper = Keeper(self.network, self.read_model, self.load, None)
        rounded = 0
        if X is None and y is None:
            if shift:
                raise ArgumentError("shift needs X and y: a board does not move what it has stored; pass them")
            if balanced or checkpoint is not None:
                what = "class_weight" if balanced else "a checkpoint"
                raise ArgumentError(f"{what} needs X and y, to know the samples again; pass them, or leave it out")
            source = self._stored_source(validation, automatic)
            held_out = 0 if source.held_out is None else source.held_out.count
            schedule = scheduled(samples=source.size, held_out=held_out)
        else:
            start = self._start(X, y, scale, pattern, convolution, seed)
            checked = partial(self._checked, start=start)
            through = convolution if isinstance(start, Fresh) else start.inputs.convolution
            shifts = Shifts.of(shift, seed, self.network, start.width, through)
            if isinstance(start, Fresh) and start.rounded is not None:
                rounded = start.rounded.colors
            samples = checked(X, y)
            if automatic and validation is None:
                validation = tenth(len(samples[1]))
            shuffle_first = automatic and shuffled
            selected = select(samples, validation, checked, balanced=balanced, shuffle=shuffle_first, seed=seed)
            schedule = scheduled(samples=len(selected.learned), held_out=len(selected.held_out))
            if checkpoint is not None:
                found = self._checkpoint(checkpoint, start, selected, schedule, shuffled, seed, shifts)
                keeper = Keeper(self.network, self.read_model, self.load, found)
                keeper.resume()
            passes = schedule.epochs - schedule.first_epoch + 1
            source = self._given_source(self._begun(start, selected.learned_values), selected, passes, shifts)
        self._feeding.drain()
        history = loop.fit(
            self._device,
            self._feeding,
            source,
            schedule=schedule,
            seed=seed if shuffled else None,
            callback=progress,
            keep_on_interrupt=keep,
            keeper=keeper,
        )
        if rounded:
            history.chosen = "; ".join(filter(None, (history.chosen, f"features rounded to {rounded} values")))
        self._warn(source, history)
        return history

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
        self._feeding.compress(self._scaled_by(), features)
        source = FromLink(
            feeding=self._feeding,
            encoded=features,
            labels=labels,
            rows=np.arange(len(labels)),
            held_out=None,
            reason="as asked for",
        )
        history = loop.fit(
            self._device,
            self._feeding,
            source,
            schedule=GivenRates(exponents=[exponent], patience=None, measured=len(labels)),
            seed=None,
            callback=None,
            keep_on_interrupt=False,
            keeper=Keeper(self.network, self.read_model, self.load, None),
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

    def _checkpoint(
        self,
        path: str | Path,
        start: Fresh | Model,
        selected: Selection,
        schedule: RateSchedule,
        shuffle: bool,
        seed: int,
        shifts: Shifts | None,
    ) -> Checkpoint:
        training = {
            "network": self.network.hash,
            "samples": digest(selected.values, selected.labels, selected.learned, selected.held_out),
            "classes": start.classes_.tolist(),
            **self._identity(start),
            **schedule.described(),
            "shuffle": shuffle,
            "random_state": seed,
            **({} if shifts is None else {"shift": shifts.most}),
        }
        return Checkpoint(path, training)

    def _identity(self, start: Fresh | Model) -> dict[str, str]:
        if isinstance(start, Fresh):
            return start.identity()
        return {"start": digest(*model_tensors(self.read_model()).values())}

    @_in_turn()
    def _predicted(self, X: ArrayLike, form: ResultForm) -> NDArray[np.int64]:
        """Scores (k, N_L) or class numbers (k,)."""
        features = self._scaled_by().encode(X)
        self._feeding.compress(self._scaled_by(), features)
        parts = []
        for first in range(0, len(features), LARGEST_CHUNK):
            parts.append(self._feeding.predict(Samples.predict(features[first : first + LARGEST_CHUNK]), form))
        return np.concatenate(parts)

    def _given_source(self, model: Model, selected: Selection, epochs: int, shifts: Shifts | None) -> Source:
        """Of checked samples: through the board's store, if it has one, they fit there and are not moved, else over the
        link."""
        if shifts is not None:
            return from_moved(self._feeding, model, selected, shifts, passes=epochs)
        features = model.encode_checked(selected.values)
        return from_samples(
            self._feeding,
            self._store,
            model,
            features,
            selected.labels,
            selected.learned,
            selected.held_out,
            passes=epochs,
        )

    def _stored_source(self, validation: Validation, automatic: bool) -> Source:
        model = self._scaled_by()
        contents = self._store.contents(model)
        if automatic and validation is None:
            validation = tenth(len(contents))
        held_out: StoredPart | HeldOut | None = None
        if is_pair(validation):
            values, labels = self._checked(*validation, model)
            held_out = HeldOut(feeding=self._feeding, features=model.encode_checked(values), labels=labels)
        elif validation is not None:
            first = len(contents) - held_out_count(validation, len(contents))
            held_out = StoredPart(
                feeding=self._feeding, first=first, slot=contents.slot, labels=contents.labels[first:]
            )
        return from_stored(self._feeding, self._store, contents, held_out)

    def _warn(self, source: Source, history: History) -> None:
        """If a training that came to its end has not learned. The model is read, unless all is well or it was read
        anyway."""
        if history.interrupted or history.stopped or not history.epochs:
            return
        held = None if source.held_out is None else source.held_out.labels
        if history.kept is None and not suspicious(source.features, source.learned, held, history, self._scaled_by()):
            return
        found = diagnose(source.features, source.learned, held, history, self.read_model())
        history.warnings = found.warnings
        found.warn(stacklevel=3)

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
            return Fresh.of(
                self.network,
                X,
                y,
                scale=scale,
                pattern=pattern,
                convolution=convolution,
                seed=seed,
                packed=self.build.sample_format,
            )
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

    def _check_going_on(self, decides: bool) -> None:
        """For a training whose first epochs were another's; `decides`: its course would depend on these."""
        if self._model is None:
            raise ArgumentError("first_epoch goes on with a loaded model, and none is loaded; load it, or leave it out")
        if decides:
            raise ArgumentError(
                "first_epoch needs the rates of all epochs as lr, and no patience: what is decided in the course of a "
                "training would depend on epochs that are not there; a checkpoint keeps them"
            )

    def _scaled_by(self) -> Model:
        if self._model is None:
            raise ModelError(
                "no model is loaded; call load(model), or adopt(model) if the board was loaded or trained earlier"
            )
        return self._model
