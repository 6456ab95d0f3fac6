"""A self-checking test bench of one exported core: its Verilog, and files of what goes in and what must come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from presparse.contract.build import Build
from presparse.contract.network import Network
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.device.memory_transfer import model_words
from presparse.model import Model
from presparse.reference.native.native_reference import NativeReference
from presparse_hw.core.ports import ResultLayout, SampleLayout
from presparse_sim.benches.stimuli import kinds_of

TESTBENCH = "testbench.sv"
COMPILED = "testbench.vvp"
"""What Icarus makes of it, as its first lines say."""
LOADED, SAMPLES, RESULTS, LEARNED = "model.hex", "samples.hex", "results.hex", "learned.hex"
_SAMPLES = 18
"""That it feeds: of each kind as many."""
_BIASES = 0.1
"""Standard deviation of random ones."""


def bench_files(build: Build, model: Model | None) -> Mapping[str, str]:
    """Contents of the bench's files, by name; without a model, random edges and biases are loaded.

    Raises ModelError, PatternError (a model of another network, or that clashes), CompilerError (no C compiler, which
    the reference needs).
    """
    model = model or _random_model(build.network)
    samples = _random_samples(build)
    reference = NativeReference(build, model)
    scores = np.concatenate([reference.run(samples), reference.flush()])
    words = _words(build, model)
    transfers, results = list(_transfers(build, samples)), list(_results(build, scores))
    schedule = build.schedule
    numbers = {
        "SAMPLE_BITS": SampleLayout(build).size,
        "RESULT_BITS": ResultLayout(build).size,
        "WORDS": len(words),
        "TRANSFERS": len(transfers),
        "RESULTS": len(results),
        "CORRECT": reference.counters["correct"],
        "PATIENCE": 1_000 + 2 * (schedule.period * (schedule.depth + 2) + schedule.settle),
        "LEARNS": int(build.training),
    }
    files = {
        TESTBENCH: _with_parameters(numbers),
        LOADED: _hex(words, 64),
        SAMPLES: _hex(transfers, numbers["SAMPLE_BITS"]),
        RESULTS: _hex(results, numbers["RESULT_BITS"]),
    }
    if build.training:
        files[LEARNED] = _hex(_words(build, reference.model()), 64)
    return files


def _with_parameters(numbers: Mapping[str, int]) -> str:
    lines = "\n  ".join(f"localparam {name} = {number};" for name, number in numbers.items())
    return Path(__file__).with_name(TESTBENCH).read_text().replace("// PARAMETERS", lines)


def _random_model(network: Network) -> Model:
    """Weights as training begins with, so that scores stay within their format, and biases that are not 0."""
    initial, rng = Model.initial(network), np.random.default_rng(0)
    biases = (network.formats.weight.encode(rng.normal(0, _BIASES, size=j.right)) for j in network.junctions)
    return replace(initial, biases=tuple(biases))


def _random_samples(build: Build) -> Samples:
    """Features from 0 to 1, kinds in turn, labels and rates at random."""
    network, rng, kinds = build.network, np.random.default_rng(0), kinds_of(build)
    kind = np.resize(np.array(kinds, dtype=np.uint8), _SAMPLES)
    features = np.zeros((_SAMPLES, network.layers[0]), dtype=np.int64)
    features[:, : network.features] = network.formats.activation.encode(rng.random((_SAMPLES, network.features)))
    labels = rng.integers(network.classes, size=_SAMPLES)
    rates = rng.integers(network.rates.least, network.rates.most + 1, size=_SAMPLES)
    return Samples(
        kinds=kind,
        features=features,
        labels=np.where(kind == SampleKind.PREDICT, 0, labels).astype(np.uint16),
        rates=np.where(kind == SampleKind.TRAIN, rates, 0).astype(np.uint8),
    )


def _words(build: Build, model: Model) -> list[int]:
    """address << 32 | data of every word of a model, in the order of addresses."""
    found = []
    for start, region in model_words(build, model).items():
        found += [(start + offset) << 32 | word for offset, word in enumerate(region.tolist())]
    return found


def _transfers(build: Build, samples: Samples) -> Iterator[int]:
    """Of all samples, and of the flush after them."""
    layout = SampleLayout(build)
    rows = zip(samples.kinds.tolist(), samples.features, samples.labels.tolist(), samples.rates.tolist(), strict=True)
    for kind, features, label, rate in rows:
        for part in features.reshape(-1, build.feature_port).tolist():
            yield layout.const({"features": part, "kind": kind, "rate": rate, "label": label}).as_bits()
    yield layout.const({"kind": SampleKind.FLUSH}).as_bits()


def _results(build: Build, scores: NDArray[np.int64]) -> Iterator[int]:
    """Of the scores (m, N_L)."""
    layout, group = ResultLayout(build), build.junctions[-1].group
    for row in scores:
        parts = row.reshape(-1, group).tolist()
        for number, part in enumerate(parts, start=1):
            yield layout.const({"scores": part, "last": number == len(parts)}).as_bits()


def _hex(words: list[int], bits: int) -> str:
    """For $readmemh: one number per line."""
    digits = -(-bits // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)
