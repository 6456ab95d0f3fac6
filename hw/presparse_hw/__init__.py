"""Gateware: the core (`core`, made of `junction` and `lane`), the link (`link`), and both together (`accelerator`).

Everything here follows `presparse.contract`; boards and hosts are unknown.
"""
