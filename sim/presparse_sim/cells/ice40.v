// Models of all cells of iCE40 netlists: Yosys ships them.

// A simulation would begin with the default value of an input also on the net that drives this input.
`define NO_ICE40_DEFAULT_ASSIGNMENTS
`include "cells_sim.v"
