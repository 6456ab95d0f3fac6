"""Sizes of memories, for those who count them without Amaranth."""

from __future__ import annotations

BANK_BITS = 14
"""Address bits of a bank, an ECP5 block RAM at its deepest: more words take further banks."""
