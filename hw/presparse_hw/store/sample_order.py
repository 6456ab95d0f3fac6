"""The order in which stored samples come: as stored, or permuted as `presparse.contract.permutation` says."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from presparse.contract.permutation import KEY_ROTATION, ROUNDS
from presparse_hw.store.ports import RunLayout


class IndexLayout(data.StructLayout):
    """A stored sample's number, and whether it is the run's last."""

    def __init__(self, samples: int) -> None:
        super().__init__({"index": range(samples), "last": 1})


class IndexSequence(wiring.Component):
    """The samples of a run in their order; out of reset it begins anew.

    One number per cycle if they come in order, the first 5 cycles after reset. Permuted, candidates come one
    per cycle, at least half of which are numbers; the first comes as many cycles later as there are rounds.

    Parameters
    ----------
    samples : that the store holds

    Members
    -------
    run : In               from reset on
    indices : Out(stream)
    """

    run: data.View
    indices: stream.Interface

    def __init__(self, samples: int) -> None:
        self._bits = max(1, (samples - 1).bit_length())
        super().__init__({"run": In(RunLayout()), "indices": Out(stream.Signature(IndexLayout(samples)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, run, output = self._bits, self.run, self.indices
        most = Signal(bits)  # count - 1
        mask = Signal(bits)  # as many ones as it has bits
        settled = Signal(2)  # `mask` is right
        m.d.sync += [
            most.eq(run.count - 1),
            mask.eq(Cat(most[i:].any() for i in range(bits))),
            settled.eq(Cat(1, settled)),
        ]
        move = ~output.valid | output.ready
        counter = Signal(bits)
        counting = Signal(init=1)
        counts = counting & settled.all()
        with m.If(move & counts):
            m.d.sync += [counter.eq(counter + 1), counting.eq(counter != mask)]

        mixed, mixed_valid = self._mix(m, counter, counts, mask, move)
        candidate = Signal(bits, reset_less=True)
        candidate_valid = Signal()
        number = Signal(bits, reset_less=True)
        good = Signal()  # the candidate is a sample's
        emitted = Signal(bits)
        with m.If(move):
            m.d.sync += [
                candidate.eq(Mux(run.permuted, mixed, counter)),
                candidate_valid.eq(Mux(run.permuted, mixed_valid, counts)),
                number.eq(candidate),
                good.eq(candidate_valid & (candidate <= most)),
                output.valid.eq(good),
                output.payload.index.eq(run.first + number),
                output.payload.last.eq(emitted == most),
                emitted.eq(emitted + good),
            ]
        return m

    def _mix(self, m: Module, counter: Signal, valid: Signal, mask: Signal, move: Signal) -> tuple[Signal, Signal]:
        """The rounds, one stage each."""
        bits, seed, x = self._bits, self.run.seed, counter
        for number, (s, a) in enumerate(ROUNDS):
            y = (x ^ (x >> s) ^ seed.rotate_right(KEY_ROTATION * number)[:bits]) & mask
            mixed, mixed_valid = Signal(bits, name=f"mixed{number}", reset_less=True), Signal(name=f"valid{number}")
            with m.If(move):
                m.d.sync += [mixed.eq((y + (y << a)) & mask), mixed_valid.eq(valid)]
            x, valid = mixed, mixed_valid
        return x, valid
