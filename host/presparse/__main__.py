"""The program `presparse`, also `python -m presparse`."""

from __future__ import annotations

import signal
import sys

from presparse.support.interrupts import end_as_by_ctrl_c
from presparse.terminal.status import Status


def main() -> None:
    """Run the command line; a request to end while it is still being imported ends it quietly, too.

    Its exit status is then 128 plus the number of the signal, as shells have it: 130 after Ctrl-C.
    """
    came = end_as_by_ctrl_c()
    try:
        from presparse.cli import main as command_line

        command_line()
    except (KeyboardInterrupt, SystemExit) as end:
        ended_by_signal = isinstance(end, KeyboardInterrupt) or end.code == Status.INTERRUPTED
        if not ended_by_signal:
            raise
        for number in came:
            signal.signal(number, signal.SIG_DFL)  # another one ends what remains to be put away, without a word
        sys.exit(128 + came[0] if came else Status.INTERRUPTED)


if __name__ == "__main__":
    main()
