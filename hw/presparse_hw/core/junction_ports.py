"""Ports inside the core: what loader, junctions, groups of lanes, lanes and delta sources hand to each other.

Each is seen from the side that writes or asks: it declares the port `Out`, the side that obeys or answers `In`.
A group of lanes has the ports of its lanes and hands everything down SPREAD cycles later. Lanes and groups
alike count cycles from `EdgeControl.address`, so the cycles told here hold for both.
"""

from __future__ import annotations

from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.activation import derivative_width
from presparse.contract.build import Build
from presparse.contract.lane_memories import delta_bank_depth
from presparse_hw.core.item import ItemLayout
from presparse_hw.lib.sequencer import count_modulo


def has_deltas(build: Build, index: int) -> bool:
    """Whether the lanes of this junction (counted from 0) sum up deltas of their left neurons."""
    return build.training and index > 0


class SlotLayout(data.StructLayout):
    """Where the left activations of a sample are in a junction's banks: the number of its slot in those of FF, and
    in those of UP (training builds)."""

    def __init__(self, build: Build, index: int) -> None:
        plan = build.schedule.junctions[index]
        self.slots = {"forward": plan.forward_slots} | ({"update": plan.activation_slots} if build.training else {})
        super().__init__({name: range(slots) for name, slots in self.slots.items()})

    def of_sample(self, number: int) -> dict[str, int]:
        """Slots of the sample with this number; samples count from 0, and those before it are negative."""
        return {name: number % slots for name, slots in self.slots.items()}

    def number(self, **slots: int) -> int:
        """Slots as a number, the way a port holds them."""
        return self.const(slots).as_value().value

    def move_on(self, m: Module, slot: data.View) -> None:
        """To those of the next sample (to be used inside a condition)."""
        for name, slots in self.slots.items():
            count_modulo(m, slot[name], slots)


class LeftValues(wiring.Signature):
    """Left activations of one sample, in order of left neurons.

    Members
    -------
    write : Out(1)
    values : Out(signed).array(count)   the next ones, format `activation`
    """

    def __init__(self, build: Build, count: int) -> None:
        values = Out(signed(build.network.formats.activation.width)).array(count)
        super().__init__({"write": Out(1), "values": values})


class RightValues(wiring.Signature):
    """Right activations of one step of a junction, in order of right neurons.

    Members
    -------
    valid : Out(1)
    item : Out(ItemLayout)                  of the sample they belong to
    values : Out(signed).array(group)       format `activation`, of the output layer `output`
    derivatives : Out(unsigned).array(group)  of the activation function; hidden layers of training builds only
    """

    def __init__(self, build: Build, index: int) -> None:
        j, f = build.junctions[index], build.network.formats
        members = {
            "valid": Out(1),
            "item": Out(ItemLayout(build)),
            "values": Out(signed(f.right(j).width)).array(j.group),
        }
        if build.training and not j.is_output:
            members["derivatives"] = Out(unsigned(derivative_width(j.activation, f.activation))).array(j.group)
        super().__init__(members)


class Deltas(wiring.Signature):
    """Deltas of right neurons, held for all cycles of their step; training builds only. At the lanes in cycle DELTAS.

    Members
    -------
    scaled : Out(signed).array(neurons)  for UP: times 2^(rates.most - k)
    plain : Out(signed).array(neurons)   for BP: format `delta`; from junction 2 on only
    """

    def __init__(self, build: Build, index: int, neurons: int) -> None:
        width = build.network.formats.delta.width
        members = {"scaled": Out(signed(width + build.network.rates.span)).array(neurons)}
        if has_deltas(build, index):
            members["plain"] = Out(signed(width)).array(neurons)
        super().__init__(members)


class DeltaSums(wiring.Signature):
    """Reading sums of deltas of left neurons; from junction 2 on, training builds only.

    Members
    -------
    address : Out                        row of the left neurons in the low bits, then the set
    values : In(signed).array(banks)     READ cycles after the address has come to the lane
    """

    def __init__(self, build: Build, index: int, banks: int) -> None:
        width = build.network.delta_sum_width(build.junctions[index])
        address = Out(range(delta_bank_depth(build, index)))
        super().__init__({"address": address, "values": In(signed(width)).array(banks)})


class DeltaClear(wiring.Signature):
    """Setting sums of deltas to 0, in all banks alike, while no block runs; where there are `DeltaSums`.

    Members
    -------
    write : Out(1)
    address : Out
    """

    def __init__(self, build: Build, index: int) -> None:
        super().__init__({"write": Out(1), "address": Out(range(delta_bank_depth(build, index)))})


class HostAccess(wiring.Signature):
    """The host's reads and writes of a memory's words, while no block runs; `contract.address_map` tells what is in a
    word. What has one row, or one column, has no bits to number them.

    Members
    -------
    row, column : Out   which word
    data : Out(32)      to be written
    write : Out(1)
    word : In(32)       what is there
    """

    def __init__(self, *, rows: int = 1, columns: int = 1) -> None:
        super().__init__(
            {
                "row": Out(range(rows)),
                "column": Out(range(columns)),
                "data": Out(32),
                "write": Out(1),
                "word": In(32),
            }
        )


class LaneControl(wiring.Signature):
    """What all lanes of a junction do with the edges that they are given.

    Members
    -------
    forward_slot : Out     cycle EDGE_READ: slot of the sample in FF
    update_slot : Out      cycle EDGE_READ: slot of the sample in UP; training builds only, as the next one
    update : Out(1)        cycle UPDATE - SPREAD: write the new weight
    delta_set : Out        cycle BACKPROPAGATE - 1 - READ - SPREAD, as the bank reads a sum before it adds to it:
                           the set of BP's sample; from junction 2 on only, as the next one
    delta_add : Out(1)     in the same cycle: add to the sum of the edge's left neuron
    """

    def __init__(self, build: Build, index: int) -> None:
        plan = build.schedule.junctions[index]
        members = {"forward_slot": Out(range(plan.forward_slots))}
        if build.training:
            members |= {"update_slot": Out(range(plan.activation_slots)), "update": Out(1)}
        if has_deltas(build, index):
            members |= {"delta_set": Out(range(plan.delta_sets)), "delta_add": Out(1)}
        super().__init__(members)


class EdgeControl(wiring.Signature):
    """`LaneControl`, and which edges.

    Members
    -------
    address : Out          cycle 0: read the edges for FF, BP and UP
    write_address : Out    the edges to be written, in the cycle of `update`
    """

    def __init__(self, build: Build, index: int) -> None:
        address = Out(range(build.junctions[index].cycles))
        super().__init__({**LaneControl(build, index).members, "address": address, "write_address": address})


class BankWrite(wiring.Signature):
    """Left activations on their way to the lanes' banks; readable from the next cycle on.

    Members
    -------
    write : Out(groups)   one bit per group of banks that are written at once
    slot : Out(SlotLayout), row : Out   where in their banks
    values : Out(signed).array(values)   for the banks of a group in order, format `activation`
    """

    def __init__(self, build: Build, index: int, *, values: int = 1, groups: int = 1) -> None:
        super().__init__(
            {
                "write": Out(groups),
                "slot": Out(SlotLayout(build, index)),
                "row": Out(range(build.junctions[index].rows)),
                "values": Out(signed(build.network.formats.activation.width)).array(values),
            }
        )
