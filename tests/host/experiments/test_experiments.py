"""Experiments: planned, resumed, chosen on validation data, and told with their spread."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from torch import nn

from presparse.contract.network import Network
from presparse.data import Splits
from presparse.experiments import density, junctions, large_sparse, other_data, penalties, slimming, windows
from presparse.experiments.catalogue import EXPERIMENTS
from presparse.experiments.experiment import of, row, rows_by
from presparse.experiments.intervals import interval
from presparse.experiments.learned import DIGITS, learned
from presparse.experiments.perceptron import accuracy, parts, perceptron, together
from presparse.experiments.predefined import shaped
from presparse.experiments.synthetic import word_counts
from presparse.prune import slim
from presparse.report.style import png
from presparse.trials.trial import Done

pytestmark = pytest.mark.slow


TINY = replace(penalties.DIGITS, epochs={"loss": 2, "prox": 2}, refit=1)


# --- statistics -------------------------------------------------------------------------------------


def test_interval_is_scipys() -> None:
    values = [0.91, 0.95, 0.93, 0.90, 0.96]
    mean, half = interval(values)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose((mean - half, mean + half), (low, high))
    assert interval([3.0]) == (3.0, float("inf"))


def test_rows() -> None:
    done: Done = [({"row": name, "seed": seed}, {"x": float(seed)}) for name in ("a", "b") for seed in (1, 3)]
    assert rows_by(done, "row")["a"]["x_mean"] == 2
    assert rows_by(done, "row", "seed")["b 3"] == {"x_mean": 3.0, "x_ci95": float("inf"), "n": 1}
    assert row(of(done, seed=3)) == {"x_mean": 3.0, "x_ci95": 0.0, "n": 2}


# --- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_plans_are_whole_and_have_no_trial_twice(name: str) -> None:
    planned = EXPERIMENTS[name].load().plan(3, [])
    keys = {json.dumps(dict(trial), sort_keys=True) for trial in planned}
    assert len(keys) == len(planned)
    assert {trial["seed"] for trial in planned} == {0, 1, 2}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_planned_is_never_planned_otherwise(name: str) -> None:
    """However many trials are done, from the first on."""
    plan = EXPERIMENTS[name].load().plan
    rng = np.random.default_rng(0)
    done: Done = []
    planned = plan(2, done)
    while len(done) < len(planned):
        measured = {"validation_accuracy": rng.random(), "validation_error": rng.random(), "validation_samples": 99.0}
        done.append((planned[len(done)], measured))
        later = plan(2, list(done))
        assert later[: len(planned)] == planned
        planned = later
    assert plan(2, done) == planned


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_kept_report_can_be_drawn_again(name: str) -> None:
    kept = json.loads((Path(__file__).parents[3] / f"docs/experiments/{name}.json").read_text(encoding="utf-8"))
    assert png(EXPERIMENTS[name].load().picture(kept)).startswith(b"\x89PNG")


# --- penalties --------------------------------------------------------------------------------------


def test_the_strongest_within_one_standard_error_is_chosen() -> None:
    def chosen(*accuracies: float) -> float:
        return penalties.strongest(
            [
                ({"strength": 10.0**-k}, {"validation_accuracy": a, "validation_samples": 400.0})
                for k, a in enumerate(accuracies)
            ]
        )

    assert chosen(0.89, 0.90, 0.90) == 1  # the standard error is 1.5 points
    assert chosen(0.88, 0.90, 0.90) == 0.1
    assert chosen(0.50, 0.60, 0.90) == 0.01


def test_what_is_reported_was_chosen_on_validation_data_and_measured_on_test_data() -> None:
    """Each seed's own choice; the test part is not looked at before."""
    done: Done = []
    for trial in penalties.plan(TINY, 2, []):
        best = trial["strength"] == 1e-4 * 10 ** int(trial["seed"])
        done.append((trial, {"validation_accuracy": 0.9 if best else 0.5, "validation_samples": 270.0}))
    reported = [trial for trial in penalties.plan(TINY, 2, done) if trial["phase"] == "report"]
    assert len(reported) == 2 * len(TINY.rows)
    assert [trial["strength"] for trial in reported if trial["row"] == "l1"] == [1e-4, 1e-3]
    figures = penalties.run(TINY, {"row": "l1", "strength": 1e-3, "seed": 0, "phase": "choose"})
    assert "test_accuracy" not in figures
    assert figures["validation_samples"] == len(parts("digits", 0).validation[1])


