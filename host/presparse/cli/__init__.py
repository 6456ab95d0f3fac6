"""The command line, `presparse`: one file per command.

Every command takes `--json`: then one JSON object is the last line on stdout. Progress and messages for people
go to stderr. Exit status: 0 fine, 1 a check failed, 2 bad input or a device that cannot be used, 130 Ctrl-C.
"""

from __future__ import annotations

import logging
import sys
import warnings
from importlib.metadata import version
from typing import Annotated

import typer

from presparse.cli import (
    bench,
    boards,
    build,
    demo,
    doctor,
    estimate,
    evaluate,
    experiment,
    export,
    new,
    predict,
    program,
    prune,
    sim,
    train,
)
from presparse.errors import PresparseError
from presparse.support.interrupts import INTERRUPTED
from presparse.terminal.output import fail, say

app = typer.Typer(
    name="presparse",
    help="Train and run pre-defined sparse neural networks on small FPGAs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    new,
    estimate,
    build,
    program,
    boards,
    export,
    train,
    prune,
    predict,
    evaluate,
    experiment,
    bench,
    sim,
    doctor,
):
    app.command(command.NAME)(command.run)


class _Teller(logging.Handler):
    """Tells people of what happened behind a command, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


_TELLER = _Teller()


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version("presparse"))
        raise typer.Exit


@app.callback()
def _options(
    shown: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Tell of reconnects, repeats, compiles and the cache."),
    ] = False,
) -> None:
    logger = logging.getLogger("presparse")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    if _TELLER not in logger.handlers:
        logger.addHandler(_TELLER)


def main() -> None:
    """Run a command; what a user can mend is one line on stderr, without a traceback."""
    try:
        app()
    except PresparseError as error:
        fail(error)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            warnings.simplefilter("ignore")  # half-made things complain while they are thrown away
            say("interrupted")
        raise
    except BrokenPipeError:  # stdout was closed, as `head` does
        sys.stderr.close()
        sys.exit(1)
