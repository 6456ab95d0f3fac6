"""The core alone, driven natively at full speed: samples in, scores out, weights and counters read back."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import (
    CORE_COUNTERS,
    Counter,
    bias_address,
    bias_words,
    edge_address,
    edge_words,
    pack_biases,
    pack_edges,
    unpack_biases,
    unpack_edges,
)
from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse_hw.core.ports import RESTART, EventLayout
from presparse_sim.design import Design, core_design
from presparse_sim.errors import DesignFault, SimulationError
from presparse_sim.library import Progress, load_library, output_file
from presparse_sim.netlist import netlist_design
from presparse_sim.outcome import check

Integers = tuple[NDArray[np.int64], ...]
"""One array per junction."""


class Parameters(Protocol):
    """What a core holds: a `presparse.model.Model`, or anything with these arrays."""

    @property
    def left(self) -> Integers: ...

    @property
    def weights(self) -> Integers: ...

    @property
    def biases(self) -> Integers: ...


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """Probability, per cycle and stream, that the outside offers or takes nothing; the same seed, the same stalls."""

    samples: float = 0.0
    results: float = 0.0
    commands: float = 0.0
    answers: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "results", "commands", "answers"):
            if not 0 <= getattr(self, name) <= 0.99:
                raise ValueError(f"a stall probability is between 0 and 0.99, and {name} is {getattr(self, name)}")


NO_STALLS = Stalls()


class SimulatedCore:
    """`presparse_hw.core.core.Core(build)`, compiled.

    Parameters
    ----------
    build : what is simulated
    design : another component with the build's `CoreSignature` (default: `core_design(build)`)
    netlist : name of a board: what is simulated is what synthesis makes of the design for that board
    trace : write a VCD of everything to this file (another, slower library)
    coverage : write Verilator's counts of executed lines and changed bits to this file at the end (the same)
    progress : receives the name of each stage of a compile
    patience : cycles without any transfer after which the core counts as stuck; default: several times
        what the schedule allows

    One instance belongs to one thread at a time; several instances run in parallel threads.
    Raises ToolMissing, CacheError, CompileError; with `netlist` also BoardError, SimulationError.
    """

    def __init__(
        self,
        build: Build,
        *,
        design: Design | None = None,
        netlist: str | None = None,
        trace: str | Path | None = None,
        coverage: str | Path | None = None,
        progress: Progress = lambda stage: None,
        patience: int | None = None,
    ) -> None:
        self.build = build
        schedule = build.schedule
        self.patience = patience or 10_000 + 4 * (schedule.period * (schedule.depth + 2) + schedule.settle)
        design = design or core_design(build)
        if netlist is not None:
            design = netlist_design(design, build, netlist)
        files = output_file(trace), output_file(coverage)  # before a compile
        self._library = _declare(
            load_library(design, trace=trace is not None, coverage=coverage is not None, progress=progress)
        )
        self._handle: int | None = self._library.core_open(_shape(build), *files)

    def load(self, parameters: Parameters, *, stalls: Stalls = NO_STALLS) -> None:
        """Write every edge and bias. The pipeline must be drained (it is after `flush`), else DesignFault."""
        for j, left, weights, biases in zip(
            self.build.junctions, parameters.left, parameters.weights, parameters.biases, strict=True
        ):
            self._write(edge_address(j.index), pack_edges(j, left, weights), stalls)
            self._write(bias_address(j.index), pack_biases(j, biases), stalls)

    def read(self, *, stalls: Stalls = NO_STALLS) -> tuple[Integers, Integers, Integers]:
        """(left, weights, biases) as the core holds them; the pipeline must be drained, else DesignFault."""
        junctions = self.build.junctions
        edges = [unpack_edges(j, self._read(edge_address(j.index), edge_words(j), stalls)) for j in junctions]
        biases = [unpack_biases(j, self._read(bias_address(j.index), bias_words(j), stalls)) for j in junctions]
        return tuple(left for left, _ in edges), tuple(weights for _, weights in edges), tuple(biases)

    def run(self, samples: Samples, stalls: Stalls = NO_STALLS) -> NDArray[np.int64]:
        """Feed all samples; return the scores (m, N_L) that came out until the last one was accepted.

        Scores come in the order of their samples; those still on their way come with the next `run` or `flush`.
        Raises SimulationStuck, DesignFault, ValueError (features that do not fit).
        """
        self._check(samples)
        kinds = np.ascontiguousarray(samples.kinds, dtype=np.uint8)
        rates = np.ascontiguousarray(samples.rates, dtype=np.uint8)
        labels = np.ascontiguousarray(samples.labels, dtype=np.uint16)
        features = np.ascontiguousarray(samples.features, dtype=np.int32)
        handle = self._stalled(stalls)
        if len(samples):
            outcome = self._library.core_run(
                handle, len(samples), _data(kinds), _data(rates), _data(labels), _data(features), self.patience
            )
            check(outcome, f"feeding {len(samples)} samples", self.patience)
        return self._scores()

    def flush(self, stalls: Stalls = NO_STALLS) -> NDArray[np.int64]:
        """Drain the pipeline; return the scores (m, N_L) that were still to come.

        Raises SimulationStuck (also when results are missing), DesignFault.
        """
        handle = self._stalled(stalls)
        outcome = self._library.core_flush(handle, self.patience)
        check(outcome, f"flushing with {self._library.core_owed(handle)} results still to come", self.patience)
        return self._scores()

    def access(
        self, addresses: NDArray[np.uint32], data: NDArray[np.uint32] | None = None, *, stalls: Stalls = NO_STALLS
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_], NDArray[np.bool_]]:
        """Write `data`, or read if there is none; (words, bad_address, not_drained), one of each per address."""
        commands = np.zeros((len(addresses), 3), dtype=np.uint32)
        commands[:, 0] = addresses
        if data is not None:
            commands[:, 1] = data
            commands[:, 2] = 1
        answers = np.zeros((len(addresses), 2), dtype=np.uint32)
        outcome = self._library.core_access(
            self._stalled(stalls), len(addresses), _data(commands), _data(answers), self.patience
        )
        check(outcome, f"accessing {len(addresses)} words", self.patience)
        return answers[:, 0], answers[:, 1] & 1 != 0, answers[:, 1] & 2 != 0

    def counters(self) -> dict[Counter, int]:
        """What the core's events of all cycles add up to, now."""
        counts = np.zeros(len(CORE_COUNTERS), dtype=np.uint64)
        self._library.core_counters(self._open(), _data(counts))
        return dict(zip(CORE_COUNTERS, counts.tolist(), strict=True))

    def clear_counters(self) -> None:
        """Lets a cycle pass; what is counted starts after it."""
        self._library.core_clear_counters(self._open())

    def restart(self) -> None:
        """`restart` raised for a cycle, and obeyed; results that were not returned yet are forgotten."""
        self._library.core_restart(self._open(), RESTART)

    def wait(self, cycles: int) -> None:
        """Let time pass without offering anything."""
        self._library.core_wait(self._stalled(NO_STALLS), cycles)

    @property
    def cycles(self) -> int:
        """Clock cycles since this object was made."""
        return self._library.core_cycles(self._open())

    def close(self) -> None:
        """Free the design and end its trace. Closing twice is allowed."""
        if self._handle is not None:
            self._library.core_close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()

    def _open(self) -> int:
        if self._handle is None:
            raise SimulationError("the simulated core is closed; make another SimulatedCore")
        return self._handle

    def _stalled(self, stalls: Stalls) -> int:
        handle = self._open()
        self._library.core_stall(handle, _Stalls.of(stalls))
        return handle

    def _scores(self) -> NDArray[np.int64]:
        scores = np.empty((self._library.core_results(self._open()), self.build.network.layers[-1]), dtype=np.int32)
        self._library.core_take(self._open(), _data(scores))
        return scores.astype(np.int64)

    def _check(self, samples: Samples) -> None:
        left, fmt = self.build.network.layers[0], self.build.network.formats.activation
        if samples.features.shape != (len(samples), left):
            raise ValueError(f"features have shape {(len(samples), left)}, and these {samples.features.shape}")
        if len(samples) and not fmt.min <= samples.features.min() <= samples.features.max() <= fmt.max:
            raise ValueError(
                f"features are {fmt.min} to {fmt.max}, and these {samples.features.min()} to {samples.features.max()}"
            )

    def _write(self, start: int, words: NDArray[np.uint32], stalls: Stalls) -> None:
        self._access(start, len(words), words, stalls)

    def _read(self, start: int, count: int, stalls: Stalls) -> NDArray[np.uint32]:
        return self._access(start, count, None, stalls)

    def _access(self, start: int, count: int, words: NDArray[np.uint32] | None, stalls: Stalls) -> NDArray[np.uint32]:
        addresses = np.arange(start, start + count, dtype=np.uint32)
        data, bad_address, not_drained = self.access(addresses, words, stalls=stalls)
        if not_drained.any():
            raise DesignFault("the core refuses memory access while samples are in flight; flush it first")
        if bad_address.any():
            raise DesignFault(f"the core knows no address {int(addresses[bad_address.argmax()]):#010x}")
        return data


