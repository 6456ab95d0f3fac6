"""Which command an SDRAM gets in which cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse_hw.store.memory_ports import MemoryCommandLayout
from presparse_hw.store.sdram.chip import Sdram
from presparse_hw.store.sdram.ports import AskedLayout, LengthLayout, SdramPadSignature

START_REFRESHES = 8
"""Before the mode register is set: some chips need two, some eight."""
SEGMENT_WORDS = 128
"""16-bit words in a row: a sample that is longer goes on in another bank, and so does the next one in such a slot."""
_A10 = 1 << 10
"""Of PRECHARGE: all banks; of READ and WRITE: and precharge then."""


class SegmentLayout(data.StructLayout):
    """What is read or written next of one segment: `SEGMENT_WORDS` words, in the same row.

    `bank`, `upper` and `row` number the segments in the order of their words, so the next one is in another bank;
    `upper` are upper bits of the column, `offset` the others, and beyond the segment once that is through. `goes_on`:
    it is the rest of the sample before it.
    """

    def __init__(self, sdram: Sdram) -> None:
        chip = sdram.chip
        offset = (16 * SEGMENT_WORDS // chip.width - 1).bit_length()
        super().__init__(
            {
                "offset": offset + 1,
                "bank": chip.bank_bits,
                "upper": chip.columns - offset,
                "row": chip.rows,
                "write": 1,
                "by_host": 1,
                "goes_on": 1,
            }
        )


class Since:
    """Cycles since an event, in unary: asking whether it was long enough ago takes no gate.

    `most`: the longest time that is asked for. Before its first time, an event was long ago.
    """

    def __init__(self, m: Module, event: Value, most: int, *, name: str) -> None:
        self._passed = Signal(max(1, most - 1), init=-1, name=name)
        m.d.sync += self._passed.eq(Mux(event, 0, Cat(Const(1, 1), self._passed)))

    def reached(self, cycles: int) -> Value:
        """The event was at least so many cycles (1 or more) ago."""
        return Const(1, 1) if cycles == 1 else self._passed[cycles - 2]


class SdramController(wiring.Component):
    """Starts the chip, refreshes it, and turns samples and the host's words into commands for it.

        commands ──┐                       ┌──> READ or WRITE, one per column; the last one closes the row
                   ├──> following ──> current
        reads ─────┘        └──> ACTIVATE

    While the current segment is read, the row of the following one is opened, so that one ends where the other begins;
    only a row in the same bank has to wait. A sample is read until the length in its first word, which comes back when
    more were asked for already, and goes on in the next row. A refresh closes all rows, wherever their segments are,
    and opens the current one again.

    A sample takes one cycle per column, one per segment for its ACTIVATE, and its share of refreshes (about 1.8 % of
    all cycles). With nothing before it, its first READ is at the pads rcd + 4 cycles after its address was taken.

    Parameters
    ----------
    sdram : Sdram
    most_words : 16-bit words of the longest sample

    Members
    -------
    commands : In(stream)   the host's words; one is taken after its last column is written or asked for
    reads : In(stream)      addresses of samples
    pads : Out              all but `dq_i`
    asked : Out             the column that is asked for; its READ is at the pads in the next cycle
    room : In(1)            there is room for one more column of a sample
    length : In             of the sample that is read; after its first column was asked for
    quiet : In(1)           nothing that was asked for is still to come
    written : Out(1)        the host's word was written, for one cycle
    done : In(1)            the host takes its answer: only then the next one begins
    """

    commands: stream.Interface
    reads: stream.Interface
    pads: wiring.PureInterface
    asked: data.View
    room: Signal
    length: data.View
    quiet: Signal
    written: Signal
    done: Signal

    def __init__(self, sdram: Sdram, most_words: int) -> None:
        self._sdram = sdram
        self._columns = most_columns(sdram, most_words)
        super().__init__(
            {
                "commands": In(stream.Signature(MemoryCommandLayout(sdram.chip.words))),
                "reads": In(stream.Signature(range(sdram.chip.words))),
                "pads": Out(SdramPadSignature(sdram.chip)),
                "asked": Out(AskedLayout()),
                "room": In(1),
                "length": In(LengthLayout(self._columns)),
                "quiet": In(1),
                "written": Out(1),
                "done": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        t = self._sdram.cycles
        current = Signal(SegmentLayout(self._sdram))
        busy = Signal()  # there is a current one
        following = Signal(SegmentLayout(self._sdram))
        waits = Signal()  # there is a following one
        opened = Signal()  # and its row is open
        due = self._refresh_timer(m)

        # What is issued in this cycle, and long ago enough.
        opens = Signal()
        closes = Signal()
        access = Signal()
        open_for = Since(m, opens, max(t.ras, t.rrd), name="open_for")
        closed_for = Since(m, closes, t.close, name="closed_for")
        unread_for = Since(m, self.asked.valid, t.cas - 1, name="unread_for")

        known = Signal(init=1)  # the sample's length is
        left = Signal(signed(max(len(self.length.columns), 6) + 1))  # of its columns, 2 less: below 0 at the last one
        through = Signal()  # the next column is the segment's last one
        last = Signal()  # of the sample, or of the segment
        m.d.comb += last.eq(through | (known & left[-1]))
        self._choose(m, following, waits, current=current, busy=busy, left=left, known=known)
        take = Signal()  # the following segment becomes the current one, in the cycle of its last column at best
        m.d.comb += take.eq(waits & opened & open_for.reached(t.rcd) & (~busy | (access & last)))
        fresh = Signal()  # nothing of the sample was read yet

        same_bank = busy & (current.bank == following.bank)
        # Both are decided a cycle before: nothing that can happen in between makes them wrong.
        may_open = Signal()
        may_close = Signal()
        m.d.sync += [
            may_open.eq(
                waits & ~opened & ~due & ~same_bank & closed_for.reached(t.close) & open_for.reached(t.rrd) & ~opens
            ),
            may_close.eq(
                due
                & ~(busy & current.write)
                & open_for.reached(t.ras)
                & closed_for.reached(t.close)
                & unread_for.reached(t.cas - 1)
                & ~opens
            ),
        ]
        may_access = (
            busy & (current.write | (self.room & ~due)) & (known | ~through) & (open_for.reached(t.ras) | ~last)
        )

        pads = self.pads
        word = self.commands.payload.data
        wait = Signal(signed(t.rfc.bit_length() + 1))
        over = wait[-1]
        m.d.sync += [pads.cke.eq(1), pads.cs.eq(1), Cat(pads.ras, pads.cas, pads.we).eq(0), pads.dq_oe.eq(0)]
        m.d.sync += pads.dq_o.eq(Mux(current.offset[0], word[-self._sdram.chip.width :], word))
        with m.If(~over):
            m.d.sync += wait.eq(wait - 1)

        def command(*asserted: Signal) -> None:
            """Assert these pads for one cycle."""
            m.d.sync += [pad.eq(1) for pad in asserted]

        def rest(cycles: int) -> None:
            """`over` is true again when so many have gone by since this one."""
            m.d.sync += wait.eq(cycles - 2)

        def activate(segment: data.View) -> None:
            command(pads.ras)
            m.d.sync += [pads.ba.eq(segment.bank), pads.a.eq(segment.row)]
            m.d.comb += opens.eq(1)

        power_up = -(-t.power_up // t.refresh)  # in refresh intervals; the first one begins with the reset
        count = Signal(range(max(power_up, START_REFRESHES)))
        with m.FSM():
            with m.State("Power-Up"), m.If(due):
                m.d.sync += [due.eq(0), count.eq(count + 1)]
                with m.If(count == power_up - 1):
                    command(pads.ras, pads.we)  # PRECHARGE
                    rest(t.rp)
                    m.d.sync += [pads.a.eq(_A10), pads.dqm.eq(0), count.eq(0)]
                    m.next = "Start-Refresh"
            with m.State("Start-Refresh"), m.If(over):
                command(pads.ras, pads.cas)  # REFRESH
                rest(t.rfc)
                m.d.sync += count.eq(count + 1)
                with m.If(count == START_REFRESHES - 1):
                    m.next = "Mode"
            with m.State("Mode"), m.If(over):
                command(pads.ras, pads.cas, pads.we)  # MODE REGISTER SET
                rest(t.mrd)
                m.d.sync += [pads.ba.eq(0), pads.a.eq(t.cas << 4)]  # burst length 1
                m.next = "Resume"
            with m.State("Run"):
                with m.If(may_close):
                    command(pads.ras, pads.we)
                    rest(t.rp)
                    m.d.sync += [pads.a.eq(_A10), opened.eq(0)]
                    m.d.comb += closes.eq(1)
                    m.next = "Refresh"
                with m.Elif(may_open):
                    activate(following)
                    m.d.sync += opened.eq(1)
                with m.Elif(may_access):
                    command(pads.cas)
                    m.d.sync += [
                        pads.we.eq(current.write),
                        pads.dq_oe.eq(current.write),
                        pads.ba.eq(current.bank),
                        pads.a.eq(Cat(current.offset[:-1], current.upper) | Mux(last, _A10, 0)),
                    ]
                    m.d.comb += [access.eq(1), closes.eq(last)]
            with m.State("Refresh"), m.If(over):
                command(pads.ras, pads.cas)
                rest(t.rfc)
                m.d.sync += due.eq(0)
                m.next = "Resume"
            with m.State("Resume"), m.If(over):
                m.next = "Run"
                with m.If(busy):
                    activate(current)
                    rest(t.rcd)
                    m.next = "Reopen"
            with m.State("Reopen"), m.If(over):
                m.next = "Run"

        m.d.comb += [
            self.asked.valid.eq(access & ~current.write),
            self.asked.first.eq(fresh),
            self.asked.by_host.eq(current.by_host),
        ]
        # A cycle late: until it has its answer, the host's word is not followed by another.
        m.d.sync += [
            self.written.eq(access & current.write & last),
            self.commands.ready.eq(access & current.by_host & last),
        ]
        # `left` is one addition, whether the length comes, a column is asked for, or both.
        length = self.length
        m.d.sync += left.eq(left + Mux(length.valid, Mux(access, length.others, length.columns), Mux(access, -1, 0)))
        with m.If(length.valid):
            m.d.sync += known.eq(1)
        with m.If(access):
            m.d.sync += [current.offset.eq(current.offset + 1), fresh.eq(0), busy.eq(~last)]
            m.d.sync += through.eq(current.offset[1:-1].all() & ~current.offset[0])
        with m.If(take):
            m.d.sync += [current.eq(following), busy.eq(1), waits.eq(0), opened.eq(0)]
            m.d.sync += through.eq(following.offset[:-1].all())
            with m.If(~following.goes_on):
                m.d.sync += [fresh.eq(1), known.eq(following.by_host)]
                m.d.sync += left.eq(Mux(following.by_host, 32 // self._sdram.chip.width - 2, -2))
        return m

    def _refresh_timer(self, m: Module) -> Signal:
        """A refresh is due, once per interval; cleared by whoever does it."""
        due = Signal()
        interval = self._sdram.cycles.refresh
        timer = Signal(signed(interval.bit_length() + 1), init=interval - 2, name="refresh_timer")
        m.d.sync += timer.eq(Mux(timer[-1], interval - 2, timer - 1))
        with m.If(timer[-1]):
            m.d.sync += due.eq(1)
        return due

    def _choose(
        self,
        m: Module,
        following: data.View,
        waits: Signal,
        *,
        current: data.View,
        busy: Signal,
        left: Signal,
        known: Signal,
    ) -> None:
        """Fill `following` when it is empty and what comes before it has a known end."""
        chip = self._sdram.chip
        crosses = Signal()  # the current sample goes on in the next segment
        ends = Signal(init=1)  # or it ends in this one
        # While columns are read, this sum stays what it is.
        beyond = (current.offset + left + 1) >> len(current.offset) - 1
        m.d.sync += [crosses.eq(known & ~waits & (beyond != 0)), ends.eq(known & ~waits & (beyond == 0))]
        number, next_number = (Cat(segment.bank, segment.upper, segment.row) for segment in (current, following))

        def begin(address: Value) -> None:
            """Something new, at the 16-bit word of this number."""
            column = address[chip.width // 32 :]
            m.d.sync += [
                following.offset.eq(column[: len(following.offset) - 1]),
                next_number.eq(column[len(following.offset) - 1 :]),
                following.goes_on.eq(0),
                waits.eq(1),
            ]

        hosts = Signal()  # a command of the host's is under way, or its answer
        idle = ~waits & ends & ~hosts
        m.d.comb += self.reads.ready.eq(idle)
        with m.If(~waits):
            m.d.sync += [following.write.eq(0), following.by_host.eq(0)]
        with m.If(~waits & crosses):
            m.d.sync += [next_number.eq(number + 1), following.offset.eq(0), following.goes_on.eq(1), waits.eq(1)]
        with m.Elif(idle & self.reads.valid):
            begin(self.reads.payload)
        with m.Elif(idle & self.commands.valid & ~busy & self.quiet):
            begin(Cat(Const(0, 1), self.commands.payload.address))
            m.d.sync += [following.write.eq(self.commands.payload.write), following.by_host.eq(1), hosts.eq(1)]
        with m.If(self.done):
            m.d.sync += hosts.eq(0)


def most_columns(sdram: Sdram, words: int) -> int:
    """Columns that a sample of that many 16-bit words takes."""
    return -(-16 * words // sdram.chip.width)
