"""How well the demo's network learns: digits, several splits, trained on the board and in PyTorch.

`python -m presparse.demo.accuracy --splits 10` runs the demo's own training steps on the splits with seeds 0, 1, ...,
with the emulator for a board: the reference, equal to the board bit for bit. The standard error is of the mean over
splits. All splits are of the same 1,797 digits, so it says nothing about other data.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from presparse import opening
from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.demo import run as demo
from presparse.terminal.options import AsJson
from presparse.terminal.output import Bar, bar, put


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Shares of one split's held-out digits that are classified rightly, 0 to 1, each after its last epoch."""

    board_trained: float
    floating_point: float
    quantized: float


@dataclass(frozen=True)
class Narrator:
    """Shows which split the demo's steps are at, and how far they are."""

    bar: Bar
    split: str

    def stage(self, title: str) -> None:
        self.bar.restart(f"{self.split}: {title}")

    def progress(self, done: int, of: int, note: str) -> None:
        self.bar.show(done, of, note)

    def doing(self, note: str) -> None:
        self.bar.note(note)

    def result(self, text: str) -> None:
        self.bar.done(text)


def measure(listener: demo.Listener, *, seed: int, epochs: int = len(demo.BOARD_RATES)) -> Accuracy:
    """One split: `seed` chooses split, pattern, first weights and order; `epochs` are those on the board."""
    build = Build(network=Network.load("digits"))
    split = demo.load_split(seed)
    in_pytorch = demo.train_in_pytorch(listener, build.network, split, seed)
    with opening.open("emulator", build) as board:
        learning = demo.learn(listener, board, in_pytorch.model, split, epochs, seed)
    return Accuracy(
        board_trained=learning.accuracy(split),
        floating_point=in_pytorch.float_curve[-1],
        quantized=in_pytorch.quantized_curve[-1],
    )


def summary(found: Sequence[float]) -> tuple[float, float]:
    """(mean, its standard error) of at least two numbers."""
    return statistics.fmean(found), statistics.stdev(found) / math.sqrt(len(found))


def main(
    splits: Annotated[int, typer.Option(help="How many; their seeds are 0, 1, ...", min=2)] = 10,
    epochs: Annotated[int, typer.Option(help="Passes over the digits on the board.", min=1)] = len(demo.BOARD_RATES),
    as_json: AsJson = False,
) -> None:
    """Measure how well the digits network learns on the board, and in PyTorch."""
    with bar("") as shown:
        measured = [
            asdict(measure(Narrator(shown, f"split {seed} of {splits}"), seed=seed, epochs=epochs))
            for seed in range(splits)
        ]
    kinds = list(measured[0])
    summaries = {kind: summary([accuracy[kind] for accuracy in measured]) for kind in kinds}
    lines = [f"{'split':<16}" + "".join(f"{kind.replace('_', ' '):>16}" for kind in kinds)]
    lines += [f"{seed:<16}" + "".join(f"{a[kind]:>16.2%}" for kind in kinds) for seed, a in enumerate(measured)]
    for row, name in enumerate(("mean", "standard error")):
        lines.append(f"{name:<16}" + "".join(f"{summaries[kind][row]:>16.2%}" for kind in kinds))
    figures = {
        "splits": measured,
        **{kind: {"mean": mean, "standard_error": error} for kind, (mean, error) in summaries.items()},
    }
    put(figures, as_json=as_json, text="\n".join(lines))


if __name__ == "__main__":
    typer.run(main)
