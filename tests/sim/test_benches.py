"""The cocotb benches: they pass on both simulators, cycle for cycle alike, and fail for gateware with a fault."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.hdl import Const, Value

from presparse.contract.formats import Format
from presparse.contract.network import Network
from presparse.messages.simulation import Level, Simulator, Verdict
from presparse.support.child_processes import ChildProcesses, NotStarted
from presparse_hw.core import bias, lane
from presparse_hw.lib.fixed import rounding
from presparse_sim.benches import service, simulators

pytestmark = pytest.mark.slow


TINY = Network(
    name="tiny",
    features=5,
    classes=3,
    layers=(6, 4, 4),
    out_degree=(2, 2),
    lanes=(3, 2),
    activations=("relu", "sigmoid"),
)


def simulate(
    simulator: Simulator,
    levels: tuple[Level, ...],
    *,
    samples: int = 24,
    mode: str = "train",
    network: Network | None = TINY,
) -> list[Verdict]:
    """On the board whose UART has the fewest cycles per bit."""
    return list(
        service.simulate(
            network,
            simulator=simulator,
            levels=levels,
            board="icebreaker",
            lanes=(),
            mode=mode,
            samples=samples,
            seed=3,
            waves=None,
            tell=lambda bench, done, of, note: None,
        )
    )


@pytest.mark.parametrize(
    ("levels", "benches", "samples"),
    [
        (("core",), ["core"], 24),
        # At the pins a sample takes thousands of cycles: two show what twenty-four do.
        pytest.param(("pins",), ["pins"], 2, marks=pytest.mark.nightly),
        pytest.param(("lane", "junction"), ["lane", "lane", "junction", "junction"], 24, marks=pytest.mark.nightly),
    ],
)
def test_a_level_passes_on_both_simulators_in_the_same_cycles(
    levels: tuple[Level, ...], benches: list[str], samples: int
) -> None:
    found = [simulate(simulator, levels, samples=samples) for simulator in ("verilator", "icarus")]
    for verdicts in found:
        assert [v.failure for v in verdicts if not v.passed] == []
        assert [v.bench.split()[0] for v in verdicts] == benches
        assert [v.samples for v in verdicts] == [samples] * len(benches)
        assert all(v.compared > 50 for v in verdicts)
    assert [(v.bench, v.cycles, v.compared) for v in found[0]] == [(v.bench, v.cycles, v.compared) for v in found[1]]


def test_lanes_with_ports_without_bits_pass() -> None:
    """The network that `presparse sim` takes by itself has a bank of one row."""
    verdicts = simulate("icarus", ("lane",), samples=4, network=None)
    assert [v.failure for v in verdicts if not v.passed] == []
    assert len(verdicts) == 3


def test_a_build_that_only_infers_passes() -> None:
    verdicts = simulate("icarus", ("lane", "junction", "core"), mode="infer")
    assert [v.failure for v in verdicts if not v.passed] == []
    assert len(verdicts) == 5


def _truncating(value: Value, from_frac: int, to_frac: int) -> Value:
    floor, _ = rounding(value, from_frac, to_frac)
    return floor


def _never_rounding_up(value: Value, from_frac: int, to_frac: int) -> tuple[Value, Value]:
    return _truncating(value, from_frac, to_frac), Const(0, 1)


def _wrapping(value: Value, target: Format) -> Value:
    return value[: target.width].as_signed()


@pytest.mark.parametrize(
    ("level", "module", "name", "fault", "what"),
    [
        ("lane", lane, "rounding", _never_rounding_up, "new weight"),
        ("junction", lane, "saturate", _wrapping, "right activation"),
        ("junction", bias, "rescale", _truncating, "right activation"),
        ("core", lane, "rounding", _never_rounding_up, "weight"),
    ],
)
def test_a_fault_is_found_and_placed(
    level: Level,
    module: object,
    name: str,
    fault: Callable[..., object],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("PRESPARSE_CACHE", str(tmp_path))  # its sources are those of gateware without the fault
    monkeypatch.setattr(module, name, fault)
    failed = [v for v in simulate("icarus", (level,)) if not v.passed]
    assert failed
    mismatch = failed[0].mismatch
    assert mismatch is not None
    assert mismatch.expected != mismatch.got
    assert f"junction {mismatch.junction}, cycle {mismatch.cycle}, lane {mismatch.lane}: " in failed[0].failure
    assert mismatch.what == what, failed[0].failure


def test_simulators_run_as_programs_that_end_with_this_one(tmp_path: Path) -> None:
    """cocotb starts them, in a method that is its own."""
    for kind in (simulators._VerilatorRunner, simulators._IcarusRunner):
        runner = kind()
        runner.env, runner.log_file = dict(os.environ), tmp_path / "log"
        with ChildProcesses() as runner.children:
            runner._execute([["sh", "-c", "pwd"]], tmp_path)
            assert (tmp_path / "log").read_text() == f"{tmp_path}\n"
            with pytest.raises(RuntimeError, match="status 3"):
                runner._execute([["sh", "-c", "exit 3"]], tmp_path)
        with pytest.raises(NotStarted):
            runner._execute([["sh", "-c", "pwd"]], tmp_path)
