"""Platforms and bitstreams of FPGA boards; none yet. Every board will run `presparse_hw.accelerator`, as the
simulated board does."""
