"""Proofs that can fail: small faults, and the proof that finds each. `python -m tests.formal.mutants`.

A mutant is one line of gateware changed in a copy; the proof runs on the copy, and must not succeed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_GATEWARE = _ROOT / "hw" / "presparse_hw"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """`old` stands once in `file` (below hw/presparse_hw) and becomes `new`; `proof` finds it."""

    file: str
    old: str
    new: str
    proof: str
    fault: str
    fast: bool = False


MUTANTS = (
    Mutant(
        file="delta_bank.py",
        old="m.d.sync += older.eq(earlier)",
        new="m.d.sync += older.eq(recent[0])",
        proof="delta_bank/additions-2x3+5",
        fault="forwards the last sum instead of the one with the same address",
        fast=True,
    ),
    Mutant(
        file="delta_bank.py",
        old="with m.Elif(same[0]):",
        new="with m.Elif(same[0] & ~same[1]):",
        proof="delta_bank/additions-2x3+5",
        fault="loses the last of three additions in a row",
    ),
    Mutant(
        file="delta_bank.py",
        old="bank.write[0].eq(adding[READ + 1] | clearing),",
        new="bank.write[0].eq(adding[READ + 1]),",
        proof="delta_bank/additions-2x3+5",
        fault="a cleared sum is not written",
    ),
    Mutant(
        file="lane_group.py",
        old='delay(m, active & training, UPDATE - SPREAD, name="update", reset=True)',
        new='delay(m, active & training, UPDATE - SPREAD + 1, name="update", reset=True)',
        proof="junction/updates-12",
        fault="an update lands a cycle late",
        fast=True,
    ),
    Mutant(
        file="lane_group.py",
        old='delay(m, active & training, UPDATE - SPREAD, name="update", reset=True)',
        new='delay(m, active, UPDATE - SPREAD, name="update", reset=True)',
        proof="junction/updates-3",
        fault="samples that do not train write weights",
    ),
    Mutant(
        file="queue.py",
        old="ask.eq(move & (held != 0))",
        new="ask.eq(move & ((held != 0) | self.write))",
        proof="queue/in-order-5",
        fault="reads a word in the cycle of its write",
        fast=True,
    ),
    Mutant(
        file="queue.py",
        old="memory.read_enable.eq(move),",
        new="",
        proof="queue/in-order-2",
        fault="memory goes on while a word is not taken",
    ),
    Mutant(
        file="skid.py",
        old="with m.Elif(self.i.valid & self.i.ready):",
        new="with m.Elif(self.i.valid & self.o.valid & self.o.ready):",
        proof="skid/in-order",
        fault="drops what comes in a stall",
        fast=True,
    ),
    Mutant(
        file="link/slots.py",
        old="last = left == 1",
        new="last = left == 2",
        proof="slots/payload-1",
        fault="a payload ends one byte early",
    ),
    Mutant(
        file="link/fetch.py",
        old="self._memory.read_enable.eq(moves),",
        new="self._memory.read_enable.eq(1),",
        proof="slots/payload-1",
        fault="memory goes on while a byte is not taken",
    ),
    Mutant(
        file="link/window.py",
        old="repeats.eq((age < remembered)",
        new="repeats.eq((age + 1 < remembered)",
        proof="window/once-2",
        fault="forgets the oldest answer",
    ),
    Mutant(
        file="link/window.py",
        old="acceptable.eq((identify | age.all()) & self.frame.stored)",
        new="acceptable.eq((identify | age[1:].all()) & self.frame.stored)",
        proof="window/once-2",
        fault="accepts the number after the next: a request is skipped",
        fast=True,
    ),
    Mutant(
        file="link/window.py",
        old="self.full.eq((pending == self._slots) | ((pending == self._slots - 1) & self.accepted))",
        new="self.full.eq(pending == self._slots)",
        proof="window/once-2",
        fault="a frame's bytes overwrite a payload that waits",
    ),
    Mutant(
        file="link/window.py",
        old="with m.If(self.repeated & answered.bit_select(repeat_slot, 1)):",
        new="with m.If(self.repeated):",
        proof="window/answers-2",
        fault="a repeat of a request that waits sends an old answer",
    ),
    Mutant(
        file="link/window.py",
        old="self.requests.valid.eq((pending != 0) & ~under_way.bit_select(self.request_slot, 1)),",
        new="self.requests.valid.eq(pending != 0),",
        proof="window/answers-2",
        fault="a request is executed while the answer before it in its slot is sent",
    ),
    Mutant(
        file="link/cobs.py",
        old="zero.eq(byte != LONGEST_RUN + 1),",
        new="zero.eq(1),",
        proof="cobs/decoder",
        fault="makes a zero up behind 254 bytes",
        fast=True,
    ),
    Mutant(
        file="link/cobs.py",
        old="self.broken.eq(remaining != 0),",
        new="self.broken.eq(remaining > 1),",
        proof="cobs/decoder",
        fault="takes a frame for whole whose last byte is missing",
    ),
    Mutant(
        file="link/deframer.py",
        old="malformed.eq(decoder.broken | overlong | (position < CRC_BYTES)),",
        new="malformed.eq(decoder.broken | (position < CRC_BYTES)),",
        proof="deframer/frames",
        fault="takes frames that are too long",
    ),
    Mutant(
        file="link/deframer.py",
        old="with m.If(good):",
        new="with m.If(decoder.end):",
        proof="deframer/frames",
        fault="a bad frame right behind a good one changes its header (a fault that this proof found)",
    ),
    Mutant(
        file="link/deframer.py",
        old="decoder.abandon.eq(~idle[-1] & ~self.i.valid)",
        new="decoder.abandon.eq(~idle[-1])",
        proof="deframer/watchdog-5",
        fault="abandons a frame in the cycle of its next byte",
        fast=True,
    ),
    Mutant(
        file="controller.py",
        old="wait.eq(self._schedule.period - 1),",
        new="wait.eq(self._schedule.period - 2),",
        proof="controller/blocks-infer",
        fault="blocks start a cycle too close",
    ),
    Mutant(
        file="controller.py",
        old="with m.If(sample):\n                m.d.sync += behind.eq(depth)",
        new="with m.If(sample & (behind == 0)):\n                m.d.sync += behind.eq(depth)",
        proof="controller/blocks-infer",
        fault="drained while samples are in flight",
    ),
)


def survives(mutant: Mutant) -> tuple[bool, str]:
    """Whether the proof succeeds on the mutant, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "presparse_hw"
        shutil.copytree(_GATEWARE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        file = copy / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            raise ValueError(f"{mutant.file} must hold {mutant.old!r} once; mend the list of mutants")
        file.write_text(text.replace(mutant.old, mutant.new))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([folder, str(_ROOT)])}
        result = subprocess.run(
            [sys.executable, "-m", "tests.formal", mutant.proof, "--jobs", "1", "--traces", folder],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return result.returncode == 0, result.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.formal.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="mutants at a time")
    jobs: int = parser.parse_args(arguments).jobs
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(survives, MUTANTS))
    for mutant, (alive, printed) in zip(MUTANTS, results, strict=True):
        print(f"{'SURVIVED' if alive else 'found'}  {mutant.proof}: {mutant.fault}")
        for line in printed.splitlines():
            if line.startswith("  tests/"):
                print(f"       {line.strip()}")
    alive = sum(alive for alive, _ in results)
    print(f"{len(results) - alive} of {len(results)} mutants found")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
