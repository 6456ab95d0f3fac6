"""The estimate that people see."""

from __future__ import annotations

from presparse.contract.build import Build
from presparse.messages.estimate import Estimate, Load
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.clocking.sdram import fastest_hz
from presparse_boards.estimate.model import figures
from presparse_boards.estimate.sources import sources


def estimate(build: Build, board: Board, *, advice: tuple[str, ...] = ()) -> Estimate:
    """Use, clock and speed of a build on a board, without elaborating it. `advice` is passed on.

    Raises ClockError, NoSdram.
    """
    found = figures(build, board)
    clock = plan_clock(board, min(found.fmax_mhz * 1e6, fastest_hz(build, board)))
    clock_hz = float(clock.hz)
    period = build.schedule.period
    return Estimate(
        network=build.network.name,
        board=board.name,
        mode=build.mode,
        lanes=build.lanes,
        calibrated=board.family.calibrated,
        fits=found.fits,
        short=found.short,
        use=found.use,
        fmax_mhz=round(found.fmax_mhz, 1),
        clock_mhz=round(clock_hz / 1e6, 3),
        cycles_per_sample=period,
        samples_per_second=clock_hz / period,
        latency_cycles=build.latency,
        latency_us=round(build.latency * 1e6 / clock_hz, 3),
        sources=sources(build, board, clock.hz),
        junctions=tuple(
            Load(junction=j.index, lanes=j.lanes, cycles=j.cycles, idle=period - j.cycles) for j in build.junctions
        ),
        advice=advice,
    )
