"""`SparseClassifier` is a classifier of scikit-learn, and trains what presparse trains."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import presparse as ps
from presparse.errors import ArgumentError, FeatureError
from presparse.estimator import SparseClassifier
from tests.host.small import NETWORK, clusters

NAMES = np.array(["crow", "daw", "rook"])
QUICK = {"hidden": (16,), "epochs": 20}


def birds(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    X, y = clusters(seed, count)
    return X, NAMES[y]


def test_labels_come_back_as_they_were() -> None:
    X, y = birds(0, 200)
    classifier = SparseClassifier(**QUICK).fit(X, y)
    assert list(classifier.classes_) == list(NAMES)
    assert classifier.score(X, y) > 0.9
    assert classifier.predict_proba(X).sum(axis=1) == pytest.approx(1)
    assert (classifier.model_.predict(X) == classifier.predict(X)).all()
    assert classifier.model_.history is not None


def test_the_same_model_in_two_runs_and_after_a_pickle() -> None:
    X, y = birds(0, 100)
    classifier = SparseClassifier(**QUICK).fit(X, y)
    again = clone(classifier).fit(X, y)
    assert classifier.model_.differences(again.model_) == []
    thawed = pickle.loads(pickle.dumps(classifier))
    assert (thawed.decision_function(X) == classifier.decision_function(X)).all()


def test_in_a_pipeline_a_grid_and_folds() -> None:
    X, y = birds(0, 120)
    pipeline = make_pipeline(StandardScaler(), SparseClassifier(**QUICK))
    grid = GridSearchCV(pipeline, {"sparseclassifier__density": [0.25, 1.0]}, cv=2, error_score="raise").fit(X, y)
    assert set(grid.predict(X)) == set(NAMES)
    assert cross_val_score(SparseClassifier(**QUICK), X, y, cv=2, error_score="raise").min() > 0.8


@pytest.mark.parametrize("device", [None, "emulator:c"])
def test_units_change_nothing(device: str | None) -> None:
    X, y = birds(0, 200)
    in_units, in_others = (SparseClassifier(**QUICK, device=device).fit(each, y) for each in (X, X * 1000 + 5))
    np.testing.assert_array_equal(in_others.predict(X * 1000 + 5), in_units.predict(X))


def test_sparse_matrices_are_taken() -> None:
    X, y = birds(0, 100)
    classifier = SparseClassifier(**QUICK).fit(csr_array(X), y)
    assert (classifier.predict(csr_array(X)) == classifier.predict(X)).all()


def test_names_of_a_frame_are_kept_and_go_into_the_model() -> None:
    X, y = birds(0, 100)
    names = [f"length {number}" for number in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names)
    classifier = SparseClassifier(**QUICK).fit(frame, pd.Series(y))
    assert list(classifier.feature_names_in_) == names
    assert (classifier.model_.predict(frame[names[::-1]]) == classifier.predict(frame)).all()
    with pytest.raises(FeatureError, match="feature names should match"):
        classifier.predict(frame[names[::-1]])


def test_two_classes_have_one_score() -> None:
    X, y = birds(0, 200)
    two = y != "rook"
    classifier = SparseClassifier(**QUICK).fit(X[two], y[two])
    scores = classifier.decision_function(X[two])
    assert scores.shape == (two.sum(),)
    assert (np.where(scores > 0, "daw", "crow") == classifier.predict(X[two])).all()


@pytest.mark.slow
def test_a_device_learns_what_it_learns_without_scikit_learn() -> None:
    X, y = clusters(0, 200)
    classifier = SparseClassifier(network=NETWORK, device="emulator:c", epochs=3, random_state=4).fit(X, y)
    with ps.open("emulator", NETWORK) as board:
        board.fit(X, y, epochs=3, random_state=4)
        assert classifier.model_.differences(board.read_model()) == []
        before = board.score(X, y)
        board.partial_fit(X, y)
        assert classifier.partial_fit(X, y).model_.differences(board.read_model()) == []
        assert classifier.score(X, y) > before - 0.1


def test_samples_come_piece_by_piece() -> None:
    X, y = birds(0, 400)
    classifier = SparseClassifier(hidden=(16,))
    with pytest.raises(ArgumentError, match="classes are not known in the first call"):
        classifier.partial_fit(X[:50], y[:50])
    for first in range(0, 400, 50):
        part = slice(first, first + 50)
        classifier.partial_fit(X[part], y[part], classes=NAMES)
    assert classifier.score(X, y) > 0.9
    with pytest.raises(FeatureError, match="one label is gull"):
        classifier.partial_fit(X[:1], ["gull"])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"network": NETWORK, "hidden": (8,)}, ArgumentError, "network says what hidden and density say"),
        ({"network": "digits"}, FeatureError, "takes 64 features and tells 10 classes apart, and X has 7, y 3"),
        ({"random_state": -1}, ArgumentError, "random_state must be a whole number"),
        ({"device": "nowhere"}, ps.PresparseError, "no device 'nowhere'"),
    ],
)
def test_what_contradicts_is_refused(parameters: dict[str, object], error: type[Exception], message: str) -> None:
    X, y = clusters(0, 30)
    with pytest.raises(error, match=message):
        SparseClassifier(**parameters).fit(X, y)  # pyright: ignore[reportArgumentType]  # wrong on purpose


def test_one_class_is_refused() -> None:
    X, _ = clusters(0, 30)
    with pytest.raises(FeatureError, match="y has only one class, 'rook'; give samples of at least two classes"):
        SparseClassifier().fit(X, ["rook"] * 30)


def test_refusals_of_scikit_learn_are_errors_of_presparse_in_one_line() -> None:
    X, y = birds(0, 30)
    X[3, 2] = np.nan
    with pytest.raises(FeatureError, match="contains NaN") as refused:
        SparseClassifier().fit(X, y)
    assert "\n" not in str(refused.value)
