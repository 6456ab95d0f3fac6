// Models of all cells of ECP5 netlists: those that Yosys ships, and ours of the two of which it ships only the ports.

`define NO_INCLUDES  // I/O cells and the vendor's names of flip-flops
`include "common_sim.vh"
`include "ccu2c_sim.vh"
`include "ecp5_dsp.v"
`include "ecp5_ram.v"
