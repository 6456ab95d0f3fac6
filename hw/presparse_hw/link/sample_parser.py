"""Sample records: from bytes to the core's sample stream, or to words that are still to be decoded."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from presparse.contract.build import Build
from presparse.contract.sample_words import WORD_BITS, SampleFormat
from presparse.contract.wire import COMPRESSED, SampleKind, value_bytes
from presparse_hw.core.ports import SampleLayout
from presparse_hw.link.ports import ByteLayout
from presparse_hw.samples.ports import WordLayout

_COMPRESSED_BIT = exact_log2(COMPRESSED)


class Field(enum.IntEnum):
    """What the parser's next byte is."""

    KIND = 0
    RATE = 1
    LABEL_LOW = 2
    LABEL_HIGH = 3
    FEATURES = 4
    WORD_LOW = 5
    WORD_HIGH = 6
    NONE = 7
    """The record is bad: bytes wait until the parser is reset."""


class SampleParser(wiring.Component):
    """Turns the stream of sample records into transfers and words, in their order: a byte per cycle if they are taken
    at once and values have two bytes; a cycle more per transfer if they have one.

    A record may be cut anywhere: the parser waits for its next byte. Kind, rate, and the label of a record without
    words are checked before its first transfer or word; the words themselves are not. A value's bits above the
    format's width are ignored. Reset forgets the record.

    Members
    -------
    i : In(stream)         bytes of records; one that completes a transfer or word is taken while none waits
    samples : Out(stream)  the core's, while the decoder is settled; may wait past the byte that completed a transfer
    words : Out(stream)    to the decoder, likewise, while no transfer waits; none in builds without `sample_bits`
    settled : In(1)        of the decoder
    flush : In(1)          send a flush; only between records, while nothing is under way
    between : Out(1)       no record has begun
    waiting : Out(1)       a transfer is not taken in this cycle, a word was not, or the decoder is not settled
    bad : Out(1)           the record has a bad header, and those before it were taken; until reset
    accepted : Out(1)      one cycle per record whose last transfer was taken
    """

    i: stream.Interface
    samples: stream.Interface
    words: stream.Interface
    settled: Signal
    flush: Signal
    between: Signal
    waiting: Signal
    bad: Signal
    accepted: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._value_bytes = value_bytes(build.network.formats.activation)
        super().__init__(
            {
                "i": In(stream.Signature(ByteLayout())),
                "samples": Out(stream.Signature(SampleLayout(build))),
                "words": Out(stream.Signature(WordLayout())),
                "settled": In(1, init=1),
                "flush": In(1),
                "between": Out(1),
                "waiting": Out(1),
                "bad": Out(1),
                "accepted": Out(1),
            }
        )
        self._field = Signal(Field)
        self._kind = Signal(8, reset_less=True)
        self._rate = Signal(8, reset_less=True)
        self._low = Signal(8, reset_less=True)  # byte of a label or a word
        self._training = Signal()  # what kind says, a cycle late
        self._predicting = Signal()
        self._kind_is_good = Signal()
        self._rate_is_zero = Signal()
        self._rate_is_known = Signal()  # as one of training's
        self._begins_well = Signal()  # kind and rate are good, a cycle later
        self._bad = Signal()
        # A value enters its transfer a cycle after its last byte: what a byte is lies far from all those registers.
        self._entering = Signal()
        self._value = Signal(build.network.formats.activation.width, reset_less=True)
        self._fills = Signal(reset_less=True)  # it completes its transfer,
        self._ends = Signal(reset_less=True)  # and that its record
        self._low_bytes = Signal(8 * (self._value_bytes - 1), reset_less=True)  # of the value that comes
        self._port = build.feature_port
        self._feature = Signal(range(self._port))  # which it is of its transfer
        self._is_last = Signal(init=self._port == 1)  # `_feature` is its transfer's last,
        self._transfers = build.network.layers[0] // self._port  # of a record
        self._transfer = Signal(range(self._transfers))
        self._in_last = Signal(init=self._transfers == 1)  # `_transfer` is its record's

    def elaborate(self, platform: object) -> Module:
        m = Module()
        field, kind, rate, low = self._field, self._kind, self._rate, self._low
        bad, begins_well, entering = self._bad, self._begins_well, self._entering
        final = Signal()  # the waiting transfer is its record's last
        sample = Signal(SampleLayout(self._build), reset_less=True)
        byte = self.i.payload.data
        sent = self.samples.valid & self.samples.ready
        take = self.i.valid & self.i.ready
        value_byte = Signal(range(self._value_bytes))
        # A byte late, so that its last byte decides on a header at once.
        low_is_zero = Signal()
        low_is_less = Signal()
        self._judge_kind_and_rate(m)

        # Known a byte ahead, so that whether one is taken is decided at once.
        header_or_word = Signal()  # is complete with the next byte
        ends_value = Signal()  # so is a value
        with m.If(take):
            m.d.sync += header_or_word.eq((field == Field.LABEL_LOW) | (field == Field.WORD_LOW))
        if self._value_bytes == 1:
            m.d.comb += ends_value.eq(field == Field.FEATURES)
        else:
            with m.If(take):
                m.d.sync += ends_value.eq((field == Field.FEATURES) & (value_byte == self._value_bytes - 2))
        # A cycle late: a record's header is longer than that, and the decoder is far away. It never says so too soon:
        # of the word that the decoder takes in a cycle only `words.valid` tells.
        settled = Signal(init=1)
        m.d.sync += settled.eq(self.settled & ~self.words.valid)
        value_must_wait = (entering & self.samples.valid) | ~settled
        m.d.comb += [
            # That something is taken comes late, out of the core: no byte depends on it in the same cycle.
            self.i.ready.eq(
                ~(header_or_word & (entering | self.samples.valid | self.words.valid))
                & ~(ends_value & value_must_wait)
                & ~bad
            ),
            self.between.eq(field == Field.KIND),
            self.waiting.eq((self.samples.valid & ~self.samples.ready) | entering | self.words.valid | ~settled),
            self.bad.eq(bad & settled),
            self.accepted.eq(sent & final),
            self.samples.payload.eq(sample),
        ]
        with m.If(sent):
            m.d.sync += self.samples.valid.eq(0)
        with m.If(self.flush):
            m.d.sync += [self.samples.valid.eq(1), sample.kind.eq(SampleKind.FLUSH), final.eq(0)]
        features = sample.features.as_value()
        with m.If(entering & ~self.samples.valid):
            m.d.sync += [
                entering.eq(0),
                features.eq(Cat(features, self._value)[len(self._value) :]),
                self.samples.valid.eq(self._fills),
                final.eq(self._ends),
            ]
        with m.If(~(entering & self.samples.valid)):  # the next value, whether or not this is its last byte
            m.d.sync += [
                self._value.eq(Cat(self._low_bytes, byte)),
                self._fills.eq(self._is_last),
                self._ends.eq(self._is_last & self._in_last),
            ]
        # What stands in a field, until its byte is taken.
        with m.Switch(field):
            with m.Case(Field.KIND):
                m.d.sync += kind.eq(byte)
            with m.Case(Field.RATE):
                rates = self._build.network.rates
                m.d.sync += [
                    rate.eq(byte),
                    self._rate_is_zero.eq(byte == 0),
                    self._rate_is_known.eq((byte >= rates.least) & (byte <= rates.most)),
                ]
            with m.Case(Field.LABEL_LOW, Field.WORD_LOW):
                m.d.sync += low.eq(byte)
                m.d.sync += [low_is_zero.eq(byte == 0), low_is_less.eq(byte < self._build.network.classes & 0xFF)]
        with m.If(take), m.Switch(field):
            with m.Case(Field.KIND):
                m.d.sync += field.eq(Field.RATE)
            with m.Case(Field.RATE):
                m.d.sync += field.eq(Field.LABEL_LOW)
            with m.Case(Field.LABEL_LOW):
                m.d.sync += field.eq(Field.LABEL_HIGH)
            with m.Case(Field.LABEL_HIGH):
                most = self._build.network.classes >> 8
                less = (byte < most) | ((byte == most) & low_is_less)
                good = begins_well & Mux(self._predicting, (byte == 0) & low_is_zero, less)
                m.d.sync += [sample.kind.eq(kind), sample.rate.eq(rate), sample.label.eq(Cat(low, byte))]
                m.d.sync += [field.eq(Mux(good, Field.FEATURES, Field.NONE)), bad.eq(~good)]
            with m.Case(Field.FEATURES):
                self._take_feature_byte(m, value_byte, ends_value)
        if self._build.sample_format:
            self._take_words(m, take, self._build.sample_format)
        return m

    def _take_words(self, m: Module, take: Value, fmt: SampleFormat) -> None:
        """Hand words on, as many as the first one says: if that says too few or too many, it is the decoder that sees
        it, and no more is taken."""
        field, kind, byte = self._field, self._kind, self.i.payload.data
        word, item = Cat(self._low, byte), Signal(WordLayout(), reset_less=True)
        first = Signal()
        left = Signal(WORD_BITS, reset_less=True)  # words behind this one
        last = Signal(reset_less=True)  # there are none
        m.d.comb += self.words.payload.eq(item)
        with m.If(self.words.ready):
            m.d.sync += self.words.valid.eq(0)
        with m.If(take), m.Switch(field):
            with m.Case(Field.RATE), m.If(kind[_COMPRESSED_BIT]):
                m.d.sync += [field.eq(Field.WORD_LOW), first.eq(1)]
            with m.Case(Field.WORD_LOW):
                m.d.sync += [field.eq(Field.WORD_HIGH), left.eq(left - 1), last.eq(left == 1)]
            with m.Case(Field.WORD_HIGH):
                m.d.sync += [item.word.eq(word), item.kind.eq(kind), item.rate.eq(self._rate)]
                m.d.sync += [self.words.valid.eq(1), first.eq(0), field.eq(Field.WORD_LOW)]
                with m.If(first):
                    m.d.sync += left.eq((word >> fmt.length_shift) - 1)
                    with m.If(~self._begins_well):
                        m.d.sync += [self.words.valid.eq(0), field.eq(Field.NONE), self._bad.eq(1)]
                with m.Elif(last):
                    m.d.sync += field.eq(Field.KIND)

    def _judge_kind_and_rate(self, m: Module) -> None:
        """Known before a byte of the label can be the last."""
        kind = self._kind
        if self._build.sample_format:
            kind = kind & (0xFF ^ COMPRESSED)
        training = (kind == SampleKind.TRAIN) if self._build.training else Const(0)
        rate_is_good = Mux(self._training, self._rate_is_known, self._rate_is_zero)
        predicting = kind == SampleKind.PREDICT
        m.d.sync += [
            self._training.eq(training),
            self._predicting.eq(predicting),
            self._kind_is_good.eq(training | predicting | (kind == SampleKind.EVALUATE)),
            self._begins_well.eq(self._kind_is_good & rate_is_good),
        ]

    def _take_feature_byte(self, m: Module, value_byte: Signal, ends_value: Signal) -> None:
        """Assemble values, least significant byte first, and count them and their transfers."""
        feature, transfer, byte = self._feature, self._transfer, self.i.payload.data
        m.d.sync += [self._low_bytes.eq(Cat(self._low_bytes, byte)[8:]), value_byte.eq(value_byte + 1)]
        with m.If(ends_value):
            m.d.sync += [value_byte.eq(0), self._entering.eq(1)]
            m.d.sync += [feature.eq(feature + 1), self._is_last.eq(feature == self._port - 2)]
            with m.If(self._is_last):
                m.d.sync += [feature.eq(0), self._is_last.eq(self._port == 1)]
                m.d.sync += [transfer.eq(transfer + 1), self._in_last.eq(transfer == self._transfers - 2)]
                with m.If(self._in_last):
                    m.d.sync += [transfer.eq(0), self._in_last.eq(self._transfers == 1), self._field.eq(Field.KIND)]
