"""Every memory of a build, counted from the contract alone: nothing is elaborated, no Amaranth imported."""

from __future__ import annotations

from dataclasses import dataclass

from presparse.contract.activation import derivative_width, table_input
from presparse.contract.address_map import COUNTER_BITS, COUNTERS
from presparse.contract.build import Build
from presparse.contract.lane_memories import lane_memories
from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.sample_words import WORD_BITS, SampleFormat
from presparse.contract.schedule import READ
from presparse.contract.wire import WINDOW
from presparse_hw.lib.sizes import BANK_BITS
from presparse_hw.link.sizes import ANSWER_BITS, COUNTER_SLICE, FRAME_RING, REQUEST_BITS
from presparse_hw.store.sdram.chip import Sdram

_AHEAD = 16
"""Masks and blocks that wait in the decoder of compressed samples."""
_LATE_COLUMNS = 10 + READ
"""Columns of an SDRAM that are asked for while a sample's length is found out, beside those on the way."""

MemoryShape = tuple[tuple[int, ...], int]
"""Widths of the fields, and depth."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """`count` equal memories, each with one read and at most one write port."""

    count: int = 1
    depth: int
    fields: tuple[int, ...]
    """Bits of what is written by itself."""
    registered: bool = True
    """A `presparse_hw.lib.registered_memory.RegisteredMemory`; else what is read comes at once."""
    written: bool = True
    """Tables are not."""
    one_port: bool = False
    """Never read while it is written."""
    unread: int = 0
    """Lowest bits that nobody reads, in every second of the `count`."""

    @property
    def shape(self) -> MemoryShape:
        return self.fields, self.depth


def memories(build: Build, *, window: int = WINDOW, sdram: Sdram | None = None) -> list[Memory]:
    """All of them, with a link of `window` requests, and the SDRAM that the store is in."""
    found = _lanes(build)
    for index in range(len(build.junctions)):
        found += _neurons(build, index)
    found.append(_results(build))
    if build.sample_format:
        found += _decoder(build.sample_format)
    if build.store and build.store.memory == "block":
        found += _banks(1, build.store.words // 2, (2 * WORD_BITS,))  # two words each
    if sdram:
        found.append(_columns(sdram))
    return found + _link(window)


def _lanes(build: Build) -> list[Memory]:
    return [
        Memory(
            count=group.count,
            depth=group.depth,
            fields=group.widths,
            one_port=group.one_port,
            unread=unread_delta_bits(build, group.junction - 1) if group.purpose == "deltas" else 0,
        )
        for group in lane_memories(build)
    ]


def unread_delta_bits(build: Build, index: int) -> int:
    """Bits of a fetched delta sum of junction `index` (from 0) below the one that
    rounding looks at; none if a derivative is to be multiplied first."""
    dropped = build.network.delta_sum_frac - build.network.formats.delta.frac
    return 0 if build.junctions[index - 1].activation == "sigmoid" else max(0, dropped - 1)


def _neurons(build: Build, index: int) -> list[Memory]:
    """Tables of the activation, biases, and what waits for BP: derivatives, or deltas of the output."""
    j, plan, f = build.junctions[index], build.schedule.junctions[index], build.network.formats
    right = f.right(j)
    found = [Memory(count=j.group, depth=j.steps, fields=(f.weight.width,))]
    derivative = derivative_width(j.activation, right) if build.training and not j.is_output else 0
    if j.activation == "sigmoid":
        table = 1 << table_input(right).width
        widths = (right.width, derivative) if derivative else (right.width,)
        found += [Memory(count=j.group, depth=table, fields=(width,), written=False) for width in widths]
    waiting = f.delta.width if j.is_output else derivative if j.activation != "identity" else 0
    if build.training and waiting:
        depth = plan.derivative_slots << (j.steps - 1).bit_length()
        found.append(Memory(depth=depth, fields=(j.group * waiting,)))
    return found


def _results(build: Build) -> Memory:
    """The queue of scores."""
    j, width = build.junctions[-1], build.network.formats.output.width
    return Memory(depth=build.result_capacity * j.steps, fields=(j.group * width + 1,))


def _decoder(fmt: SampleFormat) -> list[Memory]:
    """Palettes, and masks and blocks that wait."""
    head = 2 + 4 + fmt.label_bits  # kind, rate, label
    waiting = [Memory(depth=_AHEAD, fields=(width,)) for width in (fmt.mask_blocks + head, WORD_BITS)]
    return _banks(fmt.port, fmt.palette_depth, (fmt.value_bits,)) + waiting


def _columns(sdram: Sdram) -> Memory:
    """What has been asked for and may come back: with a column, whether it is a sample's, and where that ends."""
    under_way = sdram.cycles.cas + sdram.pad_cycles + _LATE_COLUMNS
    marks = 2 if sdram.chip.width == WORD_BITS else 3
    return Memory(depth=1 << (under_way - 1).bit_length(), fields=(sdram.chip.width + marks,))


def _banks(count: int, depth: int, fields: tuple[int, ...]) -> list[Memory]:
    size = 1 << BANK_BITS
    return [Memory(count=count, depth=min(size, depth - first), fields=fields) for first in range(0, depth, size)]


def _link(window: int) -> list[Memory]:
    """Payloads of requests and answers, a frame under way, counters, headers."""
    slices = COUNTER_BITS // COUNTER_SLICE << len(COUNTERS).bit_length()
    return [
        Memory(count=2, depth=window * MAX_PAYLOAD, fields=(8,)),
        Memory(depth=FRAME_RING, fields=(8,)),
        Memory(depth=slices, fields=(COUNTER_SLICE,)),
        Memory(depth=window, fields=(REQUEST_BITS,), registered=False),
        Memory(depth=window, fields=(ANSWER_BITS,), registered=False),
    ]
