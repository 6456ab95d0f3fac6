"""From a C file that ships with Presparse to functions in this process."""

from __future__ import annotations

import ctypes
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from presparse.errors import PresparseError

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O3", "-march=native", "-fopenmp-simd", "-fPIC", "-shared")
"""`-fopenmp-simd` lets loops say themselves that their order is free; it adds no threads."""


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


def compile_library(source: Path, *, defines: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile for this processor and load, in half a second; nothing stays on disk. Raises CompilerError."""
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="presparse-") as folder:
        library = Path(folder) / f"{source.stem}.so"
        command = [compiler, *FLAGS, *(f"-D{define}" for define in defines), str(source), "-lm", "-o", str(library)]
        _LOG.info("compiling %s with %s", source.name, compiler)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            said = "\n".join(result.stderr.strip().splitlines()[:10])
            raise CompilerError(f"{compiler} refuses {source.name} (status {result.returncode}): {said}")
        try:
            return ctypes.CDLL(str(library))
        except OSError as error:
            raise CompilerError(f"what {compiler} made of {source.name} cannot be loaded: {error}") from error
