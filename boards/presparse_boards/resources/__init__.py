"""Multipliers and memories of a build, and how an FPGA's are shared out to them."""
