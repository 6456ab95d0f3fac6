"""Sessions that are recorded with a board, and repeated by tests (`tests/verification/recordings/test_recordings.py`).

`python -m tests.verification.recordings.scenes` records them again, with the simulation at the UART's
pins, since no board is at hand. With a board: the same with `NAME serial:/dev/ttyUSB0 BUNDLE`, a bundle of the scene's
build.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import presparse as ps
from presparse.accelerator import Accelerator
from presparse.contract.build import Build
from presparse.device.links.recorded import Recorder
from presparse.features.inputs import Inputs
from presparse.model import Model
from presparse.opening import recorded_session
from presparse_sim.board import SimulatedBoard
from presparse_sim.campaigns.twins import BoardTime
from presparse_sim.design import PINS_DIVISOR, pins_design
from tests.host.small import NETWORK, clusters

BUILD = Build(network=NETWORK, result_capacity=16)
STORED = Build(network=NETWORK, store_samples=100, sample_bits=7)
FOLDER = Path(__file__).parent
SIMULATED = f"simulated at the UART's pins, {PINS_DIVISOR} cycles per bit: no hardware"

Seen = dict[str, object]
"""What a user sees in a scene, by name."""


def predict(board: Accelerator) -> Seen:
    """Load a model and predict: more samples than the board has room for."""
    X, y = clusters(1, 80)
    board.load(_model())
    return {"scores": board.decision_function(X), "accuracy": board.score(X, y)}


def train_over_the_link(board: Accelerator) -> Seen:
    """Two epochs, with progress, so that how samples are cut depends on time."""
    X, y = clusters(2, 90)
    board.load(_model())
    history = board.fit(X, y, epochs=2, lr=2**-4, random_state=3, progress=lambda progress: None)
    return {"learned": [e.accuracy for e in history.epochs], "model": board.read_model()}


def train_from_the_store(board: Accelerator) -> Seen:
    """Two epochs at the speed of the core, and the held-out share."""
    X, y = clusters(3, 90)
    board.load(_model())
    board.store(X, y)
    history = board.fit(epochs=2, lr=2**-4, random_state=3, validation=0.2)
    return {"held out": [e.validation for e in history.epochs], "model": board.read_model()}


SCENES: Mapping[str, tuple[Build, Callable[[Accelerator], Seen]]] = {
    "predict": (BUILD, predict),
    "train-over-the-link": (BUILD, train_over_the_link),
    "train-from-the-store": (STORED, train_from_the_store),
}


def recording(name: str) -> Path:
    """The file of a scene."""
    return FOLDER / f"{name}.jsonl"


def record_simulation(name: str) -> None:
    """The scene, at the pins of the simulation, in the board's own time."""
    build, play = SCENES[name]
    board = SimulatedBoard(pins_design(build), clock_hz=3e6 * PINS_DIVISOR)
    tape = Recorder(
        recording(name),
        lambda: board,
        build,
        device="sim",
        remark=SIMULATED,
        timeout=2.0,
        retries=3,
        clock=BoardTime(board),
    )
    with Accelerator(recorded_session(tape)) as accelerator:
        play(accelerator)


def _model() -> Model:
    return Model.initial(NETWORK, random_state=4, inputs=Inputs.fit(clusters(0, 300)[0], "per feature"))


if __name__ == "__main__":
    if sys.argv[1:]:
        scene, device, bundle = sys.argv[1:]
        with ps.open(device, bundle, record=recording(scene)) as opened:
            SCENES[scene][1](opened)
    else:
        for scene in SCENES:
            record_simulation(scene)
