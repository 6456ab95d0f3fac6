"""fit: learns, repeats itself, keeps the best, survives Ctrl-C, and leaves torch as it was."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from presparse.contract.build import Build
from presparse.contract.errors import PatternError
from presparse.contract.network import Network
from presparse.contract.pattern import generate
from presparse.data import load_digits
from presparse.errors import ArgumentError, FeatureError, LearningWarning, NetworkError, TrainingError
from presparse.features.inputs import Inputs
from presparse.fitting.holding_out import hold_out
from presparse.history import History, Progress
from presparse.model import Model
from presparse.reference.pytorch import Reference
from presparse.train import QuantizedNetwork, SparseNetwork, fit, fit_network
from presparse.train.fit import output_loss
from presparse.train.network import BoundedNetwork

BLOBS = Network(
    name="blobs",
    features=5,
    classes=3,
    layers=(6, 12, 4),
    out_degree=(4, 2),
    lanes=(2, 3),
    activations=("relu", "sigmoid"),
)


def blobs(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three well separated classes in five features of different scales; one feature never changes."""
    centers = np.random.default_rng(0).normal(size=(3, 5)) * 3
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=count)
    X = (centers[y] + rng.normal(size=(count, 5)) * 0.3) * [1, 100, 0.01, 0, 7] + [0, 50, 0, 3, -2]
    return X, y


X, Y = blobs(300, 1)
TEST_X, TEST_Y = blobs(200, 2)


def accuracy(model: Model, X: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    scores = Reference(Build(network=model.network), model).scores(model.encode(X))
    return float((scores[:, : model.network.classes].argmax(1) == y).mean())


@pytest.mark.parametrize("quantized", [True, False])
@pytest.mark.parametrize("output", ["sigmoid", "identity"])
@pytest.mark.parametrize("hidden", ["relu", "sigmoid", "identity"])
def test_learns(hidden: str, output: str, quantized: bool) -> None:
    network = Network.model_validate({**BLOBS.model_dump(), "activations": (hidden, output)})
    model = fit(network, X, Y, epochs=12, batch_size=16, lr=0.03, quantized=quantized)
    assert accuracy(model, TEST_X, TEST_Y) > 0.97
    assert accuracy(Model.initial(network, inputs=Inputs.plain(network.features, gain=0.01)), TEST_X, TEST_Y) < 0.8


@pytest.mark.slow
def test_digits() -> None:
    """What the README promises, on one split."""
    network = Network(
        features=64,
        classes=10,
        layers=(64, 128, 16),
        out_degree=(16, 8),
        lanes=(16, 8),
        activations=("relu", "sigmoid"),
    )
    X, y = load_digits()
    train, test = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0, stratify=y)
    model = fit(network, X[train], y[train], epochs=15)
    assert accuracy(model, X[test], y[test]) > 0.95


def test_same_arguments_same_model() -> None:
    torch.manual_seed(1)
    first = fit(BLOBS, X, Y, epochs=2, random_state=3)
    torch.manual_seed(2)
    assert fit(BLOBS, X, Y, epochs=2, random_state=3).differences(first) == []
    assert fit(BLOBS, X, Y, epochs=2, random_state=4).differences(first) != []


def test_scaling_is_recorded() -> None:
    model = fit(BLOBS, X, Y, epochs=1)
    assert model.inputs.equals(Inputs.fit(X, "auto"))
    assert fit(BLOBS, X, Y, epochs=1, scale="none").inputs.gain.tolist() == [1] * 5
    assert len(set(fit(BLOBS, X, Y, epochs=1, scale="overall").inputs.gain.tolist())) == 1


