"""Errors of the simulator. Each names the thing, the value and how to mend it."""

from __future__ import annotations

from presparse.contract.errors import PresparseError


class SimulationError(PresparseError):
    """Base of the errors below."""


class ToolMissing(SimulationError):
    """A program that simulation needs is not installed; the message holds the command that installs it."""


class CompileError(SimulationError):
    """Yosys, Verilator, g++ or the loader refused a design; the message holds what they said."""


class SimulationStuck(SimulationError):
    """A design moved nothing for so many cycles that it never will."""


class DesignFault(SimulationError):
    """A design broke the rules of its own ports, or refused what it must accept."""
