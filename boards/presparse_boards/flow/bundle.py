"""From a build and a board to a bundle, by way of the cache."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from presparse.contract.build import Build
from presparse.messages.bundle import MANIFEST, NETWORK, BundleError, Manifest, Step
from presparse.support import atomic_folders
from presparse.support.cache import Cache, cache_folder, contents
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.clocking.sdram import plan_sdram
from presparse_boards.errors import DoesNotFit, MakeError
from presparse_boards.estimate.lane_search import what_would_fit
from presparse_boards.estimate.sources import sources
from presparse_boards.families.toolchain import Toolchain
from presparse_boards.flow.identity import build_id, bundle_key
from presparse_boards.flow.implementation import Flow, Implementation, Progress
from presparse_boards.flow.plan import toolchain_of
from presparse_boards.flow.routing.cluster import cluster_runs
from presparse_boards.flow.routing.local import local_runs
from presparse_boards.flow.routing.route import use_in_report
from presparse_boards.flow.routing.run import Begin, log_of
from presparse_boards.flow.synthesis import LOG, notes
from presparse_boards.flow.tools import Workshop, tool_versions
from presparse_boards.resources.multipliers import plan_multipliers

_WHAT = "a bundle"
_SYNTHESIS, _TIMING = f"{LOG}.gz", "timing.json"


def build_bundle(
    build: Build,
    board: Board,
    *,
    folder: Path,
    clock_hz: float | None = None,
    seeds: int = 1,
    force: bool = False,
    fill: float = 1.0,
    scheduler: str | None = None,
    progress: Progress = lambda step: None,
) -> Manifest:
    """Make a bundle at `folder`, or copy it from the cache if the same inputs made it before.

    Parameters
    ----------
    folder : appears when the bundle is complete; an empty folder or a bundle that was there is replaced, nothing else
    fill : share of the LUTs that the design may take to be placed and routed
    clock_hz : the clock that has to be reached; by default the fastest that the routed design allows
    seeds : place-and-route runs, with seeds 1 to `seeds`; the fastest is taken
    force : make it anew, whatever the cache holds
    scheduler : its address, such as tcp://host:8786: its workers place and route, one seed each; None: this computer
        does. The bits are the same.
    progress : receives each step as it begins and ends

    Raises MakeError (ToolMissing, ToolFailed, DoesNotFit, TooSlow), ClockError, NoSdram, OutputError (the folder),
    CacheError, and with a scheduler MissingExtra, ArgumentError (its address), ClusterError.
    """
    plan_sdram(build, board, plan_clock(board, clock_hz or board.default_clock_hz).hz)
    toolchain = toolchain_of(board)
    tools = tool_versions(toolchain.tools, ("luna-usb",) if board.link == "usb" else ())
    atomic_folders.check_folder(folder, _WHAT, _owned, parents=True)
    identity = build_id(build, board, tools)
    tried = range(1, seeds + 1)

    def make(entry: Path) -> None:
        work = entry / "work"
        work.mkdir()
        with _runs(scheduler, toolchain) as begin:
            flow = Flow(
                build=build,
                board=board,
                build_id=identity,
                clock_hz=clock_hz,
                seeds=tried,
                fill=fill,
                progress=progress,
                work=work,
                begin=begin,
            )
            _make(entry, flow, tools)

    key = f"{board.name}-{bundle_key(identity, build, clock_hz, tried)}"
    cache = Cache("bundles")
    if force:
        cache.discard(key)
    waiting = Step(name="waiting for another process that makes the same bundle")
    entry = cache.fetch(key, make, waiting=lambda: progress(waiting))
    atomic_folders.write_folder(folder, {file.name: file.read_bytes() for file in contents(entry)}, _WHAT, _owned)
    return Manifest.load(folder)


def _runs(scheduler: str | None, toolchain: Toolchain) -> AbstractContextManager[Begin]:
    return nullcontext(local_runs) if scheduler is None else cluster_runs(scheduler, toolchain.tools)


def _make(entry: Path, flow: Flow, tools: Mapping[str, str]) -> None:
    """Fill the folder `entry`. Logs of a failure are kept in the cache's folder `logs`."""
    build, board, work, progress = flow.build, flow.board, flow.work, flow.progress
    try:
        made = flow.run()
        progress(Step(name="packing"))
        bitstream = f"{build.network.name}{made.plan.toolchain.bitstream}"
        with Workshop(work) as workshop:
            workshop.check(
                made.plan.toolchain.pack, [*made.plan.pack_options, made.taken.design, bitstream], "pack.log"
            )
        progress(Step(name="packed", done=True, found=f"{(work / bitstream).stat().st_size:,} bytes"))
    except MakeError as error:
        if isinstance(error, DoesNotFit):
            error.args = (" ".join([f"{str(error).rstrip('.')}.", *what_would_fit(build, board)]).rstrip("."),)
        error.args = (f"{error}. {_kept_logs(work, f'{build.network.name}-{board.name}')}",)
        raise

    for name in (bitstream, *(routed.log for routed in made.routes)):
        shutil.copy(work / name, entry)
    synthesis = (work / LOG).read_bytes()
    (entry / _SYNTHESIS).write_bytes(gzip.compress(synthesis, mtime=0))
    (entry / _TIMING).write_text(json.dumps(made.taken.report, indent=1))
    (entry / NETWORK).write_text(build.network.to_toml())
    digest = hashlib.sha256((entry / bitstream).read_bytes()).hexdigest()
    manifest = _manifest(flow, tools, made, synthesis.decode(errors="replace"), bitstream, digest)
    (entry / MANIFEST).write_text(manifest.model_dump_json(indent=1))
    shutil.rmtree(work)


