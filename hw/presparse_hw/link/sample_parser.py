"""Sample records: from bytes to the core's sample stream."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.wire import SampleKind, value_bytes
from presparse_hw.core.ports import SampleLayout
from presparse_hw.link.ports import ByteLayout


class Field(enum.IntEnum):
    """What the parser's next byte is."""

    KIND = 0
    RATE = 1
    LABEL_LOW = 2
    LABEL_HIGH = 3
    FEATURES = 4
    NONE = 5
    """The record is bad: bytes wait until it is dropped."""


class SampleParser(wiring.Component):
    """Turns the stream of sample records into transfers: a byte per cycle if the core takes them at once and values
    have two bytes; a cycle more per transfer if they have one.

    A record may be cut anywhere: the parser waits for its next byte. A header is checked before the
    first transfer of its record. A value's bits above the format's width are ignored.

    Members
    -------
    i : In(stream)         bytes of records; one that changes the transfer is taken while none waits for the core
    samples : Out(stream)  the core's; may wait past the byte that completed a transfer
    flush : In(1)          send a flush; only between records, while no transfer waits
    between : Out(1)       no record has begun
    bad : Out(1)           the record has a bad header, and nothing waits; until `drop`
    drop : In(1)           forget the record, of which nothing was sent
    accepted : Out(1)      one cycle per record whose last transfer was taken
    """

    i: stream.Interface
    samples: stream.Interface
    flush: Signal
    between: Signal
    bad: Signal
    drop: Signal
    accepted: Signal

    def __init__(self, build: Build) -> None:
        self._build = build
        self._value_bytes = value_bytes(build.network.formats.activation)
        super().__init__(
            {
                "i": In(stream.Signature(ByteLayout())),
                "samples": Out(stream.Signature(SampleLayout(build))),
                "flush": In(1),
                "between": Out(1),
                "bad": Out(1),
                "drop": In(1),
                "accepted": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        field = Signal(Field)
        kind = Signal(8, reset_less=True)
        rate = Signal(8, reset_less=True)
        label_low = Signal(8, reset_less=True)
        final = Signal()  # the waiting transfer is its record's last
        changes = Signal()  # the next byte changes the transfer
        sample = Signal(SampleLayout(self._build), reset_less=True)
        byte = self.i.payload.data
        sent = self.samples.valid & self.samples.ready
        take = self.i.valid & self.i.ready
        value_byte = Signal(range(self._value_bytes))
        # A byte late, so that its last byte decides on a header at once.
        begins_well = Signal()
        low_is_zero = Signal()
        low_is_less = Signal()
        m.d.sync += begins_well.eq(self._kind_and_rate_are_good(kind, rate))
        m.d.comb += [
            # That the core takes a transfer comes late, out of the core: no byte depends on it in the same cycle.
            self.i.ready.eq((~self.samples.valid | ~changes) & ~self.bad),
            changes.eq(
                (field == Field.LABEL_HIGH) | ((field == Field.FEATURES) & (value_byte == self._value_bytes - 1))
            ),
            self.between.eq(field == Field.KIND),
            self.accepted.eq(sent & final),
            self.samples.payload.eq(sample),
        ]
        with m.If(sent):
            m.d.sync += self.samples.valid.eq(0)
        with m.If(self.flush):
            m.d.sync += [self.samples.valid.eq(1), sample.kind.eq(SampleKind.FLUSH), final.eq(0)]
        with m.If(take), m.Switch(field):
            with m.Case(Field.KIND):
                m.d.sync += [kind.eq(byte), field.eq(Field.RATE)]
            with m.Case(Field.RATE):
                m.d.sync += [rate.eq(byte), field.eq(Field.LABEL_LOW)]
            with m.Case(Field.LABEL_LOW):
                m.d.sync += [label_low.eq(byte), field.eq(Field.LABEL_HIGH)]
                m.d.sync += [low_is_zero.eq(byte == 0), low_is_less.eq(byte < self._build.network.classes & 0xFF)]
            with m.Case(Field.LABEL_HIGH):
                most = self._build.network.classes >> 8
                less = (byte < most) | ((byte == most) & low_is_less)
                good = begins_well & Mux(kind == SampleKind.PREDICT, (byte == 0) & low_is_zero, less)
                m.d.sync += [sample.kind.eq(kind), sample.rate.eq(rate), sample.label.eq(Cat(label_low, byte))]
                m.d.sync += [field.eq(Mux(good, Field.FEATURES, Field.NONE)), self.bad.eq(~good)]
            with m.Case(Field.FEATURES):
                self._take_feature_byte(m, sample.features.as_value(), value_byte, field, final)
        with m.If(self.drop):
            m.d.sync += [field.eq(Field.KIND), self.bad.eq(0)]
        return m

    def _kind_and_rate_are_good(self, kind: Signal, rate: Signal) -> Value:
        network = self._build.network
        training = kind == SampleKind.TRAIN
        kind_is_good = (kind == SampleKind.PREDICT) | (kind == SampleKind.EVALUATE)
        if self._build.training:
            kind_is_good |= training
        rate_is_good = Mux(training, (rate >= network.rates.least) & (rate <= network.rates.most), rate == 0)
        return kind_is_good & rate_is_good

    def _take_feature_byte(self, m: Module, features: Value, value_byte: Signal, field: Signal, final: Signal) -> None:
        """Assemble values, least significant byte first, and transfers by shifting values in."""
        build, byte = self._build, self.i.payload.data
        fmt = build.network.formats.activation
        size, port = self._value_bytes, build.feature_port
        transfers = build.network.layers[0] // port
        feature = Signal(range(port))  # of this transfer
        transfer = Signal(range(transfers))
        low = Signal(8 * (size - 1), reset_less=True)
        value = Cat(low, byte)

        m.d.sync += [low.eq(value[8:]), value_byte.eq(value_byte + 1)]
        with m.If(value_byte == size - 1):
            m.d.sync += [
                value_byte.eq(0),
                features.eq(Cat(features, value[: fmt.width])[fmt.width :]),
                feature.eq(feature + 1),
            ]
            with m.If(feature == port - 1):
                m.d.sync += [
                    feature.eq(0),
                    transfer.eq(transfer + 1),
                    self.samples.valid.eq(1),
                    final.eq(transfer == transfers - 1),
                ]
                with m.If(transfer == transfers - 1):
                    m.d.sync += [transfer.eq(0), field.eq(Field.KIND)]
