"""What the parts of the decoder tell each other, and what comes out of it."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data

from presparse.contract.build import Build
from presparse.contract.sample_words import WORD_BITS, SampleFormat
from presparse_hw.core.ports import SampleLayout


def format_of(build: Build) -> SampleFormat:
    """How a build's sample words are packed. Raises ValueError if it has none."""
    if build.sample_format is None:
        raise ValueError("this build takes no compressed samples; give it sample_bits")
    return build.sample_format


class FedLayout(data.StructLayout):
    """A transfer for the core, and whether it is its sample's last."""

    def __init__(self, build: Build) -> None:
        super().__init__({"sample": SampleLayout(build), "final": 1})


class WordLayout(data.StructLayout):
    """A word of a sample; `kind` and `rate` (as in `SampleLayout`) mean something with a sample's first word alone."""

    def __init__(self) -> None:
        super().__init__({"word": unsigned(WORD_BITS), "kind": unsigned(2), "rate": unsigned(4)})


class HeadLayout(data.StructLayout):
    """What is said once per sample."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__({"kind": unsigned(2), "rate": unsigned(4), "label": unsigned(fmt.label_bits)})


class MaskLayout(data.StructLayout):
    """A mask, and whose it is."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__({"mask": unsigned(fmt.mask_blocks), "head": HeadLayout(fmt)})


class PlaceLayout(data.StructLayout):
    """Which transfer of its sample one is. `padding`: it holds no feature. `tail`: it is the last that does."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__(
            {"transfer": range(fmt.transfers), "padding": 1, "tail": 1, "final": 1, "head": HeadLayout(fmt)}
        )


class CodesLayout(data.StructLayout):
    """A transfer of codes; those of padding mean nothing."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__({"codes": data.ArrayLayout(unsigned(fmt.bits), fmt.port), "place": PlaceLayout(fmt)})


class ColorLayout(data.StructLayout):
    """One value of the palettes. `transfer` and `column` are 0 if palettes are shared. In a column behind the port's,
    nothing is written, and 0 is found."""

    def __init__(self, fmt: SampleFormat) -> None:
        super().__init__({"code": unsigned(fmt.bits), "column": range(fmt.port), "transfer": range(fmt.transfers)})
