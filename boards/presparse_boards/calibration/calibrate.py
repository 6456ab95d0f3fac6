"""Calibrates the estimate: `python -m presparse_boards.calibration.calibrate` (or `make calibrate`).

Three steps, each of which can be run alone; without a step, all three are.

- `build` makes the real builds of `designs.DESIGNS`: an hour or more, and it goes on where it was stopped. What
  `presparse build` made of one already is taken from its bundle (`--bundle`)
- `fit` fits the coefficients to them: a moment
- `report` tells how good the estimate is: a table, and on request JSON and a picture
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from presparse.contract.errors import PresparseError
from presparse.messages.bundle import Manifest
from presparse.support import atomic_files
from presparse_boards.calibration import records
from presparse_boards.calibration.accuracy import figures, plot, table
from presparse_boards.calibration.designs import DESIGNS, Design
from presparse_boards.calibration.fit import calibrate
from presparse_boards.calibration.measure import measure
from presparse_boards.errors import MakeError
from presparse_boards.estimate.coefficients import write as write_coefficients

_HERE = Path(__file__).parent
_COEFFICIENTS = _HERE.parent / "estimate"
_STEPS = ("build", "fit", "report")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if every verdict is right, 1 if not, 2 for what a user can mend."""
    options = _parser().parse_args(arguments)
    steps = [options.step] if options.step else list(_STEPS)
    try:
        if "build" in steps:
            records.write(_HERE, _build(options))
        if "fit" in steps:
            coefficients, _ = calibrate(records.shipped())
            write_coefficients(_COEFFICIENTS, coefficients)
        return _report(options) if "report" in steps else 0
    except PresparseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="calibrate", description="Calibrates the estimate against real builds.")
    parser.add_argument("step", nargs="?", choices=_STEPS, help="only this step")
    parser.add_argument("--work", type=Path, default=Path("calibration"), help="folder of real builds and their logs")
    parser.add_argument("--jobs", type=int, default=1, help="designs built at once")
    parser.add_argument("--seeds", type=int, default=1, help="of place-and-route, per design; the median fmax counts")
    parser.add_argument("--bundle", type=Path, action="append", default=[], help="a bundle of one of the designs")
    parser.add_argument("--only", default="", help="only designs whose name contains this; others keep what they have")
    parser.add_argument("--json", type=Path, help="write the report's figures here")
    parser.add_argument("--plot", type=Path, help="write a picture here: estimate against real (needs matplotlib)")
    return parser


def _build(options: argparse.Namespace) -> list[records.Record]:
    """Real builds, in the order of DESIGNS. A design whose record is in the work folder is not built again."""
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    for bundle in options.bundle:
        _take(work, bundle)
    wanted = [design for design in DESIGNS if options.only in design.name]
    missing = [design for design in wanted if not _file(work, design).exists()]
    with ProcessPoolExecutor(options.jobs) as pool:
        running = [pool.submit(_measure, work, design, options.seeds) for design in missing]
        for count, done in enumerate(as_completed(running), start=1):
            record = done.result()
            verdict = f"{record.fmax_mhz:.1f} MHz" if record.fmax_mhz else f"no fit: {record.use.short}"
            print(f"{count} of {len(missing)}: {record.name}: {verdict}", file=sys.stderr, flush=True)
    kept = {record.name: record for record in records.shipped()} if options.only else {}
    kept |= {design.name: _read(work, design) for design in wanted}
    return [kept[design.name] for design in DESIGNS if design.name in kept]


def _take(work: Path, bundle: Path) -> None:
    """Keep the record of a design that was built. Raises BundleError, MakeError if it is none of them."""
    made = Manifest.load(bundle)
    for design in DESIGNS:
        if design.board == made.board and design.build.hash == made.contract_hash:
            record = records.record(design, made.use, made.median_fmax_mhz)
            return atomic_files.write(_file(work, design), record.model_dump_json())
    raise MakeError(f"{bundle}: {made.name} for {made.board} is none of the designs that calibrate the estimate")


def _read(work: Path, design: Design) -> records.Record:
    return records.Record.model_validate_json(_file(work, design).read_text())


def _measure(work: Path, design: Design, seeds: int) -> records.Record:
    """In a process of its own; the record is kept whatever becomes of other designs."""
    record = measure(design, work / design.name, seeds)
    atomic_files.write(_file(work, design), record.model_dump_json())
    return record


def _file(work: Path, design: Design) -> Path:
    return work / f"{design.name}.json"


def _report(options: argparse.Namespace) -> int:
    _, comparisons = calibrate(records.shipped())
    print(table(comparisons))
    if options.json:
        atomic_files.write(options.json, json.dumps(figures(comparisons), indent=2) + "\n")
    if options.plot:
        plot(comparisons, options.plot)
    return 0 if all(comparison.verdict_is_right for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
