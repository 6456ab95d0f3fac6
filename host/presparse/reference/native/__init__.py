"""C that is compiled when it is needed: the reference for training runs of millions of samples."""

from presparse.reference.native.compiler import CompilerError
from presparse.reference.native.native_reference import NativeReference

__all__ = ["CompilerError", "NativeReference"]
