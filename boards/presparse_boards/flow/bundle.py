"""From a build and a board to a bundle, by way of the cache."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from presparse.contract.build import Build
from presparse.messages.bundle import MANIFEST, NETWORK, BundleError, Manifest, Step
from presparse.support import atomic_files
from presparse.support.cache import Cache, cache_folder, contents
from presparse_boards.boards.definition import Board
from presparse_boards.clocking.clock import plan_clock
from presparse_boards.errors import DoesNotFit, MakeError
from presparse_boards.estimate.lane_search import what_would_fit
from presparse_boards.flow.identity import build_id, bundle_key
from presparse_boards.flow.implementation import Flow, Implementation, Progress
from presparse_boards.flow.plan import toolchain_of
from presparse_boards.flow.route import use_in_report
from presparse_boards.flow.synthesis import LOG, notes
from presparse_boards.flow.tools import Workshop, tool_versions
from presparse_boards.resources.multipliers import plan_multipliers


def build_bundle(
    build: Build,
    board: Board,
    *,
    folder: Path,
    clock_hz: float | None = None,
    seeds: int = 1,
    force: bool = False,
    progress: Progress = lambda step: None,
) -> Manifest:
    """Make a bundle at `folder`, or copy it from the cache if the same inputs made it before.

    Parameters
    ----------
    folder : appears when the bundle is complete; a bundle that was there is replaced, nothing else is
    clock_hz : the clock that has to be reached; by default the fastest that the routed design allows
    seeds : place-and-route runs, with seeds 1 to `seeds`; the fastest is taken
    force : make it anew, whatever the cache holds
    progress : receives each step as it begins and ends

    Raises MakeError (ToolMissing, ToolFailed, DoesNotFit, TooSlow), ClockError, BundleError, OutputError, CacheError.
    """
    _check_place(folder)
    plan_clock(board, clock_hz or board.default_clock_hz)
    tools = tool_versions(toolchain_of(board).tools)
    identity = build_id(build, board, tools)
    tried = range(1, seeds + 1)

    def make(entry: Path) -> None:
        _make(entry, build, board, identity, tools, clock_hz, tried, progress)

    key = f"{board.name}-{bundle_key(identity, build, clock_hz, tried)}"
    cache = Cache("bundles")
    if force:
        cache.discard(key)
    waiting = Step(name="waiting for another process that makes the same bundle")
    entry = cache.fetch(key, make, waiting=lambda: progress(waiting))
    atomic_files.write_folder(folder, {file.name: file.read_bytes() for file in contents(entry)})
    return Manifest.load(folder)


def _make(
    entry: Path,
    build: Build,
    board: Board,
    identity: str,
    tools: Mapping[str, str],
    clock_hz: float | None,
    seeds: Sequence[int],
    progress: Progress,
) -> None:
    """Fill the folder `entry`. Logs of a failure are kept in the cache's folder `logs`."""
    work = entry / "work"
    work.mkdir()
    flow = Flow(
        build=build, board=board, build_id=identity, clock_hz=clock_hz, seeds=seeds, progress=progress, work=work
    )
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
        error.args = (f"{error}. Logs: {_kept_logs(work, f'{build.network.name}-{board.name}')}",)
        raise

    for name in (bitstream, *(routed.log for routed in made.routes)):
        shutil.copy(work / name, entry)
    synthesis = (work / LOG).read_bytes()
    (entry / f"{LOG}.gz").write_bytes(gzip.compress(synthesis, mtime=0))
    (entry / "timing.json").write_text(json.dumps(made.taken.report, indent=1))
    (entry / NETWORK).write_text(build.network.to_toml())
    digest = hashlib.sha256((entry / bitstream).read_bytes()).hexdigest()
    manifest = _manifest(build, board, identity, tools, made, synthesis.decode(errors="replace"), bitstream, digest)
    (entry / MANIFEST).write_text(manifest.model_dump_json(indent=1))
    shutil.rmtree(work)


def _kept_logs(work: Path, name: str) -> Path:
    logs = cache_folder() / "logs" / name
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    for log in work.glob("*.log"):
        shutil.copy(log, logs)
    return logs


def _manifest(
    build: Build,
    board: Board,
    identity: str,
    tools: Mapping[str, str],
    made: Implementation,
    synthesis: str,
    bitstream: str,
    digest: str,
) -> Manifest:
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
        use=use_in_report(board, taken.report, made.netlist.flip_flops),
        baud=board.baud,
        critical_path=taken.critical_path,
        contract_hash=build.hash,
        build_id=identity,
        bitstream=bitstream,
        bitstream_sha256=digest,
        tools=dict(tools),
        notes=notes(synthesis, made.netlist, planned_dsp=dsp, family_dsp=board.capacity.dsp),
        build=build,
    )


def _check_place(folder: Path) -> None:
    """Raises BundleError if a bundle cannot appear at `folder`."""
    if folder.exists() and not (folder / MANIFEST).exists():
        raise BundleError(f"{folder}: exists already and is no bundle; choose another --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise BundleError(
            f"{folder}: a bundle cannot be written there ({error.strerror or error}); choose another --output"
        ) from error
