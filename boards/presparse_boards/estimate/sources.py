"""How many samples per second come over the link and from the board's store, and what bounds that."""

from __future__ import annotations

from fractions import Fraction

from presparse.contract.build import Build
from presparse.contract.operations import MAX_PAYLOAD
from presparse.contract.sample_words import WORD_BITS, SampleFormat
from presparse.contract.schedule import READ
from presparse.contract.wire import COMPRESSED_HEADER, CRC_BYTES, RECORD_HEADER, REQUEST_HEADER, value_bytes
from presparse.messages.sources import Bound, Rate, Source
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.sdram import StoreSdram, plan_sdram

UART_BITS = 10
"""Per byte: start, data, stop."""
FRAME_BYTES = REQUEST_HEADER + CRC_BYTES + 6
"""Of a request of MAX_PAYLOAD bytes, beside these: COBS adds one per 254, and a zero."""
LEAST_READ = READ + 3
"""Cycles between two samples of block RAM, however few words they have."""


def sources(build: Build, board: Board, clock_hz: Fraction) -> tuple[Source, ...]:
    """The link, and the store if there is one. Raises NoSdram, ClockError."""
    fmt, period = build.sample_format, build.schedule.period
    if fmt is None:
        record = RECORD_HEADER.size + build.network.layers[0] * value_bytes(build.network.formats.activation)
        rate = _rate(clock_hz, 0, core=period, link=_link_cycles(board, clock_hz, record))
        return (Source(source="link", dense=rate, sparse=rate),)

    def over_link(words: int) -> Rate:
        record = COMPRESSED_HEADER.size + words * WORD_BITS // 8
        return _rate(
            clock_hz, words, core=period, decoder=_steps(fmt, words), link=_link_cycles(board, clock_hz, record)
        )

    found = [Source(source="link", dense=over_link(fmt.most_words), sparse=over_link(fmt.least_words))]
    if build.store:
        sdram = plan_sdram(build, board, clock_hz)

        def stored(words: int) -> Rate:
            memory = _sdram_cycles(sdram, words) if sdram else max(words, LEAST_READ)
            return _rate(clock_hz, words, core=period, decoder=_steps(fmt, words), memory=memory)

        name = "SDRAM" if sdram else "block RAM"
        found.append(Source(source=name, dense=stored(fmt.most_words), sparse=stored(fmt.least_words)))
    return tuple(found)


def _rate(clock_hz: Fraction, words: int, **cycles: Fraction | int) -> Rate:
    """Of what takes the most cycles per sample; of the first one, if several do."""
    bound: Bound = max(cycles, key=lambda name: cycles[name])  # pyright: ignore[reportAssignmentType]  the names above
    return Rate(words=words, samples_per_second=float(clock_hz / cycles[bound]), bound=bound)


def _link_cycles(board: Board, clock_hz: Fraction, record: int) -> Fraction:
    """For a record of so many bytes, of those that fill requests."""
    sent = Fraction(record * (MAX_PAYLOAD + FRAME_BYTES), MAX_PAYLOAD)
    return sent * UART_BITS / board.baud * clock_hz


def _steps(fmt: SampleFormat, words: int) -> int:
    """Cycles of the decoder: one per word, and one per transfer or its blocks, both at once."""
    transfers = fmt.left // fmt.port
    blocks = words - fmt.least_words  # either none, or all of every transfer
    return max(words, transfers, blocks + transfers - fmt.transfers)


def _sdram_cycles(found: StoreSdram, words: int) -> Fraction:
    """Columns, ACTIVATE of the next sample's row, and a part of the refreshes: each closes a row and opens it again."""
    cycles = found.sdram.cycles
    columns = -(-words * WORD_BITS // found.sdram.chip.width)
    refreshing = Fraction(cycles.close + cycles.rfc + cycles.rcd + 1, cycles.refresh)
    return (columns + 1) / (1 - refreshing)
