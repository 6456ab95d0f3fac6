"""Samples in SDR SDRAM: the chips, their controller, its test of the memory, and all of it as a sample memory."""
