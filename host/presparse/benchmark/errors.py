"""What stops a benchmark."""

from __future__ import annotations

from presparse.errors import PresparseError


class BenchmarkError(PresparseError, RuntimeError):
    """A contestant that does not do what it is timed for, or one that cannot run here."""
