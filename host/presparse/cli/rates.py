"""How `build` and `estimate` tell samples per second."""

from __future__ import annotations

from rich.text import Text

from presparse.messages.sources import Source


def told(source: Source) -> Text:
    """Samples per second from there, and what bounds them."""
    dense, sparse = source.dense, source.sparse
    place = "over the link" if source.source == "link" else f"from its {source.source}"
    rate, bound = f"{dense.samples_per_second:,.0f}", f"bound by the {dense.bound}"
    if sparse.samples_per_second != dense.samples_per_second:
        rate += f" to {sparse.samples_per_second:,.0f}"
    if sparse.bound != dense.bound:
        bound += f", and of sparse ones by the {sparse.bound}"
    words = f" of {dense.words:,} to {sparse.words:,} words" if dense.words else ""
    return Text(f"{place} {rate} samples/s{words}, {bound}")
