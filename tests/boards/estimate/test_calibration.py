"""The calibration: what is shipped follows from the real builds, and the estimate is as good as the docs say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from presparse_boards.estimate import records
from presparse_boards.estimate.accuracy import figures, table
from presparse_boards.estimate.calibrate import main
from presparse_boards.estimate.coefficients import Coefficients, coefficients
from presparse_boards.estimate.designs import DESIGNS
from presparse_boards.estimate.fit import Comparison, agreements, calibrate, leave_one_out, observe
from presparse_boards.estimate.model import figures as estimated
from presparse_boards.estimate.regression import logarithmic, non_negative, spearman


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    return calibrate(records.shipped())[1]


def test_shipped_coefficients_are_those_of_the_shipped_builds() -> None:
    fitted, _ = calibrate(records.shipped())
    assert set(fitted) == {"ecp5", "ice40"}
    for family, expected in fitted.items():
        shipped = coefficients(family)  # type: ignore[arg-type]
        for part in Coefficients.model_fields:  # another machine's linear algebra may differ in the last digits
            assert getattr(shipped, part) == pytest.approx(getattr(expected, part), rel=1e-6), part


def test_every_design_has_a_real_build() -> None:
    built = {record.name: record for record in records.shipped()}
    assert [design.name for design in DESIGNS] == list(built)
    assert len(built) >= 20
    assert len({record.board for record in built.values()}) >= 8
    assert sum(not record.fits for record in built.values()) >= 4
    assert sum(record.store_samples > 0 for record in built.values()) >= 2


def test_every_verdict_is_right(comparisons: list[Comparison]) -> None:
    """Of estimates that have not seen the build, and of the one that ships."""
    assert [c.record.name for c in comparisons if not c.verdict_is_right] == []
    shipped = [(r.name, r.fits, estimated(r.build, r.on).fits) for r in records.shipped()]
    assert [name for name, real, guess in shipped if real != guess] == []


def test_what_the_contract_settles_is_exact(comparisons: list[Comparison]) -> None:
    for comparison in comparisons:
        for kind in ("DSP", "block RAM", "distributed RAM"):
            real, estimate = comparison.pairs()[kind]
            assert estimate == real, (comparison.record.name, kind)
        record = comparison.record
        assert comparison.estimated.use.single_port_ram.used == record.use.single_port_ram.used, record.name


def test_agreement_is_as_good_as_stated(comparisons: list[Comparison]) -> None:
    found = {a.quantity: a for a in agreements(comparisons)}
    assert found["LUT"].spearman > 0.97
    assert found["LUT"].median_error < 0.04
    assert found["FF"].spearman > 0.97
    assert found["FF"].median_error < 0.03
    assert found["fmax (MHz)"].spearman > 0.75
    assert found["fmax (MHz)"].median_error < 0.06


def test_a_build_that_is_left_out_does_not_count_for_itself() -> None:
    """Double one build's LUTs: its own estimate stays as it is, others' change."""
    observations = observe([r for r in records.shipped() if r.on.family == "ecp5"])
    first = observations[0]
    lut = first.record.use.lut.model_copy(update={"used": 2 * first.record.use.lut.used})
    use = first.record.use.model_copy(update={"lut": lut})
    changed = [type(first)(first.record.model_copy(update={"use": use}), first.counted), *observations[1:]]
    before, after = leave_one_out(observations), leave_one_out(changed)
    assert after[0].estimated.use == before[0].estimated.use
    assert any(a.estimated.use != b.estimated.use for a, b in zip(after[1:], before[1:], strict=True))


def test_report_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["report", "--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.png")])
    assert status == 0
    assert "| LUT |" in capsys.readouterr().out
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["verdicts_right"] == len(written["builds"]) == len(DESIGNS)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_table_and_figures_agree(comparisons: list[Comparison]) -> None:
    lines = table(comparisons).splitlines()
    for agreement in figures(comparisons)["agreement"]:
        expected = f"| {agreement['quantity']} | {agreement['builds']} | {agreement['spearman']:.3f} |"
        assert sum(line.startswith(expected) for line in lines) == 1


def test_non_negative_least_squares() -> None:
    rng = np.random.default_rng(5)
    features, ones = rng.uniform(1, 10, size=(40, 4)), np.ones(4)
    assert non_negative(features, features @ [1.0, 0.0, 2.0, 0.5], ones) == pytest.approx([1, 0, 2, 0.5], abs=1e-9)
    pulled = non_negative(features, np.maximum(features @ [2.0, -0.3, 0.0, 1.0], 0.1), ones)
    assert (pulled >= 0).all()
    assert pulled[1] == 0


def test_what_builds_cannot_tell_stays_as_expected() -> None:
    """Two features that always come together, and one that never does."""
    features = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [5.0, 5.0, 0.0]])
    found = non_negative(features, features @ [3.0, 1.0, 0.0], np.array([2.0, 2.0, 7.0]), trust=1e-6)
    assert found == pytest.approx([2, 2, 7], rel=1e-3)


def test_logarithmic_fit() -> None:
    rng = np.random.default_rng(6)
    features = np.column_stack([np.ones(50), rng.uniform(0, 5, size=50)])
    found = logarithmic(features, np.exp(features @ [1.5, 0.2]), np.zeros(2), ridge=0)
    assert found == pytest.approx([1.5, 0.2])
    assert logarithmic(np.empty((0, 2)), np.empty(0), np.array([2.5, 0.0])) == pytest.approx([2.5, 0])


def test_rank_correlation() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert spearman(x, x**3) == pytest.approx(1)
    assert spearman(x, -x) == pytest.approx(-1)
    assert spearman(x, np.array([2.0, 1.0, 4.0, 3.0, 5.0])) == pytest.approx(0.8)
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(np.sqrt(3) / 2)
    assert spearman(x, np.ones(5)) == 0
