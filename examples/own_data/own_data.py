"""A CSV file of one's own: labels, scaling, density, epochs, prediction. A few seconds, no board needed.

    python own_data.py

wine.csv: 178 wines, 13 measurements each, the grower's cultivar (0, 1 or 2) in the last column. It is the Wine data set
of the UCI Machine Learning Repository (CC BY 4.0), as scikit-learn ships it.
"""

from pathlib import Path

import presparse as ps
from presparse.data import load_splits
from presparse.sizing.proposal import design

HERE = Path(__file__).parent


def main() -> None:
    # Labels are whole numbers or names. Every class keeps its share in each of the three parts.
    splits = load_splits(HERE / "wine.csv", validation=0.2, test=0.3)
    X, y = splits.train
    print(f"{len(y)} wines to train on, features from {X.min():g} to {X.max():g}")

    # Scaling: "per feature" (the default) brings each column to the board's range. "overall" keeps the columns'
    # proportions, which suits images; here the largest column would leave nothing of the others.
    network = design(features=13, classes=3, hidden=[32], density=0.3, name="wine").network
    for scale in ("overall", "per feature"):
        model = ps.train.fit(network, X, y, validation=splits.validation, scale=scale, epochs=20)
        print(f"scale={scale!r}: {model.score(*splits.validation):.1%} of the validation part")

    # Density: chosen on the validation part, as everything else. Fewer edges are a smaller and faster board.
    found = {}
    for density in (0.1, 0.3, 1.0):
        sized = design(features=13, classes=3, hidden=[32], density=density, name="wine").network
        found[density] = ps.train.fit(sized, X, y, validation=splits.validation, epochs=40)
        print(f"density {sized.density:.0%}, {sized.edges} edges: {found[density].score(*splits.validation):.1%}")
    model = found[0.3]

    # Epochs: `validation` keeps the best epoch, so more of them do no harm but take time.
    best = max(model.history.epochs, key=lambda epoch: epoch.validation)
    print(f"best of {len(model.history.epochs)} epochs: {1 + model.history.epochs.index(best)}")

    # The test part is looked at once. A board (here: emulated, the same bits) predicts the same, and goes on learning.
    X_test, y_test = splits.test
    with ps.open("emulator", model.network) as board:
        board.load(model)
        assert (board.predict(X_test) == model.predict(X_test)).all()
        print(f"test part: {model.score(X_test, y_test):.1%}")
        board.fit(X, y, epochs=5, lr=2**-6)
        print(f"after 5 more epochs on the board: {board.score(X_test, y_test):.1%}")
        board.read_model().save("wine.safetensors")


if __name__ == "__main__":
    main()
