"""Speed of everything that trains the same network, measured side by side in one run (`presparse bench`)."""

from presparse.benchmark.errors import BenchmarkError
from presparse.benchmark.report import Report, measure

__all__ = ["BenchmarkError", "Report", "measure"]
