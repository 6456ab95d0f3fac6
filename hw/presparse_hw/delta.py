"""Deltas of right neurons, in natural order: from the output's error, or from the next junction's sums.

Both sources have one timing: `FETCH` cycles after a step of deltas is addressed, its deltas are at the lanes.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.activation import derivative_frac, derivative_width
from presparse.contract.build import Build
from presparse.contract.schedule import FETCH, MULTIPLY, READ
from presparse.contract.wire import SampleKind
from presparse_hw.fixed import exceeds, rescale, saturate
from presparse_hw.item import ItemLayout
from presparse_hw.lane import delta_bank_depth
from presparse_hw.multiplier import Multiplier
from presparse_hw.pipeline import Sequencer, count_modulo, delay


class DeltaSource(wiring.Component):
    """Common ports and timing of both sources.

    Members
    -------
    start : In(1)       the block's first step is addressed in the next cycle
    item : In           the sample of BP and UP; read with `start`
    right_valid, right_values, derivatives, right_item : In   from the junction's FF
    deltas : Out(signed).array(group)         held for a step's cycles
    scaled_deltas : Out(signed).array(group)  deltas times 2^item.shift
    saturations : Out                         events to count
    """

    start: Signal
    item: data.View
    right_valid: Signal
    right_values: Sequence[Signal]
    derivatives: Sequence[Signal]
    right_item: data.View
    deltas: Sequence[Signal]
    scaled_deltas: Sequence[Signal]
    saturations: Signal

    def __init__(self, build: Build, index: int, members: dict[str, wiring.Member]) -> None:
        """`index`: the junction whose right neurons' deltas these are, counted from 0."""
        self._build = build
        self._junction = j = build.junctions[index]
        self._plan = build.schedule.junctions[index]
        self._formats = f = build.network.formats
        item = ItemLayout(build)
        super().__init__(
            {
                "start": In(1),
                "item": In(item),
                "right_valid": In(1),
                "right_item": In(item),
                "deltas": Out(signed(f.delta.width)).array(j.group),
                "scaled_deltas": Out(signed(f.delta.width + build.network.rates.span)).array(j.group),
                "saturations": Out(range(j.group + 1)),
                **members,
            }
        )

    def _walk(self, m: Module) -> tuple[Sequencer, Signal]:
        """The block's steps, and its sample."""
        m.submodules.sequencer = walk = Sequencer(self._junction)
        item = Signal.like(self.item)
        m.d.comb += walk.start.eq(self.start)
        with m.If(self.start):
            m.d.sync += item.eq(self.item)
        return walk, item

    def _queue(self, m: Module, written: Value, write: Value, step: Value, slot: Value) -> memory.ReadPort:
        """Values of whole steps in natural order, written as FF finishes them, read at `step` and `slot`."""
        slots, steps = self._plan.derivative_slots, self._junction.steps
        step_bits = range(steps)
        write_step, write_slot = Signal(step_bits), Signal(range(slots), init=-self._plan.forward % slots)
        m.submodules.queue = queue = memory.Memory(shape=len(written), depth=slots << len(write_step), init=[])
        port = queue.write_port()
        m.d.comb += [port.en.eq(write), port.addr.eq(Cat(write_step, write_slot)), port.data.eq(written)]
        with m.If(write):
            count_modulo(m, write_step, steps)
            with m.If(write_step == steps - 1):
                count_modulo(m, write_slot, slots)
        read = queue.read_port()
        m.d.comb += read.addr.eq(Cat(step, slot))
        return read

    def _read_slot(self, m: Module) -> Signal:
        slots = self._plan.derivative_slots
        slot = Signal(range(slots), init=(-self._plan.update - 1) % slots)
        with m.If(self.start):
            count_modulo(m, slot, slots)
        return slot

    def _broadcast(self, m: Module, deltas: list[Value], item: Signal) -> None:
        """Scale deltas (at FETCH - 1) by the sample's rate and register both for the lanes."""
        shift = delay(m, item.shift, FETCH - 1, name="shift")
        for delta, out, scaled in zip(deltas, self.deltas, self.scaled_deltas, strict=True):
            m.d.sync += [out.eq(delta), scaled.eq(delta << shift)]


