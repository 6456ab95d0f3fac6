"""The demo's steps, one function each, in their order."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

import numpy as np
from sklearn.model_selection import train_test_split

from presparse import data, opening
from presparse.accelerator import Accelerator
from presparse.contract.address_map import Counter
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.demo.outcome import Comparison, InPyTorch, Learning, Outcome, Predictions, Split
from presparse.features.inputs import Inputs
from presparse.history import Progress
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse.train import QuantizedNetwork, SparseNetwork, fit_network
from presparse.validation import checked_epochs, checked_seed

FLOAT_EPOCHS = 30
QUANTISED_EPOCHS = 10
QUANTISED_RATE = 0.002
BOARD_RATES = (2**-3,) * 14 + (2**-4,) * 3 + (2**-5,) * 2 + (2**-6,)
"""One per epoch on the board: fast while it learns, slower in the last six, which let it settle.

Chosen with the scaling, "per feature", by cross-validation inside the digits to learn from
(docs/decisions/0007-the-digits-network.md). Held-out digits: `python -m presparse.demo.accuracy`.
"""
HELD_OUT = 0.25
STORE_SAMPLES = 2048
"""All 1,797 digits fit into the store of the demo's board."""
SAMPLE_BITS = 5
"""Digits have 17 grey levels."""
_REPEATABLE: tuple[Counter, ...] = (
    "trained",
    "evaluated",
    "correct",
    "saturated_activation",
    "saturated_weight",
    "saturated_delta",
)
"""Counters that must be equal too; the others depend on timing."""


class Listener(Protocol):
    """Is told what the demo does."""

    def stage(self, title: str) -> None:
        """A new part begins."""
        ...

    def progress(self, done: int, of: int, note: str) -> None:
        """How far the part is."""
        ...

    def doing(self, note: str) -> None:
        """What the part does, if it cannot say how far it is."""
        ...

    def result(self, text: str) -> None:
        """What the part found."""
        ...


def run(
    listener: Listener, *, device: str = opening.DEFAULT_DEVICE, epochs: int = len(BOARD_RATES), seed: int = 0
) -> Outcome:
    """The whole demo, report excluded. Raises PresparseError if the device cannot be used."""
    epochs, seed = checked_epochs(epochs), checked_seed(seed)
    build = Build(network=Network.load("digits"), store_samples=STORE_SAMPLES, sample_bits=SAMPLE_BITS)
    split = load_split(seed)
    in_pytorch = train_in_pytorch(listener, build.network, split, seed)
    with open_board(listener, device, build) as board:
        predictions = predict(listener, board, in_pytorch.model, split)
        learning = learn(listener, board, in_pytorch.model, split, epochs, seed)
    comparison = compare(listener, learning, build, split, epochs, seed)
    return Outcome(
        build=build,
        device=device,
        split=split,
        in_pytorch=in_pytorch,
        predictions=predictions,
        learning=learning,
        comparison=comparison,
    )


def load_split(seed: int) -> Split:
    """1,347 digits to learn from and 450 that are held out, every class in equal parts."""
    X, y = data.load_digits()
    learn, held = map(
        np.asarray, train_test_split(np.arange(len(y)), test_size=HELD_OUT, random_state=seed, stratify=y)
    )
    return Split(X=X[learn], y=y[learn], held_X=X[held], held_y=y[held])


def train_in_pytorch(listener: Listener, network: Network, split: Split, seed: int) -> InPyTorch:
    """In floating point, then with every rounding of the board. No epoch is chosen by the held-out digits."""
    listener.stage("Training in PyTorch")
    total = FLOAT_EPOCHS + QUANTISED_EPOCHS

    def train(trained: SparseNetwork, epochs: int, rate: float, before: int) -> list[float]:
        curve: list[float] = []

        def told(progress: Progress) -> None:
            if progress.ended:
                curve.append(trained.score(split.held_X, split.held_y))
                listener.progress(before + progress.epoch, total, f"held-out accuracy {curve[-1]:.1%}")

        fit_network(trained, split.X, split.y, epochs=epochs, lr=rate, random_state=seed, progress=told)
        return curve

    real = SparseNetwork.initial(network, random_state=seed, inputs=Inputs.fit(split.X, "per feature"))
    float_curve = train(real, FLOAT_EPOCHS, 0.01, 0)
    quantized = QuantizedNetwork.from_model(real.model())
    quantized_curve = train(quantized, QUANTISED_EPOCHS, QUANTISED_RATE, FLOAT_EPOCHS)
    listener.result(f"{float_curve[-1]:.1%} in floating point, {quantized_curve[-1]:.1%} quantized")
    return InPyTorch(float_curve=float_curve, quantized_curve=quantized_curve, model=quantized.model())


