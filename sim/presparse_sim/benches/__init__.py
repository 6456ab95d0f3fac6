"""cocotb benches of the gateware, run by `presparse sim` on Verilator or Icarus Verilog.

    lane        one lane of every junction, all its ports, cycle by cycle
    junction    every junction, driven as the schedule drives it, against the reference's junction
    core        samples in, results out, random back-pressure on every stream, whole state read back
    pins        the top behind its UART: the host's own driver at the board's baud rate

`service` runs them from outside; the modules `lane`, `junction`, `core` and `pins` run inside the simulator, which
tells them by a file what to do (`task`), and to which they tell how it goes (`journal`). They name no simulator: one
body serves both.
"""
