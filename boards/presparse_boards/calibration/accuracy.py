"""How good the estimate is: a table, the figures behind it, and a picture. Every build is judged by all the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from presparse_boards.calibration.fit import FMAX, Comparison, agreements

_MARKERS = "osD^vX"
"""Of families, in the picture."""


def table(comparisons: Sequence[Comparison]) -> str:
    """For docs/performance.md: agreement by quantity, then every build."""
    lines = ["| quantity | builds | rank correlation | median error | worst error |", "|---|---|---|---|---|"]
    lines += [
        f"| {a.quantity} | {a.builds} | {a.spearman:.3f} | {a.median_error:.1%} | {a.worst_error:.1%} |"
        for a in agreements(comparisons)
    ]
    right = sum(comparison.verdict_is_right for comparison in comparisons)
    lines += ["", f"Verdict (fits or not): right in {right} of {len(comparisons)}.", ""]
    lines += [
        "| build | LUT: real, estimated | fmax (MHz): real, estimated | fits: real, estimated |",
        "|---|---|---|---|",
    ]
    for comparison in comparisons:
        pairs = comparison.pairs()
        lut = "{:,.0f}, {:,.0f}".format(*pairs["LUT"])
        fmax = "{:.1f}, {:.1f}".format(*pairs[FMAX]) if FMAX in pairs else "-"
        fits = f"{_yes(comparison.record.fits)}, {_yes(comparison.estimated.fits)}"
        lines.append(f"| {comparison.record.name} | {lut} | {fmax} | {fits} |")
    return "\n".join(lines)


def figures(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "agreement": [asdict(agreement) for agreement in agreements(comparisons)],
        "verdicts_right": sum(comparison.verdict_is_right for comparison in comparisons),
        "builds": [
            {
                "build": comparison.record.name,
                "real": {name: real for name, (real, _) in comparison.pairs().items()},
                "estimated": {name: estimated for name, (_, estimated) in comparison.pairs().items()},
                "fits": comparison.record.fits,
                "estimated_fits": comparison.estimated.fits,
            }
            for comparison in comparisons
        ],
    }


def plot(comparisons: Sequence[Comparison], file: Path) -> None:
    """Estimate against real, one panel per quantity, one point per build; on the line both are equal."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = agreements(comparisons)
    families = sorted({comparison.record.on.family.name for comparison in comparisons})
    drawing, axes = pyplot.subplots(2, 3, figsize=(11, 7.2), layout="constrained")
    for axis, agreement in zip(axes.flat, found, strict=True):
        for family, marker in zip(families, _MARKERS, strict=False):
            pairs = [
                c.pairs()[agreement.quantity]
                for c in comparisons
                if c.record.on.family.name == family and agreement.quantity in c.pairs()
            ]
            if pairs:
                axis.plot(*zip(*pairs, strict=True), marker, label=family, alpha=0.7, markersize=5)
        low, high = axis.get_xlim()
        axis.plot([low, high], [low, high], color="grey", linewidth=0.8, zorder=0)
        axis.set_title(f"{agreement.quantity}: rank correlation {agreement.spearman:.3f}", fontsize=10)
        axis.set_xlabel("real build")
        axis.set_ylabel("estimate")
    axes.flat[0].legend()
    drawing.savefig(file)
    pyplot.close(drawing)


def _yes(fits: bool) -> str:
    return "yes" if fits else "no"
