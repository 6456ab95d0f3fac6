"""Lattice ECP5 and ECP5-5G."""