def test_progress_and_the_kept_epoch() -> None:
    """With a validation set, the model is that of the best epoch; quantized accuracies are the board's own."""
    seen: list[Progress] = []
    noisy = np.where(np.random.default_rng(0).random(len(Y)) < 0.4, 0, Y)
    model = fit(
        BLOBS,
        X,
        noisy,
        validation=(TEST_X, TEST_Y),
        epochs=12,
        lr=0.3,
        progress=seen.append,
    )
    ends = [progress for progress in seen if progress.ended]
    assert [(end.epoch, end.epochs, end.of) for end in ends] == [(epoch, 12, 300) for epoch in range(1, 13)]
    reached = [end.validation for end in ends]
    assert len(set(reached)) > 1  # else any epoch would do
    assert accuracy(model, TEST_X, TEST_Y) == max(r for r in reached if r is not None)
    assert all((end.loss or 0) > 0 and 0 <= end.accuracy <= 1 for end in ends)
    history = model.history
    assert history is not None
    assert [(e.validation, e.accuracy, e.loss, e.samples) for e in history.epochs] == [
        (end.validation, end.accuracy, end.loss, 300) for end in ends
    ]
    assert history.epochs[0].lr == 0.3
    assert 0 < history.epochs[-1].lr < 0.01
    assert (history.source, history.interrupted, history.stopped, history.samples) == ("host", False, False, 3600)
    assert repr(history).startswith("History(12 epochs, 3,600 samples, accuracy ")


def test_a_share_is_held_out_by_the_rule_of_all_trainings() -> None:
    learned, held = hold_out(Y, 0.2, 7)
    by_share = fit(BLOBS, X, Y, validation=0.2, epochs=3, random_state=7)
    by_hand = fit(BLOBS, X[learned], Y[learned], validation=(X[held], Y[held]), epochs=3, random_state=7)
    assert by_share.differences(by_hand) == []
    assert fit(BLOBS, X, Y, validation=60, epochs=3, random_state=7).differences(by_hand) == []


def test_without_validation_the_last_epoch_is_kept() -> None:
    """A validation set must change what is kept, and nothing else."""
    snapshots: list[Model] = []
    network = QuantizedNetwork.initial(BLOBS, inputs=Inputs.plain(5, gain=0.01))

    def progress(told: Progress) -> None:
        assert told.validation is None
        if told.ended:
            snapshots.append(network.model())

    fit_network(network, X, Y, epochs=3, progress=progress)
    assert network.model().differences(snapshots[-1]) == []
    assert snapshots[0].differences(snapshots[-1]) != []


@pytest.mark.parametrize("way", ["Ctrl-C", "Ctrl-C, raised", "stop", "error"])
@pytest.mark.parametrize("validation", [None, (TEST_X, TEST_Y)])
def test_an_early_end_keeps_what_was_trained(validation: tuple | None, way: str) -> None:
    """The network is whole whichever way a training ends: the best epoch so far, or what was trained until then."""
    snapshots: list[Model] = []
    network = QuantizedNetwork.initial(BLOBS, inputs=Inputs.plain(5, gain=0.01))

    def progress(told: Progress) -> bool:
        if not told.ended:
            return False
        snapshots.append(network.model())
        if told.epoch == 2 and way != "stop":
            raise RuntimeError("mine") if way == "error" else KeyboardInterrupt
        return told.epoch == 2

    def train() -> History:
        return fit_network(
            network, X, Y, validation=validation, epochs=50, progress=progress, keep_on_interrupt=way == "Ctrl-C"
        )

    if way in ("Ctrl-C", "stop"):
        history = train()
        assert (history.interrupted, history.stopped) == (way == "Ctrl-C", way == "stop")
        assert len(history.epochs) == 2
    else:
        with pytest.raises(RuntimeError if way == "error" else KeyboardInterrupt):
            train()
    assert len(snapshots) == 2
    kept = network.model()
    assert any(kept.differences(snapshot) == [] for snapshot in snapshots)
    if validation is None:
        assert kept.differences(snapshots[-1]) == []


