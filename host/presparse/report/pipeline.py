"""The pipeline: what every junction does in every cycle, and the way of one sample through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from presparse.contract.build import Build
from presparse.report.style import BLUE, GREEN, INK, LINE, ORANGE, SOFT, figure, plain


class Work(StrEnum):
    """What a junction does with a sample."""

    FF = "feed-forward"
    BP = "backpropagation"
    UP = "update"


_ORDER = tuple(Work)
_STRONG = {Work.FF: BLUE, Work.BP: ORANGE, Work.UP: GREEN}
_PALE = {Work.FF: "#dbe8f5", Work.BP: "#fbe6d3", Work.UP: "#d9efe5"}


@dataclass(frozen=True, kw_only=True)
class Span:
    """One operation of one junction on one sample."""

    junction: int
    """1 .. L."""
    work: Work
    sample: int
    begin: int
    """Cycle in which the first edge is addressed."""
    end: int
    """Cycle after the last edge is addressed."""


def spans(build: Build, blocks: int) -> Iterator[Span]:
    """Every operation that starts in the first `blocks` blocks, samples counted from 0."""
    schedule = build.schedule
    for block in range(blocks):
        for j, when in zip(build.junctions, schedule.junctions, strict=True):
            begin = block * schedule.period + when.start + schedule.prologue
            delays: list[tuple[Work, int]] = [(Work.FF, when.forward)]
            if build.training:
                delays += [(Work.BP, when.update)] if j.index > 1 else []
                delays += [(Work.UP, when.update)]
            for work, delay in delays:
                if block >= delay:
                    yield Span(junction=j.index, work=work, sample=block - delay, begin=begin, end=begin + j.cycles)


def pipeline(build: Build, *, followed: int = 2) -> Figure:
    """Rows: junctions and operations; time runs to the right. Sample number `followed` is drawn strongly."""
    schedule = build.schedule
    blocks = schedule.depth + followed + 3
    drawn_spans = list(spans(build, blocks))
    rows = sorted({(s.junction, s.work) for s in drawn_spans}, key=lambda row: (row[0], _ORDER.index(row[1])))
    end = blocks * schedule.period

    drawn = figure(11, 1.6 + 0.52 * len(rows))
    ax = plain(drawn.subplots(), grid=False)
    for block in range(blocks + 1):
        ax.axvline(block * schedule.period, color=LINE, linewidth=1, zorder=0)
    for s in drawn_spans:
        strong = s.sample == followed
        y = rows.index((s.junction, s.work))
        ax.add_patch(
            FancyBboxPatch(
                (s.begin + 1, y - 0.36),
                s.end - s.begin - 2,
                0.72,
                boxstyle=f"round,pad=0,rounding_size={0.05 * schedule.period}",
                mutation_aspect=1.5 / schedule.period,
                facecolor=_STRONG[s.work] if strong else _PALE[s.work],
                edgecolor="none",
                clip_on=True,
            )
        )
        middle = (s.begin + s.end) / 2
        if middle < end:
            ax.text(
                middle, y, str(s.sample), ha="center", va="center", fontsize=9,
                color="white" if strong else SOFT, fontweight="bold" if strong else "normal", clip_on=True,
            )  # fmt: skip
    ax.set_xlim(0, end)
    ax.set_ylim(len(rows) - 0.45, -0.55)
    ax.set_yticks(range(len(rows)), [f"junction {j}  {work.name}" for j, work in rows], color=INK)
    ax.set_xticks([b * schedule.period for b in range(blocks + 1)])
    ax.set_xlabel(
        f"clock cycle; a new sample every {schedule.period} cycles. Numbers in the boxes are samples: "
        f"sample {followed} is followed through the pipeline"
    )
    present = [work for work in Work if any(s.work == work for s in drawn_spans)]
    handles = [Patch(color=_STRONG[work], label=f"{work.name}: {work}") for work in present]
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), frameon=False, labelcolor=INK
    )
    return drawn
