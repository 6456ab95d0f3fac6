"""Giving cells of a netlist their sites, ahead of the placer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from presparse_boards.families.toolchain import FloorPlan, Toolchain
from presparse_boards.flow.plan import TOP

_WITH_SITES = "with-sites.json"


def for_placement(netlist: Path, toolchain: Toolchain, device: str) -> str:
    """Name of what place-and-route is to read, beside `netlist`: that itself, or with the sites of a floor plan."""
    if toolchain.floor_plan is None:
        return netlist.name
    set_sites(netlist, netlist.with_name(_WITH_SITES), toolchain.floor_plan, device)
    return _WITH_SITES


def set_sites(netlist: Path, changed: Path, floor_plan: FloorPlan, device: str) -> int:
    """Write a netlist (Yosys's JSON) to `changed` whose cells have the sites of a plan; returns how many have."""
    content = json.loads(netlist.read_bytes())
    cells: Mapping[str, dict[str, dict[str, str]]] = content["modules"][TOP]["cells"]
    sites = floor_plan(device, {name: str(cell["type"]) for name, cell in cells.items()})
    for name, site in sites.items():
        cells[name].setdefault("attributes", {})["BEL"] = site
    changed.write_text(json.dumps(content, separators=(",", ":")))
    return len(sites)