def test_ctrl_c_within_the_first_epoch_keeps_what_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the third batch: two are learned."""
    network = QuantizedNetwork.initial(BLOBS, inputs=Inputs.plain(5, gain=0.01))
    before, forward, calls = network.model(), QuantizedNetwork.forward, 0

    def interrupted(self: QuantizedNetwork, inputs: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return forward(self, inputs)

    monkeypatch.setattr(QuantizedNetwork, "forward", interrupted)
    history = fit_network(network, X, Y, epochs=5, batch_size=32, keep_on_interrupt=True)
    assert history.interrupted
    assert [epoch.samples for epoch in history.epochs] == [64]
    assert network.model().differences(before) != []


def test_patience_holds_a_tenth_out() -> None:
    """The same tenth as `validation` does, every class in proportion."""
    model = fit(BLOBS, X, Y, epochs=60, patience=2)
    by_share = fit(BLOBS, X, Y, epochs=60, patience=2, validation=30)
    assert model.differences(by_share) == []
    assert model.history is not None
    assert (len(model.history.epochs) < 60, model.history.epochs[0].samples) == (True, 270)
    reached = [epoch.validation for epoch in model.history.epochs]
    assert reached.index(max(reached)) + 1 == len(reached) - 2  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_balanced_classes() -> None:
    """One sample of twenty is of the second class, and looks much like the others."""
    network = Network(
        features=4, classes=2, layers=(4, 8, 4), out_degree=(4, 4), lanes=(4, 4), activations=("relu", "sigmoid")
    )
    rng = np.random.default_rng(0)
    y = (np.arange(600) % 20 == 0).astype(int)
    X = rng.normal(size=(600, 4)) + y[:, None]
    found = {weight: fit(network, X, y, epochs=10, class_weight=weight) for weight in (None, "balanced")}
    recall = {weight: float((model.predict(X)[y == 1] == 1).mean()) for weight, model in found.items()}
    assert recall[None] < 0.3
    assert recall["balanced"] > 0.6
    history = found["balanced"].history
    assert history is not None
    specificity = float((found["balanced"].predict(X)[y == 0] == 0).mean())
    assert history.epochs[-1].accuracy == pytest.approx((recall["balanced"] + specificity) / 2, abs=0.05)


def test_a_training_that_learns_nothing_warns() -> None:
    with pytest.warns(LearningWarning, match="nothing was learned beyond it") as caught:
        model = fit(BLOBS, X, np.random.default_rng(0).permutation(Y), epochs=2)
    assert caught[0].filename == __file__
    assert model.history is not None
    assert model.history.warnings == tuple(str(warning.message) for warning in caught)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(BLOBS, X, Y, epochs=12).history is not None


@pytest.mark.parametrize("kind", ["arrays", "shuffled arrays", "function"])
def test_a_pattern_of_ones_own(kind: str) -> None:
    """The edges are the user's, in an order that is clash-free."""
    rng = np.random.default_rng(5)
    own = [generate(junction, "free", rng) for junction in BLOBS.junctions]
    shuffled = [rng.permuted(left, axis=1) for left in own]
    given = {"arrays": own, "shuffled arrays": shuffled, "function": lambda j, rng: own[j.index - 1].tolist()}[kind]
    model = fit(BLOBS, X, Y, epochs=1, pattern=given)
    for left, wanted in zip(model.left, own, strict=True):
        assert np.sort(left, axis=1).tolist() == np.sort(wanted, axis=1).tolist()
        assert kind == "shuffled arrays" or left.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ([np.zeros((12, 2), dtype=int)], "a pattern has one array per junction, 2, and this one has 1"),
        ([np.zeros((12, 2))] * 2, "junction 1: a pattern holds numbers of left neurons, integers"),
        ([[[0, 1], [2]]] * 2, "junction 1: the rows of a pattern have unequal lengths"),
        ([np.full((12, 2), 6)] * 2, "junction 1: left neurons are 0 to 5, and an edge has 6"),
        (lambda j, rng: np.zeros((3, 3), dtype=int), "junction 1: a pattern has shape (12, 2), and this one (3, 3)"),
        ([np.tile([0, 2], (12, 1))] * 2, "junction 1: not clash-free for 2 lanes"),
        ("spiral", "pattern must be one of windows, one seed, seed per sweep, free, random, fully connected, and is"),
        (
            "windows",
            "network blobs has no images, of which patterns of kind 'windows' are; describe them as [[image]]",
        ),
    ],
)
def test_patterns_of_ones_own_that_do_not_fit(pattern: object, message: str) -> None:
    with pytest.raises(PatternError, match=f"^{re.escape(message)}"):
        fit(BLOBS, X, Y, pattern=pattern)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number, at least 1, and is 0"),
        ({"batch_size": 1.5}, "batch_size must be a whole number, at least 1, and is 1.5"),
        ({"lr": -0.1}, "lr, the learning rate, must be a positive number, such as 0.01, and is -0.1"),
        ({"patience": 0}, "patience must be a whole number, at least 1, and is 0"),
        ({"class_weight": "even"}, "class_weight must be None or 'balanced', and is 'even'"),
        ({"lr": "fast"}, "lr, the learning rate, must be a positive number, such as 0.01, and is 'fast'"),
        ({"random_state": -1}, "random_state must be a whole number, 0 to 4294967295, and is -1"),
        ({"epochs": 10**10}, "epochs must be at most 1,000,000, and is 10000000000"),
        ({"batch_size": 10**20}, "batch_size must be at most 2,147,483,647, and is 100000000000000000000"),
        ({"lr": 10**400}, "lr, the learning rate, must be a positive number, such as 0.01, and is <1329 bits>"),
        ({"random_state": 2**63}, "random_state must be a whole number, 0 to 4294967295, and is 9223372036854775808"),
        ({"validation": 0.001}, "holding out 0.001 of 300 samples leaves none to measure"),
        ({"validation": 0.999}, "holding out 0.999 of 300 samples leaves none to learn from"),
        ({"validation": 1.0}, "validation must be (X, y), a share"),
        ({"validation": (X, Y, Y)}, "validation must be (X, y), a share"),
        ({"validation": [X, Y]}, "validation must be (X, y), a share"),
        ({"validation": "0.2"}, "validation must be (X, y), a share"),
        ({"validation": np.nan}, "validation must be (X, y), a share"),
        ({"validation": 300}, "validation must be (X, y), a share"),
    ],
)
def test_arguments_that_are_not_what_they_must_be(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}"):
        fit(BLOBS, X, Y, **wrong)  # pyright: ignore[reportArgumentType]


