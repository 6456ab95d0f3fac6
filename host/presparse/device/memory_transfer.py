"""A board's memory through a `Transport`: a model's words, written, read and compared (docs/protocol.md, Addresses).

`Words` are regions by their first address, each an array of consecutive 32-bit words.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import (
    COUNTERS,
    Counter,
    bias_address,
    bias_words,
    counter_address,
    edge_address,
    edge_words,
    pack_biases,
    pack_edges,
    unpack_biases,
    unpack_edges,
)
from presparse.contract.build import Build
from presparse.contract.operations import OPERATIONS, Operation
from presparse.device.protocol import Parameters
from presparse.device.transport import Transport
from presparse.errors import DeviceFault
from presparse.model import Model

Words = dict[int, NDArray[np.uint32]]
Told = Callable[[int], None]

_READ, _WRITE = OPERATIONS[Operation.READ], OPERATIONS[Operation.WRITE]


def unheard(words: int) -> None:
    """For transfers that nobody watches."""


def model_words(build: Build, model: Model) -> Words:
    """Everything that a board of `build` holds of a model, which `acceptance.check_model` has let through."""
    words: Words = {}
    for j, left, weights, biases in zip(build.junctions, model.left, model.weights, model.biases, strict=True):
        words[edge_address(j.index)] = pack_edges(j, left, weights)
        words[bias_address(j.index)] = pack_biases(j, biases)
    return words


def read_parameters(transport: Transport, build: Build) -> Parameters:
    """The integers of every junction, from a drained board. Raises as `Transport.send`."""
    sizes = {edge_address(j.index): edge_words(j) for j in build.junctions}
    sizes |= {bias_address(j.index): bias_words(j) for j in build.junctions}
    words = read(transport, sizes)
    edges = [unpack_edges(j, words[edge_address(j.index)]) for j in build.junctions]
    return Parameters(
        left=tuple(left for left, _ in edges),
        weights=tuple(weights for _, weights in edges),
        biases=tuple(unpack_biases(j, words[bias_address(j.index)]) for j in build.junctions),
    )


def read_counters(transport: Transport) -> dict[Counter, int]:
    """All counters, read in one request. Raises as `Transport.send`."""
    words = read(transport, {0: 2 * len(COUNTERS)})[0].astype(np.int64)
    return {c: int(words[counter_address(c)] | words[counter_address(c) + 1] << 32) for c in COUNTERS}


def write(transport: Transport, words: Words, told: Told = unheard) -> None:
    """Write regions; `told` is called with the number of words sent. Raises as `Transport.send`."""
    sent = 0
    for start, region in words.items():
        for first in range(0, len(region), _WRITE.request.most):
            part = region[first : first + _WRITE.request.most]
            transport.send(Operation.WRITE, _WRITE.request.layout.pack(start + first) + part.astype("<u4").tobytes())
            sent += len(part)
            told(sent)
    transport.finish()


def read(transport: Transport, sizes: dict[int, int], told: Told = unheard) -> Words:
    """Read regions, given how many words each has; `told` is called with the number of words asked for.

    Raises as `Transport.send`.
    """
    asked = 0
    parts: dict[int, list[bytes]] = {start: [] for start in sizes}
    for start, size in sizes.items():
        for first in range(0, size, _READ.answer.most):
            count = min(_READ.answer.most, size - first)
            transport.send(Operation.READ, _READ.request.layout.pack(start + first, count), parts[start].append)
            asked += count
            told(asked)
    transport.finish()
    words: Words = {}
    for start, size in sizes.items():
        found = b"".join(parts[start])
        if len(found) != 4 * size:
            raise DeviceFault(
                f"the board answers READ of {size} words at {start:#010x} with {len(found)} bytes; "
                f"build the board again with this Presparse"
            )
        words[start] = np.frombuffer(found, dtype="<u4").astype(np.uint32)
    return words


def compare(transport: Transport, words: Words, told: Told = unheard) -> None:
    """Read everything back. Raises DeviceFault with the first address that differs, and as `Transport.send`."""
    found = read(transport, {start: len(region) for start, region in words.items()}, told)
    for start, region in words.items():
        wrong = np.flatnonzero(found[start] != region)
        if wrong.size:
            at = int(wrong[0])
            raise DeviceFault(
                f"address {start + at:#010x} was written with {int(region[at]):#010x} and reads "
                f"{int(found[start][at]):#010x} ({wrong.size} of {len(region)} words of its region differ); "
                f"write it again (load, store), and build the board again if it stays"
            )
