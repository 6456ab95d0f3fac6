"""One target under atheris (libFuzzer), run by `tests.verification.fuzz`.

`python -m tests.verification.fuzz.guided TARGET SECONDS FOLDER`

What is not yet known to reach new code is edited (`edits`) or left to libFuzzer's own mutations, which see what the
code compares. FOLDER gets the corpus that grows, and in `findings` the input that found something.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

_INSTRUMENTED = [
    "presparse",
    "tests.verification.fuzz.targets",
    "tomllib",
    "json",
    "zipfile",
    "gzip",
    "cobs",
    "numpy.lib",
]
_MEMORY_MB = 2048
"""Of the process, libraries included; a single input is stopped earlier (`tests.verification.fuzz.bounds`)."""
_LONGEST_INPUT = 1 << 14


def main(name: str, seconds: str, where: str) -> None:
    with atheris.instrument_imports(include=_INSTRUMENTED):  # pyright: ignore[reportAttributeAccessIssue]
        from tests.verification.fuzz import bounds
        from tests.verification.fuzz.edits import edited
        from tests.verification.fuzz.findings import FINDINGS
        from tests.verification.fuzz.targets import PLANTED, TARGETS
    [target] = [target for target in (*TARGETS, PLANTED) if target.name == name]
    folder = Path(where)
    corpus, files, findings = folder / "corpus", folder / "files", folder / "findings"
    for part in (corpus, files, findings):
        part.mkdir()
    seeds = [*target.seeds(), *(finding.data for finding in FINDINGS if finding.target == name)]
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return atheris.Mutate(data, longest)
        return edited(data, chance, seeds)[:longest]

    def try_out(data: bytes) -> None:
        target.try_out(data, files)

    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-artifact_prefix={findings}/",
            f"-max_total_time={seconds}",
            f"-max_len={_LONGEST_INPUT}",
            f"-timeout={bounds.SECONDS}",
            f"-rss_limit_mb={_MEMORY_MB}",
            "-print_final_stats=1",
        ],
        try_out,
        custom_mutator=mutate,
    )
    bounds.limit_memory()
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
