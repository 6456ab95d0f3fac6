"""Errors of what hardware and software agree on. Each names the thing, the value and how to mend it.

The command line prints the message without a traceback and exits with status 2.
"""

from __future__ import annotations

from presparse.support.errors import PresparseError as PresparseError


class NetworkError(PresparseError, ValueError):
    """A network description breaks a rule."""


class PatternError(PresparseError, ValueError):
    """A pattern is not valid for its network or lanes."""


class BuildError(PresparseError, ValueError):
    """Lanes, gap or ports that this network cannot be built with."""


class SampleError(PresparseError, ValueError):
    """Sample words, codes or labels that stand for no sample of this build."""


class StoreError(PresparseError, ValueError):
    """Samples that a board's store cannot hold, or a run over samples that are not stored."""
