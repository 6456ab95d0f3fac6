"""FPGA boards and what is made for them. Every board runs `presparse_hw.accelerator`, as the simulated board does."""
