"""What a board says about itself, asked without knowing what it was built as."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from presparse.contract.store import StoreState
from presparse.contract.wire import Identity
from presparse.device.clock import Clock
from presparse.device.links.link import Link
from presparse.device.patience import LONGEST_TEST, Patience
from presparse.device.run_watch import LONGEST_PAUSE
from presparse.device.transport import Transport
from presparse.errors import DeviceMismatch


def identified(open_link: Callable[[], Link], patience: Patience, clock: Clock = time) -> Identity:
    """Waits up to a second for the end of a store's test; the link is closed again.

    Raises LinkError if the board cannot be reached, DeviceMismatch if it is none of this Presparse.
    """
    link = open_link()
    try:
        transport = Transport(
            link,
            first_sequence=secrets.randbelow(256),
            timeout=patience.timeout,
            retries=patience.retries,
            clock=clock,
        )
        waited = 0.0
        with transport.within(patience.opening):
            while (found := _identity(transport)).store == StoreState.TESTING and waited < LONGEST_TEST:
                clock.sleep(LONGEST_PAUSE)
                waited += LONGEST_PAUSE
        return found
    finally:
        link.close()


def _identity(transport: Transport) -> Identity:
    try:
        return Identity.unpack(transport.start())
    except ValueError as error:
        raise DeviceMismatch(str(error)) from error
