"""How the link starts, stops and watches a run over stored samples."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.build import Build
from presparse.contract.permutation import SEED_BITS
from presparse.contract.sample_words import WORD_BITS
from presparse.contract.store import StoreLayout, StoreState


def store_of(build: Build) -> StoreLayout:
    """The layout of a build that has a store. Raises ValueError if it has none."""
    if build.store is None:
        raise ValueError("this build has no store; give it store_samples")
    return build.store


class RunLayout(data.StructLayout):
    """A run (`presparse.contract.wire.StoredRun`) that was checked: all its samples are in the store."""

    def __init__(self) -> None:
        super().__init__(
            {
                "kind": unsigned(2),
                "rate": unsigned(4),
                "permuted": unsigned(1),
                "slot": unsigned(WORD_BITS.bit_length()),
                "first": unsigned(32),
                "count": unsigned(32),
                "seed": unsigned(SEED_BITS),
            }
        )


class RunSignature(wiring.Signature):
    """Control of runs, seen from the store.

    Members
    -------
    start : In(1)      begin `run`; not while one is `running`, and with a drained core only
    run : In           from `start` until the end of the run
    stop : In(1)       feed no sample that is not under way yet
    running : Out(1)   from the cycle after `start` until the core is drained again
    accepted : Out(1)  one cycle per sample that the core took whole
    fed : Out(32)      samples that the core took in this run
    runs : Out(32)     runs begun since reset
    state : Out        of the memory; NONE in builds without a store
    read_phase : Out(8)   of an SDRAM: when its data are taken; 0 for others
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "run": In(RunLayout()),
                "stop": In(1),
                "running": Out(1),
                "accepted": Out(1),
                "fed": Out(32),
                "runs": Out(32),
                "state": Out(StoreState),
                "read_phase": Out(8),
            }
        )
