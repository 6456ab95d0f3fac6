"""Any trained MLP on the lanes: the same function until edges go, the best banks, integers that a board runs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.contract.network import Junction, Network
from presparse.contract.pattern import check
from presparse.data import load_digits
from presparse.errors import ArgumentError
from presparse.fitting.holding_out import hold_out
from presparse.prune.chain import UnsupportedModel
from presparse.prune.compaction import compact
from presparse.prune.lanes import to_lanes
from presparse.prune.lanes.banks import assign, keep
from presparse.prune.lanes.mlp import Mlp, mlp
from presparse.prune.lanes.place import importances, place
from presparse.prune.lanes.scale import rescaled, within_formats
from presparse.prune.lanes.shape import shape
from presparse.reference.emulator import Emulator
from presparse.train.network import SparseNetwork
from tests.networks import random_network

SEEDS = range(8)


def dense(*sizes: int, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for left, right in itertools.pairwise(sizes):
        layers += [nn.Linear(left, right), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def without(model: nn.Sequential, *features: int) -> nn.Sequential:
    """The model, which no longer uses some features."""
    first = model[0]
    assert isinstance(first, nn.Linear)
    first.weight.index_fill_(1, torch.tensor(features), 0)
    return model


def samples(width: int, count: int = 300, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.normal(3, 2, size=(count, width)), rng.integers(3, size=count)


# --- any model as arrays ----------------------------------------------------------------------------


def test_arrays_of_a_model_compute_what_it_computes() -> None:
    """BatchNorm folded in, dropout and softmax gone; float64 against torch's own."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3),
        nn.Identity(),
    ).double()  # fmt: skip
    norm = model[1]
    assert isinstance(norm, nn.BatchNorm1d)
    norm.running_mean, norm.running_var = torch.randn(5).double(), torch.rand(5).double() + 0.1
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    X, _ = samples(6)
    found = mlp(model, offset=3, gain=0.5)
    assert found.activations == ("relu", "sigmoid")
    wanted = model.eval()(torch.tensor((X - 3) * 0.5)).detach().numpy()
    np.testing.assert_allclose(found.activity(X)[-1], wanted, rtol=0, atol=1e-12)


def test_arrays_of_a_pruned_model_take_the_original_features() -> None:
    model = without(dense(6, 5, 3).double(), 1, 4)
    pruned = compact(model)
    X, _ = samples(6)
    found = mlp(pruned)
    assert found.columns.tolist() == [0, 2, 3, 5]
    assert found.width == 6
    np.testing.assert_allclose(found.activity(X)[-1], model(torch.tensor(X)).detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)), "layer 1 (Tanh) has no place on the lanes"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), "the lanes take features"),
        (
            nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2)),
            "layer 2 (BatchNorm1d) has no place on the lanes",
        ),
    ],
)
def test_models_without_a_place_are_named(model: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=re.escape(message)):
        mlp(model)