def _kept_logs(work: Path, name: str) -> str:
    """Where they are, or why they are nowhere: what failed before that matters more."""
    logs = cache_folder() / "logs" / name
    try:
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        for log in work.glob("*.log"):
            shutil.copy(log, logs)
    except OSError as error:
        return f"Its logs cannot be kept in {logs} ({error.strerror or error})"
    return f"Logs: {logs}"


def _manifest(
    flow: Flow, tools: Mapping[str, str], made: Implementation, synthesis: str, bitstream: str, digest: str
) -> Manifest:
    build, board = flow.build, flow.board
    period, taken, clock_hz = build.schedule.period, made.taken, float(made.clock.hz)
    dsp = plan_multipliers(build, blocks=board.capacity.dsp, block=board.family.dsp).dsp_blocks
    return Manifest(
        name=build.network.name,
        board=board.name,
        device=board.full_device,
        mode=build.mode,
        lanes=build.lanes,
        clock_mhz=round(clock_hz / 1e6, 6),
        fmax_mhz=round(taken.fmax_mhz, 3),
        routes=tuple(routed.route for routed in made.routes),
        seed=taken.seed,
        cycles_per_sample=period,
        samples_per_second=round(clock_hz / period, 1),
        samples_per_second_at_fmax=round(taken.fmax_mhz * 1e6 / period, 1),
        sources=sources(build, board, made.clock.hz),
        use=use_in_report(board, taken.report, made.netlist.flip_flops),
        link=board.link,
        baud=board.baud,
        critical_path=taken.critical_path,
        contract_hash=build.hash,
        build_id=flow.build_id,
        bitstream=bitstream,
        bitstream_sha256=digest,
        tools=dict(tools),
        notes=notes(synthesis, made.netlist, planned_dsp=dsp, family_dsp=board.capacity.dsp),
        build=build,
    )


def _owned(folder: Path) -> set[str]:
    """What a bundle holds, by its manifest; nothing if there is none of ours."""
    try:
        manifest = Manifest.read(folder)
    except BundleError:
        return set()
    logs = {log_of(route.seed) for route in manifest.routes}
    return {MANIFEST, NETWORK, _TIMING, _SYNTHESIS, manifest.bitstream, *logs}
