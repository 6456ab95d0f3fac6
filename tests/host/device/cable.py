"""A board that is plugged in again and again."""

from __future__ import annotations

from presparse.device.links.faulty import Faults, FaultyLink
from presparse.device.links.link import Link


class Cable:
    """Opens one link after the other to a board that stays on behind `link`.

    Parameters
    ----------
    faults : of all of them; None: bytes pass unharmed
    cuts : bytes after which each is cut (None: never); the last of them holds for all that follow
    """

    def __init__(self, link: Link, faults: Faults | None = None, *, cuts: tuple[int | None, ...] = (None,)) -> None:
        self.cuts = cuts
        self.opened: list[FaultyLink] = []
        self._link, self._faults = link, faults

    def __call__(self) -> FaultyLink:
        first, *rest = self.cuts
        self.cuts = tuple(rest) or (first,)
        self.opened.append(FaultyLink(self._link, self._faults, cut_after=first))
        return self.opened[-1]

    @property
    def last(self) -> FaultyLink:
        return self.opened[-1]
