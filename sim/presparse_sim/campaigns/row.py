"""What a part of a campaign found: one row of its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(kw_only=True)
class Row:
    """Counts; `faulted` of `frames` were harmed, `retried` were sent again by the host."""

    fault: str
    sessions: int = 0
    frames: int = 0
    faulted: int = 0
    retried: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Errors that reached the user, by type: all from `presparse.errors.LinkError`."""
    compared: int = 0
    """Numbers on the board that were compared with the reference."""
    mismatches: list[str] = field(default_factory=list)
    """What differed, or any other error: none is allowed."""
    seconds: float = 0.0

    @property
    def figures(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "errors": dict(self.errors), "seconds": round(self.seconds, 1)}


_COLUMNS = ("sessions", "frames", "faulted", "retried", "typed errors", "compared", "mismatches", "seconds")


def total(rows: Sequence[Row]) -> Row:
    """The sum of all rows."""
    return Row(
        fault="all",
        sessions=sum(row.sessions for row in rows),
        frames=sum(row.frames for row in rows),
        faulted=sum(row.faulted for row in rows),
        retried=sum(row.retried for row in rows),
        errors=sum((row.errors for row in rows), Counter[str]()),
        compared=sum(row.compared for row in rows),
        mismatches=[text for row in rows for text in row.mismatches],
        seconds=sum(row.seconds for row in rows),
    )


def table(rows: Sequence[Row]) -> str:
    """A line per row, the sum, and every mismatch."""
    lines = [f"{'fault':<22}" + "".join(f"{column:>14}" for column in _COLUMNS)]
    everything = total(rows)
    for row in (*rows, everything):
        counts = (row.sessions, row.frames, row.faulted, row.retried, row.errors.total(), row.compared)
        cells = [f"{count:,}" for count in (*counts, len(row.mismatches))] + [f"{row.seconds:,.1f}"]
        lines.append(f"{row.fault:<22}" + "".join(f"{cell:>14}" for cell in cells))
    lines += [f"MISMATCH: {text}" for text in everything.mismatches]
    return "\n".join(lines)
