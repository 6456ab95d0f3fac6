"""What a board's sample store holds, as this computer knows it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from presparse.contract.store import Contents, StoreLayout
from presparse.device.acceptance import check_store
from presparse.device.protocol import Device
from presparse.errors import BuildError, StoreError, StoreWarning
from presparse.fitting.feeding import Feeding
from presparse.model import Model

StoreProgress = Callable[[int, int], None]
"""Words done, and words in all."""


class BoardStore:
    """The store of one board. Raises BuildError for a build without one."""

    def __init__(self, device: Device, feeding: Feeding) -> None:
        self._device = device
        self._feeding = feeding
        self._contents: Contents | None = None
        self._model: Model | None = None
        """That the contents were encoded for."""
        self._warned = False

    def refusal(self) -> str:
        """Why no sample goes there; empty: they can. Warns once of a memory that fails."""
        if self._device.build.store is None:
            return "the board has no sample store"
        try:
            check_store(self._device.build, self._device.store_state())
        except StoreError as error:
            if not self._warned:
                warnings.warn(f"{error}; all else works, and samples go over the link", StoreWarning, stacklevel=6)
                self._warned = True
            return str(error)
        return ""

    @property
    def layout(self) -> StoreLayout:
        layout = self._device.build.store
        if layout is None:
            raise BuildError("this build has no sample store; build the board with store_samples")
        return layout

    @property
    def period(self) -> int:
        """Cycles that the core takes for a sample."""
        return self._device.build.schedule.period

    def put(self, contents: Contents, model: Model, progress: StoreProgress | None = None) -> None:
        """Write the contents instead of what is there, and compare."""
        self._feeding.drain()
        self._contents = None
        self._device.store(contents, progress or (lambda done, of: None))
        self._contents, self._model = contents, model

    def ensure(self, contents: Contents, model: Model) -> None:
        """The same, unless they are there already: a second fit of the same samples uploads nothing."""
        if self._contents is None or not self._contents.equals(contents):
            self.put(contents, model)
        self._model = model

    def contents(self, model: Model | None) -> Contents:
        """What was stored last. Raises StoreError if nothing was, or `model` scales features otherwise."""
        _ = self.layout
        if self._contents is None or self._model is None:
            raise StoreError("nothing is stored on this board yet; call store(X, y), or pass X and y")
        if model is not None and not model.inputs.equals(self._model.inputs):
            raise StoreError("the stored samples were encoded for a model with another scaling; call store(X, y) again")
        return self._contents
