"""The command line, `presparse`: one file per command, which is imported when the command is asked for.

Every command takes `--json`: then one JSON object is the last line on stdout, and an error is one, too. Progress and
messages for people go to stderr. Exit statuses: `presparse.terminal.status`.
"""

from __future__ import annotations

import errno
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer

from presparse.errors import ArgumentError, OutputError, PresparseError, ScaleWarning, StoreWarning
from presparse.terminal.output import NARROW, fail, people, put, say
from presparse.terminal.status import Status

COMMANDS = {
    "demo": "The main job from end to end, every bit checked, and a report to look at.",
    "new": "Write a network description from sizes, a density and lanes or cycles.",
    "estimate": "Does a network fit a board, and how fast is it there: before synthesis.",
    "build": "A bitstream of a network for a board.",
    "program": "Load a bitstream into its board.",
    "boards": "List the boards that bitstreams can be built for.",
    "export": "The core of a network as Verilog, for a design of your own.",
    "train": "Train a network on data, in PyTorch or on a board.",
    "prune": "Bring a network that was trained elsewhere onto a board's lanes.",
    "predict": "The classes that a model gives to samples.",
    "evaluate": "How many samples a model gets right, and which it mistakes for which.",
    "serve": "A board or the simulation, for other computers.",
    "search": "Networks that are accurate, and fast on a board.",
    "experiment": "Questions to sparse networks, answered with confidence intervals and pictures.",
    "bench": "Training speed of the core, its links, C and PyTorch, side by side.",
    "sim": "Simulate the gateware of a network, and compare every bit with the reference.",
    "doctor": "What is installed, what is missing, and the command that mends it.",
}
"""Each is the function `run` of the module of this name, and what it is for."""

_FOR_PEOPLE = (ScaleWarning, StoreWarning)
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for options and arguments that are not there or wrong; it exports no name for it."""


class _Teller(logging.Handler):
    """Tells people of what happened behind a command, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


_TELLER = _Teller()


def main() -> None:
    """Run a command and end with its status; what a user can mend is one line, without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no µ shows another sign
    sys.exit(_status_of(sys.argv[1:]))


def _status_of(arguments: Sequence[str]) -> int:
    as_json = "--json" in arguments  # wherever it stands: an argument before it may be wrong
    try:
        with _warnings_told():
            status = _commands(arguments)(prog_name="presparse", standalone_mode=False) or Status.DONE
    except (KeyboardInterrupt, typer.Abort):
        status = Status.INTERRUPTED
    except PresparseError as error:
        fail(error, as_json=as_json)
        return Status.REFUSED
    except _UsageError as error:
        if arguments:  # without any, Typer has shown the help
            fail(_in_one_line(error), as_json=as_json)
        return Status.REFUSED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = error.filename or "stdout"
        fail(OutputError(f"{place}: no space is left there; make room, or choose another place"), as_json=as_json)
        return Status.REFUSED
    except SystemExit as end:
        if end.code != 1:
            raise
        return Status.UNREAD  # so Typer and Rich end where stdout was closed; they have put something else in its place
    if status == Status.INTERRUPTED:
        warnings.simplefilter("ignore")  # half-made things complain while they are thrown away
        say("interrupted")
        if as_json:
            put({"error": "interrupted", "mend": "run the command again"}, as_json=True, text="")
    return status


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Data on another scale and a store that fails are for people, a line once; other warnings are for programmers."""
    with warnings.catch_warnings():
        for told in _FOR_PEOPLE:
            warnings.simplefilter("once", told)
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, _FOR_PEOPLE):
                say(f"warning: {message}")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = tell
        yield


def _commands(arguments: Sequence[str]) -> typer.Typer:
    """All commands, of which one is imported: the one that is asked for, if there is one."""
    app = typer.Typer(
        name="presparse",
        help="Train and run pre-defined sparse neural networks on small FPGAs.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if people.width >= NARROW else None,  # boxes need room
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_options,
    )
    asked_for = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        run: Callable[..., None] = _not_imported
        if name == asked_for:
            run = import_module(f"presparse.cli.{name}").run
        app.command(name, short_help=purpose)(run)
    return app


def _not_imported() -> None:
    """Stands for a command of which only the name is shown."""


def _show_version(wanted: bool) -> None:
    if wanted:
        import presparse

        put({"version": presparse.__version__}, as_json=False, text=presparse.__version__)
        raise typer.Exit


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


def _in_one_line(error: Any) -> ArgumentError:
    """Typer's own words, what was given, and where it stands what would be right."""
    from pydantic import ValidationError

    from presparse.contract.description import shortened

    said = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    if isinstance(error.__cause__, ValidationError):
        given = str(error.__cause__.errors()[0]["input"])
        said += "" if given in said else f", and is {shortened(given)}"
    command = error.ctx.command_path if error.ctx else "presparse"
    return ArgumentError(f"{said}; `{command} --help` tells what there is")
