"""The example runs as its README says, and notices a model that is not the one in its ROM."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import presparse as ps

pytestmark = pytest.mark.slow


FOLDER = Path(__file__).parents[2] / "examples" / "embedded_core"
SCRIPT = FOLDER / "embedded_core.py"


def test_it_runs_as_its_readme_says() -> None:
    ran = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    scores, verdicts, latency = ran.stdout.splitlines()
    readme = (FOLDER / "README.md").read_text()
    for line in (scores, verdicts.partition(";")[0], latency):  # how many verdicts are right depends on PyTorch
        assert line in readme


def test_scores_are_those_of_the_words_in_the_rom() -> None:
    """Untrained models, one in the ROM and another beside it: the design computes the first and not the second."""
    example = runpy.run_path(str(SCRIPT))
    network = ps.Network.load(FOLDER / "network.toml")
    build = ps.Build(network=network, mode="infer")
    first, second = (ps.Model.initial(network, random_state=seed) for seed in (1, 2))
    X, _ = example["windows_of"](3, 5, network.formats.activation.one)
    words = list(example["model_words"](build, first))
    readings = np.round(X * network.formats.activation.one).astype(np.int64)
    found = example["simulate"](build, words, readings, pause=1)
    np.testing.assert_array_equal(found.scores, first.raw_outputs(X))
    np.testing.assert_array_equal(found.verdicts[:, 0], first.predict(X))
    assert (found.scores != second.raw_outputs(X)).any()
