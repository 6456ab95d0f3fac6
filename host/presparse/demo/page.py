"""The demo's report: its pictures, and words for a person who knows neither sparse networks nor FPGAs."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from presparse.demo.outcome import Outcome
from presparse.report.confusion import confusion
from presparse.report.curves import Curve, curves
from presparse.report.page import Fact, Section, write
from presparse.report.pattern import pattern
from presparse.report.pipeline import pipeline
from presparse.report.receptive_fields import receptive_fields
from presparse.report.samples import samples
from presparse.report.style import BLUE, ORANGE, SOFT
from presparse.report.weights import weights

_BOARDS = {"sim": "an FPGA board, simulated cycle by cycle", "emulator": "an emulated board"}
_SHORT = {"sim": "the simulated board", "emulator": "the emulated board"}
_MEGAHERTZ = 100
"""Of an FPGA, for comparison: routed builds of the demo's network reach 115 to 175 (docs/performance.md)."""


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the page. Raises OutputError."""
    network, learning, split = outcome.build.network, outcome.learning, outcome.split
    period = outcome.build.schedule.period
    board = _SHORT.get(outcome.device, "the board")
    write(
        path,
        title="A sparse network that learns on its own hardware",
        summary=(
            f"A neural network with only {network.density:.0%} of the usual connections reads handwritten digits on "
            f"{_BOARDS.get(outcome.device, outcome.device)}, and learns there. PyTorch computed everything again: "
            + ("every single bit is equal." if outcome.equal else "NOT every bit is equal.")
        ),
        facts=_facts(outcome),
        sections=[
            Section(
                title="Learning, epoch by epoch",
                text="Grey: PyTorch with floating-point numbers. Orange: PyTorch goes on with the board's small "
                f"integers. Blue: an untrained network that learns on {board}, one digit at a time, forwards and "
                "backwards. All are tested on digits that none of them ever learned from.",
                picture=curves(
                    [
                        Curve(name="PyTorch", color=SOFT, accuracies=outcome.in_pytorch.float_curve),
                        Curve(
                            name="quantized",
                            color=ORANGE,
                            accuracies=outcome.in_pytorch.quantized_curve,
                            first=len(outcome.in_pytorch.float_curve) + 1,
                        ),
                        Curve(
                            name=f"on {board}",
                            color=BLUE,
                            accuracies=[e.validation for e in learning.history.epochs if e.validation is not None],
                        ),
                    ]
                ),
            ),
            Section(
                title="Which neurons are connected",
                text="Fixed before training: every neuron has equally many connections, so the hardware knows every "
                "memory access in advance. Each mark is one connection, in the color of the lane (a small circuit "
                "with its own memories) that computes it. A lane owns all columns of its color: no two lanes ever "
                "want the same memory.",
                picture=pattern(learning.model),
            ),
            Section(
                title=f"A new digit every {period} clock cycles",
                text="All parts work at once, each on another digit. The first junction feeds one digit forward while "
                "the second already answers the one before and the errors of earlier ones travel back. The strong "
                "boxes are one digit's way through: forward, back, and into the weights.",
                picture=pipeline(outcome.build),
            ),
            Section(
                title="What it answers",
                text=f"Rows: what a held-out digit is. Columns: what {board} said, after it had learned.",
                picture=confusion(split.held_y, learning.answers, list(map(str, range(network.classes)))),
                half=True,
            ),
            Section(
                title="What it learned",
                text=f"The strengths of all connections on {board}, before and after.",
                picture=weights(learning.start, learning.model),
                half=True,
            ),
            Section(
                title="What neurons look for",
                text="Some neurons of the hidden layer, each as an image of 8 x 8 pixels. It sees those in color: blue "
                "where ink speaks for it, red where ink speaks against it.",
                picture=receptive_fields(learning.model, (8, 8)),
            ),
            Section(
                title="The digits themselves",
                text="8 x 8 pixels, none seen while learning. The board's mistakes come first, in red.",
                picture=samples(split.held_X, split.held_y, learning.answers),
            ),
        ],
        details=_details(outcome),
    )


def _facts(outcome: Outcome) -> list[Fact]:
    predictions, comparison = outcome.predictions, outcome.comparison
    board = _SHORT.get(outcome.device, "the board")
    return [
        Fact(
            value=f"{predictions.equal:,} of {predictions.checked:,}",
            label="predictions equal to the reference, in every score",
            good=predictions.equal == predictions.checked,
        ),
        Fact(
            value=f"{comparison.equal:,} of {comparison.checked:,}",
            label=f"weights and biases equal after {outcome.learning.history.samples:,} samples learned on {board}",
            good=not comparison.differences,
        ),
        Fact(
            value=f"{outcome.learning.accuracy(outcome.split):.1%}",
            label=f"of held-out digits right after learning on {board}",
        ),
        Fact(
            value=f"{outcome.build.network.density:.0%}",
            label=f"of all connections: {outcome.build.network.edges:,} instead of "
            f"{sum(j.left * j.right for j in outcome.build.junctions):,}",
        ),
    ]


def _details(outcome: Outcome) -> dict[str, str]:
    network, learning, counters = outcome.build.network, outcome.learning, outcome.learning.counters
    formats = network.formats
    measured = learning.cycles_per_sample
    return {
        "Network": f"{network.name}: layers {network.layers}, out-degrees {network.out_degree}, "
        f"lanes {outcome.build.lanes}, activations {', '.join(network.activations)}",
        "Number formats": f"activations {formats.activation}, weights {formats.weight}, of which multipliers see "
        f"{formats.operand_bits} bits, deltas {formats.delta}, scores {formats.output}",
        "Build": outcome.build.hash,
        "Held-out accuracy": f"{outcome.in_pytorch.float_curve[-1]:.2%} floating point, "
        f"{outcome.predictions.accuracy:.2%} quantized (on the board), "
        f"{learning.accuracy(outcome.split):.2%} learned on the board",
        "Learning rates, and in how many epochs": ", ".join(
            f"{rate:g} in {len(list(epochs))}"
            for rate, epochs in groupby(learning.history.epochs, key=lambda epoch: epoch.lr)
        ),
        "Junction cycle": f"{max(j.cycles for j in outcome.build.junctions)} cycles; "
        + (f"{measured:.2f} measured per sample, without waiting for the link" if measured else "no clock here"),
        "Speed of this run": f"{learning.history.samples / learning.seconds:,.0f} samples/s on {outcome.device}"
        + (", on this computer" if outcome.device in _SHORT else ""),
        "Speed of an FPGA": f"a sample every {outcome.build.schedule.period} cycles: "
        f"{_MEGAHERTZ * 1e6 / outcome.build.schedule.period:,.0f} samples/s at {_MEGAHERTZ} MHz (calculated)",
        "Counters": ", ".join(f"{name} {value:,}" for name, value in counters.items()),
        "Differences": "; ".join(outcome.comparison.differences) or "none",
    }
