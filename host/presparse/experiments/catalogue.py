"""All experiments by name. Listing them imports none: an experiment takes PyTorch and matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presparse.experiments.experiment import Experiment

_LEARNED = "With equal edges, both on the lanes: is a pattern that was learned better than a pre-defined one?"


@dataclass(frozen=True)
class Entry:
    """An experiment that is not imported yet."""

    question: str
    place: str
    """Module and name in it."""

    def load(self) -> Experiment:
        """Raises ModuleNotFoundError if a package is not installed."""
        return resolve_name(f"presparse.experiments.{self.place}")


EXPERIMENTS = {
    "penalties-digits": Entry(
        "How many weights and neurons of 64-40-20-10 do penalties leave, and how accurate?",
        "penalties:PENALTIES_DIGITS",
    ),
    "penalties-mnist": Entry(
        "How many weights of 784-400-300-100-10 does a proximal penalty leave on MNIST?", "penalties:PENALTIES_MNIST"
    ),
    "slimming-mnist": Entry(
        "What does it cost 784-500-300-10 on MNIST to lose five of six parameters?", "slimming:SLIMMING_MNIST"
    ),
    "density": Entry("What does density cost on MNIST, and does it matter how a pattern is drawn?", "density:DENSITY"),
    "redundancy": Entry(
        "Do redundant features tolerate more sparsity than features without redundancy?", "redundancy:REDUNDANCY"
    ),
    "junctions": Entry("Given a number of edges, which junctions should have them?", "junctions:JUNCTIONS"),
    "large-sparse": Entry(
        "With as many weights, is a large sparse network better than a small dense one?", "large_sparse:LARGE_SPARSE"
    ),
    "windows": Entry(
        "How much better do networks learn MNIST on a board if neurons see windows of the image?", "windows:WINDOWS"
    ),
    "other-data": Entry(
        "On data that nobody chose a network for: how good are the defaults beside other programs?",
        "other_data:OTHER_DATA",
    ),
    "learned-digits": Entry(_LEARNED, "learned:LEARNED_DIGITS"),
    "learned-mnist": Entry(_LEARNED, "learned:LEARNED_MNIST"),
}