# --- the same function ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_fit_and_the_function_is_the_same(seed: int) -> None:
    """Other inputs and other sums, but the same classes: a positive factor in the output, and the same for all classes
    added, nothing else."""
    rng = np.random.default_rng(seed)
    model = dense(7, 12, 9, 3, seed=seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= float(rng.uniform(1, 8))
    source = mlp(model, offset=1.0, gain=float(rng.uniform(0.1, 3)))
    X, _ = samples(7, seed=seed)
    network = Network(features=7, classes=3, layers=(8, 12, 12, 3), out_degree=(12, 12, 3), lanes=(4, 4, 4),
                      activations=("relu", "relu", "sigmoid"))  # fmt: skip
    scaled = within_formats(rescaled(source, X, 7), network, X)
    own, other = source.activity(X), scaled.activity(X)
    assert np.abs(other[0]).max() <= 0.5 + 1e-12
    for part in (*scaled.weights, *scaled.biases):
        assert np.abs(part).max() <= 0.9 * 4
    for held in other[1:-1]:
        assert held.max() <= 0.9 * 2
    sums, given = (part - part.mean(axis=1, keepdims=True) for part in (other[-1], own[-1]))
    factor = given.ravel() @ sums.ravel() / (sums.ravel() @ sums.ravel())
    assert factor > 0
    np.testing.assert_allclose(given, factor * sums, rtol=0, atol=1e-9 * np.abs(given).max())


@pytest.mark.parametrize("output", ["sigmoid", "identity"])
@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0), (1e-6, 0), (100, 0), (1, 20), (1, -1e4), (1e-3, 5)])
def test_outputs_of_any_scale_with_anything_in_common_become_the_same(scale: float, shift: float, output: str) -> None:
    network = Network(features=7, classes=3, layers=(8, 12, 12, 3), out_degree=(12, 12, 3), lanes=(4, 4, 4),
                      activations=("relu", "relu", output))  # pyright: ignore[reportArgumentType] # fmt: skip
    X, _ = samples(7)
    source = rescaled(mlp(dense(7, 12, 9, 3)), X, 7)
    other = replace(
        source,
        weights=(*source.weights[:-1], source.weights[-1] * scale),
        biases=(*source.biases[:-1], source.biases[-1] * scale + shift),
    )
    own, same = within_formats(source, network, X), within_formats(other, network, X)
    for part, wanted in zip((*same.weights, *same.biases), (*own.weights, *own.biases), strict=True):
        np.testing.assert_allclose(part, wanted, rtol=1e-6, atol=1e-9)
    sums = np.abs(own.activity(X)[-1]).max()
    assert sums <= 0.9 * 2 if output == "identity" else np.abs(own.weights[-1]).max() > 0.89 * 4


@pytest.mark.parametrize("common", [0.3, 5.0, -5.0, 1000.0])
def test_weights_that_all_classes_have_in_common_are_nothing(common: float) -> None:
    network = Network(features=7, classes=3, layers=(8, 12, 12, 3), out_degree=(12, 12, 3), lanes=(4, 4, 4),
                      activations=("relu", "relu", "sigmoid"))  # fmt: skip
    X, _ = samples(7)
    source = rescaled(mlp(dense(7, 12, 9, 3)), X, 7)
    vector = common * np.random.default_rng(0).random(9)
    own = within_formats(source, network, X)
    same = within_formats(replace(source, weights=(*source.weights[:-1], source.weights[-1] + vector)), network, X)
    for part, wanted in zip((*same.weights, *same.biases), (*own.weights, *own.biases), strict=True):
        np.testing.assert_allclose(part, wanted, rtol=1e-6, atol=1e-9)
    assert np.abs(own.biases[-1]).max() <= 0.9 * 4
    scores = 1 / (1 + np.exp(-own.activity(X)[-1]))
    assert abs(scores.mean() - 1 / 3) < 1e-6


def test_weights_of_the_outputs_that_are_0_stay_0() -> None:
    model = dense(7, 12, 9, 3)
    last = model[4]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight[0, :5] = 0
    network = Network(features=7, classes=3, layers=(8, 12, 12, 3), out_degree=(12, 12, 3), lanes=(4, 4, 4),
                      activations=("relu", "relu", "sigmoid"))  # fmt: skip
    X, _ = samples(7)
    source = rescaled(mlp(model), X, 7)
    found = within_formats(source, network, X)
    assert np.array_equal(found.weights[-1] == 0, source.weights[-1] == 0)
    assert np.array_equal(found.activity(X)[-1].argmax(axis=1), source.activity(X)[-1].argmax(axis=1))


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("scale", [1e-5, 1e-3, 1e3])
def test_hidden_layers_of_any_scale_use_the_formats(scale: float, activation: str) -> None:
    """A layer times the scale and the next one divided by it are the same function."""
    network = Network(features=7, classes=3, layers=(8, 12, 12, 3), out_degree=(12, 12, 3), lanes=(4, 4, 4),
                      activations=(activation, activation, "sigmoid"))  # pyright: ignore[reportArgumentType] # fmt: skip
    X, _ = samples(7)
    source = replace(rescaled(mlp(dense(7, 12, 9, 3)), X, 7), activations=(activation, activation))  # pyright: ignore[reportArgumentType]
    first, second, third = source.weights
    other = replace(
        source,
        weights=(first * scale, second / scale, third),
        biases=(source.biases[0] * scale, *source.biases[1:]),
    )
    found = within_formats(other, network, X)
    for layer in (0, 1):
        largest = np.abs(found.weights[layer]).max(axis=1) / 4, np.abs(found.activity(X)[layer + 1]).max(axis=0) / 2
        assert np.maximum(*largest).min() > 0.9 / 33
    assert np.array_equal(found.activity(X)[-1].argmax(axis=1), source.activity(X)[-1].argmax(axis=1))


