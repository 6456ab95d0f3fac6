"""What may be asked for of a board's sample store."""

from __future__ import annotations

from typing import Literal

StoreWish = int | Literal["auto", "sdram", "none"]
"""A number: block RAM for so many samples, of whatever features; "sdram": all of the board's SDRAM; "auto": that, if
the board has one and the design fits."""
