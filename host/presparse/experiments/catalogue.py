"""All experiments by name."""

from __future__ import annotations

from presparse.experiments.density import DENSITY
from presparse.experiments.experiment import Experiment
from presparse.experiments.junctions import JUNCTIONS
from presparse.experiments.large_sparse import LARGE_SPARSE
from presparse.experiments.learned import LEARNED_DIGITS, LEARNED_MNIST
from presparse.experiments.penalties import PENALTIES_DIGITS, PENALTIES_MNIST
from presparse.experiments.redundancy import REDUNDANCY
from presparse.experiments.slimming import SLIMMING_MNIST

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        PENALTIES_DIGITS,
        PENALTIES_MNIST,
        SLIMMING_MNIST,
        DENSITY,
        REDUNDANCY,
        JUNCTIONS,
        LARGE_SPARSE,
        LEARNED_DIGITS,
        LEARNED_MNIST,
    )
}
