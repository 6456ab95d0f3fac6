"""Many computers that work for one: workers of dask.distributed, behind its scheduler.

Presparse starts neither; whoever has computers has a way to start programs there (docs/cluster.md).
"""

from __future__ import annotations

from presparse.cluster.connection import connect as connect
