"""Presparse: train and run pre-defined sparse neural networks on small FPGAs.

    import presparse as ps

    with ps.open("sim", "digits") as board:
        history = board.fit(X, y, epochs=5)
        y_hat = board.predict(X)

Names are imported when they are first used, so that `import presparse` is quick and needs no optional package.
`logging.getLogger("presparse")` tells what happens behind a call: reconnects, retries, compiles, the cache.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presparse import features as features
    from presparse import prune as prune
    from presparse import sparsity as sparsity
    from presparse import train as train
    from presparse.accelerator import Accelerator as Accelerator
    from presparse.contract.build import Build as Build
    from presparse.contract.errors import PresparseError as PresparseError
    from presparse.contract.network import Network as Network
    from presparse.estimation import estimate as estimate
    from presparse.estimator import SparseClassifier as SparseClassifier
    from presparse.history import Epoch as Epoch
    from presparse.history import History as History
    from presparse.history import Progress as Progress
    from presparse.messages.estimate import Estimate as Estimate
    from presparse.model import Model as Model
    from presparse.model_search import Found as Found
    from presparse.model_search import SearchSpace as SearchSpace
    from presparse.model_search import search as search
    from presparse.opening import open as open

    __version__: str

# What happens behind a call (reconnects, retries, compiles, the cache): silent unless a program asks for it.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "Accelerator": "presparse.accelerator",
    "Build": "presparse.contract.build",
    "Epoch": "presparse.history",
    "Estimate": "presparse.messages.estimate",
    "Found": "presparse.model_search",
    "History": "presparse.history",
    "Model": "presparse.model",
    "Network": "presparse.contract.network",
    "PresparseError": "presparse.contract.errors",
    "Progress": "presparse.history",
    "SearchSpace": "presparse.model_search",
    "SparseClassifier": "presparse.estimator",
    "estimate": "presparse.estimation",
    "open": "presparse.opening",
    "search": "presparse.model_search",
}

_PARTS = ("features", "prune", "sparsity", "train")

_EXTRA = {"torch": "PyTorch", "sklearn": "scikit-learn", "scipy": "SciPy"}
"""Packages of the extra `train`, and what people call them."""

__all__ = [*_HOMES, "__version__", *_PARTS]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value = getattr(_imported(_HOMES[name], name), name)
    elif name in _PARTS:
        value = _imported(f"presparse.{name}", name)
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module 'presparse' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _imported(module: str, name: str) -> object:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        from presparse.errors import MissingExtra

        raise MissingExtra(f"presparse.{name} needs {_EXTRA[package]}: pip install 'presparse[train]'") from error


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("presparse")
    except PackageNotFoundError:  # a checkout on PYTHONPATH
        return "0+uninstalled"
