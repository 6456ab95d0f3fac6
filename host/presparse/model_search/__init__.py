"""The search for networks of low complexity: accurate, and fast on one board."""

from presparse.model_search.found import Entry, Found
from presparse.model_search.proposals.space import SearchSpace
from presparse.model_search.search import search

__all__ = ["Entry", "Found", "SearchSpace", "search"]
