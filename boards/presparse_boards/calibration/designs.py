"""The designs that calibrate the estimate: networks, lanes, modes and boards that vary everything it models.

Most take a few minutes to build, the last ones up to an hour. Some must not fit, each for another reason.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from presparse.contract.build import DEFAULT_SAMPLE_BITS, Build, Mode
from presparse.contract.description import Description
from presparse.contract.formats import Format, Formats
from presparse.contract.images import Image
from presparse.contract.network import Network, RateRange
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board
from presparse_boards.estimate.store_choice import filled

_NARROW = Formats(
    activation=Format(width=8, frac=6),
    weight=Format(width=12, frac=9),
    operand_bits=9,
    delta=Format(width=10, frac=9),
    output=Format(width=8, frac=6),
)
_WIDE = Formats(
    activation=Format(width=14, frac=12),
    weight=Format(width=18, frac=15),
    operand_bits=16,
    delta=Format(width=16, frac=15),
    output=Format(width=12, frac=10),
)

NETWORKS: dict[str, Network] = {
    **{name: Network.load(name) for name in ("digits-small", "digits", "mnist-dey", "mnist-dey-narrow", "mnist")},
    "narrow": Network(
        name="narrow", features=64, classes=10, layers=(64, 128, 16), out_degree=(16, 8), lanes=(16, 16),
        activations=("relu", "sigmoid"), formats=_NARROW,
    ),
    "wide-words": Network(
        name="wide-words", features=64, classes=10, layers=(64, 64, 16), out_degree=(16, 8), lanes=(16, 8),
        activations=("relu", "identity"), formats=_WIDE, rates=RateRange(least=3, most=5),
    ),
    "deep": Network(
        name="deep", features=60, classes=8, layers=(64, 96, 48, 8), out_degree=(12, 8, 4), lanes=(16, 16, 4),
        activations=("relu", "sigmoid", "sigmoid"),
    ),
    "one-junction": Network(
        name="one-junction", features=250, classes=10, layers=(256, 16), out_degree=(8,), lanes=(32,),
        activations=("sigmoid",),
    ),
    "nano": Network(
        name="nano", features=8, classes=4, layers=(8, 4), out_degree=(2,), lanes=(2,), activations=("sigmoid",),
    ),
    "sensor": Network(
        name="sensor", features=12, classes=4, layers=(12, 24, 4), out_degree=(8, 2), lanes=(4, 4),
        activations=("relu", "identity"),
    ),
    # Two that `presparse search` found for `digits`: they fill an FPGA of 25,000 LUTs.
    "dense-relu": Network(
        name="dense-relu", features=64, classes=10, layers=(80, 32, 16), out_degree=(8, 16), lanes=(20, 16),
        activations=("relu", "sigmoid"), image=(Image(junction=1, shape=(8, 8), window=(5, 4)),),
    ),
    "dense-sigmoid": Network(
        name="dense-sigmoid", features=64, classes=10, layers=(80, 48, 12), out_degree=(12, 6), lanes=(20, 6),
        activations=("sigmoid", "sigmoid"), image=(Image(junction=1, shape=(8, 8), window=(4, 5)),),
    ),
}  # fmt: skip


class Design(Description):
    """One build for one board."""

    network: str = Field(description="a key of `NETWORKS`")
    lanes: tuple[int, ...]
    mode: Mode
    board: str
    samples: int | Literal["dense", "compressed", "sdram"] = Field(
        description="over the link, dense or compressed; or besides in a store: the board's SDRAM, or so many in block RAM"
    )

    @property
    def name(self) -> str:
        return f"{self.network}_{'x'.join(map(str, self.lanes))}_{self.mode}_{self.board}_{self.samples}"

    @property
    def build(self) -> Build:
        return filled(Build(network=NETWORKS[self.network], lanes=self.lanes, mode=self.mode, **self._options), self.on)

    @property
    def _options(self) -> dict[str, Any]:
        if isinstance(self.samples, int):
            return {"store_samples": self.samples}
        return {
            "dense": {},
            "compressed": {"sample_bits": DEFAULT_SAMPLE_BITS},
            "sdram": {"store_memory": "sdram", "store_samples": 1},
        }[self.samples]

    @property
    def on(self) -> Board:
        return find_board(self.board)


def _design(text: str) -> Design:
    network, lanes, mode, board, samples = text.split()
    return Design.model_validate(
        {
            "network": network,
            "lanes": [int(one) for one in lanes.split(",")],
            "mode": mode,
            "board": board,
            "samples": int(samples) if samples.isdecimal() else samples,
        }
    )


DESIGNS: tuple[Design, ...] = tuple(
    map(
        _design,
        (
            "nano             1        infer  icebreaker         dense",
            "nano             1        infer  ulx3s-12f          sdram",
            "digits-small     1,1      infer  icebreaker         dense",
            "digits-small     8,8      infer  colorlight-i5      compressed",
            "sensor           4,4      train  ecpix5-85f         300",
            "narrow           4,4      infer  icebreaker         dense",
            "digits-small     1,1      train  ulx3s-12f          sdram",
            "mnist            16,4     infer  ecpix5-85f         compressed",
            "one-junction     4        infer  ulx3s-12f          dense",
            "digits           1,1      infer  ulx3s-25f          sdram",
            "mnist            4,4      infer  ecpix5-45f         dense",
            "sensor           2,2      train  colorlight-i5      sdram",
            "one-junction     2        train  colorlight-5a-75b  sdram",
            "narrow           2,1      infer  ulx3s-45f          compressed",
            "mnist-dey        2,1      infer  ulx3s-85f          dense",
            "digits           4,4      infer  ulx3s-25f          30000",
            "wide-words       1,1      infer  ulx3s-12f          compressed",
            "mnist            8,2      train  ulx3s-12f          sdram",
            "one-junction     4        train  ecpix5-45f         300",
            "digits-small     2,2      train  icebreaker         dense",
            "digits           8,8      infer  ulx3s-25f          sdram",
            "digits-small     2,2      infer  icebreaker         dense",
            "digits           1,1      infer  icebreaker         dense",
            "mnist-dey        1,1      infer  icebreaker         dense",
            "mnist-dey-narrow 2,1      infer  icebreaker         dense",
            "deep             16,16,4  train  ulx3s-45f          sdram",
            "digits           8,8      train  ulx3s-25f          sdram",
            "digits-small     8,8      train  ecpix5-45f         compressed",
            "digits           16,16    train  ecpix5-45f         dense",
            "mnist-dey        8,2      train  colorlight-5a-75b  sdram",
            "mnist-dey        16,4     train  colorlight-i5      sdram",
            "dense-relu       10,8     train  ulx3s-25f          sdram",
            "dense-sigmoid    20,6     train  ulx3s-25f          sdram",
            "mnist-dey        64,16    train  ulx3s-85f          sdram",
            "mnist            64,16    train  ulx3s-85f          sdram",
            "mnist-dey-narrow 256,64   infer  ulx3s-85f          compressed",
            "mnist-dey-narrow 128,32   train  ulx3s-85f          compressed",
            "mnist-dey        64,16    train  ecpix5-85f         compressed",
        ),
    )
)