def test_a_model_of_zeros_has_nothing_to_scale() -> None:
    model = dense(7, 12, 9, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    network = Network(features=7, classes=3, layers=(8, 12, 12, 3), out_degree=(12, 12, 3), lanes=(4, 4, 4),
                      activations=("relu", "relu", "sigmoid"))  # fmt: skip
    X, _ = samples(7)
    found = within_formats(rescaled(mlp(model), X, 7), network, X)
    assert not any(part.any() for part in (*found.weights, *found.biases[:-1]))
    np.testing.assert_allclose(found.biases[-1], -np.log(2))  # of three classes one is right


def test_a_network_with_more_features_takes_further_columns() -> None:
    model = without(dense(6, 5, 3), 1, 4)
    source = mlp(compact(model))
    X, _ = samples(6)
    wider = rescaled(source, X, 5)
    assert wider.columns.tolist() == [0, 2, 3, 5, 1]
    assert not wider.weights[0][:, 4].any()
    for features in (3, 7):
        with pytest.raises(ArgumentError, match=f"the network takes {features} features, and the model 4 of 6 columns"):
            rescaled(source, X, features)


# --- banks ------------------------------------------------------------------------------------------


def random_junction(rng: np.random.Generator) -> Junction:
    junctions = random_network(rng).junctions
    return junctions[int(rng.integers(len(junctions)))]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_is_clash_free_and_no_other_choice_of_these_banks_keeps_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    junction = random_junction(rng)
    importance = rng.exponential(size=(junction.right, junction.left))
    left = keep(junction, importance)
    check(junction, left)
    for right in range(junction.right):
        banks = np.arange(right * junction.in_degree, (right + 1) * junction.in_degree) % junction.lanes
        for bank, count in zip(*np.unique(banks, return_counts=True), strict=True):
            own = importance[right, left[right][left[right] % junction.lanes == bank]]
            assert sorted(own) == sorted(importance[right, bank :: junction.lanes])[-count:]


@pytest.mark.parametrize("seed", range(20))
def test_assignment_is_an_order_that_keeps_no_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    junction = random_junction(rng)
    movable = int(rng.integers(1, junction.left + 1))
    importance = rng.exponential(size=(junction.right, junction.left)) ** 2
    order = assign(junction, importance, rng, movable=movable, passes=5)
    assert sorted(order) == list(range(junction.left))
    assert order[movable:].tolist() == list(range(movable, junction.left))

    def kept(permuted: NDArray[np.float64]) -> float:
        return float(np.take_along_axis(permuted, keep(junction, permuted), axis=1).sum())

    assert kept(importance[:, order]) >= kept(importance) * (1 - 1e-12)


def test_assignment_finds_the_banks_that_lose_nothing() -> None:
    """Every right neuron needs two left neurons, which lie in one bank at first: some order has them in two."""
    junction = Junction(index=1, left=16, right=8, out_degree=1, lanes=2, activation="relu", is_output=False)
    importance = np.zeros((8, 16))
    pairs = np.arange(16).reshape(4, 2, 2).transpose(0, 2, 1).reshape(8, 2)  # (0, 2), (1, 3), (4, 6), ...
    np.put_along_axis(importance, pairs, 1.0, axis=1)
    assert np.take_along_axis(importance, keep(junction, importance), axis=1).sum() == 8
    order = assign(junction, importance, np.random.default_rng(0), movable=16)
    moved = importance[:, order]
    assert np.take_along_axis(moved, keep(junction, moved), axis=1).sum() == 16


# --- places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_full_junctions_lose_nothing_wherever_neurons_are_put(seed: int) -> None:
    """No edge has to go: the placed network computes the source's sums; padded neurons and inputs change nothing."""
    model = dense(7, 10, 9, 3, seed=seed)
    X, _ = samples(7, seed=seed)
    source = rescaled(mlp(model), X, 7)
    network = Network(features=7, classes=3, layers=(8, 12, 12, 4), out_degree=(12, 12, 4), lanes=(4, 6, 3),
                      activations=("relu", "relu", "sigmoid"))  # fmt: skip
    placed = place(source, network, X, np.random.default_rng(seed))
    np.testing.assert_allclose(placed.kept_importance, 1.0)
    found = placed.network(SparseNetwork).double()
    found.dtype = torch.float64
    with torch.no_grad():
        for layer, weights, biases in zip(found.sparse_layers, placed.weights, placed.biases, strict=True):
            layer.weight.copy_(torch.tensor(weights))
            layer.bias.copy_(torch.tensor(biases))
    sums = found(found.inputs(X)).detach().numpy()
    np.testing.assert_allclose(sums[:, :3], source.activity(X)[-1], rtol=0, atol=1e-9)
    assert sorted(placed.inputs.columns) == list(range(7))


def test_the_mean_of_what_is_cut_off_goes_into_the_bias() -> None:
    """One neuron, four constant inputs beside one that varies: all that is lost is known."""
    X = np.full((50, 5), 2.0)
    X[:, 0] = np.arange(50)
    source = Mlp(
        weights=(np.ones((2, 5)),),
        biases=(np.zeros(2),),
        activations=(),
        columns=np.arange(5),
        width=5,
        offset=np.zeros(5),
        gain=np.ones(5),
    )
    network = Network(features=5, classes=2, layers=(6, 2), out_degree=(1,), lanes=(3,), activations=("sigmoid",))
    placed = place(source, network, X, np.random.default_rng(0))
    chosen = placed.inputs.columns[np.minimum(placed.left[0], 4)]
    for right in range(2):
        real = placed.left[0][right] < 5
        sums = X[:, chosen[right][real]] @ placed.weights[0][right][real] + placed.biases[0][right]
        np.testing.assert_allclose(sums, X.sum(axis=1), rtol=0, atol=1e-9)


# --- sizes ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("edges", [3000, 1500, 900])
def test_a_network_within_the_budget(edges: int) -> None:
    source = mlp(dense(64, 40, 20, 10))
    X, _ = samples(64)
    network = shape(source, importances(source, X), edges=edges)
    assert network.edges <= edges
    assert network.edges > edges / 2
    assert network.features == 64
    assert network.classes == 10


@pytest.mark.slow
def test_budgets_that_cannot_be() -> None:
    source = mlp(dense(64, 40, 20, 10))
    X, _ = samples(64)
    with pytest.raises(ArgumentError, match="on the lanes need more than 30 edges: the fewest found are"):
        shape(source, importances(source, X), edges=30)
    with pytest.raises(ArgumentError, match="edges must be at least 1, and are 0"):
        shape(source, importances(source, X), edges=0)


# --- the whole way ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Iterator[nn.Module]:
    """Digits, scaled to -1/2 .. 1/2, 40 and 20 neurons, dense."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for batches this small, more only wait for each other
    X, y = load_digits()
    model = dense(64, 40, 20, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    inputs, labels = torch.tensor(X[:1200] / 16 - 0.5, dtype=torch.float32), torch.tensor(y[:1200])
    for _ in range(40):
        for rows in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    yield model
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_digits_on_a_board(trained: nn.Module) -> None:
    """A third of the edges, refitted: nearly as accurate; the board's scores are those that were reported."""
    X, y = load_digits()
    rest = X[1200:], y[1200:]
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    found = to_lanes(trained, X[:1200], y[:1200], edges=1300, measure=rest, offset=8, gain=1 / 16, epochs=10)
    assert [stage.name for stage in found.stages] == ["trained", "bank-balanced", "in integers", "refitted"]
    first, cut, rounded, last = found.stages
    assert first.accuracy > 0.9
    assert abs(cut.accuracy - rounded.accuracy) < 0.02
    assert last.accuracy > first.accuracy - 0.02
    assert last.accuracy > cut.accuracy
    assert found.model.network.edges == last.edges <= 1300
    for junction, left in zip(found.model.network.junctions, found.model.left, strict=True):
        check(junction, left)
    with Accelerator(Emulator(Build(network=found.model.network))) as board:
        board.load(found.model)
        assert board.score(*rest) == last.accuracy
    for key, value in trained.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_network_that_is_given(trained: nn.Module) -> None:
    X, y = load_digits()
    network = Network(
        name="room", features=64, classes=10, layers=(64, 64, 32, 16), out_degree=(16, 8, 8), lanes=(16, 8, 4),
        activations=("relu", "relu", "sigmoid"),
    )  # fmt: skip
    found = to_lanes(trained, X[:1200], y[:1200], network=network, offset=8, gain=1 / 16, epochs=2)
    assert found.model.network == network
    with pytest.raises(ArgumentError, match="leave them out where one is given"):
        to_lanes(trained, X, y, network=network, edges=100)
    with pytest.raises(ArgumentError, match="the model has 3 junctions, and network digits-small 2"):
        to_lanes(trained, X, y, network=Network.load("digits-small"))
    with pytest.raises(ArgumentError, match="layer 1 of the model has 40 neurons, and of network room 32"):
        to_lanes(trained, X, y, network=network.model_copy(update={"layers": (64, 32, 16, 16)}))


@pytest.mark.slow
def test_features_that_the_model_was_not_trained_on_are_told(trained: nn.Module) -> None:
    X, y = load_digits()
    found = to_lanes(trained, X[:1200], y[:1200], edges=1300, epochs=4)
    assert found.note.startswith(
        "the model was given the features as they are, 0 to 16, and is better after the refit: "
    )
    assert found.stages[0].accuracy < found.stages[-1].accuracy - 0.05
    assert to_lanes(trained, X[:300], y[:300], edges=1300, offset=8, gain=1 / 16, epochs=1).note == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"edges": 1.5}, "edges must be a whole number, at least 1, and is 1.5"),
        ({"lanes": "many"}, "lanes must be a whole number, at least 1, and is 'many'"),
        ({"offset": [1, 2]}, "offset must have shape (64,), and has (2,)"),
        ({"gain": "1"}, "gain must hold real numbers, and has dtype <U1"),
        ({"gain": np.nan}, "gain must be finite, and has nan"),
        ({"measure": 0.2}, "measure must be (X, y), and is 0.2"),
        ({"validation": (1, 2, 3)}, "validation must be (X, y), a share of the samples between 0 and 1, or how many"),
        ({"epochs": 10**10}, "epochs must be at most 1,000,000, and is 10000000000"),
        ({"random_state": 2**63}, "random_state must be a whole number, 0 to 4294967295, and is 9223372036854775808"),
    ],
)
def test_arguments_that_are_not_what_they_must_be(wrong: dict[str, object], message: str) -> None:
    X, y = load_digits()
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}"):
        to_lanes(dense(64, 8, 10), X, y, **wrong)  # pyright: ignore[reportArgumentType]


