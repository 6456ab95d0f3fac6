"""One file per board, what a board is, and all of them by name. Nothing here imports Amaranth."""
