"""C that is compiled when it is needed: the reference for training runs of millions of samples."""

from presparse.native.compiler import CompilerError
from presparse.native.reference import NativeReference

__all__ = ["CompilerError", "NativeReference"]
