"""A board behind a link, as a `Device`: identity, samples and results, and going on after a cut."""

from __future__ import annotations

import logging
import secrets
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from presparse.contract.address_map import SAMPLE_PALETTES, Counter
from presparse.contract.build import Build
from presparse.contract.operations import MAX_PAYLOAD, Operation
from presparse.contract.sample_words import Palettes
from presparse.contract.samples import Samples
from presparse.contract.store import Contents, StoreState
from presparse.contract.wire import Identity, ResultForm, RunState, SampleKind, StoredRun
from presparse.device import memory_transfer
from presparse.device.acceptance import check_form, check_model, check_palettes, check_store
from presparse.device.clock import Clock
from presparse.device.links.link import Link
from presparse.device.memory_transfer import LOOKED_AT, Piece, Upload, pieces
from presparse.device.patience import LONGEST_TEST, RECONNECTS, RETRIES, TIMEOUT, Patience
from presparse.device.protocol import CLOSED, Parameters
from presparse.device.run_watch import FIRST_PAUSE, LONGEST_PAUSE, RunWatch
from presparse.device.transport import Transport
from presparse.device.wire_records import (
    Records,
    compressed_records,
    raw_records,
    record_bytes,
    unpack_results,
)
from presparse.errors import DeviceFault, DeviceMismatch, LinkClosed, ResultsLost, StoreError
from presparse.model import Model

_LOG = logging.getLogger(__name__)
RECONNECT_DELAY = 0.2
LONGEST_RECONNECT_DELAY = 5.0
"""Seconds before a link that closed is opened again; doubled with every attempt, up to the longest."""

_MODULUS = 1 << 32
"""The board counts accepted records modulo this."""

T = TypeVar("T")


