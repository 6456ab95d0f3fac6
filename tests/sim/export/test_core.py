"""The exported core's reset: whenever it comes, nothing of before is left, and nothing offered after it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from amaranth.sim import SimulatorContext

from presparse.contract.build import Build
from presparse.contract.samples import Samples
from presparse.contract.wire import SampleKind
from presparse.device.memory_transfer import model_words
from presparse.reference.pytorch import Reference
from presparse_sim.export.core import ExportedCore
from tests.hw.bench import simulate
from tests.networks import random_model
from tests.sim.export.network import TINY

pytestmark = pytest.mark.slow


BUILD = Build(network=TINY, feature_port=3)


def transfers(samples: Samples) -> Iterator[dict[str, int]]:
    """The ports' values of every transfer, and of a flush."""
    width = TINY.formats.activation.width
    rows = zip(samples.kinds, samples.features, samples.labels, samples.rates, strict=True)
    for kind, features, label, rate in rows:
        for part in features.reshape(-1, BUILD.feature_port).tolist():
            packed = sum((value & (1 << width) - 1) << width * i for i, value in enumerate(part))
            yield {"features": packed, "kind": int(kind), "label": int(label), "rate": int(rate)}
    yield {"features": 0, "kind": SampleKind.FLUSH, "label": 0, "rate": 0}


@pytest.mark.parametrize("cut", [1, 2, 5, 8])
def test_a_reset_in_the_middle_of_samples(cut: int) -> None:
    """Samples up to a cut, a reset of one cycle, and at once all of them again, offered while the core restarts."""
    rng = np.random.default_rng(cut)
    model = random_model(rng, TINY)
    samples = Samples.predict(rng.integers(-200, 400, size=(6, TINY.layers[0])))
    expected = Reference(BUILD, model)
    wanted = np.concatenate([expected.run(samples), expected.flush()]).reshape(-1)
    core: Any = ExportedCore(BUILD)
    width = TINY.formats.output.width
    assert BUILD.junctions[-1].group == 1  # a score at a time
    came: list[int] = []

    async def take(ctx: SimulatorContext) -> None:
        ctx.set(core.results_ready, 1)
        async for *_, valid, scores in ctx.tick().sample(core.results_valid, core.results_scores):
            if valid:
                came.append((scores ^ 1 << width - 1) - (1 << width - 1))

    async def send(ctx: SimulatorContext, part: list[dict[str, int]]) -> None:
        for transfer in part:
            for field, value in transfer.items():
                ctx.set(getattr(core, f"samples_{field}"), value)
            ctx.set(core.samples_valid, 1)
            await ctx.tick().until(core.samples_ready)
        ctx.set(core.samples_valid, 0)

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(core.answers_ready, 1)
        ctx.set(core.commands_write, 1)
        for start, words in model_words(BUILD, model).items():
            for offset, word in enumerate(words.tolist()):
                ctx.set(core.commands_address, start + offset)
                ctx.set(core.commands_data, word)
                ctx.set(core.commands_valid, 1)
                await ctx.tick().until(core.commands_ready)
                ctx.set(core.commands_valid, 0)
                bad_address, not_drained = (
                    await ctx.tick()
                    .sample(core.answers_bad_address, core.answers_not_drained)
                    .until(core.answers_valid)
                )
                assert (bad_address, not_drained) == (0, 0)
        everything = list(transfers(samples))
        await send(ctx, everything[: cut * TINY.layers[0] // BUILD.feature_port // 2])
        ctx.set(core.rst, 1)
        await ctx.tick()
        ctx.set(core.rst, 0)
        came.clear()
        await send(ctx, everything)
        await ctx.tick().until(core.drained)
        await ctx.tick().repeat(50)

    simulate(core, bench, take)
    np.testing.assert_array_equal(came, wanted)
