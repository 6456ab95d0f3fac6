"""Any trained MLP on the lanes: bank-balanced, clash-free, refitted in the board's numbers."""

from presparse.prune.lanes.convert import OnLanes, Stage, to_lanes

__all__ = ["OnLanes", "Stage", "to_lanes"]
