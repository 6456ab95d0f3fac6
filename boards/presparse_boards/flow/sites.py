"""Giving cells of a netlist their sites, ahead of the placer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from presparse_boards.families.toolchain import FloorPlan
from presparse_boards.flow.plan import TOP


def set_sites(netlist: Path, changed: Path, floor_plan: FloorPlan, device: str) -> int:
    """Write a netlist (Yosys's JSON) to `changed` whose cells have the sites of a plan; returns how many have."""
    content = json.loads(netlist.read_bytes())
    cells: Mapping[str, dict[str, dict[str, str]]] = content["modules"][TOP]["cells"]
    sites = floor_plan(device, {name: str(cell["type"]) for name, cell in cells.items()})
    for name, site in sites.items():
        cells[name].setdefault("attributes", {})["BEL"] = site
    changed.write_text(json.dumps(content, separators=(",", ":")))
    return len(sites)