def test_a_model_that_diverged_has_no_place() -> None:
    model = dense(64, 8, 10)
    with torch.no_grad():
        next(model.parameters())[0, 0] = torch.nan
    with pytest.raises(UnsupportedModel, match=r"^junction 1 holds NaN or infinity: its training diverged"):
        to_lanes(model, *load_digits())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(trained: nn.Module) -> None:
    X, y = load_digits()
    models = [to_lanes(trained, X[:300], y[:300], edges=1300, offset=8, gain=1 / 16, epochs=1).model for _ in range(2)]
    assert models[0].differences(models[1]) == []


def test_a_share_is_held_out_by_the_rule_of_all_trainings() -> None:
    """It chooses the epoch and measures the stages, and nothing else is done with it."""
    X, y = samples(6)
    learned, held = hold_out(y, 0.2, 4)
    by_share = to_lanes(dense(6, 8, 3), X, y, edges=40, validation=0.2, epochs=3, random_state=4)
    by_hand = to_lanes(
        dense(6, 8, 3), X[learned], y[learned], edges=40, validation=(X[held], y[held]), epochs=3, random_state=4
    )
    assert by_share.model.differences(by_hand.model) == []
    assert by_share.stages == by_hand.stages
    history = by_share.model.history
    assert history is not None
    assert len(history.epochs) == 3
