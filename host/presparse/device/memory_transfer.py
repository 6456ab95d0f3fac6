"""A board's memory through a `Transport`: a model's words, written, read and compared (docs/protocol.md, Addresses).

`Words` are regions by their first address, each an array of consecutive 32-bit words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

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
Piece = tuple[int, bytes]
"""The first address of words that one request carries, and these, little-endian."""
Told = Callable[[Piece], None]

LOOKED_AT = 8
"""Pieces that show whether a board still has what was written."""
_TOLD_EVERY = 16
"""Pieces, so that telling does not take longer than sending."""
_WORD_BYTES = 4

_READ, _WRITE = OPERATIONS[Operation.READ], OPERATIONS[Operation.WRITE]


def unheard(piece: Piece) -> None:
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


def read(transport: Transport, sizes: dict[int, int]) -> Words:
    """Read regions, given how many words each has. Raises as `Transport.send`."""
    parts: dict[int, list[bytes]] = {start: [] for start in sizes}
    for start, size in sizes.items():
        for first in range(0, size, _READ.answer.most):
            count = min(_READ.answer.most, size - first)
            transport.send(Operation.READ, _READ.request.layout.pack(start + first, count), parts[start].append)
    transport.finish()
    words: Words = {}
    for start, size in sizes.items():
        found = b"".join(parts[start])
        if len(found) != _WORD_BYTES * size:
            raise _wrong_length(start, size, found)
        words[start] = np.frombuffer(found, dtype="<u4").astype(np.uint32)
    return words


def pieces(words: Words) -> list[Piece]:
    """What requests carry."""
    most = _WORD_BYTES * _WRITE.request.most
    found: list[Piece] = []
    for start, region in words.items():
        data = region.astype("<u4").tobytes()
        found += [(start + first // _WORD_BYTES, data[first : first + most]) for first in range(0, len(data), most)]
    return found


def compare(transport: Transport, pieces: Sequence[Piece], told: Told = unheard) -> None:
    """Read pieces back; `told` is called with each that is as it was written. Raises DeviceFault with the first address
    that differs, and as `Transport.send`."""
    wrong: list[DeviceFault] = []

    def check(piece: Piece, found: bytes) -> None:
        fault = _difference(piece, found)
        if fault is None:
            told(piece)
        else:
            wrong.append(fault)

    for piece in pieces:
        address, data = piece
        request = _READ.request.layout.pack(address, len(data) // _WORD_BYTES)
        transport.send(Operation.READ, request, partial(check, piece))
        if wrong:
            break
    transport.finish()
    if wrong:
        raise wrong[0]


class Upload:
    """Words that are written, read back and compared.

    If the link is cut, it goes on where it was: what the board acknowledged is there, unless its power is gone, which
    the last pieces show. `told` is called with the words that are done, written or compared, twice as many as there
    are in the end.
    """

    def __init__(self, words: Words, told: Callable[[int, int], None] = lambda done, of: None) -> None:
        self._pieces = pieces(words)
        self._told = told
        self._written = self._compared = 0
        """Pieces."""
        self._done, self._total = 0, 2 * sum(len(region) for region in words.values())
        """Words."""
        self.furthest = 0
        """Words that were ever done at once: growth that a board which forgets does not repeat."""

    def go_on(self, transport: Transport) -> None:
        """From where it is to its end, on a drained board. Raises DeviceFault with the first address that reads back
        wrong, and as `Transport.send`."""
        if self._written and not self._kept(transport):
            self._written = self._compared = self._done = 0
        for piece in self._pieces[self._written :]:
            address, data = piece
            request = _WRITE.request.layout.pack(address) + data
            transport.send(Operation.WRITE, request, partial(self._acknowledge, piece))
        transport.finish()
        compare(transport, self._pieces[self._compared :], self._confirm)

    def _kept(self, transport: Transport) -> bool:
        """Whether the board still has what it acknowledged last."""
        try:
            compare(transport, self._pieces[max(0, self._written - LOOKED_AT) : self._written])
        except MemoryDiffers:
            return False
        return True

    def _acknowledge(self, piece: Piece, _: bytes) -> None:
        self._written += 1
        self._tell(piece, self._written)

    def _confirm(self, piece: Piece) -> None:
        self._compared += 1
        self._tell(piece, self._compared)

    def _tell(self, piece: Piece, number: int) -> None:
        self._done += len(piece[1]) // _WORD_BYTES
        self.furthest = max(self.furthest, self._done)
        if number % _TOLD_EVERY == 0 or number == len(self._pieces):
            self._told(self._done, self._total)


class MemoryDiffers(DeviceFault):
    """A word reads otherwise than it was written."""


def _difference(piece: Piece, found: bytes) -> DeviceFault | None:
    """What is wrong with a piece that was read; None: it is as it was written."""
    address, data = piece
    if found == data:
        return None
    if len(found) != len(data):
        return _wrong_length(address, len(data) // _WORD_BYTES, found)
    own, others = (np.frombuffer(words, dtype="<u4") for words in (data, found))
    wrong = np.flatnonzero(own != others)
    at = int(wrong[0])
    return MemoryDiffers(
        f"address {address + at:#010x} was written with {int(own[at]):#010x} and reads {int(others[at]):#010x} "
        f"({wrong.size} of the {len(own)} words from {address:#010x} on differ); write it again (load, store), and "
        "build the board again if it stays"
    )


def _wrong_length(start: int, words: int, found: bytes) -> DeviceFault:
    return DeviceFault(
        f"the board answers READ of {words} words at {start:#010x} with {len(found)} bytes; "
        f"build the board again with this Presparse"
    )
