"""From a C file that ships with Presparse to functions in this process."""

from __future__ import annotations

import ctypes
import logging
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from presparse.errors import PresparseError
from presparse.support.child_processes import ChildProcesses
from presparse.support.scratch import scratch_folder

COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-std=gnu11", "-O3", "-fno-vect-cost-model", "-fopenmp-simd", "-fPIC", "-shared")
"""`-fopenmp-simd` lets loops say themselves that their order is free; it adds no threads. Going by its own estimate of
costs, gcc would transpose in narrower vectors, and slower."""
_ON_X86 = ("-mprefer-vector-width=512",)
"""Compilers prefer half of AVX-512's width otherwise."""

_LOG = logging.getLogger(__name__)


class CompilerError(PresparseError, RuntimeError):
    """There is no C compiler, or it refused the program."""


def find_compiler() -> str:
    """Path of a C compiler. Raises CompilerError."""
    for name in COMPILERS:
        if found := shutil.which(name):
            return found
    raise CompilerError(
        f"no C compiler ({', '.join(COMPILERS)}) is on PATH; install one, on Debian or Ubuntu: sudo apt-get install gcc"
    )


def flags(processor: str = "native") -> tuple[str, ...]:
    """What programs are compiled with, for a processor as -march names it."""
    wide = _ON_X86 if platform.machine() in ("x86_64", "AMD64") else ()
    return (*_FLAGS, f"-march={processor}", *wide)


def compile_library(source: Path, *, defines: Sequence[str] = (), processor: str = "native") -> ctypes.CDLL:
    """Compile for this processor and load, in a second or two; nothing stays on disk.

    Another `processor` is a name that the compiler's -march takes.

    Raises CompilerError, and CacheError if there is no place for it that is this user's own.
    """
    compiler = find_compiler()
    with scratch_folder() as folder:
        return _load(_compile(compiler, source, [*flags(processor), *(f"-D{d}" for d in defines)], folder))


def _compile(compiler: str, source: Path, options: Sequence[str], folder: Path) -> Path:
    library = folder / f"{source.stem}.so"
    command = [compiler, *options, str(source), "-lm", "-o", str(library)]
    _LOG.info("compiling %s with %s", source.name, compiler)
    with ChildProcesses() as children:
        status, said = children.listen(command)
    if status:
        words = "\n".join(said.strip().splitlines()[:10])
        raise CompilerError(f"{compiler} refuses {source.name} (status {status}): {words}")
    return library


def _load(library: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise CompilerError(f"{library.name}, which was just compiled, cannot be loaded: {error}") from error
