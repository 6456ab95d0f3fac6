"""The slowest path of a routed design, in the design's own terms."""

from __future__ import annotations

from typing import Any

from presparse.messages.bundle import CriticalPath
from presparse_boards.flow.names import between, path_of, phrase


def critical_path(report: dict[str, Any], clock: str, cell_names: tuple[str, ...]) -> CriticalPath:
    """The slowest path from `clock` to itself in nextpnr's report of a design whose tools name cells like this."""
    edge = f"posedge {clock}"
    path = next(p["path"] for p in report["critical_paths"] if p["from"] == edge and p["to"] == edge)
    start, end = (path_of(name, cell_names) for name in (path[0]["from"]["cell"], path[-1]["to"]["cell"]))
    places = [phrase(path_of(hop["net"], cell_names)) for hop in path if hop["type"] == "routing"]
    return CriticalPath(
        text=between(start, end),
        delay_ns=round(sum(hop["delay"] for hop in path), 3),
        routing_ns=round(sum(hop["delay"] for hop in path if hop["type"] == "routing"), 3),
        steps=tuple(dict.fromkeys(place for place in places if place)),
    )
