"""Patterns as an object of study: what can be said of a network from its edges alone, before any training.

A pattern is `left` (right, in_degree) as in `presparse.contract.pattern`; most measures take its `adjacency` matrix
(right, left), so that the right neurons of one pattern are also the left neurons of its transpose. Pictures are in
`presparse.report.adjacency` and `presparse.report.comparison`.
"""

from presparse.patterns.adjacency import adjacency, paths, reach
from presparse.patterns.comparison import KINDS, Comparison, Kind, compare, draw
from presparse.patterns.degrees import Degrees, degrees
from presparse.patterns.dispersion import dispersion
from presparse.patterns.measures import JunctionMeasures, NetworkMeasures, measure
from presparse.patterns.overlap import overlaps
from presparse.patterns.scatter import scatter, segments, tiles
from presparse.patterns.structured import structured
from presparse.patterns.windows import places, windows

__all__ = [
    "KINDS",
    "Comparison",
    "Degrees",
    "JunctionMeasures",
    "Kind",
    "NetworkMeasures",
    "adjacency",
    "compare",
    "degrees",
    "dispersion",
    "draw",
    "measure",
    "overlaps",
    "paths",
    "places",
    "reach",
    "scatter",
    "segments",
    "structured",
    "tiles",
    "windows",
]
