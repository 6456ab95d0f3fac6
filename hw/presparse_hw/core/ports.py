"""The core's ports: what the link, the simulator and a bench see of it."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.address_map import CORE_COUNTERS, Counter
from presparse.contract.build import Build

RESTART = 32
"""Cycles from `restart` to a core that has restarted: more than any event takes through the lanes, and to be counted
through a tree of adders of the largest junction (2^24 lanes)."""


class SampleLayout(data.StructLayout):
    """One transfer of a sample: `feature_port` features, in order of left neurons.

    A sample takes N_0 / feature_port transfers; `kind`, `rate` and `label` are read in its first.
    A transfer of kind FLUSH is a whole flush: it carries no features.
    """

    def __init__(self, build: Build) -> None:
        width = build.network.formats.activation.width
        super().__init__(
            {
                "features": data.ArrayLayout(signed(width), build.feature_port),
                "kind": unsigned(2),  # presparse.contract.wire.SampleKind
                "rate": unsigned(4),  # exponent k, rates.least .. rates.most, when kind is TRAIN
                "label": unsigned(16),  # below the number of classes, when kind is TRAIN or EVALUATE
            }
        )


class ResultLayout(data.StructLayout):
    """One transfer of a result: the scores of `group` outputs, in order of output neurons."""

    def __init__(self, build: Build) -> None:
        super().__init__(
            {
                "scores": data.ArrayLayout(signed(build.network.formats.output.width), build.junctions[-1].group),
                "last": unsigned(1),  # last transfer of this result
            }
        )


class CommandLayout(data.StructLayout):
    """Access to one word of edges or biases (`presparse.contract.address_map`; region 0 is the link's)."""

    def __init__(self) -> None:
        super().__init__({"address": unsigned(32), "data": unsigned(32), "write": unsigned(1)})


class AnswerLayout(data.StructLayout):
    """The answer to one command, read or write alike; commands are answered in order.

    With `bad_address` or `not_drained`, nothing was written and `data` is 0.
    """

    def __init__(self) -> None:
        super().__init__({"data": unsigned(32), "bad_address": unsigned(1), "not_drained": unsigned(1)})


class EventLayout(data.StructLayout):
    """How often the event of each of the core's counters (`contract.address_map.Counter`) happened in a cycle.

    At most once, or, saturations, once per value that the junctions' right neurons and lanes can store in a cycle.
    """

    def __init__(self, build: Build) -> None:
        right = sum(junction.group for junction in build.junctions)
        weights = right + sum(junction.lanes for junction in build.junctions)
        most: dict[Counter, int] = {
            "saturated_activation": right,
            "saturated_weight": weights,
            "saturated_delta": right,
        }
        super().__init__({name: unsigned(most.get(name, 1).bit_length()) for name in CORE_COUNTERS})


class CoreSignature(wiring.Signature):
    """Ports of the core, seen from the core.

    Members
    -------
    samples : In(stream)   samples and flushes, in order
    results : Out(stream)  scores of predicted samples, in order
    commands, answers : In(stream), Out(stream)  memory access, one answer per command
    events : Out           registered: what to count for the cycle before
    results_waiting : Out(16)  whole results that `results` holds ready
    drained : Out(1)       no sample is in flight or half received; stays so until a sample arrives
    discard : In(1)        forget the half-received sample, if there is one
    restart : In(1)        pipeline and results as after power-on, RESTART cycles later; edges and biases stay.
        Until then nothing is offered to the core or taken from it, and its events do not count
    """

    def __init__(self, build: Build) -> None:
        super().__init__(
            {
                "samples": In(stream.Signature(SampleLayout(build))),
                "results": Out(stream.Signature(ResultLayout(build))),
                "commands": In(stream.Signature(CommandLayout())),
                "answers": Out(stream.Signature(AnswerLayout())),
                "events": Out(EventLayout(build)),
                "results_waiting": Out(16),
                "drained": Out(1, init=1),
                "discard": In(1),
                "restart": In(1),
            }
        )
