"""Gateware: network (`core`), host link (`link`), compressed samples (`samples`), a store for them (`store`), and all
of it together (`accelerator`).

`lib` holds parts that know nothing of these. In `core`, `core.py` connects junctions, `junction.py` times the lanes of
one, and `junction_ports.py` tells what they say to each other. Everything here follows `presparse.contract`; boards and
hosts are unknown.
"""
