"""Morse code as a data set: a line of pen strokes, and which of 64 codewords they are.

After S. Dey, K. M. Chugg and P. A. Beerel, "Morse Code Datasets for Machine Learning", ICCCNT 2018: few features with
little redundancy, made to be hard for networks of few edges, and as hard as one likes.

From the paper and its authors' own generator: a sample is a frame of 64 values; a dot is 1 to 3 values long, a dash 4
to 9, the space between them 1 to 3, each drawn uniformly; spaces before (none, or a random part of what the codeword
leaves free) and after fill the frame; values in dots and dashes are drawn from a normal distribution with mean 12 and
deviation 1.34, spaces are 0; normal noise is added to the whole frame; values are rounded to levels 0 to 16 and scaled
to 0 to 1. Their difficult set has noise of deviation 4, spaces before, and dashes from 3 values on.

Ours: which 64 codewords, and their numbers. ITU-R M.1677-1 (letters, figures, punctuation, and its signals but for
the error signal) has 54 different ones; ten more are in common use. With `dilation`, the lengths that were drawn and
the frame are multiplied. A codeword is never cut off: lengths with which some codeword could outgrow the frame are an
error (by default the longest takes 57 of 64 values).
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import NDArray

from presparse.contract.description import shortened
from presparse.data.labeled import Data
from presparse.errors import ArgumentError
from presparse.validation import checked_count, checked_seed

CODEWORDS = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.", "H": "....", "I": "..",
    "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.", "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.",
    "S": "...", "T": "-", "U": "..-", "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..", "É": "..-..",
    "0": "-----", "1": ".----", "2": "..---", "3": "...--", "4": "....-",
    "5": ".....", "6": "-....", "7": "--...", "8": "---..", "9": "----.",
    ".": ".-.-.-", ",": "--..--", ":": "---...", "?": "..--..", "'": ".----.", "-": "-....-", "/": "-..-.",
    "(": "-.--.", ")": "-.--.-", '"': ".-..-.", "=": "-...-", "+": ".-.-.", "@": ".--.-.",
    "understood": "...-.", "wait": ".-...", "end of work": "...-.-", "start": "-.-.-",
    # Not in the recommendation.
    "!": "-.-.--", ";": "-.-.-.", "_": "..--.-", "$": "...-..-",
    "À": ".--.-", "Ä": ".-.-", "CH": "----", "Ñ": "--.--", "Ö": "---.", "Ü": "..--",
}  # fmt: skip
"""Symbols in the order of their classes."""

LEVELS = 16
"""Intensities are whole numbers from 0 to this, before they are scaled to 0 .. 1."""
MEAN, DEVIATION = 12.0, 1.34
"""Intensities of dots and dashes, in levels."""

Lengths = tuple[int, int]
"""Shortest and longest."""

_MOST_VALUES = 1 << 30
"""In all samples; as float64 they take 8 GiB."""


def morse(
    samples_per_class: int = 1000,
    *,
    noise: float = 0.0,
    leading_spaces: bool = False,
    dot: Lengths = (1, 3),
    dash: Lengths = (4, 9),
    space: Lengths = (1, 3),
    frame: int = 64,
    dilation: int = 1,
    seed: int = 0,
) -> Data:
    """X (64 samples_per_class, frame * dilation) from 0 to 1 in steps of 1/16, and y (64 samples_per_class,), shuffled.

    Parameters
    ----------
    noise : deviation of the noise in levels, of which 16 are the whole range
    leading_spaces : the codeword begins anywhere it fits, not always at the left edge
    dot, dash, space : lengths in values, drawn uniformly
    frame : values per sample
    dilation : all lengths are multiplied by it

    Raises ArgumentError; also if some codeword with its longest dots, dashes and spaces would not fit the frame.
    """
    _check(samples_per_class, noise, dot, dash, space, frame, dilation)
    rng = np.random.default_rng(checked_seed(seed, "seed"))
    y = rng.permutation(np.repeat(np.arange(len(CODEWORDS)), samples_per_class))
    begin, end = _strokes(y, dot, dash, space, rng)  # (k, strokes), in values of an undilated frame
    if leading_spaces:
        shift = rng.integers(frame - end[:, -1:] + 1)
        begin, end = begin + shift, end + shift
    inked = _inked(begin * dilation, end * dilation, frame * dilation)

    levels = np.where(inked, rng.normal(MEAN, DEVIATION, inked.shape), 0.0)
    levels += noise * rng.standard_normal(inked.shape)
    return np.clip(np.rint(levels), 0, LEVELS) / LEVELS, y


def morse_difficult(samples_per_class: int = 1000, *, seed: int = 0) -> Data:
    """The difficult set of the description: `morse` with noise, spaces before, and dashes like dots."""
    return morse(samples_per_class, noise=4.0, leading_spaces=True, dash=(3, 9), seed=seed)


def _strokes(
    y: NDArray[np.int64], dot: Lengths, dash: Lengths, space: Lengths, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First value of every dot and dash, and the value after its last; (k, most strokes of a codeword) each.

    The codeword is at the left edge; strokes that it does not have are empty, at its end.
    """
    most = max(map(len, CODEWORDS.values()))
    shortest = np.zeros((len(CODEWORDS), 2 * most), dtype=np.int64)  # space before, stroke, space before, stroke, ...
    longest = np.zeros_like(shortest)
    for number, codeword in enumerate(CODEWORDS.values()):
        for place, stroke in enumerate(codeword):
            if place:
                shortest[number, 2 * place], longest[number, 2 * place] = space
            shortest[number, 2 * place + 1], longest[number, 2 * place + 1] = dot if stroke == "." else dash
    borders = rng.integers(shortest[y], longest[y] + 1).cumsum(axis=1)
    return borders[:, 0::2], borders[:, 1::2]


