"""Training for many epochs as a board does it, on the reference in C: resumable, and checked by the simulated core.

Every epoch ends with a flush, so model and epoch number are all there is to keep. Rates, order and flushes are those
of `Accelerator.fit`: it gives the same model, bit for bit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from presparse import plugins
from presparse.contract.build import Build
from presparse.contract.permutation import epoch_seed, permutation
from presparse.contract.samples import Samples
from presparse.demo.outcome import Split
from presparse.errors import DeviceFault, MissingExtra, ModelError
from presparse.model import Model
from presparse.reference.native import NativeReference
from presparse.support import atomic_files
from presparse.support.digests import file_digest

MODEL, CURVE = "model.safetensors", "curve.json"
_NEXT = f"next-{MODEL}"
"""The model until the curve knows of it: whenever the run is cut off, one of the two is the curve's."""
_AT_ONCE = 2000


@dataclass(frozen=True, kw_only=True)
class EpochDone:
    """One epoch."""

    rate_exponent: int
    learned: float
    """Share of the training samples that were classified rightly, each before it was learned."""
    held_out: float
    """Share of the held-out samples, after the epoch."""
    saturated_weights: int
    seconds: float
    checked: bool
    """The simulated core trained the same, and every weight, bias and count is equal."""


Tell = Callable[[int, int, int, str], None]
"""Receives epoch, samples done, samples in all, and samples per second in words."""


@dataclass(frozen=True, kw_only=True)
class LongRun:
    """What is trained, and how."""

    build: Build
    start: Model
    split: Split
    rate_exponents: Sequence[int]
    """One per epoch."""
    seed: int
    """Of the order of samples."""
    folder: Path
    """Keeps model and curve after every epoch."""
    check: bool = False
    """Train the simulated core beside the reference."""

    def go(
        self,
        tell: Tell = lambda epoch, done, of, note: None,
        ended: Callable[[EpochDone], None] = lambda epoch: None,
    ) -> list[EpochDone]:
        """All epochs that the folder does not hold yet; those of the folder come first.

        Raises ModelError for a folder of another run, DeviceFault if core and reference differ, OutputError.
        """
        done, model = self._kept()
        native = NativeReference(self.build, model)
        core = _simulated_core(self.build, model) if self.check and len(done) < len(self.rate_exponents) else None
        features, held = model.encode(self.split.X).astype(np.int16), model.encode(self.split.held_X).astype(np.int16)
        engines = [native] if core is None else [native, core]
        for epoch, exponent in enumerate(self.rate_exponents, start=1):
            if epoch <= len(done):
                continue
            order = permutation(len(features), epoch_seed(self.seed, epoch))
            begin, before = time.perf_counter(), native.counters
            with ThreadPoolExecutor(len(engines)) as pool:  # both engines let other threads run
                for first in range(0, len(order), _AT_ONCE):
                    part = order[first : first + _AT_ONCE]
                    samples = Samples.train(features[part], self.split.y[part], exponent)
                    list(pool.map(lambda engine, s=samples: engine.run(s), engines))
                    fed = first + len(part)
                    tell(epoch, fed, len(order), f"{fed / (time.perf_counter() - begin):,.0f} samples/s")
            for engine in engines:
                engine.flush()
            trained = native.counters
            native.run(Samples.evaluate(held, self.split.held_y))
            native.flush()
            after = native.counters
            if core is not None:
                self._compare(core, native, epoch)
            done.append(
                EpochDone(
                    rate_exponent=exponent,
                    learned=(trained["correct"] - before["correct"]) / len(order),
                    held_out=(after["correct"] - trained["correct"]) / len(held),
                    saturated_weights=after["saturated_weight"] - before["saturated_weight"],
                    seconds=time.perf_counter() - begin,
                    checked=core is not None,
                )
            )
            self._keep(done, native.model())
            ended(done[-1])
        return done

    def _compare(self, core: Any, native: NativeReference, epoch: int) -> None:
        left, weights, biases = core.read()
        model = native.model()
        held = replace(model, left=left, weights=weights, biases=biases)
        differences = held.differences(model)
        if differences:
            raise DeviceFault(
                f"after epoch {epoch} the simulated core and the reference in C differ ({differences[0]}); "
                "one of them is wrong: compare both with presparse.reference.pytorch"
            )

    def _kept(self) -> tuple[list[EpochDone], Model]:
        """The epochs in the folder, and the model after them."""
        curve, file = self.folder / CURVE, self.folder / MODEL
        if not curve.exists():
            return [], self.start
        try:
            kept = json.loads(curve.read_text(encoding="utf-8"))
            done = [EpochDone(**epoch) for epoch in kept["epochs"]]
            same = kept["run"] == self._identity(len(done))
            wanted = kept["model"]
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{curve}: not the curve of a run ({error}); choose another folder") from error
        if not same:
            raise ModelError(f"{self.folder}: holds another run; choose another folder, or empty it")
        following = self.folder / _NEXT
        if following.exists() and file_digest(following) == wanted:
            following.replace(file)
        if not file.exists() or file_digest(file) != wanted:
            raise ModelError(f"{file}: not the model that {CURVE} tells of; choose another folder, or empty it")
        return done, Model.load(file)

    def _keep(self, done: list[EpochDone], model: Model) -> None:
        following = self.folder / _NEXT
        model.save(following)
        kept = {
            "run": self._identity(len(done)),
            "model": file_digest(following),
            "epochs": [asdict(epoch) for epoch in done],
        }
        atomic_files.write(self.folder / CURVE, json.dumps(kept, indent=1) + "\n")
        following.replace(self.folder / MODEL)

    def _identity(self, epochs: int) -> dict[str, object]:
        """What a later run must share to go on after so many epochs."""
        return {
            "build": self.build.hash,
            "samples": len(self.split.y),
            "held_out": len(self.split.held_y),
            "seed": self.seed,
            "rate_exponents": list(self.rate_exponents[:epochs]),
        }


def _simulated_core(build: Build, model: Model) -> Any:
    for make in plugins.simulated_cores().values():
        return make(build, model)
    raise MissingExtra("there is no simulated core to compare with: pip install 'presparse[sim]'")
