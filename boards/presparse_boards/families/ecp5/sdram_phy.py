"""The pins of an SDR SDRAM on an ECP5: every one behind registers in its IO cell.

Sources: Lattice FPGA-TN-02035 (high-speed I/O interface) and amaranth's `DDRBuffer`, for the latencies; the memories'
data sheets, for the times.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In

from presparse_hw.store.sdram.chip import SdramChip
from presparse_hw.store.sdram.ports import SdramPadSignature


class Ecp5SdramPhy(wiring.Component):
    """A memory's pins, behind registers.

        FPGA's clock      ‾‾‾|___|‾‾‾|___|‾‾‾|___|
        pins that drive   X command t    X command t + 1
        memory's clock    ___|‾‾‾|___|‾‾‾|___|‾‾‾|    rises in the middle of a command
        pins that listen     0   1   0   1   0   1    samples `dq_i[0]` and `dq_i[1]`

    Clock and outputs come from cells of one kind (ODDRX1F), so that what lies between them is half a cycle and the
    difference of two pins: at 120 MHz 4.2 ns before the memory's edge and 4.2 ns behind it, of which memories need 1.5
    to 2 (setup) and 0.8 to 1 (hold).

    What a memory reads is valid from 5.4 ns after an edge of its clock (CL 3) to 2.5 or 3 ns after the following one:
    5.4 ns or more of a cycle of 8.3. Of samples that are half a cycle apart one lies in there, 0.6 ns from its ends at
    least, however long the way through pins and board is. Which one is found at start-up, by a test of the memory.

    A command is at the pins OUTPUT_CYCLES after it is in `pads` (`presparse_boards.families.ecp5.cells`); samples are
    in `pads` INPUT_CYCLES later than the signature says.

    Parameters
    ----------
    chip : the memory
    port : the platform's resource `sdram`, requested with `dir="-"`: `clk`, `we`, `ras`, `cas`, `ba`, `a`, `dq`, and
        where they are connected `clk_en`, `cs`, `dqm`

    Members
    -------
    pads : In(SdramPadSignature)
    """

    pads: Any

    def __init__(self, chip: SdramChip, port: Any) -> None:
        self._port = port
        super().__init__({"pads": In(SdramPadSignature(chip))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.clk = clk = io.DDRBuffer("o", self._port.clk)
        m.d.comb += [clk.o[0].eq(0), clk.o[1].eq(1)]
        pads = self.pads
        driven = {"clk_en": pads.cke, "cs": pads.cs, "ras": pads.ras, "cas": pads.cas, "we": pads.we}
        driven |= {"ba": pads.ba, "a": pads.a, "dqm": pads.dqm}
        for name, value in driven.items():
            if hasattr(self._port, name):
                m.submodules[name] = pins = io.DDRBuffer("o", getattr(self._port, name))
                m.d.comb += [pins.o[0].eq(value), pins.o[1].eq(value)]
        m.submodules.dq = dq = io.DDRBuffer("io", self._port.dq)
        m.d.comb += [dq.o[0].eq(pads.dq_o), dq.o[1].eq(pads.dq_o), dq.oe.eq(pads.dq_oe)]
        # The buffer gives a cycle's start with its middle; wanted is its middle with its end, which is the next start.
        middle = Signal.like(pads.dq_o)
        m.d.sync += middle.eq(dq.i[1])
        m.d.comb += [pads.dq_i[0].eq(middle), pads.dq_i[1].eq(dq.i[0])]
        return m
