"""Seeded faults: `python -m tests.verification.mutants`. Prints a table; exits with 1 unless the
tests catch every one."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from presparse.support.processors import processors
from tests.verification.mutants.mutant import MutantError, Outcome, judge, mutants


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    chosen = [m for m in mutants() if any(part in f"{m.name} {m.place}" for part in options.only)]
    if not chosen:
        print(f"no mutant has {' or '.join(options.only)} in its name or place", file=sys.stderr)
        return 2
    began = time.monotonic()
    progress = Console(stderr=True)
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(judge, mutant) for mutant in chosen]
        try:
            for done in as_completed(running):
                outcome = done.result()
                outcomes[outcome.mutant.name] = outcome
                said = f"{len(outcomes)} of {len(chosen)}: {outcome.mutant.name}: {outcome.verdict}"
                progress.print(f"{said}, {outcome.seconds:.0f} s", highlight=False, soft_wrap=True)
        except MutantError as error:
            pool.shutdown(cancel_futures=True)
            print(error, file=sys.stderr)
            return 1
    in_order = [outcomes[mutant.name] for mutant in chosen]
    seconds = time.monotonic() - began
    if options.json:
        entries = [{**vars(o.mutant), "verdict": o.verdict, "first": o.first, "seconds": o.seconds} for o in in_order]
        print(json.dumps({"seconds": seconds, "mutants": entries}, indent=1))
    else:
        _show(in_order, seconds)
    return 0 if all(outcome.caught for outcome in in_order) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.verification.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", default=[""], help="parts of names or places: try only these")
    parser.add_argument("--jobs", type=int, default=processors(), help="mutants at a time (default: one per core)")
    parser.add_argument("--json", action="store_true", help="the table as JSON on standard output")
    return parser.parse_args(arguments)


def _show(outcomes: Sequence[Outcome], seconds: float) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("fault", "place", "verdict", "first test that failed"):
        table.add_column(heading, overflow="fold")
    table.add_column("s", justify="right")
    for o in outcomes:
        verdict = f"[green]{o.verdict}" if o.caught else f"[bold red]{o.verdict}"
        first = escape(o.first.partition("/")[2])
        table.add_row(escape(o.mutant.name), o.mutant.place, verdict, first, f"{o.seconds:.0f}")
    console = Console()
    console.print(table)
    caught = sum(outcome.caught for outcome in outcomes)
    console.print(f"{caught} of {len(outcomes)} caught in {seconds:.0f} s", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
