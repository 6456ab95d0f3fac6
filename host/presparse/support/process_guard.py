"""The guard of a program (`child_processes`): `python process_guard.py PROGRAM ARGUMENT ...`, which imports nothing of
Presparse.

Standard input is a pipe from the process that started the guard, and nothing is ever written to it. When it ends, that
process has closed it or is gone, however it went: then the program ends, and all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def _end_with_parent(program: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # the guard leads a group of its own, and is in it
    program.kill()  # Windows knows no groups
    os._exit(1)


if __name__ == "__main__":
    try:
        program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{sys.argv[1]} cannot be started: {error.strerror or error}", flush=True)
        os._exit(127)  # as a shell has it
    threading.Thread(target=_end_with_parent, args=(program,), daemon=True).start()
    status = program.wait()
    if status < 0:  # a signal ended it: this process ends in the same way
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)  # not sys.exit: that waits for the thread
