"""Coverage-guided fuzzing of everything that reads files or a board's bytes.

`python -m tests.verification.fuzz [TARGET ...]` prints a table; exits with 1 if an input makes a reader raise anything
but a PresparseError, hang, or take too much memory. Such an input is kept as a file; once mended, it belongs into
`findings.py` beside this.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.verification.fuzz.targets import PLANTED, TARGETS

_PATIENCE = 120.0
"""Seconds beyond those of a run: it begins, imports and instruments everything, and ends."""
_SAID = 3
"""Lines of what a run that found something said last, before libFuzzer's own."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    target: str
    runs: int
    runs_per_second: int
    edges: int
    """Branches that were reached, of all code that is instrumented."""
    inputs: int
    """Inputs that each reach something that the others do not."""
    peak_mb: int
    """Memory of the process, libraries included."""
    finding: str
    """The file with the input that found something; "" if none did."""
    said: str
    """What was raised."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    names = [target.name for target in TARGETS]
    chosen = options.targets or names
    if unknown := [name for name in chosen if name not in (*names, PLANTED.name)]:
        print(f"there is no target {', '.join(unknown)}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    if find_spec("atheris") is None:
        print("atheris is not installed; it has wheels for Python 3.11 to 3.13 on Linux (x86-64)", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda name: fuzz(name, options.seconds, options.findings), chosen))
    if options.json:
        print(json.dumps({"seconds": options.seconds, "targets": [asdict(o) for o in outcomes]}, indent=1))
    else:
        _show(outcomes, options.seconds)
    return 1 if any(outcome.said for outcome in outcomes) else 0


def fuzz(name: str, seconds: int, findings: Path) -> Outcome:
    """One target in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="presparse-fuzz-") as where:
        command = [sys.executable, "-m", "tests.verification.fuzz.guided", name, str(seconds), where]
        try:
            ran = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + _PATIENCE, check=False
            )
            log, failed = ran.stdout.decode(errors="replace"), ran.returncode != 0
        except subprocess.TimeoutExpired as error:
            log, failed = (error.stdout or b"").decode(errors="replace") + "\nit does not end", True
        kept = ""
        for found in sorted((Path(where) / "findings").glob("*")):
            findings.mkdir(parents=True, exist_ok=True)
            kept = str(findings / f"{name}-{found.name}")
            Path(kept).write_bytes(found.read_bytes())
    return Outcome(
        target=name,
        runs=_last(r"number_of_executed_units: +(\d+)", log),
        runs_per_second=_last(r"average_exec_per_sec: +(\d+)", log),
        edges=_last(r" cov: (\d+)", log),
        inputs=_last(r" corp: (\d+)", log),
        peak_mb=_last(r"peak_rss_mb: +(\d+)", log),
        finding=kept,
        said=_reason(log) if failed else "",
    )


def _last(pattern: str, log: str) -> int:
    found = re.findall(pattern, log)
    return int(found[-1]) if found else 0


def _reason(log: str) -> str:
    """What the log says last before libFuzzer's summary."""
    before = log.partition("== ERROR: libFuzzer")[0] if "Traceback" in log else log
    lines = [line.strip() for line in before.splitlines() if line.strip() and not line.startswith(("#", "stat::"))]
    return " | ".join(lines[-_SAID:])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.verification.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(t.name for t in TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time (default: 1)")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what finds something")
    parser.add_argument("--json", action="store_true", help="the table as JSON on standard output")
    return parser.parse_args(arguments)


def _show(outcomes: Sequence[Outcome], seconds: int) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("target")
    for heading in ("runs", "runs/s", "edges", "inputs", "peak MB"):
        table.add_column(heading, justify="right")
    table.add_column("findings", overflow="fold")
    for o in outcomes:
        numbers = (o.runs, o.runs_per_second, o.edges, o.inputs, o.peak_mb)
        found = f"[bold red]{o.finding or 'failed'}" if o.said else "[green]none"
        table.add_row(o.target, *(f"{n:,}" for n in numbers), found)
    console = Console()
    console.print(table)
    for o in outcomes:
        if o.said:
            console.print(f"{o.target}: {o.said}", style="red", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{sum(o.runs for o in outcomes):,} runs, {seconds} s for each target", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
