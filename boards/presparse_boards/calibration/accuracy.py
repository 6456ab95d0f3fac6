"""How good the estimate is: a table, the figures behind it, and a picture. Every build is judged by all the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import Any

from presparse.support import atomic_files
from presparse_boards.calibration.fit import FMAX, Comparison, agreements


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
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    from presparse.report.style import BLUE, INK, LINE, ORANGE, SOFT, figure, plain, png

    found = agreements(comparisons)
    drawing = figure(11, 7.6)
    families = sorted({comparison.record.on.family.name for comparison in comparisons})
    looks = {family: (family, *look) for family, look in zip(families, cycle((("o", BLUE), ("s", ORANGE))), strict=False)}
    for axis, agreement in zip(drawing.subplots(2, 3).flat, found, strict=True):
        plain(axis).grid(axis="both", color=LINE)
        # A use of 0 has no place on a logarithmic axis.
        pairs = {
            family: [
                pair
                for c in comparisons
                if c.record.on.family.name == family and min(pair := c.pairs().get(agreement.quantity, (0, 0))) > 0
            ]
            for family in looks
        }
        for family, (label, marker, color) in looks.items():
            axis.plot(
                *zip(*pairs[family], strict=True) if pairs[family] else ([], []),
                marker=marker,
                linestyle="none",
                color=color,
                label=label,
                alpha=0.6,
                markersize=6,
                markeredgewidth=0,
            )
        if agreement.quantity != FMAX:  # from tens to tens of thousands: else most builds would lie on one another
            axis.set_xscale("log")
            axis.set_yscale("log")
            for numbers in (axis.xaxis, axis.yaxis):
                numbers.set_major_locator(LogLocator(subs=(1, 3)))
                numbers.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axis.minorticks_off()
        ends = [extreme(value for both in pairs.values() for pair in both for value in pair) for extreme in (min, max)]
        axis.plot(ends, ends, color=SOFT, linewidth=1, zorder=0)
        unit = "MHz" if agreement.quantity == FMAX else "number"
        quantity = agreement.quantity.removesuffix(" (MHz)")
        axis.set_title(f"{quantity}: rank correlation {agreement.spearman:.3f}", loc="left", color=INK, fontsize=11)
        axis.set_xlabel(f"real build ({unit})")
        axis.set_ylabel(f"estimate ({unit})")
    drawing.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    atomic_files.write(file, png(drawing))


def _yes(fits: bool) -> str:
    return "yes" if fits else "no"