class OutputDelta(DeltaSource):
    """Deltas of the output layer: activation minus target, for sigmoid with cross-entropy and identity with
    squared error alike. Target: 1 for the label's neuron, 0 for the others."""

    def __init__(self, build: Build, index: int) -> None:
        j = build.junctions[index]
        super().__init__(build, index, {"right_values": In(signed(build.network.formats.output.width)).array(j.group)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, group = self._formats, self._junction.group
        walk, item = self._walk(m)

        neuron = Signal(range(self._junction.right))  # the first of the step
        with m.If(self.right_valid):
            m.d.sync += neuron.eq(neuron + group)
            with m.If(neuron == self._junction.right - group):
                m.d.sync += neuron.eq(0)
        written = delay(m, self.right_valid, 1, name="written", reset=True)
        deltas = Signal(data.ArrayLayout(signed(f.delta.width), group), reset_less=True)
        saturated = Signal(group)
        training = self.right_valid & (self.right_item.kind == SampleKind.TRAIN)
        for i, value in enumerate(self.right_values):
            target = Mux(self.right_item.label == neuron + i, f.output.one, 0)
            error = Signal((value - target).shape(), name=f"error{i}")
            m.d.comb += error.eq(value - target)
            rounded = rescale(error, f.output.frac, f.delta.frac)
            m.d.sync += [
                deltas[i].eq(saturate(rounded, f.delta)),
                saturated[i].eq(training & Cat(exceeds(rounded, f.delta)).any()),
            ]
        m.d.sync += self.saturations.eq(sum(saturated))

        read = self._queue(m, Value.cast(deltas), written, walk.step, self._read_slot(m))
        late = delay(m, read.data, FETCH - 1 - READ, name="delta")
        width = f.delta.width
        self._broadcast(m, [late[i * width : (i + 1) * width].as_signed() for i in range(group)], item)
        return m


class DeltaFetch(DeltaSource):
    """Deltas of a hidden layer: sums of the next junction's BP, times the derivative, rounded once.

    Members (besides those of DeltaSource)
    -------
    fetch_address : Out, fetch_sums : In(signed).array(lanes of the next junction)

        cycle  0        1           2                       2 + M    3 + M    4 + M = FETCH
               address  sums read   selected, derivative    product  rounded  scaled
    """

    fetch_address: Signal
    fetch_sums: Sequence[Signal]

    def __init__(self, build: Build, index: int) -> None:
        j, following = build.junctions[index], build.junctions[index + 1]
        self._following = following
        self._sets = build.schedule.junctions[index + 1].delta_sets
        self._wait = build.schedule.junctions[index].update - build.schedule.junctions[index + 1].update
        width = derivative_width(j.activation, build.network.formats.activation)
        super().__init__(
            build,
            index,
            {
                "derivatives": In(unsigned(width)).array(j.group),
                "fetch_address": Out(range(delta_bank_depth(build, index + 1))),
                "fetch_sums": In(signed(build.network.delta_sum_width(following))).array(following.lanes),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, network = self._formats, self._build.network
        walk, item = self._walk(m)
        selected = self._selected(m, walk)
        products = self._times_derivative(m, walk, selected)

        frac = network.delta_sum_frac + derivative_frac(self._junction.activation, f.activation)
        counted = delay(m, walk.first & (item.kind == SampleKind.TRAIN), 2 + MULTIPLY, name="counted", reset=True)
        deltas, saturated = [], Signal(self._junction.group)
        for i, product in enumerate(products):
            rounded = Signal(rescale(product, frac, f.delta.frac).shape(), name=f"rounded{i}")
            delta = Signal(signed(f.delta.width), name=f"delta{i}", reset_less=True)
            m.d.comb += rounded.eq(rescale(product, frac, f.delta.frac))
            m.d.sync += [
                delta.eq(saturate(rounded, f.delta)),
                saturated[i].eq(counted & Cat(exceeds(rounded, f.delta)).any()),
            ]
            deltas.append(delta)
        m.d.sync += self.saturations.eq(sum(saturated))
        self._broadcast(m, deltas, item)
        return m

    def _selected(self, m: Module, walk: Sequencer) -> list[Signal]:
        """The step's delta sums, from the banks that hold them (from cycle 2 on, as long as the step takes)."""
        group, following = self._junction.group, self._following
        columns = following.lanes // group
        column, row = Signal(range(columns)), Signal(range(following.rows))
        current = Signal(range(self._sets), init=(-self._wait - 1) % self._sets)
        with m.If(self.start):
            m.d.sync += [column.eq(0), row.eq(0)]
            count_modulo(m, current, self._sets)
        with m.Elif(walk.last):
            count_modulo(m, column, columns)
            with m.If(column == columns - 1):
                m.d.sync += row.eq(row + 1)
        m.d.comb += self.fetch_address.eq(Cat(row, current))

        read_column = delay(m, column, READ, name="column")
        selected = [Signal.like(self.fetch_sums[0], name=f"selected{i}", reset_less=True) for i in range(group)]
        # Taken once and held for the step: before its last cycle, BP may write a later sample's sums here.
        with m.If(delay(m, walk.first, READ, name="fetched")), m.Switch(read_column):
            for c in range(columns):
                with m.Case(c):
                    m.d.sync += [s.eq(self.fetch_sums[c * group + i]) for i, s in enumerate(selected)]
        return selected

    def _times_derivative(self, m: Module, walk: Sequencer, sums: list[Signal]) -> list[Value]:
        """Delta sums (cycle 2) times derivatives, MULTIPLY cycles later."""
        activation = self._junction.activation
        if activation == "identity":
            return [delay(m, s, MULTIPLY, name=f"sum{i}") for i, s in enumerate(sums)]
        step = delay(m, walk.step, 1, name="step")  # read a cycle after the sums, which are selected first
        slot = delay(m, self._read_slot(m), 1, name="slot")
        read = self._queue(m, Cat(self.derivatives), self.right_valid, step, slot)
        width = len(self.derivatives[0])
        products = []
        for i, delta_sum in enumerate(sums):
            derivative = read.data[i * width : (i + 1) * width]
            if activation == "relu":
                masked = Mux(derivative, delta_sum, 0).as_signed()
                products.append(delay(m, masked, MULTIPLY, name=f"masked{i}"))
            else:
                m.submodules[f"multiplier{i}"] = multiplier = Multiplier(len(delta_sum), width + 1)
                m.d.comb += [multiplier.a.eq(delta_sum), multiplier.b.eq(derivative)]
                products.append(multiplier.product)
        return products
