"""Proofs of the gateware: `python -m tests.verification.formal`. Prints a table; exits with 1 unless
everything is proved."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.table import Table

from presparse.support.processors import processors
from tests.verification.formal.catalogue import PROOFS
from tests.verification.formal.prover import Outcome, ToolError, prove


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    proofs = [p for p in PROOFS if any(part in p.name for part in options.only) and (p.fast or not options.fast)]
    if not proofs:
        print(f"no proof has {' or '.join(options.only)} in its name; --list shows all names", file=sys.stderr)
        return 2
    if options.list:
        for proof in proofs:
            print(f"{proof.name}: {proof.claim}")
        return 0
    began = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    progress = Console(stderr=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(prove, proof, options.traces) for proof in proofs]
        try:
            for done in as_completed(running):
                outcome = done.result()
                outcomes[outcome.proof.name] = outcome
                progress.print(f"{outcome.proof.name}: {outcome.verdict}, {outcome.seconds:.1f} s", highlight=False)
        except ToolError as error:
            pool.shutdown(cancel_futures=True)
            print(error, file=sys.stderr)
            return 1
    in_order = [outcomes[proof.name] for proof in proofs]
    seconds = time.monotonic() - began
    if options.json:
        report = {"jobs": options.jobs, "seconds": round(seconds, 1), "proofs": [_record(o) for o in in_order]}
        print(json.dumps(report, indent=2))
    else:
        _show(in_order, seconds, options.jobs)
    return 0 if all(o.verdict == "proved" for o in in_order) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.verification.formal", description=__doc__)
    parser.add_argument("only", nargs="*", default=[""], help="parts of names: prove only these")
    parser.add_argument("--jobs", type=int, default=processors(), help="proofs at a time (default: one per core)")
    parser.add_argument("--fast", action="store_true", help="only what `make test` proves, too")
    parser.add_argument("--json", action="store_true", help="the table as JSON on standard output")
    parser.add_argument("--list", action="store_true", help="names and claims; proves nothing")
    parser.add_argument("--traces", type=Path, default=Path("formal-traces"), help="folder for traces of failures")
    return parser.parse_args(arguments)


def _record(outcome: Outcome) -> dict[str, object]:
    proof = outcome.proof
    return {
        "name": proof.name,
        "claim": proof.claim,
        "method": proof.method,
        "depth": proof.depth,
        "bounded": proof.bounded,
        "seconds": round(outcome.seconds, 1),
        "verdict": outcome.verdict,
        "findings": list(outcome.findings),
        "trace": str(outcome.trace) if outcome.trace else None,
    }


def _show(outcomes: list[Outcome], seconds: float, jobs: int) -> None:
    table = Table("property", "what it proves", "method", "depth", "seconds", "result")
    for outcome in outcomes:
        proof, color = outcome.proof, "green" if outcome.verdict == "proved" else "red"
        result = f"[{color}]{outcome.verdict}[/]"
        table.add_row(proof.name, proof.claim, proof.method, str(proof.depth), f"{outcome.seconds:.1f}", result)
    console = Console()
    console.print(table)
    for outcome in outcomes:
        if outcome.verdict == "proved":
            continue
        console.print(f"{outcome.proof.name}: {outcome.verdict}", style="red", highlight=False)
        for finding in outcome.findings:
            console.print(f"  {finding}", markup=False, highlight=False, soft_wrap=True)
        if outcome.trace is not None:
            console.print(f"  trace: {outcome.trace}", highlight=False, soft_wrap=True)
    proved = sum(outcome.verdict == "proved" for outcome in outcomes)
    console.print(f"{proved} of {len(outcomes)} proved in {seconds:.0f} s, {jobs} at a time", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
