"""The search for networks of low complexity: accurate, and fast on one board."""

from presparse.search.found import Entry, Found
from presparse.search.search import search
from presparse.search.space import SearchSpace

__all__ = ["Entry", "Found", "SearchSpace", "search"]
