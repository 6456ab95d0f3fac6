"""The controller of an SDRAM: every command in time, refreshes in time, and the right columns in the right order."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from amaranth.hdl import Array, Assert, Assume, Cat, Cover, Elaboratable, Module, Mux, Signal, Value
from amaranth.lib import data

from presparse_hw.lib.delays import delay
from presparse_hw.store.sdram.chip import EM638325, MT48LC16M16A2, Sdram, SdramChip
from presparse_hw.store.sdram.controller import START_REFRESHES, SdramController, SegmentLayout
from tests.verification.formal.inside import Inside
from tests.verification.formal.platform import ProofPlatform
from tests.verification.formal.proof import Proof
from tests.verification.formal.stimulus import anything
from tests.verification.formal.streams import assume_contract, transfers

MOST_WORDS = 600
UNDER_WAY = 32
"""Columns for which there is room before the first one is back."""


def small(chip: SdramChip, mhz: float, *, refresh_cycles: int) -> Sdram:
    """With two rows per bank, hardly any time for power-up, and refreshes all the time: the more is closed for them."""
    chip = replace(chip, rows=1, refresh_us=(refresh_cycles + 1.5) / mhz, power_up_us=0.1)
    return Sdram(chip=chip, clock_hz=1e6 * mhz)


class Driven:
    """A controller with inputs that are anything a reader, a host and the way back from the chip may do."""

    def __init__(self, m: Module, sdram: Sdram) -> None:
        self.dut = dut = SdramController(sdram, MOST_WORDS)
        self.inside = inside = Inside(dut, ProofPlatform())
        m.submodules.dut = inside.fragment
        length = dut.length
        anything(m, dut, but=(length.others,))
        assume_contract(m, dut)
        # A length comes after the first column was asked for, once, and is of a column or more.
        expected = Signal(name="length_expected")
        with m.If(dut.asked.valid & dut.asked.first & ~dut.asked.by_host):
            m.d.sync += expected.eq(1)
        with m.Elif(length.valid):
            m.d.sync += expected.eq(0)
        m.d.comb += [
            length.others.eq(length.columns - 1),
            Assume(~length.valid | expected),
            Assume(~length.valid | ((length.columns != 0) & (length.columns <= MOST_WORDS))),
        ]
        # The host takes an answer after its word was taken, once.
        answered = Signal(name="answered")
        with m.If(transfers(dut.commands)):
            m.d.sync += answered.eq(1)
        with m.Elif(dut.done):
            m.d.sync += answered.eq(0)
        m.d.comb += Assume(~dut.done | answered)
        layout = SegmentLayout(sdram)
        self.current, self.following = (data.View(layout, inside[name]) for name in ("current", "following"))
        self.busy, self.waits, self.opened = (inside[name] for name in ("busy", "waits", "opened"))

        # For induction: what segments and registers can be.
        current, following, busy, waits = self.current, self.following, self.busy, self.waits
        apart = ~busy | (current.bank != following.bank)
        known, left, fresh = inside["known"], inside["left"], inside["fresh"]
        host_columns = 32 // sdram.chip.width
        hosts = Cat(waits & following.by_host, busy & current.by_host, dut.commands.ready, answered)
        m.d.comb += [
            Assert(inside["hosts"] == hosts.any(), "a word of the host's is under way until its answer is taken"),
            Assert((hosts & (hosts - 1)) == 0, "and in one place"),
            Assert(~hosts[:3].any() | dut.commands.valid, "a word stays until it is taken"),
            Assert(~self.opened | (waits & self.state("Run") & apart)),
            Assert(~inside["may_open"] | (waits & ~self.opened & apart)),
            Assert(~current.write | current.by_host),
            Assert(~following.write | following.by_host),
            Assert(~(waits & following.by_host) | (~busy & ~following.goes_on)),
            Assert(~(busy & current.by_host) | (known & (left <= host_columns - 2) & (left >= -1))),
            Assert(~(waits | current.by_host) | known),
            Assert(~(inside["crosses"] | inside["ends"]) | known),
            Assert(~expected | ~known),
            Assert(~fresh | (busy & (current.by_host | (~known & ~expected)))),
            Assert(inside["wait"] < sdram.cycles.rfc),
            Assert(inside["refresh_timer"] < sdram.cycles.refresh),
        ]

    def is_open(self, bank: int) -> Value:
        """A row of this bank is open."""
        of_current = self.busy & (self.state("Run") | self.state("Reopen")) & (self.current.bank == bank)
        return of_current | (self.opened & (self.following.bank == bank))

    def state(self, name: str) -> Value:
        """The controller is in this state."""
        state = self.inside["fsm_state"]
        return state == next(number for number in count() if state.decoder(number) == f"{name}/{number}")


class CommandsInTime(Elaboratable):
    """No command comes before the chip's times allow it, and none to a row that is not as it must be:

    ACTIVATE to a closed bank, tRP after its precharge, tRC after its last ACTIVATE, tRRD after any other; READ and
    WRITE to an open row, tRCD after its ACTIVATE; PRECHARGE, of its own or with a READ or WRITE, tRAS after it, tWR
    after a WRITE, and not before a READ's data are safe; REFRESH and MODE REGISTER SET with all rows closed, tRP after
    the last precharge; nothing within tRFC of a REFRESH.
    """

    def __init__(self, sdram: Sdram) -> None:
        self._sdram = sdram

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chip, t = self._sdram.chip, self._sdram.cycles
        driven = Driven(m, self._sdram)
        pads = driven.dut.pads
        rc = t.ras + t.rp
        wr = t.close - t.rp  # from the last datum to the precharge: no maker wants more

        names = {0b100: "activate", 0b010: "read", 0b011: "write", 0b101: "precharge", 0b110: "refresh", 0b111: "mode"}
        command = {name: Signal(name=name) for name in names.values()}
        m.d.comb += [command[name].eq(Cat(pads.we, pads.cas, pads.ras) == code) for code, name in names.items()]
        a10 = pads.a[10]
        access = command["read"] | command["write"]
        some = Cat(pads.we, pads.cas, pads.ras).any()
        m.d.comb += [
            Assert(~some | pads.cke & pads.cs, "a command without CKE and CS"),
            Assert(Cat(pads.we, pads.cas, pads.ras) != 0b001, "BURST TERMINATE"),
            Assert(~command["precharge"] | a10, "all banks are precharged at once"),
            Assert(pads.dq_oe == command["write"], "data are driven with WRITE alone"),
        ]

        def left(name: str, begins: Value, cycles: int) -> Signal:
            """Cycles in which something must not be yet, after `begins`; as of the cycle before this one."""
            timer = Signal(range(cycles + 1), name=name)
            with m.If(begins):
                m.d.sync += timer.eq(cycles - 1)
            with m.Elif(timer != 0):
                m.d.sync += timer.eq(timer - 1)
            m.d.comb += Assert(timer < cycles)
            return timer

        refreshing = left("refreshing", command["refresh"], t.rfc)
        setting = left("setting", command["mode"], t.mrd)
        reading = left("reading", command["read"], t.cas - 1)
        writing = left("writing", command["write"], wr)
        other = left("other", command["activate"], t.rrd)
        m.d.comb += [
            Assert(~some | (refreshing == 0), "tRFC"),
            Assert(~some | (setting == 0), "tMRD"),
            Assert(~command["precharge"] | (reading == 0), "a precharge too soon after a READ"),
            Assert(~command["precharge"] | (writing == 0), "tWR"),
            Assert(~command["activate"] | (other == 0), "tRRD"),
        ]
        opens: list[Value] = []
        for bank in range(chip.banks):
            here = pads.ba == bank
            is_open = Signal(name=f"open{bank}")
            activates = command["activate"] & here
            closes = access & here & a10
            since = left(f"since{bank}", activates, max(t.ras, rc))  # of `rc` cycles, those still to come
            shut = left(f"shut{bank}", closes, t.close)
            shut_now = left(f"shut_now{bank}", command["precharge"] & is_open, t.rp)
            with m.If(activates):
                m.d.sync += is_open.eq(1)
            with m.Elif(closes | command["precharge"]):
                m.d.sync += is_open.eq(0)
            age = rc - since  # cycles since ACTIVATE, no more than rc
            m.d.comb += [
                Assert(~activates | ~is_open, "a row is open"),
                Assert(~activates | ((shut == 0) & (shut_now == 0)), "tRP to ACTIVATE"),
                Assert(~activates | (since == 0), "tRC"),
                Assert(~(access & here) | is_open, "the row is closed"),
                Assert(~(access & here) | (age >= t.rcd), "tRCD"),
                Assert(~(closes & command["read"]) | (age + 1 >= t.ras), "tRAS of READ"),
                Assert(~(closes & command["write"]) | (age + wr >= t.ras), "tRAS of WRITE"),
                Assert(~(command["precharge"] & is_open) | (age >= t.ras), "tRAS of PRECHARGE"),
                Assert(~(command["refresh"] | command["mode"]) | ~is_open, "a row is open at REFRESH or MODE"),
                Assert(
                    ~(command["refresh"] | command["mode"]) | ((shut == 0) & (shut_now == 0)), "tRP to REFRESH or MODE"
                ),
            ]
            opens.append((is_open | activates) & ~(closes | command["precharge"]))

        # For induction: what is open is the row of the current segment or of the following one.
        m.d.comb += [Assert(open_now == driven.is_open(bank)) for bank, open_now in enumerate(opens)]
        busy, waits, opened, current = driven.busy, driven.waits, driven.opened, driven.current
        m.d.comb += [
            Cover(command["refresh"] & busy & waits, "a refresh in the middle of a segment, while another waits"),
            Cover(command["activate"] & busy & opened, "a row is opened while another one is read"),
            Cover(command["write"] & a10, "the last column is written"),
            Cover(command["read"] & a10 & current.goes_on, "a sample in a second segment has ended"),
        ]
        return m


class RefreshesInTime(Elaboratable):
    """A refresh is issued for every one that is due, within so many cycles, whatever is read or written, and whether
    or not anybody takes what is read. That is less than the interval between two, so there is one in every interval.
    """

    def __init__(self, sdram: Sdram, within: int) -> None:
        self._sdram = sdram
        self._within = within

    def elaborate(self, platform: object) -> Module:
        m = Module()
        driven = Driven(m, self._sdram)
        pads, inside = driven.dut.pads, driven.inside
        refresh = pads.ras & pads.cas & ~pads.we
        tick, due = inside["refresh_timer"][-1], inside["due"]
        started = Signal()  # the chip has; until then due are the parts of its power-up time
        with m.If(pads.ras & pads.cas & pads.we):
            m.d.sync += started.eq(1)
        late = Signal(range(2 * self._within))
        m.d.sync += late.eq(Mux(due & started, late + 1, 0))
        before = delay(m, Cat(tick & started, due & started), 1, name="before", reset=True)
        m.d.comb += [
            Assert(inside["refresh_timer"] >= -1),
            Assert(~before[0] | due | refresh, "one is due after every interval"),
            Assert(~before[1] | due | refresh, "none is forgotten"),
            Assert(late <= self._within, "one is late"),
            Assert(
                ~started
                | driven.state("Resume")
                | driven.state("Run")
                | driven.state("Refresh")
                | driven.state("Reopen")
            ),
        ]
        m.d.comb += Cover(refresh & (late > 7), "one that had to wait for the host's word")
        return m


class RightColumns(Elaboratable):
    """The columns of a sample are asked for from its address on, in order and without a gap, and no other sample before
    there were as many as its length says; a word of the host's is read from its own columns, and written there as it
    is. What is asked for is what the READ in the next cycle reads."""

    def __init__(self, sdram: Sdram) -> None:
        self._sdram = sdram

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chip = self._sdram.chip
        wide = chip.width == 32
        driven = Driven(m, self._sdram)
        dut, pads, inside = driven.dut, driven.dut.pads, driven.inside
        busy, waits, current, following = driven.busy, driven.waits, driven.current, driven.following
        known, left, fresh = inside["known"], inside["left"], inside["fresh"]
        segment_columns = 1 << len(current.offset) - 1

        def number(segment: data.View) -> Value:
            """Of its next column, in the order of words."""
            whole = Cat(segment.bank, segment.upper, segment.row) * segment_columns + segment.offset
            return whole[: chip.columns + chip.bank_bits + chip.rows]

        # What the pads address: the row that was opened last in their bank.
        opening = pads.ras & ~pads.cas & ~pads.we
        rows = Array(Signal(chip.rows, name=f"row{bank}") for bank in range(chip.banks))
        for bank, row in enumerate(rows):
            open_row = Mux(opening & (pads.ba == bank), pads.a[: chip.rows], row)
            m.d.sync += row.eq(open_row)
            due_row = Mux(driven.opened & (following.bank == bank), following.row, current.row)
            m.d.comb += Assert(~driven.is_open(bank) | (open_row == due_row), "the row of a segment is open")
        low = len(current.offset) - 1
        addressed = Cat(pads.a[:low], pads.ba, pads.a[low : chip.columns], rows[pads.ba])
        access = pads.cas & ~pads.ras
        before = delay(m, number(current), 1, name="number")
        m.d.comb += Assert(~access | (addressed == before), "another column than that of the segment")
        m.d.comb += Assert(
            (access & ~pads.we) == delay(m, dut.asked.valid, 1, name="asked_before", reset=True), "asked for, and read"
        )

        # The host's words. A command stays until its last column.
        command = dut.commands
        of_host = busy & current.by_host
        first = command.payload.address if wide else command.payload.address * 2
        upper = 0 if wide else left[0]  # the second of two columns
        m.d.comb += [
            Assert(~of_host | (command.valid & (number(current) == first + upper)), "a host's column"),
            Assert(~of_host | (current.write == command.payload.write)),
            Assert(
                ~(waits & following.by_host)
                | (command.valid & (number(following) == first) & (following.write == command.payload.write))
            ),
        ]
        half = command.payload.data if wide else command.payload.data.word_select(upper, 16)
        m.d.comb += Assert(~(access & pads.we) | (pads.dq_o == delay(m, half, 1, name="half")), "another word")

        # Samples: the address that was taken and not begun yet, and the next column of the one that was.
        taken = Signal(number(current).shape())
        expected = Signal.like(taken)
        asked = Signal(range(MOST_WORDS + UNDER_WAY + 4))  # columns of the sample
        length = Signal(range(MOST_WORDS + 1))
        ever = Signal()  # there was a sample
        of_sample = dut.asked.valid & ~dut.asked.by_host
        begins = of_sample & dut.asked.first
        with m.If(transfers(dut.reads)):
            m.d.sync += taken.eq(dut.reads.payload >> int(wide))
        due = Mux(begins, taken, expected)
        with m.If(of_sample):
            m.d.sync += [expected.eq(due + 1), asked.eq(Mux(begins, 1, asked + 1)), ever.eq(1)]
        with m.If(dut.length.valid):
            m.d.sync += length.eq(dut.length.columns)
        m.d.comb += [
            Assume(known | (asked <= UNDER_WAY)),
            Assert(~of_sample | (number(current) == due), "a column of a sample out of order"),
            Assert(~begins | ~ever | (asked >= length), "a sample ends before its last column"),
        ]

        # For induction: where segments stand.
        beyond = Signal()  # the sample goes on in the next segment
        m.d.comb += beyond.eq(current.offset + left + 1 >= segment_columns)
        sample = ~current.by_host & known & ~fresh
        rest = (Cat(current.bank, current.upper, current.row) + 1) * segment_columns
        m.d.comb += [
            Assert(~waits | (following.offset < segment_columns)),
            Assert(~busy | ((current.offset < segment_columns) & (inside["through"] == current.offset[:-1].all()))),
            Assert(~(waits & ~following.goes_on & ~following.by_host) | (number(following) == taken)),
            Assert(~(busy & fresh & ~current.by_host) | (number(current) == taken)),
            Assert(~(busy & ~fresh & ~current.by_host) | (number(current) == expected)),
            Assert(~(waits & following.goes_on & busy) | (beyond & (number(following) == rest[: len(taken)]))),
            Assert(~(waits & following.goes_on & ~busy) | (number(following) == expected)),
            Assert(~(waits & following.goes_on) | sample),
            Assert(~(~waits & inside["crosses"]) | (beyond & sample)),
            Assert(~(~waits & inside["ends"]) | ~beyond),
            Assert(~(waits & ~following.goes_on) | ~beyond),
            Assert(~(~waits & inside["crosses"] & ~busy) | (number(current) == expected)),
            Assert(~(sample & ever) | (left == length - asked - 2)),
            Assert(current.by_host | known | fresh | (ever & (left == -2 - asked))),
            Assert(~fresh | current.by_host | (left == -2)),
            Assert(~sample | ~ever | (asked + busy <= Mux(length > UNDER_WAY + 2, length, UNDER_WAY + 2))),
            Assert(known | busy),
            Assert(ever | current.by_host | fresh | ~(busy | beyond)),
            Assert(~(waits & following.goes_on) | (beyond & (following.offset == 0))),
            Assert(current.offset + left + 2 >= Mux(known, 1, 0)),
            Assert(~current.by_host | ~beyond),
            Assert(~ever | ~(current.by_host | fresh) | (asked >= length)),
            Assert(~ever | ~sample | busy | beyond | (asked >= length)),
            Assert(~sample | busy | ~beyond | ((current.offset == segment_columns) & (number(current) == expected))),
        ]
        m.d.comb += Cover(of_sample & current.goes_on & (current.offset == 3), "columns of a second segment")
        return m


def _commands(chip: SdramChip, mhz: float, *, refresh_cycles: int, fast: bool) -> Proof:
    sdram = small(chip, mhz, refresh_cycles=refresh_cycles)
    t = sdram.cycles
    return Proof(
        name=f"sdram/commands-{mhz:g}",
        claim=f"no command comes before {chip.name} allows it, nor to a row that is not as it must be, at {mhz:g} MHz",
        spec=lambda: CommandsInTime(sdram),
        depth=t.ras + t.rp + 2,
        cover_depth=START_REFRESHES * t.rfc + refresh_cycles + 60,
        fast=fast,
    )


_REFRESHED = small(MT48LC16M16A2, 50.0, refresh_cycles=90)

PROOFS = [
    _commands(MT48LC16M16A2, 100.0, refresh_cycles=36, fast=True),
    _commands(EM638325, 110.0, refresh_cycles=40, fast=False),
    Proof(
        name="sdram/refresh",
        claim="every refresh that is due is issued within 14 cycles, whatever is read, written or not taken",
        spec=lambda: RefreshesInTime(_REFRESHED, 14),
        depth=18,
        cover_depth=200,
        fast=False,
    ),
    *(
        Proof(
            name=f"sdram/columns-{chip.width}",
            claim=f"every column is read and written where its word belongs, in order ({chip.width} bits)",
            spec=lambda chip=chip: RightColumns(small(chip, 50.0, refresh_cycles=24)),
            depth=3,
            cover_depth=110,
            fast=chip.width == 16,
        )
        for chip in (MT48LC16M16A2, EM638325)
    ),
]