def _inked(begin: NDArray[np.int64], end: NDArray[np.int64], frame: int) -> NDArray[np.bool_]:
    """(k, frame): which values lie in a stroke."""
    steps = np.zeros((len(begin), frame + 1), dtype=np.int64)
    sample = np.arange(len(begin))[:, None]
    np.add.at(steps, (sample, begin), 1)
    np.add.at(steps, (sample, end), -1)
    return steps.cumsum(axis=1)[:, :frame] > 0


def _check(
    samples_per_class: int, noise: float, dot: Lengths, dash: Lengths, space: Lengths, frame: int, dilation: int
) -> None:
    values = checked_count("samples_per_class", samples_per_class, _MOST_VALUES) * len(CODEWORDS)
    values *= checked_count("dilation", dilation, _MOST_VALUES) * checked_count("frame", frame, _MOST_VALUES)
    if values > _MOST_VALUES:
        raise ArgumentError(
            f"{values:,} values would be drawn, and {_MOST_VALUES:,} are the most; draw fewer samples, or shorter ones"
        )
    if isinstance(noise, bool) or not isinstance(noise, Real) or not 0 <= noise < np.inf:
        raise ArgumentError(f"noise must be a deviation in levels, 0 or more, and is {shortened(noise)}")
    for name, lengths in (("dot", dot), ("dash", dash), ("space", space)):
        if len(lengths) != 2 or not 1 <= checked_count(name, lengths[0]) <= checked_count(name, lengths[1]):
            raise ArgumentError(f"{name} must be the shortest and the longest length, from 1 on, and is {lengths}")

    def needed(symbol: str) -> int:
        dots, dashes = CODEWORDS[symbol].count("."), CODEWORDS[symbol].count("-")
        return dots * dot[1] + dashes * dash[1] + (dots + dashes - 1) * space[1]

    longest = max(CODEWORDS, key=needed)
    if needed(longest) > frame:
        raise ArgumentError(
            f"every codeword must fit the frame, and {longest!r} ({CODEWORDS[longest]}) may need {needed(longest)} of "
            f"{frame} values; use a longer frame, or shorter dots, dashes or spaces"
        )
