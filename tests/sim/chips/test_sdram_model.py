"""The memory model: it keeps data, and each rule that a sequence of commands breaks is told, with the cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from presparse_hw.store.sdram.chip import MT48LC16M16A2, Sdram
from presparse_sim.chips.sdram import SdramFaults, SdramModel

CHIP = replace(MT48LC16M16A2, rows=3, t_ras_ns=60.0, refresh_us=2.0, power_up_us=1.0)
"""8 rows, which keep their data for 16 us."""
SDRAM = Sdram(chip=CHIP, clock_hz=100e6)
A10 = 1 << 10
"""At 100 MHz: tRCD 3 cycles, tRP 3, tRAS 6, tRC 7, tRRD 2, tRFC 7, tWR 2, CAS latency 2 or 3."""
NOP = {"cke": 1, "cs": 1, "ras": 0, "cas": 0, "we": 0, "ba": 0, "a": 0, "dqm": 0, "dq_o": 0, "dq_oe": 0}


class Hand:
    """Drives a chip command by command. Each method is one cycle, but for `rest`."""

    def __init__(self, *, start: bool = True, late: int = 1, stay: int = 2, latency: int = 3) -> None:
        self.model = SdramModel(SDRAM, late=late, stay=stay)
        self.seen: list[tuple[int, int]] = []
        if start:
            self.power_up(latency)
            assert self.broken == []

    def power_up(self, latency: int = 3) -> None:
        self.rest(100)
        self.precharge(a=A10)
        self.rest(2)
        for _ in range(8):
            self.refresh()
            self.rest(6)
        self.mode(latency << 4)
        self.rest(1)

    @property
    def broken(self) -> list[str]:
        return [rule for rule, _ in self.model.broken]

    def step(self, *asserted: str, **pins: int) -> None:
        self.seen.append(self.model.step(NOP | dict.fromkeys(asserted, 1) | pins))

    def rest(self, cycles: int) -> None:
        for _ in range(cycles):
            self.step()

    def precharge(self, **pins: int) -> None:
        self.step("ras", "we", **pins)

    def refresh(self, **pins: int) -> None:
        self.step("ras", "cas", **pins)

    def mode(self, a: int, **pins: int) -> None:
        self.step("ras", "cas", "we", a=a, **pins)

    def activate(self, row: int = 0, ba: int = 0) -> None:
        self.step("ras", a=row, ba=ba)

    def read(self, a: int = 0, ba: int = 0, **pins: int) -> None:
        self.step("cas", a=a, ba=ba, **pins)

    def write(self, data: int = 0, a: int = 0, ba: int = 0, **pins: int) -> None:
        self.step("cas", "we", "dq_oe", dq_o=data, a=a, ba=ba, **pins)


def power_up_too_soon(hand: Hand) -> None:
    hand.rest(98)
    hand.precharge(a=A10)


def activate_at_first(hand: Hand) -> None:
    hand.rest(100)
    hand.activate()


def refresh_at_first(hand: Hand) -> None:
    hand.rest(100)
    hand.refresh()


def mode_at_first(hand: Hand) -> None:
    hand.rest(100)
    hand.mode(0x30)


def seven_refreshes(hand: Hand) -> None:
    hand.rest(100)
    hand.precharge(a=A10)
    hand.rest(2)
    for _ in range(7):
        hand.refresh()
        hand.rest(6)
    hand.mode(0x30)
    hand.rest(1)
    hand.activate()


BEFORE = "ACTIVATE before the chip has started"


@pytest.mark.parametrize(
    ("sequence", "rule"),
    [
        (power_up_too_soon, "a command before the power-up time is over"),
        (activate_at_first, BEFORE),
        (refresh_at_first, "REFRESH before the first PRECHARGE of all banks"),
        (mode_at_first, "MODE REGISTER SET before the first PRECHARGE of all banks"),
        (seven_refreshes, BEFORE),
    ],
)
def test_power_up(sequence: Callable[[Hand], None], rule: str) -> None:
    hand = Hand(start=False)
    sequence(hand)
    assert hand.broken == [rule]


def activated(hand: Hand, cycles: int, *, row: int = 0, ba: int = 0) -> Hand:
    """The next command is so many cycles after an ACTIVATE."""
    hand.activate(row, ba)
    hand.rest(cycles - 1)
    return hand


def written(hand: Hand, cycles: int, **pins: int) -> Hand:
    """The next command is so many cycles after a WRITE to a row that has been open for long."""
    activated(hand, 8).write(**pins)
    hand.rest(cycles - 1)
    return hand


def has_read(hand: Hand, cycles: int, **pins: int) -> Hand:
    activated(hand, 8).read(**pins)
    hand.rest(cycles - 1)
    return hand


def precharged(hand: Hand, cycles: int) -> Hand:
    activated(hand, 8).precharge()
    hand.rest(cycles - 1)
    return hand


def refreshed(hand: Hand, cycles: int) -> Hand:
    hand.refresh()
    hand.rest(cycles - 1)
    return hand


def moded(hand: Hand, cycles: int) -> Hand:
    hand.mode(0x30)
    hand.rest(cycles - 1)
    return hand


@pytest.mark.parametrize(
    ("rule", "sequence", "least"),
    [
        ("tRCD: ACTIVATE to READ or WRITE", lambda hand, n: activated(hand, n).read(), 3),
        ("tRCD: ACTIVATE to READ or WRITE", lambda hand, n: activated(hand, n).write(), 3),
        ("tRAS: ACTIVATE to PRECHARGE", lambda hand, n: activated(hand, n).precharge(), 6),
        ("tRAS: ACTIVATE to PRECHARGE", lambda hand, n: activated(hand, n).read(a=A10), 5),  # begins a cycle later
        ("tRAS: ACTIVATE to PRECHARGE", lambda hand, n: activated(hand, n).write(a=A10), 4),
        ("tRRD: ACTIVATE to ACTIVATE of another bank", lambda hand, n: activated(hand, n).activate(ba=1), 2),
        ("tRP: PRECHARGE to ACTIVATE", lambda hand, n: precharged(hand, n).activate(), 3),
        ("tRP: PRECHARGE to REFRESH", lambda hand, n: precharged(hand, n).refresh(), 3),
        ("tRP: PRECHARGE to MODE REGISTER SET", lambda hand, n: precharged(hand, n).mode(0x30), 3),
        ("tRP: PRECHARGE to ACTIVATE", lambda hand, n: has_read(hand, n, a=A10).activate(), 2 + 3),
        ("tRP: PRECHARGE to ACTIVATE", lambda hand, n: written(hand, n, a=A10).activate(), 2 + 3),
        ("tRP: PRECHARGE to REFRESH", lambda hand, n: written(hand, n, a=A10).refresh(), 2 + 3),
        ("tWR: WRITE to PRECHARGE", lambda hand, n: written(hand, n).precharge(), 2),
        ("PRECHARGE too soon after a READ", lambda hand, n: has_read(hand, n).precharge(a=A10), 2),
        ("tRFC: REFRESH to any command", lambda hand, n: refreshed(hand, n).activate(), 7),
        ("tRFC: REFRESH to any command", lambda hand, n: refreshed(hand, n).refresh(), 7),
        ("tMRD: MODE REGISTER SET to any command", lambda hand, n: moded(hand, n).activate(), 2),
        # The chip drives its data pins 3 cycles after READ, and lets go of them in the next one.
        ("both sides drive the data pins", lambda hand, n: has_read(hand, n).write(), 5),
    ],
)
def test_a_time_that_is_too_short(rule: str, sequence: Callable[[Hand, int], None], least: int) -> None:
    """A cycle less than `least` breaks one rule; `least` breaks none."""
    for cycles in (least - 1, least):
        hand = Hand()
        sequence(hand, cycles) if cycles else None
        broken = hand.model.broken
        assert [found.rule for found in broken] == ([rule] if cycles < least else [])
        assert all(found.cycle == hand.model.cycles - 1 for found in broken)


def test_the_row_cycle_time() -> None:
    """tRC is longer than tRAS and tRP together in a chip of its own."""
    model = SdramModel(Sdram(chip=replace(CHIP, t_rc_ns=100.0), clock_hz=100e6))
    hand = Hand(start=False)
    hand.model = model
    hand.power_up()
    activated(hand, 6).precharge()
    hand.rest(2)
    hand.activate()
    assert hand.broken == ["tRC: ACTIVATE to ACTIVATE of the same bank"]


def test_the_mode_and_the_clock() -> None:
    for mode, rule in (
        (0x31, "the mode is none that this model has (burst length 1)"),
        (0x10, "the CAS latency is not 2 or 3"),
    ):
        hand = Hand(start=False)
        hand.rest(100)
        hand.precharge(a=A10)
        hand.rest(2)
        hand.mode(mode)
        assert rule in hand.broken
    fast = SdramModel(Sdram(chip=CHIP, clock_hz=120e6))
    hand = Hand(start=False)
    hand.model = fast
    hand.rest(30)
    hand.power_up(latency=2)
    assert "the clock is too fast for this CAS latency" in hand.broken


@pytest.mark.parametrize(
    ("rule", "sequence"),
    [
        ("READ of a closed row", lambda hand: hand.read()),
        ("WRITE to a closed row", lambda hand: has_read(hand, 9, a=A10).write()),
        ("ACTIVATE of a bank with an open row", lambda hand: activated(hand, 8).activate(1)),
        ("REFRESH with an open row", lambda hand: activated(hand, 8, ba=2).refresh()),
        ("MODE REGISTER SET with an open row", lambda hand: activated(hand, 8, ba=2).mode(0x30)),
        ("CKE went low", lambda hand: hand.step(cke=0)),
        ("WRITE without data", lambda hand: activated(hand, 8).step("cas", "we")),
        ("BURST TERMINATE, which nobody needs with bursts of 1", lambda hand: hand.step("we")),
    ],
)
def test_commands_that_must_not_be(rule: str, sequence: Callable[[Hand], None]) -> None:
    hand = Hand()
    sequence(hand)
    assert hand.broken == [rule]


def test_a_chip_that_is_not_selected_does_nothing() -> None:
    hand = Hand()
    hand.step("cas", cs=0)
    assert hand.broken == []


@pytest.mark.parametrize(("late", "stay"), [(0, 2), (1, 2), (2, 2), (1, 1), (3, 1)])
@pytest.mark.parametrize("latency", [2, 3])
def test_data_come_when_they_should(late: int, stay: int, latency: int) -> None:
    """And are noise before and after."""
    hand = Hand(late=late, stay=stay, latency=latency)
    activated(hand, 3, row=5, ba=3).write(0x1234, a=7, ba=3)
    hand.rest(3)
    hand.seen.clear()
    hand.read(a=7, ba=3)
    hand.rest(8)
    moments = [moment for both in hand.seen for moment in both]
    assert [i for i, moment in enumerate(moments) if moment == 0x1234] == [2 * latency + late + i for i in range(stay)]
    assert hand.broken == []


def test_bytes_are_masked() -> None:
    hand = Hand(late=0)
    activated(hand, 3).write(0x1234)
    hand.write(0xABCD, dqm=2)
    assert hand.model.read(0, 0, 0) == 0x12CD
    hand.rest(2)
    hand.seen.clear()
    hand.read()
    hand.step(dqm=1)  # two cycles before the data
    hand.rest(2)
    middle, end = hand.seen[3]
    assert middle == end
    assert (middle >> 8, middle & 0xFF != 0xCD) == (0x12, True)


def refresh_all(hand: Hand, rounds: int, *, every: int) -> None:
    for _ in range(8 * rounds):
        hand.refresh()
        hand.rest(every - 1)


def test_a_row_is_kept_as_long_as_it_is_refreshed() -> None:
    """200 cycles between two refreshes keep it, and 210 do not."""
    for every, kept in ((200, True), (210, False)):
        hand = Hand()
        hand.model.write(2, 6, 9, 0x5555)
        refresh_all(hand, 3, every=every)
        activated(hand, 3, row=6, ba=2).read(a=9, ba=2)
        assert (hand.model.read(2, 6, 9) == 0x5555) == kept
        assert (hand.broken == []) == kept
        assert kept or set(hand.broken) == {"a row was not refreshed in time, and lost its data"}


def test_a_row_is_refreshed_by_being_read() -> None:
    hand = Hand()
    hand.model.write(0, 0, 9, 0x5555)
    for _ in range(3):
        hand.rest(1500)
        activated(hand, 8).read(a=9 | A10)
    hand.rest(3)
    assert hand.model.read(0, 0, 9) == 0x5555
    assert set(hand.broken) == {"more refreshes are late than may be postponed"}


def test_a_row_must_not_stay_open() -> None:
    hand = Hand()
    activated(hand, 10_001).precharge()
    assert "tRAS: a row was open for too long" in hand.broken


def test_faults() -> None:
    def value(faults: SdramFaults, *, later: int = 1) -> int:
        """What is read of a word with all bits 1 in row 2, column 4 of bank 1."""
        hand = Hand(late=0)
        for bank in range(4):
            for row in range(8):
                for column in range(8):
                    hand.model.write(bank, row, column, bank << 12 | row << 8 | column)
        hand.model.fail(faults)
        activated(hand, 3, row=2, ba=1).write(0xFFFF, a=4, ba=1)
        hand.rest(later)
        hand.read(a=4, ba=1)
        hand.rest(3)
        return hand.seen[-1][0]

    assert value(SdramFaults()) == 0xFFFF
    assert value(SdramFaults(data_mask=0x11, data_value=0x10)) == 0xFFFE
    assert value(SdramFaults(silent=True)) != 0xFFFF
    weak = SdramFaults(weak_bank=1, weak_row=2, weak_column=4, weak_mask=0x8000, weak_ns=100.0)
    assert value(weak, later=5) == 0xFFFF
    assert value(weak, later=20) == 0x7FFF
    # Address faults show where the word went.
    for faults, place in (
        (SdramFaults(address_mask=4), (1, 2, 0)),
        (SdramFaults(address_mask=1, address_value=1), (1, 3, 5)),
        (SdramFaults(bank_mask=2, bank_value=2), (3, 2, 4)),
    ):
        hand = Hand()
        hand.model.fail(faults)
        activated(hand, 3, row=2, ba=1).write(0xFFFF, a=4, ba=1)
        assert hand.model.read(*place) == 0xFFFF
