"""Queues in memory that give one word per cycle, from a register."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.schedule import READ
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.lib.sequencer import count_modulo


class Queue(wiring.Component):
    """Words in order. Who writes knows that there is room for `depth` words; a word comes out READ + 1 cycles after
    it went into an empty queue.

    Parameters
    ----------
    shape : ShapeLike
    depth : int

    Members
    -------
    write : In(1), word : In
    words : Out(stream)
    """

    write: Signal
    word: Signal
    words: stream.Interface

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._depth = depth
        super().__init__({"write": In(1), "word": In(shape), "words": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = RegisteredMemory((Shape.cast(self.word.shape()),), self._depth)
        written = Signal(range(self._depth))
        read = Signal(range(self._depth))
        held = Signal(range(self._depth + 1))  # words in memory that have not been asked for
        valid = Signal(READ)  # the words asked for, the oldest highest: it is the one that comes out
        move = Signal()
        ask = Signal()
        m.d.comb += [
            memory.write[0].eq(self.write),
            memory.write_address.eq(written),
            memory.write_data[0].eq(self.word),
            memory.read_address.eq(read),
            memory.read_enable.eq(move),
            self.words.payload.eq(memory.read_data[0]),
            self.words.valid.eq(valid[-1]),
            move.eq(~valid[-1] | self.words.ready),
            ask.eq(move & (held != 0)),
        ]
        step = Signal(signed(2))  # one addition, of 1, 0 or -1
        m.d.comb += step.eq(Mux(ask, Mux(self.write, 0, -1), self.write))
        m.d.sync += held.eq(held + step)
        with m.If(self.write):
            count_modulo(m, written, self._depth)
        with m.If(ask):
            count_modulo(m, read, self._depth)
        with m.If(move):
            m.d.sync += valid.eq(valid << 1 | ask)
        return m


class StreamQueue(wiring.Component):
    """A `Queue` that takes words as long as there is room; a word comes out READ + 1 cycles after it went into an empty
    queue.

    Parameters
    ----------
    shape : ShapeLike
    depth : int

    Members
    -------
    i : In(stream)    `ready` comes from a register
    o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._shape, self._depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = Queue(self._shape, self._depth)
        wiring.connect(m, queue.words, wiring.flipped(self.o))
        given = self.o.valid & self.o.ready
        room = Signal(range(-1, self._depth), init=self._depth - 1)  # for so many words, and one more
        m.d.comb += [
            self.i.ready.eq(room >= 0),
            queue.write.eq(self.i.valid & self.i.ready),
            queue.word.eq(self.i.payload),
        ]
        step = Signal(signed(2))
        m.d.comb += step.eq(Mux(queue.write, Mux(given, 0, -1), given))
        m.d.sync += room.eq(room + step)
        return m
