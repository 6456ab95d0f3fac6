"""Pruning in PyTorch: exact removal of what is dead, network slimming, fine-tuning, and pruned models on file."""

from presparse.prune.chain import UnsupportedModel
from presparse.prune.compaction import compact
from presparse.prune.fine_tune import fine_tune
from presparse.prune.pruned import PrunedModel
from presparse.prune.slimming import slim

__all__ = ["PrunedModel", "UnsupportedModel", "compact", "fine_tune", "slim"]
