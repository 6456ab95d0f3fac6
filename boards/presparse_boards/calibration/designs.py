"""The designs that calibrate the estimate: networks, lanes, modes and boards that vary everything it models.

Most take less than two minutes to place and route, the last ones up to an hour. Some must not fit, each for another
reason.
"""

from __future__ import annotations


from pydantic import Field

from presparse.contract.build import Build, Mode
from presparse.contract.description import Description
from presparse.contract.formats import Format, Formats
from presparse.contract.network import Network, RateRange
from presparse_boards.boards.definition import Board
from presparse_boards.boards.registry import find_board

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
}  # fmt: skip


class Design(Description):
    """One build for one board."""

    network: str = Field(description="a key of `NETWORKS`")
    lanes: tuple[int, ...]
    mode: Mode
    board: str
    store_samples: int = 0

    @property
    def name(self) -> str:
        store = f"_store{self.store_samples}" if self.store_samples else ""
        return f"{self.network}_{'x'.join(map(str, self.lanes))}_{self.mode}{store}_{self.board}"

    @property
    def build(self) -> Build:
        return Build(network=NETWORKS[self.network], lanes=self.lanes, mode=self.mode, store_samples=self.store_samples)

    @property
    def on(self) -> Board:
        return find_board(self.board)


def _design(text: str) -> Design:
    network, lanes, mode, board, *store = text.split()
    return Design(
        network=network,
        lanes=tuple(map(int, lanes.split(","))),
        mode="train" if mode == "train" else "infer",
        board=board,
        store_samples=int(store[0]) if store else 0,
    )


DESIGNS: tuple[Design, ...] = tuple(
    map(
        _design,
        (
            "nano         1      infer icebreaker",
            "nano         1      infer ulx3s-12f",
            "digits-small 1,1    infer icebreaker",
            "digits-small 8,8    infer colorlight-i5",
            "sensor       4,4    train ecpix5-85f         300",
            "narrow       4,4    infer icebreaker",
            "digits-small 1,1    train ulx3s-12f",
            "mnist        16,4   infer ecpix5-85f",
            "one-junction 4      infer ulx3s-12f",
            "digits       1,1    infer ulx3s-25f",
            "mnist        4,4    infer ecpix5-45f",
            "sensor       2,2    train colorlight-i5",
            "one-junction 2      train colorlight-5a-75b",
            "narrow       2,1    infer ulx3s-45f",
            "mnist-dey    2,1    infer ulx3s-85f",
            "digits       4,4    infer ulx3s-25f          8000",
            "wide-words   1,1    infer ulx3s-12f",
            "mnist        8,2    train ulx3s-12f",
            "one-junction 4      train ecpix5-45f         300",
            "digits-small 2,2    train icebreaker",
            "digits       8,8    infer ulx3s-25f",
            "digits-small 2,2    infer icebreaker",
            "digits       1,1    infer icebreaker",
            "mnist-dey    1,1    infer icebreaker",
            "mnist-dey-narrow 2,1 infer icebreaker",
            "digits       8,8    train ulx3s-25f",
            "digits       16,16  train ecpix5-45f",
            "mnist-dey    64,16  train ulx3s-85f",
            "mnist        64,16  train ulx3s-85f",
            "mnist-dey-narrow 128,32 train ulx3s-85f",
            "digits       32,32  train ulx3s-85f",
            "mnist-dey    64,16  train ecpix5-85f",
            "mnist-dey-narrow 128,32 train ecpix5-85f",
        ),
    )
)
