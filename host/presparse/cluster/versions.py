"""Whether another computer has the versions of this one: no result may depend on where it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from presparse.errors import ClusterError, MissingExtra

TRAINING = ("numpy", "scipy", "scikit-learn", "torch")
"""The packages that decide the bits of a training, beside Presparse itself."""

_EVERYWHERE = ("presparse", "distributed")


def versions(packages: Sequence[str] = (), trains: bool = False) -> Mapping[str, Any]:
    """Those of this process, to be compared with another's (`check_same`)."""
    from distributed.versions import get_versions

    return get_versions(compared(packages, trains))


def check_same(
    who: str,
    there: Mapping[str, Any],
    here: Mapping[str, Any],
    packages: Sequence[str] = (),
    trains: bool = False,
) -> None:
    """Compare another's `versions` with one's own. Raises ClusterError, MissingExtra."""
    python, ours = (".".join(each["host"]["python"].split(".")[:2]) for each in (there, here))
    if python != ours:
        raise ClusterError(f"{who} runs Python {python}, and this computer {ours}; start it with Python {ours}")
    machine, own = there["host"]["machine"], here["host"]["machine"]
    if trains and machine != own:
        raise ClusterError(
            f"{who} has a processor of the kind {machine}, and this computer {own}: they round sums differently; "
            f"use workers of the kind {own}"
        )
    lacks: list[str] = []
    others: list[str] = []
    mend: list[str] = []
    for package in compared(packages, trains):
        # What follows a + is how it was packaged, such as +cpu.
        version, wanted = ((each["packages"][package] or "").partition("+")[0] for each in (there, here))
        if version == wanted:
            continue
        if version:
            others.append(f"{package} {version} (here: {wanted or 'none'})")
        else:
            lacks.append(package)
        mend.append(f"{package}=={wanted}" if package != "presparse" else f"'presparse[cluster]=={wanted}'")
    if lacks or others:
        has = " and ".join([*(f"no {each}" for each in lacks), *others])
        kind = MissingExtra if lacks else ClusterError
        raise kind(f"{who} has {has}; there: pip install {' '.join(mend)}, and start it again")


def compared(packages: Sequence[str], trains: bool) -> tuple[str, ...]:
    """The packages that must be the same, all told."""
    return (*_EVERYWHERE, *packages, *(TRAINING if trains else ()))