class Session:
    """A board that `open_link` reaches.

    Every wait ends (`presparse.device.patience`): an answer has `timeout` seconds, and a request is repeated `retries`
    times. If the link closes, it is opened again, up to `reconnects` times without progress in between, and the
    board's count of accepted samples says where to go on: none is trained twice, none is left out.

    Raises ArgumentError for what is no number of seconds or repeats; LinkTimeout, LinkCorrupt or LinkClosed if the
    board cannot be reached; DeviceMismatch if it is not a board of `build`; DeviceFault if it refuses a request or has
    lost what it had. But for the first, so do all methods. After an error or Ctrl-C the session can be used again: it
    asks the board where it stands first.
    """

    def __init__(
        self,
        open_link: Callable[[], Link],
        build: Build,
        *,
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        reconnects: int = RECONNECTS,
        first_sequence: int | None = None,
        clock: Clock = time,
    ) -> None:
        self.build = build
        self.clock = clock
        self._open_link = open_link
        self._patience = Patience(timeout=timeout, retries=retries, reconnects=reconnects)

        self._certain = False
        """Nothing is unanswered, and the board is where this object says."""
        self._accepted = 0
        """Sample records (since reset) that the board has said it accepted ..."""
        self._offered: int | None = None
        """... and those that it may have accepted; None: unknown."""
        self._progress = 0
        """Samples and words of uploads that it was seen to accept in this session: the count that nothing lowers."""
        self._in_flight = False
        """Samples may be in the pipeline."""
        self._learning = False
        """Training samples may be among them."""
        self._unread = 0
        """Predicted samples that were begun to be sent, and whose results have not come."""
        self._form = ResultForm.SCORES
        """In which they come."""
        self._asked = 0
        """RESULTS requests that are unanswered."""
        self._results = bytearray()
        """Results that have come and were not returned yet."""
        self._loaded: tuple[Model, int] | None = None
        """What was loaded last, and the count of accepted samples then."""
        self._palettes: tuple[Palettes, int] | None = None
        """What compressed samples go by, likewise."""
        self._stored: tuple[Contents, int] | None = None
        """What was stored last, likewise."""
        self._store_state = StoreState.NONE
        """As the board said last."""
        self._watch: RunWatch | None = None
        """The run that is on."""

        # Each session begins with a number of its own, so that late answers to an earlier one are not taken for its.
        sequence = secrets.randbelow(256) if first_sequence is None else first_sequence
        self._transport = Transport(
            open_link(),
            first_sequence=sequence,
            timeout=self._patience.timeout,
            retries=self._patience.retries,
            clock=clock,
        )
        try:
            with self._transport.within(self._patience.opening):
                self._synchronize()
                self._stop_run()
                if self._accepted:
                    self._discard_results()
        except BaseException:
            self.close()
            raise
        self._certain = True

    def identify(self) -> Identity:
        def synchronize() -> Identity:
            with self._transport.within(self._patience.opening):
                return self._synchronize()

        return self._persist(synchronize)

    def load(self, model: Model) -> None:
        """Raises ModelError for a model of another network, PatternError for one whose pattern clashes on this
        build's lanes, and DeviceFault with the first address that reads back wrong."""
        check_model(self.build, model)
        self._loaded = None
        self._upload(Upload(memory_transfer.model_words(self.build, model)))
        self._loaded = model, self._accepted

    def read(self) -> Parameters:
        def drain_and_read() -> Parameters:
            self._drain()
            return memory_transfer.read_parameters(self._transport, self.build)

        return self._persist(drain_and_read)

    @property
    def palettes(self) -> Palettes | None:
        return None if self._palettes is None else self._palettes[0]

    def set_palettes(self, palettes: Palettes) -> None:
        """Raises BuildError for a build that takes no compressed samples, StoreError if stored samples go by other
        palettes, and DeviceFault with the first address that reads back wrong."""
        check_palettes(self.build, palettes, None if self._stored is None else self._stored[0].palettes)
        if self._palettes is None or not self._palettes[0].equals(palettes):
            self._palettes = None
            self._upload(Upload({SAMPLE_PALETTES: palettes.words}))
            self._palettes = palettes, self._accepted

    def store_state(self) -> StoreState:
        """Waits up to a second while the memory is tested."""
        waited = 0.0
        while self._store_state == StoreState.TESTING and waited < LONGEST_TEST:
            self._persist(lambda: self._transport.wait(LONGEST_PAUSE))
            waited += LONGEST_PAUSE
            self.identify()
        return self._store_state

    def store(self, contents: Contents, told: Callable[[int, int], None] = lambda done, of: None) -> None:
        """Raises StoreError if the board's memory is not ready, DeviceFault with the first address that reads back
        wrong."""
        self._check_store()
        self._stored = self._palettes = None
        self._upload(Upload(contents.words, told))
        self._stored, self._palettes = (contents, self._accepted), (contents.palettes, self._accepted)

    def begin(self, run: StoredRun) -> None:
        self._check_store()
        watch: RunWatch | None = None

        def go_on() -> None:
            nonlocal watch
            if watch is None:
                self._drain()
                watch = RunWatch(run, self._accepted, self._run_state().runs)
            self._watch = watch  # before the request: should its answer stay out, the run may be on all the same
            self._offered = watch.end
            if not watch.begun(self._run_state()):
                self._transport.request(Operation.RUN, run.pack())

        self._persist(go_on)

    def follow(self) -> RunState:
        """Raises DeviceFault if the run stands still."""

        def wait_and_ask() -> RunState:
            watch = self._watch
            if watch is None:
                return self._run_state()
            self._transport.wait(watch.pause)
            state = self._run_state()
            watch.see(state, self._transport.timeout)
            self._acknowledge(watch.accepted(state))
            if not state.running:
                self._watch = None
            return state

        return self._persist(wait_and_ask)

    def stop(self) -> RunState:
        self._check_store()

        def end_and_ask() -> RunState:
            self._end_run()
            return self._run_state()

        return self._persist(end_and_ask)

    def feed(self, samples: Samples, form: ResultForm = ResultForm.SCORES) -> NDArray[np.int64]:
        """Feed samples, compressed if the board's palettes hold their values; returns the results that have come out,
        those of earlier calls first: scores (m, N_L) or classes (m,).

        What the board accepted before an exception stays trained; `identify().accepted` counts it.
        Raises ResultsLost if a cut lost results, of this call or an earlier one, and ArgumentError if results of
        another form wait.
        """
        if not len(samples):
            return self._take_results()
        predictions = [0, *np.cumsum(samples.kinds == SampleKind.PREDICT).tolist()]
        if predictions[-1] and self._certain:  # else nobody waits for results any more
            size = self.build.result_bytes(self._form)
            check_form(self._unread + len(self._results) // size, self._form, form)
        records = self._records(samples)
        start: int | None = None

        def go_on() -> None:
            nonlocal start
            self._end_run()
            if start is None:  # not before: an uncertain session has just learned where the board stands
                start = self._accepted
                if predictions[-1]:
                    self._form = form
            self._learning |= bool((samples.kinds == SampleKind.TRAIN).any())
            self._send_records(records, predictions, start)

        self._persist(go_on)
        return self._take_results()

    def flush(self) -> NDArray[np.int64]:
        """Drain the pipeline; returns the results of all predictions that had not come out, in the form that was asked
        for.

        Raises ResultsLost if a cut lost results.
        """

        def drain_and_collect() -> None:
            self._end_run()
            self._transport.request(Operation.FLUSH)
            self._in_flight = self._learning = False
            self._collect_results()

        self._persist(drain_and_collect)
        return self._take_results()

    def counters(self) -> dict[Counter, int]:
        return self._persist(lambda: memory_transfer.read_counters(self._transport))

    def clear_counters(self) -> None:
        self._persist(lambda: self._transport.request(Operation.CLEAR_COUNTERS))

    def reset(self) -> None:
        def reset() -> None:
            # Before: should the answer be cut off, the count starts anew, and says nothing about what was loaded.
            self._offered = self._loaded = None
            self._transport.request(Operation.RESET)
            self._accepted = self._offered = 0
            if self._palettes is not None:
                self._palettes = self._palettes[0], 0
            if self._stored is not None:
                self._stored = self._stored[0], 0
            self._watch = None
            self._forget_samples()

        self._persist(reset)

    def cancel(self) -> None:
        self._transport.cancelled.set()

    def close(self) -> None:
        self.cancel()
        self._transport.link.close()

    # Where the board stands

    def _persist(self, action: Callable[[], T]) -> T:
        """Do `action`; do it again, from its beginning, on a new link if the link closes under it."""
        failures, progress = 0, self._progress
        own = self._certain
        """What is unread was predicted for a caller who still waits, not for one who got an exception."""
        while True:
            if self._transport.cancelled.is_set():
                raise LinkClosed(CLOSED)
            try:
                if failures:
                    self._transport.link.close()
                    self._pause(min(RECONNECT_DELAY * 2 ** (failures - 1), LONGEST_RECONNECT_DELAY))
                    self._transport.link = self._open_link()
                if not self._certain:
                    self._restore(reopened=failures > 0, own=own)
                    own = True
                self._certain = False
                result = action()
                self._certain = True
                return result
            except LinkClosed as cut:
                failures = 1 if self._progress > progress else failures + 1
                progress = self._progress
                if failures > self._patience.reconnects or self._transport.cancelled.is_set():
                    raise
                _LOG.info(
                    "the link closed (%s): opening it again, attempt %d of %d", cut, failures, self._patience.reconnects
                )

    def _pause(self, seconds: float) -> None:
        """Before a link is opened again. Raises LinkClosed if the device is closed meanwhile."""
        while seconds > 0:
            if self._transport.cancelled.is_set():
                raise LinkClosed(CLOSED)
            self.clock.sleep(min(seconds, LONGEST_PAUSE))
            seconds -= LONGEST_PAUSE

    def _restore(self, *, reopened: bool, own: bool) -> None:
        """After an error or a cut: learn where the board stands, and read no score that nobody waits for."""
        with self._transport.within(self._patience.opening):
            accepted = self._synchronize().accepted
            if not own:
                self._results.clear()
                self._stop_run()
        if reopened and not self._running():
            # If no sample was accepted before, a board that lost its power has the same count, and other contents.
            for words in self._held(accepted):
                memory_transfer.compare(self._transport, words)
        lost = self._unread
        if lost:
            with self._transport.within(self._patience.opening):
                self._discard_results()
        if lost and own:
            self._certain = True
            raise ResultsLost(
                f"the connection was cut while the results of {lost} predicted samples were on their way; "
                f"it is up again, and the pipeline is flushed: predict these samples again"
            )

    def _held(self, accepted: int) -> Iterator[list[Piece]]:
        """What must be in the board's memory if it has accepted so many samples; of stored ones the last."""
        if self._loaded is not None and accepted == self._loaded[1]:
            yield pieces(memory_transfer.model_words(self.build, self._loaded[0]))
        if self._palettes is not None and accepted == self._palettes[1]:
            yield pieces({SAMPLE_PALETTES: self._palettes[0].words})
        if self._stored is not None and accepted == self._stored[1]:
            yield pieces(self._stored[0].words)[-LOOKED_AT:]

    def _upload(self, upload: Upload) -> None:
        def go_on() -> None:
            self._drain()
            before = upload.furthest
            try:
                upload.go_on(self._transport)
            finally:
                self._progress += upload.furthest - before

        self._persist(go_on)

    def _synchronize(self) -> Identity:
        """IDENTIFY: end what was in flight, check whose board this is, and take over what it says."""
        try:
            identity = Identity.unpack(self._transport.start())
        except ValueError as error:
            raise DeviceMismatch(str(error)) from error
        if identity.contract_hash != self.build.hash:
            raise DeviceMismatch(
                f"the board was built as {identity.contract_hash}, and network {self.build.network.name} with lanes "
                f"{self.build.lanes} is {self.build.hash}; program the board with this build, "
                f"or open it with the build that it has"
            )
        if not identity.window or not identity.result_capacity:
            raise DeviceMismatch(f"the board announces no window or no room for results ({identity}); build it again")
        if self._offered is not None:
            news = (identity.accepted - self._accepted) % _MODULUS
            if news > (self._offered - self._accepted) % _MODULUS:
                raise DeviceFault(
                    f"the board has accepted {identity.accepted} samples since its reset, and this host sent it "
                    f"{self._offered}: it lost its power or another program used it; open it again and load a model"
                )
            self._progress += news
        self._transport.window = min(identity.window, 127)  # half the sequence numbers
        self._capacity = identity.result_capacity
        self._store_state = _store_state(identity)
        self._accepted = self._offered = identity.accepted
        if self._watch is not None:
            self._offered = self._watch.end
        self._asked = 0
        return identity

    def _forget_samples(self) -> None:
        self._in_flight = self._learning = False
        self._unread = 0
        self._results.clear()

    # Runs

    def _check_store(self) -> None:
        check_store(self.build, self.store_state())

    def _run_state(self) -> RunState:
        try:
            return RunState.unpack(self._transport.request(Operation.RUN_STATE))
        except ValueError as error:
            raise DeviceFault(f"{error}; build the board again with this Presparse") from error

    def _running(self) -> bool:
        return self.build.store is not None and self._run_state().running

    def _end_run(self) -> None:
        """Stop the run that this object began, if it is still on."""
        if self._watch is not None:
            self._stop_run()

    def _stop_run(self) -> None:
        """Stop whatever run is on, and wait until it is over."""
        if self._running():
            self._transport.request(Operation.STOP)
            pause, waited = FIRST_PAUSE, 0.0  # on the link: answers may have taken longer
            while self._running():
                if waited > self._transport.timeout:
                    raise DeviceFault("the board's run does not stop; reset the board, and load the model again")
                self._transport.wait(pause)
                waited += pause
                pause = min(2 * pause, LONGEST_PAUSE)
        if self._watch is not None:
            self._accepted = self._offered = self._watch.accepted(self._run_state())
            self._watch = None
        elif self.build.store is not None and self._run_state().runs:
            # Another session's run may have fed samples, and ended, after this one last asked for their count.
            self._offered = None
            self._synchronize()

    # Samples and results

    def _records(self, samples: Samples) -> Records:
        """Compressed, if the board's palettes hold all values and it saves bytes."""
        raw = len(samples) * record_bytes(self.build.network)
        if self._palettes is not None:
            try:
                compressed = compressed_records(self._palettes[0], samples)
            except StoreError as error:
                _LOG.info("%d samples are sent uncompressed: %s", len(samples), error)
            else:
                if len(compressed.data) < raw:
                    return compressed
        return raw_records(self.build.network, samples)

    def _send_records(self, records: Records, predictions: list[int], start: int) -> None:
        """Send the records that the board has not accepted since it had accepted `start`.

        `predictions[n]` counts the predictions among the first n records.
        """
        data, starts = memoryview(records.data), records.starts.tolist()
        position = starts[(self._accepted - start) % _MODULUS]
        while position < len(data):
            end = min(position + MAX_PAYLOAD, len(data))
            if predictions[-1]:
                begun = predictions[bisect_left(starts, position)]
                room = self._capacity - self._unread
                if predictions[bisect_left(starts, end)] - begun > room:
                    # Stop before the first prediction for which the board would have no room.
                    end = min(end, starts[bisect_right(predictions, begun + room) - 1])
                if end <= position:
                    self._await_results()
                    continue
                self._unread += predictions[bisect_left(starts, end)] - begun
            accepted = (start + bisect_right(starts, end) - 1) % _MODULUS
            self._offered = accepted
            self._in_flight = True
            self._transport.send(Operation.SAMPLES, data[position:end], lambda _, n=accepted: self._acknowledge(n))
            position = end
            if 2 * self._unread >= self._capacity and not self._asked:
                self._ask_results()
        if self._unread and not self._asked:
            self._ask_results()
        self._transport.finish()

    def _acknowledge(self, accepted: int) -> None:
        news = (accepted - self._accepted) % _MODULUS
        if news >= _MODULUS // 2:
            raise DeviceFault(
                f"the board has accepted {accepted} samples since its reset, and had accepted {self._accepted} before; "
                f"reset the board, and load the model again"
            )
        self._progress += news
        self._accepted = accepted

    def _ask_results(self) -> None:
        self._asked += 1
        self._transport.send(Operation.RESULTS, bytes((self._form,)), self._take_answer)

    def _take_answer(self, results: bytes) -> None:
        self._asked -= 1
        size = self.build.result_bytes(self._form)
        count, rest = divmod(len(results), size)
        if rest or count > self._unread:
            raise DeviceFault(
                f"the board answers RESULTS with {len(results)} bytes, and {self._unread} results of "
                f"{size} bytes are due; reset the board, and load the model again"
            )
        self._unread -= count
        self._results += results

    def _await_results(self) -> None:
        """Wait until the board has room for another prediction."""
        unread, end = self._unread, self.clock.monotonic() + self._transport.timeout
        while self._unread == unread:
            self._ask_results()
            self._transport.finish()
            if self._unread < unread:
                break
            if self._in_flight and not self._learning:
                self._drain()  # the scores wait for later samples; while no weight changes, a flush is harmless
            elif self.clock.monotonic() > end:
                raise DeviceFault(
                    f"all {unread} results that the board has room for are in flight, so it takes no further "
                    f"prediction, and a flush would change what it learns; flush before predicting, or build it with "
                    f"result_capacity above {self.build.schedule.depth}"
                )

    def _collect_results(self) -> None:
        """Read all results that are due; the pipeline is drained."""
        while self._unread:
            unread = self._unread
            for _ in range(-(-unread // self.build.results_per_answer(self._form))):
                self._ask_results()
            self._transport.finish()
            if self._unread == unread:
                raise DeviceFault(
                    f"the board has no scores of {unread} predicted samples, although it was flushed; "
                    f"reset the board, and load the model again"
                )

    def _discard_results(self) -> None:
        """Drain the pipeline and drop all results, whoever asked for them."""
        self._transport.request(Operation.FLUSH)
        left = self._capacity
        while results := self._transport.request(Operation.RESULTS, bytes((ResultForm.CLASS,))):
            left -= -(-len(results) // self.build.result_bytes(ResultForm.CLASS))
            if left < 0:
                raise DeviceFault("the board has more results than it has room for; power-cycle it")
        self._forget_samples()

    def _drain(self) -> None:
        """The board reads and writes its memory, and begins runs, only while no sample is in flight."""
        self._end_run()
        if self._in_flight:
            self._transport.request(Operation.FLUSH)
            self._in_flight = self._learning = False

    def _take_results(self) -> NDArray[np.int64]:
        results = unpack_results(self.build.network, self._form, bytes(self._results))
        self._results.clear()
        return results


def _store_state(identity: Identity) -> StoreState:
    """Raises DeviceMismatch for a state that there is not."""
    try:
        return StoreState(identity.store)
    except ValueError as error:
        raise DeviceMismatch(
            f"the board says that its store is in state {identity.store}, which there is not; build it again"
        ) from error
