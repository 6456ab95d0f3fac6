"""Coverage of host code and gateware: `python -m tests.verification.coverage`. Prints two tables; nothing fails
at any figure."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from presparse.support.processors import processors
from tests.verification.coverage import gateware, host
from tests.verification.coverage.gateware import Counts, Measured
from tests.verification.coverage.host import ROOT, File, NoCoverage

_LOWEST = 15
"""Files of the host that are listed."""
_KINDS = ("branch", "toggle")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    progress = Console(stderr=True, highlight=False)
    files: list[File] = []
    measured: list[Measured] = []
    if "gateware" in options.parts:
        for run in gateware.runs(options.cores):
            measured.append(gateware.measure(run))
            progress.print(f"{run.name}: {measured[-1].cycles:,} cycles, {measured[-1].seconds:.0f} s")
    if "host" in options.parts:
        progress.print(f"running {' '.join(host.TESTS)} ...")
        try:
            files, tests = host.measure(options.jobs)
        except NoCoverage as error:
            print(error, file=sys.stderr)
            return 1
        progress.print(tests)
    counts = gateware.together(measured)
    if options.json:
        print(json.dumps({"host": _host_record(files), "gateware": _gateware_record(measured, counts)}, indent=1))
        return 0
    if files:
        _show_host(files)
    if measured:
        _show_gateware(measured, counts)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.verification.coverage", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["host", "gateware"], help="host, gateware (default: both)")
    parser.add_argument("--jobs", type=int, default=processors(), help="tests at a time (default: one per core)")
    parser.add_argument("--cores", type=int, default=4, help="random cores, besides the boards (default: 4)")
    parser.add_argument("--json", action="store_true", help="the tables as JSON on standard output")
    return parser.parse_args(arguments)


def _host_record(files: list[File]) -> dict[str, object]:
    return {"percent": round(_percent(files), 2), "files": [{**vars(f), "percent": round(f.percent, 1)} for f in files]}


def _percent(files: Iterable[File]) -> float:
    """Of all files together."""
    all_of_them = [(f.statements_run + f.branches_run, f.statements + f.branches) for f in files]
    total = sum(of for _, of in all_of_them)
    return 100 * sum(run for run, _ in all_of_them) / total if total else 0.0


def _gateware_record(measured: list[Measured], counts: Counts) -> dict[str, object]:
    return {
        "runs": [
            {"name": m.name, "cycles": m.cycles, "seconds": round(m.seconds, 1), **_shares(m.counts)} for m in measured
        ],
        **_shares(counts),
        "files": {name: _shares(part) for name, part in _by_file(counts).items()},
        "never": [{**vars(point), "file": _short(point.file)} for point in _never(counts)],
    }


def _shares(counts: Counts) -> dict[str, tuple[int, int]]:
    """By kind: points that were exercised, and all."""
    found = {}
    for kind in _KINDS:
        of_kind = [count for point, count in counts.items() if point.kind == kind]
        found[kind] = sum(count > 0 for count in of_kind), len(of_kind)
    return found


def _by_file(counts: Counts) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    for point in sorted(counts):
        found.setdefault(_short(point.file), {})[point] = counts[point]
    return found


def _never(counts: Counts) -> list[gateware.Point]:
    """Branches that nothing took; single bits are too many to list."""
    return [point for point in sorted(counts) if point.kind == "branch" and not counts[point]]


def _short(file: str) -> str:
    """Below the repository, or the name of a library's file."""
    path = Path(file)
    own = path.is_relative_to(ROOT) and "site-packages" not in path.parts
    return str(path.relative_to(ROOT)) if own else "libraries"


def _show_host(files: list[File]) -> None:
    table = Table(f"host: lowest {_LOWEST} of {len(files)} files", "percent", "lines that did not run", box=None)
    for file in sorted(files, key=lambda file: file.percent)[:_LOWEST]:
        lines = ", ".join(map(str, file.missing[:12])) + (", ..." if len(file.missing) > 12 else "")
        table.add_row(file.path, f"{file.percent:.0f}", lines)
    console = Console()
    console.print(table)
    console.print(f"host: {_percent(files):.1f} % of statements and branches", highlight=False)


def _show_gateware(measured: list[Measured], counts: Counts) -> None:
    table = Table("gateware", "branches", "toggles", box=None)
    rows = [(f"{m.name}, {m.cycles:,} cycles", m.counts) for m in measured]
    for name, part in [*rows, *_by_file(counts).items(), ("together", counts)]:
        table.add_row(name, *(f"{100 * run / of:.1f} % of {of:,}" if of else "" for run, of in _shares(part).values()))
    console = Console()
    console.print(table)
    for point in _never(counts):
        console.print(f"never: {_short(point.file)}:{point.line}: {point.what}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
