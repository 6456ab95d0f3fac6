"""Deltas of right neurons, in natural order: from the output's error, or from the next junction's sums.

Both sources have one timing: `FETCH` cycles after a step's turn its deltas come out, to be spread over the lanes.
"""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.activation import derivative_frac
from presparse.contract.build import Build
from presparse.contract.schedule import ERROR, FETCH, MULTIPLY, READ, SPREAD
from presparse.contract.wire import SampleKind
from presparse_hw.core.item import ItemLayout
from presparse_hw.core.junction_ports import Deltas, DeltaSums, RightValues, has_deltas
from presparse_hw.lib.delays import delay
from presparse_hw.lib.fixed import exceeds, rescale, saturate
from presparse_hw.lib.multiplier import Multiplier
from presparse_hw.lib.registered_memory import RegisteredMemory
from presparse_hw.lib.sequencer import Sequencer, count_modulo

SELECT_BITS = 2
"""Of 2^SELECT_BITS delta sums one is selected in a cycle."""
SELECTED = SPREAD + READ + 2
"""Cycles from a step's turn to its delta sums."""


class DeltaSource(wiring.Component):
    """Common ports and timing of both sources.

    Members
    -------
    start : In(1)           the block's first step is addressed in the next cycle
    item : In(ItemLayout)   the sample of BP and UP; read with `start`
    right : In(RightValues) from the junction's FF
    deltas : Out(Deltas)    `scaled` by 2^item.shift
    saturations : Out       events to count
    """

    start: Signal
    item: data.View
    right: wiring.PureInterface
    deltas: wiring.PureInterface
    saturations: Signal

    def __init__(self, build: Build, index: int, **members: wiring.Member) -> None:
        """`index`: the junction whose right neurons' deltas these are, counted from 0."""
        self._build = build
        self._junction = j = build.junctions[index]
        self._plan = build.schedule.junctions[index]
        self._has_deltas = has_deltas(build, index)
        self._formats = build.network.formats
        super().__init__(
            {
                "start": In(1),
                "item": In(ItemLayout(build)),
                "right": In(RightValues(build, index)),
                "deltas": Out(Deltas(build, index, j.group)),
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

    def _queue(self, m: Module, written: Value, write: Value, step: Value, slot: Value) -> Value:
        """Values of whole steps in natural order, written as FF finishes them, read at `step` and `slot`, READ cycles
        before they come."""
        slots, steps = self._plan.derivative_slots, self._junction.steps
        step_bits = range(steps)
        write_step = Signal(step_bits)
        write_slot = Signal(range(slots), init=-self._plan.forward % slots)
        m.submodules.queue = queue = RegisteredMemory((unsigned(len(written)),), slots << len(write_step))
        m.d.comb += [
            queue.write[0].eq(write),
            queue.write_address.eq(Cat(write_step, write_slot)),
            queue.write_data[0].eq(written),
            queue.read_address.eq(Cat(step, slot)),
        ]
        with m.If(write):
            count_modulo(m, write_step, steps)
            with m.If(write_step == steps - 1):
                count_modulo(m, write_slot, slots)
        return queue.read_data[0]

    def _read_slot(self, m: Module) -> Signal:
        slots = self._plan.derivative_slots
        slot = Signal(range(slots), init=(-self._plan.update - 1) % slots)
        with m.If(self.start):
            count_modulo(m, slot, slots)
        return slot

    def _broadcast(self, m: Module, deltas: list[Value], item: Signal) -> None:
        """Scale deltas (at FETCH - 2) by the sample's rate, in two steps: by 2^(multiple of 4), then by up to 8."""
        shift = delay(m, item.shift, FETCH - 2, name="shift")
        low, high = shift[:2], shift[2:]
        late_low = delay(m, low, 1, name="late_shift")
        for i, (delta, scaled) in enumerate(zip(deltas, self.deltas.scaled, strict=True)):
            coarse = Signal.like(scaled, name=f"coarse{i}", reset_less=True)
            m.d.sync += [coarse.eq(delta << Cat(Const(0, 2), high)), scaled.eq(coarse << late_low)]
            if self._has_deltas:
                m.d.comb += self.deltas.plain[i].eq(delay(m, delta, 2, name=f"delta{i}"))


class OutputDelta(DeltaSource):
    """Deltas of the output layer: activation minus target, for sigmoid with cross-entropy and identity with
    squared error alike. Target: 1 for the label's neuron, 0 for the others."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, group, right = self._formats, self._junction.group, self.right
        walk, item = self._walk(m)

        neuron = Signal(range(self._junction.right))  # the first of the step
        with m.If(right.valid):
            m.d.sync += neuron.eq(neuron + group)
            with m.If(neuron == self._junction.right - group):
                m.d.sync += neuron.eq(0)
        written = delay(m, right.valid, ERROR, name="written", reset=True)
        deltas = Signal(data.ArrayLayout(signed(f.delta.width), group), reset_less=True)
        saturated = Signal(group)
        training = Signal()
        m.d.sync += training.eq(right.valid & (right.item.kind == SampleKind.TRAIN))
        for i, value in enumerate(right.values):
            target = Mux(right.item.label == neuron + i, f.output.one, 0)
            rounded = rescale(value - target, f.output.frac, f.delta.frac)
            error = Signal(rounded.shape(), name=f"error{i}", reset_less=True)
            m.d.sync += [
                error.eq(rounded),
                deltas[i].eq(saturate(error, f.delta)),
                saturated[i].eq(training & Cat(exceeds(error, f.delta)).any()),
            ]
        m.d.sync += self.saturations.eq(sum(saturated))

        read = self._queue(m, Value.cast(deltas), written, walk.step, self._read_slot(m))
        late = delay(m, read, FETCH - 2 - READ, name="delta")
        width = f.delta.width
        self._broadcast(m, [late[i * width : (i + 1) * width].as_signed() for i in range(group)], item)
        return m


class DeltaFetch(DeltaSource):
    """Deltas of a hidden layer: sums of the next junction's BP, times the derivative, rounded once.

    Members (besides those of DeltaSource)
    -------
    sums : Out(DeltaSums)   of the next junction

    Cycles: 0 turn, SPREAD addresses at the banks, + READ sums, + 2 selected in two steps, + MULTIPLY times the
    derivative, + 1 rounded, + 1 saturated, + 2 scaled = FETCH.
    """

    sums: wiring.PureInterface

    def __init__(self, build: Build, index: int) -> None:
        self._following = following = build.junctions[index + 1]
        self._sets = build.schedule.junctions[index + 1].delta_sets
        self._wait = build.schedule.junctions[index].update - build.schedule.junctions[index + 1].update
        super().__init__(build, index, sums=Out(DeltaSums(build, index + 1, following.lanes)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, network = self._formats, self._build.network
        walk, item = self._walk(m)
        selected = self._selected(m, walk)
        products = self._times_derivative(m, walk, selected)

        frac = network.delta_sum_frac + derivative_frac(self._junction.activation, f.activation)
        training = walk.first & (item.kind == SampleKind.TRAIN)
        counted = delay(m, training, SELECTED + MULTIPLY + 1, name="counted", reset=True)
        deltas = []
        saturated = Signal(self._junction.group)
        for i, product in enumerate(products):
            change = rescale(product, frac, f.delta.frac)
            rounded = Signal(change.shape(), name=f"rounded{i}", reset_less=True)
            delta = Signal(signed(f.delta.width), name=f"delta{i}", reset_less=True)
            m.d.sync += [
                rounded.eq(change),
                delta.eq(saturate(rounded, f.delta)),
                saturated[i].eq(counted & Cat(exceeds(rounded, f.delta)).any()),
            ]
            deltas.append(delta)
        m.d.sync += self.saturations.eq(sum(saturated))
        self._broadcast(m, deltas, item)
        return m

    def _selected(self, m: Module, walk: Sequencer) -> list[Signal]:
        """The step's delta sums, from the banks that hold them (from cycle SELECTED on, as long as the step takes)."""
        group, following = self._junction.group, self._following
        columns = following.lanes // group
        column = Signal(range(columns))
        row = Signal(range(following.rows))
        current = Signal(range(self._sets), init=(-self._wait - 1) % self._sets)
        with m.If(self.start):
            m.d.sync += [column.eq(0), row.eq(0)]
            count_modulo(m, current, self._sets)
        with m.Elif(walk.last):
            count_modulo(m, column, columns)
            with m.If(column == columns - 1):
                m.d.sync += row.eq(row + 1)
        m.d.comb += self.sums.address.eq(Cat(row, current))

        # A few columns at a time, then one of those. Taken once and held for the step: before its last cycle, BP may
        # write a later sample's sums here.
        read_column = delay(m, column, SPREAD + READ, name="column")
        low, high = read_column[:SELECT_BITS], delay(m, read_column[SELECT_BITS:], 1, name="high_column")
        hold = delay(m, walk.first, SPREAD + READ + 1, name="fetched")
        selected = []
        for i in range(group):
            sums = [self.sums.values[c * group + i] for c in range(columns)]
            few = []
            for number, first in enumerate(range(0, columns, 1 << SELECT_BITS)):
                few.append(Signal.like(sums[0], name=f"few{i}_{number}", reset_less=True))
                m.d.sync += few[-1].eq(Array(sums[first : first + (1 << SELECT_BITS)])[low])
            selected.append(Signal.like(sums[0], name=f"selected{i}", reset_less=True))
            with m.If(hold):
                m.d.sync += selected[-1].eq(Array(few)[high])
        return selected

    def _times_derivative(self, m: Module, walk: Sequencer, sums: list[Signal]) -> list[Value]:
        """Delta sums (cycle SELECTED) times derivatives, MULTIPLY cycles later."""
        activation = self._junction.activation
        if activation == "identity":
            return [delay(m, s, MULTIPLY, name=f"sum{i}") for i, s in enumerate(sums)]
        step = delay(m, walk.step, SELECTED - READ, name="step")
        slot = delay(m, self._read_slot(m), SELECTED - READ, name="slot")
        read = self._queue(m, Cat(self.right.derivatives), self.right.valid, step, slot)
        width = len(self.right.derivatives[0])
        products = []
        for i, delta_sum in enumerate(sums):
            derivative = read[i * width : (i + 1) * width]
            if activation == "relu":
                masked = Mux(derivative, delta_sum, 0).as_signed()
                products.append(delay(m, masked, MULTIPLY, name=f"masked{i}"))
            else:
                m.submodules[f"multiplier{i}"] = multiplier = Multiplier(len(delta_sum), width + 1)
                m.d.comb += [multiplier.a.eq(delta_sum), multiplier.b.eq(derivative)]
                products.append(multiplier.product)
        return products
