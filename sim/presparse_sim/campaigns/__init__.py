"""Long runs that try to break the way between host and board (docs/verification.md).

`python -m presparse_sim.campaigns.faults` (`make faults`) and `python -m presparse_sim.campaigns.soak` (`make soak`).
Both drive the simulated board and the reference side by side (`twins`), and end with every bit of both compared.
"""
