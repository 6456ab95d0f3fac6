"""Whether a build fits a board, and how fast it runs there, before synthesis and within a second."""

from presparse_boards.estimate.estimate import estimate

__all__ = ["estimate"]