def test_a_network_by_name_and_one_that_is_none() -> None:
    X, y = load_digits()
    model = fit("digits-small", X[:200], y[:200], epochs=1)
    assert model.differences(fit(Network.load("digits-small"), X[:200], y[:200], epochs=1)) == []
    assert SparseNetwork.initial("digits-small").network == model.network
    with pytest.raises(NetworkError, match=r"^nowhere\.toml: not a readable network file"):
        fit("nowhere.toml", X, y)
    with pytest.raises(NetworkError, match=r"not a readable network file \(dict is no path\)"):
        fit({}, X, y)  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        ArgumentError, match=r"^network must be a SparseNetwork, and is 'digits-small'; give SparseNetw"
    ):
        fit_network("digits-small", X, y)  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
@pytest.mark.parametrize("quantized", [True, False])
def test_one_feature(quantized: bool) -> None:
    """It asks for large weights and activations: what grows beyond the formats would be lost when it is rounded."""
    network = Network(
        features=1, classes=2, layers=(4, 16, 4), out_degree=(8, 2), lanes=(4, 4), activations=("relu", "sigmoid")
    )
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(600, 1))
        y = (np.abs(x[:, 0]) > 0.6).astype(int)
        model = fit(network, x, y, quantized=quantized, random_state=seed, epochs=20, lr=0.02)
        assert model.score(x, y) > 0.9
        assert model.history is not None
        assert abs(model.score(x, y) - model.history.epochs[-1].accuracy) < 0.05


@pytest.mark.parametrize("kind", [BoundedNetwork, QuantizedNetwork])
def test_features_saturate_as_on_a_board(kind: type[BoundedNetwork]) -> None:
    """An outlier is as large as the format holds, in floating point too."""
    inputs = kind.initial(BLOBS).inputs(np.array([[1e9, -1e9, 0.5, 0.0, 2.0]]))
    largest = BLOBS.formats.activation.max / BLOBS.formats.activation.one
    assert inputs.tolist() == [[largest, -2.0, 0.5, 0.0, largest, 0.0]]


def test_tensors_and_arrays_train_the_same_model() -> None:
    wanted = fit(BLOBS, X, Y, epochs=1)
    read_only = X.copy()
    read_only.setflags(write=False)
    for same in (torch.tensor(X, requires_grad=True), X.tolist(), np.asfortranarray(X), X[:, ::-1][:, ::-1], read_only):
        assert fit(BLOBS, same, torch.tensor(Y), epochs=1).differences(wanted) == []  # pyright: ignore[reportArgumentType]
    half = torch.tensor(X).bfloat16()
    assert fit(BLOBS, half, Y, epochs=1).differences(fit(BLOBS, half.double(), Y, epochs=1)) == []  # pyright: ignore[reportArgumentType]


