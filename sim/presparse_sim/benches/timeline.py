"""Driver and monitor of a design's ports by a plan, cycle by cycle: for components whose every latency is known."""

from __future__ import annotations

from collections import defaultdict

from amaranth.hdl import Value
from amaranth.lib import wiring
from cocotb.handle import HierarchyObject

from presparse_sim.benches.journal import Journal
from presparse_sim.benches.places import Place
from presparse_sim.benches.streams import clock_cycle, port, start


class Timeline:
    """Values for inputs, and expectations of outputs, by cycle; cycle 0 is the first after this object was made.

    An input keeps its value until the next. Inputs and outputs of one cycle belong together: what follows from an input
    without a register is expected in the same cycle.
    """

    def __init__(self, dut: HierarchyObject, component: wiring.Component, journal: Journal) -> None:
        self._journal = journal
        self._edge = start(dut, component)
        self._ports = {}
        self._without_bits: set[str] = set()
        """Ports that Verilog has not: of a row, say, where there is but one."""
        for path, _, value in component.signature.flatten(component):
            name, shape = "_".join(map(str, path)), Value.cast(value).shape()
            if shape.width:
                self._ports[name] = (port(dut, name), shape.width, shape.signed)
            else:
                self._without_bits.add(name)
        self._inputs: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self._expected: defaultdict[int, list[tuple[str, int, Place]]] = defaultdict(list)
        self._sums: dict[str, int] = {}
        self.end = 0
        """The first cycle for which nothing is planned."""

    def put(self, cycle: int, **inputs: int) -> None:
        """From this cycle on."""
        self._inputs[cycle] |= {name: value for name, value in inputs.items() if name not in self._without_bits}
        self.end = max(self.end, cycle + 1)

    def pulse(self, cycle: int, *names: str) -> None:
        """1 in this cycle, 0 from the next one on, unless that one has a pulse too."""
        for name in names:
            self._inputs[cycle][name] = 1
            self._inputs[cycle + 1].setdefault(name, 0)
        self.end = max(self.end, cycle + 2)

    def expect(self, cycle: int, name: str, value: int, place: Place) -> None:
        self._expected[cycle].append((name, value, place))
        self.end = max(self.end, cycle + 1)

    def add_up(self, name: str) -> None:
        """Sum an output over all cycles from now on."""
        self._sums[name] = 0

    def total(self, name: str) -> int:
        return self._sums[name]

    def holds(self, name: str) -> bool:
        """Whether the component has this port."""
        return name in self._ports

    async def run(self, doing: str) -> None:
        """All cycles that are planned, then start anew at cycle 0. Raises Mismatched at the first difference."""
        await self._edge
        for cycle in range(self.end):
            for name, value in self._inputs[cycle].items():
                handle, width, _ = self._ports[name]
                handle.value = value & ((1 << width) - 1)
            await self._edge
            for name, expected, place in self._expected[cycle]:
                got = self._read(name)
                if got != expected:
                    raise place.mismatch(expected, got, clock_cycle())
                self._journal.compared += 1
            for name in self._sums:
                self._sums[name] += self._read(name)
            self._journal.progress(cycle, self.end, doing)
        self._inputs.clear()
        self._expected.clear()
        self.end = 0

    def _read(self, name: str) -> int:
        handle, width, signed = self._ports[name]
        bits = int(handle.value)
        return bits - (1 << width) if signed and bits >> (width - 1) else bits