@pytest.mark.parametrize("name", TINY.rows)
def test_every_row_of_the_digits_experiment_runs(name: str) -> None:
    strength = TINY.rows[name].strengths[-1]
    figures = penalties.run(TINY, {"row": name, "strength": strength, "seed": 1, "phase": "report"})
    assert 0.1 < figures["test_accuracy"] <= 1
    assert 0 <= figures["exact_zeros"] < 1
    done: Done = [({"row": each, "strength": 1.0, "seed": 1, "phase": "report"}, figures) for each in TINY.rows]
    assert penalties.report(TINY, done)["rows"][name]["test_accuracy_mean"] == figures["test_accuracy"]
    assert png(penalties.picture(TINY, penalties.report(TINY, done))).startswith(b"\x89PNG")


def test_parts_of_a_seed_share_no_sample_and_are_scaled_alike() -> None:
    found = parts("digits", 3)
    together_once = np.concatenate([found.train[0], found.validation[0], found.test[0]])
    assert len(together_once) == 1797
    assert (together_once.min(), together_once.max()) == (0.0, 1.0)
    X, y = together(found.train, found.validation)
    assert len(X) == len(y) == len(found.train[1]) + len(found.validation[1])


# --- slimming ---------------------------------------------------------------------------------------


def test_each_seed_slims_with_the_strength_that_its_validation_part_likes_best() -> None:
    done: Done = []
    for trial in slimming.plan(2, []):
        best = trial["strength"] == slimming.STRENGTHS[int(trial["seed"])]
        done.append((trial, {"validation_error": 0.01 if best else 0.02}))
    *chosen_from, first, second = slimming.plan(2, done)
    assert chosen_from == [trial for trial, _ in done]
    assert first == {"row": "slimmed", "strength": slimming.STRENGTHS[0], "seed": 0, "phase": "report"}
    assert second == {"row": "slimmed", "strength": slimming.STRENGTHS[1], "seed": 1, "phase": "report"}


def test_no_more_channels_leave_than_the_parameters_ask() -> None:
    model = perceptron((64, 30, 20, 10), 0, normalized=True)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight)
    smaller = slimming.slimmed_to(model, 1500)
    gone = 50 - sum(smaller.widths[1:-1])
    assert smaller.remaining_parameters <= 1500 < slim(model, fraction=(gone - 1) / 50).remaining_parameters
    with_all = sum(parameter.numel() for parameter in model.parameters())
    assert slimming.slimmed_to(model, with_all).widths == (64, 30, 20, 10)


def test_slimming_goes_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SIZES", (64, 60, 40, 10)), ("EPOCHS", 3), ("PER_ROUND", 2), ("LAST", 3), ("BATCH", 32)):
        monkeypatch.setattr(slimming, name, value)
    splits = parts("digits", 0)
    dense, cut, slimmed = slimming.rounds({"seed": 0, "strength": 1e-4}, splits.train)
    before = sum(parameter.numel() for parameter in dense.parameters())
    assert 0.84 <= 1 - slimmed.remaining_parameters / before < 0.9
    assert accuracy(cut, splits.test) < accuracy(slimmed, splits.test) - 0.05
    assert accuracy(slimmed, splits.test) > 0.8


# --- pre-defined and learned ------------------------------------------------------------------------


def test_networks_have_the_edges_that_are_said() -> None:
    assert {shaped(junctions.LAYERS, degrees, 784, 10).edges for degrees in junctions.SPLITS} == {8800}
    assert [large_sparse.network(width).edges for width in large_sparse.WIDTHS] == [11508, 11200, 11312, 11200, 9632]
    shares = [shaped(density.LAYERS, degrees, 784, 10).density for degrees in density.DEGREES]
    assert shares[0] < 0.0165
    assert 0.2 in shares
    assert shares[-1] == 1


