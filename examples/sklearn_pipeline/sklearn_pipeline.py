"""Beside scikit-learn: folds, a grid, a choice of features, its own network to compare with, and the way onto a board.
Some seconds.

    python sklearn_pipeline.py
"""

from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import presparse as ps


def main() -> None:
    tumors = load_breast_cancer()
    X, y = tumors.data, tumors.target_names[tumors.target]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)

    # No scaler in front: the network learns its scaling, too. A quarter of the edges, and fewer features.
    sparse = make_pipeline(
        ps.sparsity.SparseFeatureSelector(), ps.SparseClassifier(hidden=(64,), density=0.25, epochs=40)
    )
    rival = make_pipeline(StandardScaler(), MLPClassifier((64,), max_iter=1000, random_state=0))
    answers = cross_val_predict(sparse, X, y, cv=folds)
    print(f"5 folds, a quarter of the edges: {accuracy_score(y, answers):.1%} right")
    print(
        f"scikit-learn's MLPClassifier, every edge: {accuracy_score(y, cross_val_predict(rival, X, y, cv=folds)):.1%}"
    )
    print(f"confusion:\n{confusion_matrix(y, answers)}")

    # Density by a grid, on the part that is learned; the other is looked at once.
    X_learn, X_test, y_learn, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    grid = GridSearchCV(ps.SparseClassifier(hidden=(64,), epochs=40), {"density": [0.1, 0.3, 1.0]}, cv=folds)
    classifier = grid.fit(X_learn, y_learn).best_estimator_
    print(f"density {classifier.density}: {classifier.score(X_test, y_test):.1%} of the test part")

    # What was learned is a model that a board takes as it is; features go in in their own units.
    with ps.open("emulator", classifier.network_) as board:
        board.load(classifier.model_)
        assert (board.predict(X_test) == classifier.predict(X_test)).all()
        print(f"on the board: {accuracy_score(y_test, board.predict(X_test)):.1%} of the test part")


if __name__ == "__main__":
    main()