class _Shape(ctypes.Structure):
    _fields_ = (
        ("left", ctypes.c_uint32),
        ("port", ctypes.c_uint32),
        ("feature_bits", ctypes.c_uint32),
        ("right", ctypes.c_uint32),
        ("group", ctypes.c_uint32),
        ("score_bits", ctypes.c_uint32),
        ("counters", ctypes.c_uint32),
        ("event_bits", ctypes.POINTER(ctypes.c_uint8)),
    )


class _Stalls(ctypes.Structure):
    _fields_ = (
        ("samples", ctypes.c_double),
        ("results", ctypes.c_double),
        ("commands", ctypes.c_double),
        ("answers", ctypes.c_double),
        ("seed", ctypes.c_uint64),
    )

    @classmethod
    def of(cls, stalls: Stalls) -> Self:
        return cls(stalls.samples, stalls.results, stalls.commands, stalls.answers, stalls.seed)


def _shape(build: Build) -> _Shape:
    network, output = build.network, build.junctions[-1]
    event_bits = [field.width for _, field in EventLayout(build)]
    return _Shape(
        left=network.layers[0],
        port=build.feature_port,
        feature_bits=network.formats.activation.width,
        right=output.right,
        group=output.group,
        score_bits=network.formats.output.width,
        counters=len(event_bits),
        event_bits=(ctypes.c_uint8 * len(event_bits))(*event_bits),
    )


def _data(array: np.ndarray) -> int:
    return array.ctypes.data


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """The C functions of harness/core.cpp."""
    core, size, pointer = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p
    u64, status = ctypes.c_uint64, ctypes.c_int
    for name, result, arguments in (
        ("core_open", core, (ctypes.POINTER(_Shape), ctypes.c_char_p, ctypes.c_char_p)),
        ("core_close", None, (core,)),
        ("core_stall", None, (core, ctypes.POINTER(_Stalls))),
        ("core_run", status, (core, size, pointer, pointer, pointer, pointer, u64)),
        ("core_flush", status, (core, u64)),
        ("core_access", status, (core, size, pointer, pointer, u64)),
        ("core_wait", None, (core, u64)),
        ("core_results", size, (core,)),
        ("core_take", size, (core, pointer)),
        ("core_owed", u64, (core,)),
        ("core_cycles", u64, (core,)),
        ("core_counters", None, (core, pointer)),
        ("core_restart", None, (core, ctypes.c_uint64)),
        ("core_clear_counters", None, (core,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
