"""What a look at a training finds: each warning where it is deserved, and none where all is well."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Activation, Network
from presparse.errors import LearningWarning
from presparse.features.inputs import Inputs
from presparse.fitting.diagnosis import Diagnosis, diagnose
from presparse.fitting.rates import Rates
from presparse.history import Epoch, History
from presparse.model import Model
from presparse.reference.emulator import Emulator
from presparse.reference.native.native_reference import NativeReference
from tests.host import small


def history(*accuracies: float, validation: float | None = None, samples: int = 300) -> History:
    return History(
        epochs=[Epoch(lr=0.25, samples=samples, accuracy=a, validation=validation, seconds=1.0) for a in accuracies]
    )


def learned(seed: int = 0) -> tuple[Model, NDArray[np.float64], NDArray[np.int64]]:
    """A model that has learned, and its samples."""
    X, y = small.clusters(seed, 300)
    with Accelerator(Emulator(small.BUILD)) as board:
        board.fit(X, y, epochs=4, lr=2**-3)
        return board.read_model(), X, y


MODEL, X, Y = learned()


def look(
    model: Model = MODEL, given: History | None = None, labels: NDArray[np.int64] = Y, X: NDArray[np.float64] = X
) -> Diagnosis:
    return diagnose(lambda rows: model.encode(X[rows]), labels, None, given or history(0.9, 0.97), model)


def test_all_is_well() -> None:
    found = look()
    assert found.warnings == ()
    assert (found.accuracy, found.measured, found.samples) == (0.97, "training", 300)
    assert found.majority == np.bincount(Y).max() / 300
    assert [(layer.number, layer.neurons) for layer in found.layers] == [(1, 12)]


def test_no_better_than_the_largest_class() -> None:
    share = np.bincount(Y).max() / 300
    (warning,) = look(given=history(0.3, share + 0.02)).warnings
    assert f"{share + 0.02:.1%} of 300 training samples are right, and {share:.1%} are of one class" in warning
    assert "class_weight='balanced'" in warning


def test_held_out_samples_judge_if_they_are_many() -> None:
    held = np.repeat([0, 1, 2], 50)
    found = diagnose(lambda rows: MODEL.encode(X[rows]), Y, held, history(0.99, validation=0.35), MODEL)
    assert (found.accuracy, found.measured, found.samples) == (0.35, "held-out", 150)
    (warning,) = found.warnings
    assert warning.startswith(
        "35.0% of 150 held-out samples are right, and 33.3% are of one class: nothing was learned"
    )
    assert "but the training's own samples, 99.0% of them, by heart" in warning
    few = diagnose(lambda rows: MODEL.encode(X[rows]), Y, held[::10], history(0.99, validation=0.35), MODEL)
    assert (few.measured, few.warnings) == ("training", ())


def test_samples_that_say_nothing() -> None:
    (one_class,) = look(labels=np.zeros(300, dtype=np.int64)).warnings
    assert one_class.startswith("all 300 samples are of one class: there is nothing to learn; give samples of others")
    (constant,) = look(X=np.ones((300, 7)), given=history(0.3)).warnings
    assert constant.startswith("all 7 features are the same for every sample")


def test_a_training_that_diverged() -> None:
    (warning,) = look(given=history(0.5, 0.9, 0.4)).warnings
    assert warning == (
        "the training diverged: 90.0% of its samples were right in epoch 2, and 40.0% in epoch 3; "
        "train with a lower lr, such as 0.0625, or 'auto'"
    )
    kept = history(0.5, 0.9, 0.4)
    kept.kept = 2
    assert look(given=kept).warnings == ()


def test_features_out_of_range_are_named_as_their_user_does() -> None:
    plain = Inputs.plain(7, offset=0, gain=[1, 0.001, 1, 0.001, 0.001, 0.001, 0.001])
    (number,) = (w for w in look(replace(MODEL, inputs=plain)).warnings if "features" in w and "lie outside" in w)
    assert number.startswith("2 of 7 features (0, 2) lie outside -2 to 1.99609 for most samples")
    named = replace(plain, names=tuple("abcdefg"))
    assert any("2 of 7 features (a, c) lie outside" in w for w in look(replace(MODEL, inputs=named)).warnings)


def test_dead_neurons() -> None:
    biases = (np.full(12, -(2**15)), MODEL.biases[1])
    found = look(replace(MODEL, biases=biases))
    assert found.layers[0].dead == 12
    assert any(w.startswith("12 of 12 neurons of layer 1 are dead") for w in found.warnings)


def test_saturated_neurons() -> None:
    """A bias of 4, where 2 is the end; only where all features are at theirs a neuron is below it: in ten samples."""
    biases = (np.full(12, 2**15 - 1), MODEL.biases[1])
    weights = (np.full_like(MODEL.weights[0], -(2**12)), MODEL.weights[1])
    outlying = X.copy()
    outlying[:10] = 1e9
    found = look(replace(MODEL, biases=biases, weights=weights), X=outlying)
    assert (found.layers[0].saturated, found.layers[0].dead) == (12, 0)
    assert any(w.startswith("12 of 12 neurons of layer 1 are saturated for nearly all samples") for w in found.warnings)


def test_deltas_that_round_to_zero() -> None:
    """As many as the formula of docs/arithmetic.md says, by another way: neuron by neuron, in Python's integers."""
    formats = Formats(delta=Format(width=6, frac=4))
    network = Network(**{**small.NETWORK.model_dump(), "formats": formats})
    rng = np.random.default_rng(0)
    model = Model.initial(network, random_state=1, inputs=Inputs.plain(7, offset=50, gain=0.02))
    model = replace(model, weights=(model.weights[0], rng.integers(-200, 200, size=model.weights[1].shape)))
    found = look(model)
    lost = some = 0
    raw = model.raw_outputs(X)
    hidden = np.array([_hidden(model, row) for row in model.encode(X).tolist()])
    for scores, h, label in zip(raw.tolist(), hidden.tolist(), Y.tolist(), strict=True):
        if int(np.argmax(scores[:3])) == label:
            continue
        deltas = [max(-32, min(31, (s - 256 * (r == label) + 8) >> 4)) for r, s in enumerate(scores)]
        for neuron, a in enumerate(h):
            total = sum(
                (int(w) >> 4) * deltas[r]
                for r in range(4)
                for n, w in zip(model.left[1][r], model.weights[1][r], strict=True)
                if n == neuron
            )
            if 0 < a < 511 and total:
                some += 1
                lost += -(1 << 8) <= total < 1 << 8  # 9 + 4 bits of fraction, rounded to 4
    assert found.layers[0].lost_deltas == lost / some > 0.9
    assert any("of the deltas of layer 1 round to 0 (6 bits (4 fraction))" in w for w in found.warnings)


