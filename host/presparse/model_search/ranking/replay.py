"""Searches over recorded trials, so that ways to search are compared without training.

    python -m presparse.model_search.ranking.replay TRIALS.jsonl PICTURE.png [--case ulx3s-25f/train]

A recorded trial has the accuracy on held-out data after every epoch, that on test data after the last, and estimates
for some boards and modes. What a search has found by then is measured by the hypervolume of test accuracy and log2 of
samples per second, over 80 % and the slowest network, of those that were trained to the end and are the front by
held-out data; as a share of what all trials together give.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from presparse.contract.description import Description, problems
from presparse.errors import DataError, PresparseError
from presparse.model_search.ranking.halving import Halving
from presparse.model_search.ranking.objectives import Objectives
from presparse.model_search.ranking.pareto import hypervolume, ranks
from presparse.support import atomic_files, input_files

_LARGEST_FILE = 1 << 24
_LEAST_ACCURACY = 0.8
_ORDERS = 200


class Known(Description):
    """An estimate."""

    fits: bool
    speed: float
    lut: float


class Recorded(Description):
    """A trial."""

    edges: int
    validation: tuple[float, ...]
    test: float
    estimates: dict[str, Known]


Found = list[tuple[int, int]]
"""(epochs spent, trial): in this order trials were trained to the end."""
Search = Callable[["Table", Sequence[int]], Found]


class Table:
    """Recorded trials on one board in one mode, such as "ulx3s-25f/train"."""

    def __init__(self, trials: Sequence[Recorded], case: str) -> None:
        cases = set.intersection(*({*trial.estimates} for trial in trials))
        if case not in cases:
            raise DataError(f"the trials have estimates for {', '.join(sorted(cases))}, and none for {case}")
        self.trials, self.case = trials, case
        self.epochs = len(trials[0].validation)
        self.slowest = min(known.speed for trial in trials if (known := trial.estimates[case]).fits)
        self.best = self._volume(range(len(trials)))

    def figures(self, number: int, epochs: int) -> dict[str, float]:
        """Of a trial that is trained for so long; one that does not fit is not trained."""
        trial = self.trials[number]
        known = trial.estimates[self.case]
        figures = {"fits": float(known.fits), "speed": known.speed, "lut": known.lut, "edges": float(trial.edges)}
        return figures | ({"accuracy": trial.validation[epochs - 1]} if known.fits else {})

    def reached(self, found: Found, epochs: int) -> float:
        """Share of the hypervolume of all trials that the front had when so many epochs were spent."""
        return self._volume([number for spent, number in found if spent <= epochs]) / self.best

    def _volume(self, numbers: Sequence[int]) -> float:
        known = [self.figures(number, self.epochs) for number in numbers]
        trained = [(number, each) for number, each in zip(numbers, known, strict=True) if each["fits"]]
        if not trained:
            return 0.0
        objectives = Objectives()
        of = ranks([objectives.point(each) for _, each in trained])
        tested = [
            objectives.point({**each, "accuracy": self.trials[number].test})
            for (number, each), rank in zip(trained, of, strict=True)
            if rank == 0
        ]
        return hypervolume(tested, (_LEAST_ACCURACY, math.log2(self.slowest)))


def load(path: str | Path) -> list[Recorded]:
    """Recorded trials, one JSON object a line. Raises DataError for a file that has none, or something else."""
    try:
        lines = input_files.read(path, _LARGEST_FILE).splitlines()
        return [TypeAdapter(Recorded).validate_json(line) for line in lines] or _refuse(path, "it is empty")
    except OSError as error:
        return _refuse(path, error.strerror or str(error))
    except ValidationError as error:
        return _refuse(path, problems(error))


def random_search(table: Table, order: Sequence[int]) -> Found:
    """One trial after the other, each to the end."""
    spent, found = 0, []
    for number in order:
        spent += table.epochs * int(table.figures(number, table.epochs)["fits"])
        found.append((spent, number))
    return found


def halving(*objectives: str) -> Search:
    """Successive halving by these."""

    def search(table: Table, order: Sequence[int]) -> Found:
        plan = Halving(
            candidates=len(order),
            objectives=Objectives(names=objectives),
            ladder=(table.epochs // 9, table.epochs // 3, table.epochs),
        )
        done, spent, found = [], 0, []
        while len(done) < len(trials := plan.plan(done)):
            trial = trials[len(done)]
            figures = table.figures(order[trial["candidate"]], trial["epochs"])
            spent += (trial["epochs"] - trial["after"]) * int(figures["fits"])
            if trial["epochs"] == table.epochs:
                found.append((spent, order[trial["candidate"]]))
            done.append((trial, figures))
        return found

    return search


SEARCHES: dict[str, Search] = {
    "halving by Pareto rank": halving("accuracy", "speed"),
    "random search": random_search,
    "halving by accuracy": halving("accuracy"),
}


def orders(trials: int, count: int = _ORDERS) -> list[list[int]]:
    """Random orders of the trials, always the same ones."""
    rng = np.random.default_rng(0)
    return [rng.permutation(trials).tolist() for _ in range(count)]


def shares(table: Table, search: Search, epochs: Sequence[int], count: int = _ORDERS) -> NDArray[np.float64]:
    """(orders, epochs): the share that a search has reached after so many epochs, for each order of the trials."""
    found = [search(table, order) for order in orders(len(table.trials), count)]
    return np.array([[table.reached(each, spent) for spent in epochs] for each in found])


def picture(table: Table, count: int = _ORDERS) -> bytes:
    """PNG: what searches have reached over the epochs they spent, mean and middle half of the orders."""
    from presparse.report.style import BLUE, INK, ORANGE, RED, figure, plain, png, titled

    drawn = figure(6.6, 4.4)
    axes = plain(drawn.subplots())
    epochs = np.linspace(0, table.epochs * len(table.trials), 61).astype(int).tolist()
    for (name, search), color in zip(SEARCHES.items(), (BLUE, ORANGE, RED), strict=True):
        reached = 100 * shares(table, search, epochs, count)
        axes.plot(epochs, reached.mean(axis=0), color=color, linewidth=2.4, label=name)
        axes.fill_between(epochs, *np.quantile(reached, (0.25, 0.75), axis=0), color=color, alpha=0.15, linewidth=0)
    titled(axes, f"{len(table.trials)} recorded trials for {table.case}, in {count} orders")
    axes.set_xlabel("epochs trained in all", color=INK)
    axes.set_ylabel("hypervolume of the front (% of all trials')")
    axes.set_ylim(0, 102)
    axes.legend(loc="lower right", frameon=False, labelcolor=INK)
    return png(drawn)


def _refuse(path: str | Path, reason: str) -> list[Recorded]:
    raise DataError(f"{path}: not a file of recorded trials ({reason})")


def main(
    trials: Annotated[Path, typer.Argument(help="Recorded trials, one JSON object a line.")],
    drawing: Annotated[Path, typer.Argument(help="The picture to write, a PNG file.")],
    case: Annotated[str, typer.Option(help="Board and mode.")] = "ulx3s-25f/train",
) -> None:
    """Draw what searches over recorded trials find, and say what a whole one does."""
    try:
        table = Table(load(trials), case)
        atomic_files.write(drawing, picture(table))
    except PresparseError as error:
        sys.exit(str(error))
    for name, search in SEARCHES.items():
        found = [search(table, order) for order in orders(len(table.trials))]
        whole = max(spent for each in found for spent, _ in each)
        reached = np.mean([table.reached(each, whole) for each in found])
        print(f"{name}: {reached:.1%} of the hypervolume for {whole} epochs")


if __name__ == "__main__":
    typer.run(main)
