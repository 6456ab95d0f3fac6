"""One real build of a design: synthesized, placed and routed as `presparse build` does it."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from presparse_boards.calibration.designs import Design
from presparse_boards.calibration.records import Record, record
from presparse_boards.errors import DoesNotFit
from presparse_boards.flow.plan import make_plan
from presparse_boards.flow.routing.route import packed_use, route_all, use_in_report
from presparse_boards.flow.sites import for_placement
from presparse_boards.flow.synthesis import NETLIST, synthesize
from presparse_boards.flow.tools import Workshop

_BUILD_ID = "0" * 16


def measure(design: Design, folder: Path, seeds: int) -> Record:
    """Build in `folder`, where the logs stay; fmax is the median over seeds. Raises MakeError, but for DoesNotFit."""
    board = design.on
    folder.mkdir(parents=True, exist_ok=True)
    plan = make_plan(design.build, board, board.default_clock_hz, _BUILD_ID)
    plan.write(folder)
    with Workshop(folder) as workshop:
        netlist = synthesize(workshop, plan.toolchain)
    tried = range(1, seeds + 1)
    try:
        packed = packed_use(Workshop(folder), plan, board, NETLIST, netlist.flip_flops)
        plan = plan.for_size(packed)
        file = for_placement(netlist.path, plan.toolchain, board.device)
        routes = route_all(folder, plan, board, file, tried, netlist.flip_flops)
    except DoesNotFit as error:
        return record(design, error.use, None)
    use = use_in_report(board, routes[0].report, netlist.flip_flops)
    return record(design, use, median(routed.fmax_mhz for routed in routes))
