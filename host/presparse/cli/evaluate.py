"""`presparse evaluate`: how many samples a model gets right on a device."""

from __future__ import annotations

import time

from presparse.cli.opened_device import opened
from presparse.cli.outputs import RECORDING, check_outputs, replayed
from presparse.cli.samples import file_of, labeled
from presparse.model import Model
from presparse.terminal.options import DEFAULT_DEVICE, AsJson, Bundle, DataSource, Device, Force, ModelFile, Record
from presparse.terminal.output import bar, put

NAME = "evaluate"


def run(
    model_file: ModelFile,
    samples: DataSource,
    device: Device = DEFAULT_DEVICE,
    bundle: Bundle = None,
    record: Record = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Load a model into a device and measure its accuracy there; the device counts the right answers itself."""
    inputs = (model_file, file_of(samples), bundle, replayed(device))
    check_outputs((record, RECORDING), inputs=inputs, force=force)
    model = Model.load(model_file)
    X, y = labeled(samples, model.network, model.width)
    with opened(device, model.network, bundle, record) as board, bar(f"evaluating on {device}"):
        board.load(model)
        board.clear_counters()
        began = time.perf_counter()
        accuracy = board.score(X, y)
        seconds = time.perf_counter() - began
        counters = board.counters()
    figures = {
        "model": str(model_file),
        "device": device,
        "samples": len(y),
        "accuracy": accuracy,
        "correct": counters["correct"],
        "samples_per_second": round(len(y) / seconds, 1),
        "counters": counters,
    }
    put(
        figures, as_json=as_json, text=f"{accuracy:.2%} of {len(y):,} samples right ({len(y) / seconds:,.0f} samples/s)"
    )
