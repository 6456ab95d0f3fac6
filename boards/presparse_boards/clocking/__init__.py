"""Clocks that a PLL can make, and the one that a build gets."""
