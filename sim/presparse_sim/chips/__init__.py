"""Chips beside the FPGA, as testbenches see them."""
