"""Beside scikit-learn: its scaler in front, its folds, its scores, and its own network to compare with. A few seconds.

python sklearn_pipeline.py
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import presparse as ps
from presparse.sizing.proposal import design


def trained(X: NDArray[np.float64], y: NDArray[np.int64]) -> tuple[StandardScaler, ps.Model]:
    """A scaler and a model of what it gives. Presparse scales once more: standardized features reach beyond the
    board's range of -2 to 2."""
    scaler = StandardScaler().fit(X)
    network = design(features=X.shape[1], classes=2, hidden=[64], density=0.2, name="tumors").network
    return scaler, ps.train.fit(network, scaler.transform(X), y, epochs=20)


def with_scaler(model: ps.Model, scaler: StandardScaler) -> ps.Model:
    """One model of both, (x - mean) / scale and then (. - offset) * gain: it takes features in their own units."""
    inputs = model.inputs
    offset, gain = scaler.mean_ + scaler.scale_ * inputs.offset, inputs.gain / scaler.scale_
    return replace(model, inputs=replace(inputs, offset=offset, gain=gain))


def main() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    answers, rivals = np.empty_like(y), np.empty_like(y)
    for learn, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        scaler, model = trained(X[learn], y[learn])
        answers[test] = model.predict(scaler.transform(X[test]))
        rival = make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=1000, random_state=0))
        rivals[test] = rival.fit(X[learn], y[learn]).predict(X[test])
    print(f"5 folds, {model.network.density:.0%} of the edges: {accuracy_score(y, answers):.1%} right")
    print(f"scikit-learn's MLPClassifier, every edge: {accuracy_score(y, rivals):.1%} right")
    print(f"confusion:\n{confusion_matrix(y, answers)}")

    # Of the last fold: scaler and network as one model, which a board takes as it is.
    whole = with_scaler(model, scaler)
    equal = np.mean(whole.predict(X[test]) == answers[test])
    print(f"with the scaler inside the model: {equal:.1%} of the answers are the same")
    with ps.open("emulator", whole.network) as board:
        board.load(whole)
        assert (board.decision_function(X[test]) == whole.decision_function(X[test])).all()
        print(f"on the board, features in their own units: {accuracy_score(y[test], board.predict(X[test])):.1%}")


if __name__ == "__main__":
    main()