def _hidden(model: Model, features: list[int]) -> list[int]:
    """Activations of layer 1, ReLU, in Python's integers."""
    found = []
    for left, weights, bias in zip(model.left[0], model.weights[0], model.biases[0], strict=True):
        total = sum((int(w) >> 4) * features[n] for n, w in zip(left, weights, strict=True)) + (int(bias) << 4)
        found.append(max(0, min(511, (total + 256) >> 9)))
    return found


def test_a_handful_of_samples_says_nothing_of_neurons() -> None:
    assert look(X=X[:5], labels=Y[:5]).layers == ()


def test_a_board_warns_and_its_history_has_the_same() -> None:
    """Labels that have nothing to do with the features; raw numbers that the format does not hold."""
    labels = np.random.default_rng(99).integers(3, size=300)
    with Accelerator(Emulator(small.BUILD)) as board:
        with pytest.warns(LearningWarning, match=r"samples are right, and .* are of one class: nothing was learned"):
            found = board.fit(X, labels, epochs=2, lr=2**-5, validation=150)
        assert len(found.warnings) == 1
    with (
        Accelerator(Emulator(small.BUILD)) as board,
        pytest.warns(LearningWarning, match="of 7 features .* lie outside"),
    ):
        assert any("lie outside" in w for w in board.fit(X, Y, epochs=2, lr=2**-5, scale="none").warnings)
    with Accelerator(Emulator(small.BUILD)) as board, warnings.catch_warnings():
        warnings.simplefilter("error", LearningWarning)
        assert board.fit(X, Y, epochs=5, lr=2**-3).warnings == ()


@pytest.mark.parametrize(
    ("activation", "hidden", "lr", "said"),
    [
        ("sigmoid", 8, 2**-3, r"\d+% of the deltas of layer 1 round to 0 \(12 bits \(11 fraction\)\)"),
        ("relu", 6, 2**-2, r"\d+ of 32 neurons of layer \d are dead"),
        ("relu", 6, "auto", None),
    ],
    ids=["vanishing deltas", "dead neurons", "all is well"],
)
def test_deep_networks(activation: Activation, hidden: int, lr: Rates, said: str | None) -> None:
    """As trainings fail in earnest: deltas that vanish on their way back, ReLUs that a large rate kills."""
    network = Network(
        features=7,
        classes=3,
        layers=(8, *(32,) * hidden, 4),
        out_degree=(*(16,) * hidden, 2),
        lanes=(4, *(16,) * hidden),
        activations=(activation,) * hidden + ("sigmoid",),
    )
    with Accelerator(Emulator(Build(network=network), reference=NativeReference)) as board, warnings.catch_warnings():
        warnings.simplefilter("ignore", LearningWarning)
        found = board.fit(X, Y, epochs=6, lr=lr).warnings
    if said is None:
        assert found == ()
    else:
        assert any(re.match(said, warning) for warning in found), found
        assert "nothing was learned beyond it" in found[0]


def test_four_hidden_layers_of_sigmoids_learn() -> None:
    """With Glorot's first weights they answer one class alone."""
    network = Network(
        features=7,
        classes=3,
        layers=(8, 32, 32, 32, 32, 4),
        out_degree=(16, 16, 16, 16, 2),
        lanes=(4, 16, 16, 16, 16),
        activations=("sigmoid",) * 5,
    )
    with Accelerator(Emulator(Build(network=network), reference=NativeReference)) as board:
        assert board.fit(X, Y, epochs=6, lr=2**-2).warnings == ()
        assert board.score(X, Y) > 0.95


def test_a_warning_points_to_its_user() -> None:
    labels = np.random.default_rng(99).integers(3, size=300)
    board = Accelerator(Emulator(Build(network=small.NETWORK)))
    with pytest.warns(LearningWarning) as caught:
        board.fit(X, labels, epochs=1, lr=2**-5)
    assert caught[0].filename == __file__