def test_a_training_that_diverges_says_so() -> None:
    network = Network.model_validate({**BLOBS.model_dump(), "activations": ("relu", "identity")})
    fresh = SparseNetwork.initial(network)
    with torch.no_grad():
        fresh.sparse_layers[0].weight[0, 0] = torch.nan
    with pytest.raises(TrainingError, match=r"^layers\.0\.weight holds NaN or infinity: its training diverged;"):
        fresh.model()
    with pytest.raises(TrainingError, match=r"^the loss is nan in epoch 1: it diverged; train with a lower lr, or"):
        fit_network(fresh, X, Y, epochs=1)


def test_torch_settings_come_back() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        state = torch.get_rng_state()
        fit(BLOBS, X, Y, epochs=1)
        assert torch.get_num_threads() == 3
        assert torch.equal(torch.get_rng_state(), state)
        with pytest.raises(RuntimeError, match="stop"):
            fit(BLOBS, X, Y, epochs=1, progress=lambda *_: (_ for _ in ()).throw(RuntimeError("stop")))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_float_and_quantized_accuracy_of_one_pattern() -> None:
    inputs = Inputs.fit(X)
    float_network = SparseNetwork.initial(BLOBS, inputs=inputs)
    quantized = QuantizedNetwork.initial(BLOBS, inputs=inputs)
    for a, b in zip(float_network.sparse_layers, quantized.sparse_layers, strict=True):
        assert torch.equal(a.left, b.left)
    for network in (float_network, quantized):
        fit_network(network, X, Y, epochs=15)
        assert network.score(TEST_X, TEST_Y) > 0.97
    assert quantized.score(TEST_X, TEST_Y) == accuracy(quantized.model(), TEST_X, TEST_Y)


def test_loss_gradient_is_score_minus_target() -> None:
    sums = torch.tensor([[0.3, -1.0, 2.0, 0.1]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.0, 0, 1, 0]], dtype=torch.float64)
    for output, expected in (("sigmoid", sums.sigmoid() - target), ("identity", sums - target)):
        network = Network.model_validate({**BLOBS.model_dump(), "activations": ("relu", output)})
        sums.grad = None
        output_loss(SparseNetwork.initial(network), sums, torch.tensor([2])).backward()
        assert sums.grad is not None
        assert torch.allclose(sums.grad, expected.detach(), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X[:, :4], Y, "X must have shape (samples, 5), and has (300, 4)"),
        (X, Y[:10], "y must have one label per sample, shape (300,), and has (10,)"),
        (
            X,
            np.arange(len(Y)) % 4,
            "y holds 4 different labels (0, 1, 2, 3), and the network has 3 classes; give a network of 4 "
            "(`presparse new --data` makes one)",
        ),
        (X[:0], Y[:0], "X must hold at least one sample, and has shape (0, 5)"),
    ],
)
def test_data_that_does_not_fit(X: NDArray[np.float64], y: NDArray[np.int64], message: str) -> None:
    with pytest.raises(FeatureError) as error:
        fit(BLOBS, X, y)
    assert str(error.value) == message


@pytest.mark.parametrize("pattern", ["random", "fully connected"])
def test_patterns_that_clash_are_refused_before_training(pattern: str) -> None:
    def progress(*_: object) -> None:
        raise AssertionError("trained")

    with pytest.raises(PatternError, match=r"^junction 1: "):
        fit(BLOBS, X, Y, pattern=pattern, progress=progress)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("pattern", ["random", "fully connected"])
def test_patterns_that_clash_train_in_torch(pattern: str) -> None:
    inputs = Inputs.fit(X)
    network = SparseNetwork.initial(
        BLOBS,
        pattern=pattern,  # pyright: ignore[reportArgumentType]
        inputs=inputs,
    )
    fit_network(network, X, Y, epochs=15)
    assert network.score(TEST_X, TEST_Y) > 0.97
