"""Cycle-accurate simulation: a design is compiled once to native code by Verilator and g++, and cached.

`presparse_sim.board` is the simulated board behind a byte stream (device `sim`); `presparse_sim.core` is the
core alone, fed at full speed.
"""