def test_windows_are_trained_as_on_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes that differ in where they are bright; the seconds that a training of MNIST takes are not spent."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=900)
    X = 0.2 * rng.random((900, 28, 28))
    X[np.arange(900), 2 * y + 4] += 0.8
    X = X.reshape(900, 784)
    splits = Splits(train=(X[:500], y[:500]), validation=(X[500:600], y[500:600]), test=(X[600:], y[600:]))
    monkeypatch.setattr(windows, "parts", lambda source, seed: splits)
    monkeypatch.setattr(windows, "EPOCHS", 2)
    monkeypatch.setattr(windows, "RATE_EXPONENTS", dict.fromkeys(windows.NETWORKS, (3, 4)))
    done: Done = []
    for trial in windows.plan(1, []):
        figures = windows.run(trial) if trial["network"] == "mnist-dey" else {"edges": 1.0, "test_accuracy": 0.5}
        done.append((trial, figures))
    found = windows.report(done)
    assert found["rows"]["mnist-dey windows"]["edges_mean"] == 5120
    assert found["rows"]["mnist-dey windows"]["test_accuracy_mean"] > 0.8
    gained = found["points_gained_by_windows"]
    assert gained["mnist"]["points_mean"] == 0
    assert gained["mnist-dey"]["points_mean"] == pytest.approx(
        100
        * (
            found["rows"]["mnist-dey windows"]["test_accuracy_mean"]
            - found["rows"]["mnist-dey seed per sweep"]["test_accuracy_mean"]
        )
    )
    assert found["rows"]["mnist-dey windows, moved"]["test_accuracy_mean"] > 0.7
    assert list(found["points_gained_by_moving"]) == list(windows.NETWORKS)
    assert png(windows.picture(found)).startswith(b"\x89PNG")


def test_a_learned_pattern_ends_on_the_lanes() -> None:
    splits = parts("digits", 0)
    setting = replace(DIGITS, dense=3, refit=2)
    figures = learned(setting, Network.load("digits-small"), splits.train, splits.test, 0)
    assert figures["edges"] == 2048
    assert figures["test_accuracy"] > figures["bank_balanced_accuracy"] - 0.05


def test_accuracy_is_the_share_that_is_right() -> None:
    model = perceptron((3, 4, 2), 0)
    X = np.random.default_rng(0).normal(size=(5000, 3))
    y = np.zeros(5000, dtype=np.int64)
    right = accuracy(model, (X, y))
    assert accuracy(model, (X, 1 - y)) == pytest.approx(1 - right)


# --- other data -------------------------------------------------------------------------------------


def test_other_data_takes_every_table_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one name are one set; names of classes stay what they are."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), np.arange(80) % 2
    X[:, 1] += 3 * y
    np.savez(tmp_path / "birds_train.npz", X=X[:60], y=y[:60])
    np.savez(tmp_path / "birds_test.npz", X=X[60:], y=y[60:])
    lines = [f"{a:.3f};{b:.3f};{c:.3f};{('crow', 'rook')[kind]}" for (a, b, c), kind in zip(X, y, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    monkeypatch.setenv("PRESPARSE_DATA", str(tmp_path))
    other_data.sets.cache_clear()
    try:
        assert set(other_data.sets()) == {*other_data.DRAWN_OR_SHIPPED, "mnist", "birds", "table"}
        assert {len(part) for part in other_data.sets()["birds"]()} == {80}
        for program in other_data.PROGRAMS:
            figures = other_data.run({"data": "table", "program": program, "seed": 0})
            assert figures["test_accuracy"] > 0.8 > figures["majority"]
            assert (figures["samples"], figures["features"], figures["classes"]) == (80, 3, 2)
    finally:
        other_data.sets.cache_clear()


def test_word_counts_are_sparse_and_unequal() -> None:
    X, y = word_counts()
    assert (X.shape, y.shape) == ((4000, 2000), (4000,))
    assert 0.96 < (X == 0).mean() < 0.99
    counts = np.bincount(y)
    assert counts.max() > 5 * counts.min() > 0
