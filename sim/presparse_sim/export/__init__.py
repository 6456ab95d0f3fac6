"""The core as Verilog, for designs of other people: `presparse export` (docs/embedding.md).

`service` writes the folder; in it are the module that `core` describes, the table of its `ports`, and a `testbench`
in plain Verilog that knows from the reference what the core must answer.
"""
