"""Pruning in PyTorch: exact removal of what is dead, network slimming, fine-tuning, pruned files, and any MLP on the
lanes."""

from presparse.prune.chain import UnsupportedModel
from presparse.prune.compaction import compact
from presparse.prune.fine_tune import fine_tune
from presparse.prune.lanes import OnLanes, to_lanes
from presparse.prune.pruned import PrunedModel
from presparse.prune.slimming import slim

__all__ = ["OnLanes", "PrunedModel", "UnsupportedModel", "compact", "fine_tune", "slim", "to_lanes"]