def open_board(listener: Listener, device: str, build: Build) -> Accelerator:
    """The device; a simulated board is compiled first, if no cache holds it."""
    listener.stage("Opening the board")
    # Only the simulated board takes long enough to say what it does.
    board = opening.open(device, build, progress=listener.doing) if device == "sim" else opening.open(device, build)
    with ExitStack() as stack:
        stack.callback(board.close)
        identity = board.identify()
        stack.pop_all()
    listener.result(f"{device}: build {identity.contract_hash[:12]}, one sample every {build.schedule.period} cycles")
    return board


def predict(listener: Listener, board: Accelerator, model: Model, split: Split) -> Predictions:
    """Every held-out digit through the board and through the reference; every output, padding too, must be equal."""
    listener.stage("Predicting on the board")
    board.load(model)
    scores = board.raw_outputs(split.held_X)
    wanted = Reference(board.build, model).scores(model.encode(split.held_X))
    equal = (scores == wanted).all(axis=1)
    answers = scores[:, : board.network.classes].argmax(axis=1)
    accuracy = float(np.mean(answers == split.held_y))
    listener.result(f"{int(equal.sum())} of {len(equal)} predictions equal in every score; {accuracy:.1%} right")
    return Predictions(checked=len(equal), equal=int(equal.sum()), accuracy=accuracy)


def learn(listener: Listener, board: Accelerator, scaled_as: Model, split: Split, epochs: int, seed: int) -> Learning:
    """A fresh network learns on the board, one sample at a time."""
    listener.stage("Learning on the board")
    start = Model.initial(board.network, random_state=seed, inputs=scaled_as.inputs)
    learning = _learn(listener, board, start, split, epochs, seed)
    came = "from the board's store" if learning.history.source == "store" else "over the link"
    listener.result(f"{learning.history.samples:,} samples learned {came}, {learning.accuracy(split):.1%} right")
    return learning


def compare(listener: Listener, learning: Learning, build: Build, split: Split, epochs: int, seed: int) -> Comparison:
    """The reference learns the same; every weight, bias and repeatable counter must be equal."""
    listener.stage("Learning the same in the reference")
    with opening.open("emulator", build) as reference:
        wanted = _learn(listener, reference, learning.start, split, epochs, seed)
    own, other = (m.weights + m.biases for m in (learning.model, wanted.model))
    comparison = Comparison(
        checked=sum(a.size for a in own),
        equal=sum(int((a == b).sum()) for a, b in zip(own, other, strict=True)),
        differences=[
            *learning.model.differences(wanted.model),
            *(
                f"counter {name}: {learning.counters[name]}, reference {wanted.counters[name]}"
                for name in _REPEATABLE
                if learning.counters[name] != wanted.counters[name]
            ),
        ],
    )
    listener.result(f"{comparison.equal:,} of {comparison.checked:,} weights and biases equal")
    return comparison


def _learn(listener: Listener, board: Accelerator, start: Model, split: Split, epochs: int, seed: int) -> Learning:
    def told(p: Progress) -> None:
        note = f"{p.samples_per_second:,.0f} samples/s, {p.accuracy:.1%} right"
        listener.progress((p.epoch - 1) * p.of + p.samples, p.epochs * p.of, note)

    def stored(done: int, of: int) -> None:
        listener.progress(done, of, "storing the digits on the board")

    board.load(start)
    if board.build.store is not None:
        # `fit` would do it, too, but say nothing meanwhile.
        X, y = np.concatenate([split.X, split.held_X]), np.concatenate([split.y, split.held_y])
        board.store(X, y, progress=stored)
    board.clear_counters()
    history = board.fit(
        split.X,
        split.y,
        epochs=epochs,
        lr=[BOARD_RATES[epoch * len(BOARD_RATES) // epochs] for epoch in range(epochs)],
        random_state=seed,
        validation=(split.held_X, split.held_y),
        progress=told,
    )
    counters = board.counters()
    return Learning(
        start=start,
        model=board.read_model(),
        history=history,
        counters=counters,
        answers=board.predict(split.held_X),
    )
