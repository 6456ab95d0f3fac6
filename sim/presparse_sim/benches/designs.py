"""What the benches simulate, beside the core itself."""

from __future__ import annotations

from dataclasses import replace

from amaranth.lib import wiring

from presparse.contract.build import Build
from presparse_sim.design import Design, core_design


def lane_design(build: Build, index: int) -> Design:
    """One lane of the junction `index` (from 0)."""

    def component() -> wiring.Component:
        from presparse_hw.core.lane import Lane

        return Lane(build, index)

    return replace(core_design(build), name="lane", identity=f"{build.hash} {index}", component=component)


def junction_design(build: Build, index: int) -> Design:
    """The junction `index` (from 0)."""

    def component() -> wiring.Component:
        from presparse_hw.core.junction import Junction

        return Junction(build, index, left_values(build, index))

    return replace(core_design(build), name="junction", identity=f"{build.hash} {index}", component=component)


def left_values(build: Build, index: int) -> int:
    """Left activations that come at once: what the junction before finishes in a cycle, or all banks' next row."""
    return build.junctions[index - 1].group if index else build.lanes[0]


def pins_design(build: Build, divisor: int, window: int) -> Design:
    """Core, link and UART; `divisor`: clock cycles per bit, `window`: requests that the link holds."""

    def component() -> wiring.Component:
        from presparse_hw.accelerator import UartAccelerator

        return UartAccelerator(build, divisor, window=window)

    identity = f"{build.hash} {divisor} {window}"
    return replace(core_design(build), name="pins", identity=identity, component=component)
