"""Morse code: frames decode to the codewords of their labels, and have the lengths, intensities and noise asked for."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray

from presparse.data import CODEWORDS, load, morse, morse_difficult
from presparse.errors import ArgumentError

WORDS = list(CODEWORDS.values())


def strokes(frame: NDArray[np.float64]) -> list[tuple[bool, int]]:
    """(inked, length) of every run of values. Without noise, ink below 3/16 is rarer than one in 10^10."""
    return [(inked, len(list(run))) for inked, run in groupby(frame > 3 / 16)]


def decoded(frame: NDArray[np.float64], longest_dot: int) -> str:
    return "".join("." if length <= longest_dot else "-" for inked, length in strokes(frame) if inked)


def test_codewords() -> None:
    assert len(WORDS) == len(set(WORDS)) == 64
    assert set("".join(WORDS)) == {".", "-"}
    assert [CODEWORDS[symbol] for symbol in "SOS"] == ["...", "---", "..."]
    # A figure n of 1 to 5 begins with n dots, one of 6 to 9 with n - 5 dashes; the rest of five is the other.
    assert [CODEWORDS[str(n)] for n in range(10)] == [
        "-" * 5, *("." * n + "-" * (5 - n) for n in range(1, 6)), *("-" * n + "." * (5 - n) for n in range(1, 5)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "longest_dot"),
    [
        ({}, 3),
        ({"leading_spaces": True}, 3),
        ({"dot": (2, 2), "dash": (3, 4), "space": (1, 1), "frame": 40}, 2),
        ({"dilation": 4, "leading_spaces": True}, 12),
    ],
)
def test_frames_decode_to_their_labels(options: dict, longest_dot: int) -> None:
    X, y = morse(20, seed=1, **options)
    assert X.shape == (1280, options.get("frame", 64) * options.get("dilation", 1))
    assert np.bincount(y).tolist() == [20] * 64
    assert [decoded(frame, longest_dot) for frame in X] == [WORDS[label] for label in y]


def test_classes_are_shuffled() -> None:
    _, y = morse(20)
    assert len(set(y[:64])) > 32


def test_lengths_are_uniform() -> None:
    """Lengths of dots, dashes and the spaces between: each value of its range equally often, and no other."""
    X, y = morse(100, seed=2)
    counts = {"dot": np.zeros(70, int), "dash": np.zeros(70, int), "space": np.zeros(70, int)}
    for frame, label in zip(X, y, strict=True):
        runs = strokes(frame)
        assert runs[0][0]  # at the left edge
        if not runs[-1][0]:
            runs.pop()  # the space after the codeword
        marks = iter(WORDS[label])
        for inked, length in runs:
            kind = "space" if not inked else {".": "dot", "-": "dash"}[next(marks)]
            counts[kind][length] += 1
    for kind, (shortest, longest) in {"dot": (1, 3), "dash": (4, 9), "space": (1, 3)}.items():
        found = counts[kind]
        assert np.flatnonzero(found).tolist() == list(range(shortest, longest + 1))
        share = found[shortest : longest + 1] / found.sum()
        assert abs(share * (longest - shortest + 1) - 1).max() < 0.05


def test_leading_spaces_take_every_place_that_is_left() -> None:
    """Of a one-dot codeword of one value, 8 places in a frame of 8; without leading spaces, the first."""
    options = {"dot": (1, 1), "dash": (1, 1), "space": (1, 1), "frame": 13}
    label = list(CODEWORDS).index("E")
    for leading, places in ((False, [0]), (True, list(range(13)))):
        X, y = morse(400, leading_spaces=leading, seed=3, **options)
        begins = (X[y == label] > 0).argmax(axis=1)
        assert sorted(set(begins)) == places
        assert np.bincount(begins).max() < 2 * 400 / len(places)


def test_intensities() -> None:
    X, _ = morse(100, seed=4)
    assert set(np.unique(X * 16)) <= set(range(17))
    ink = X[X > 0] * 16
    # Rounding adds a variance of 1/12, levels above 16 are cut.
    assert ink.mean() == pytest.approx(12, abs=0.02)
    assert ink.std() == pytest.approx(np.sqrt(1.34**2 + 1 / 12), abs=0.02)


def test_noise_is_everywhere() -> None:
    """In spaces only its upper half is seen: a mean of sigma / sqrt(2 pi), of which rounding changes little."""
    quiet, y = morse(100, seed=5)
    noisy, y_noisy = morse(100, noise=4.0, seed=5)
    assert np.array_equal(y, y_noisy)
    spaces = noisy[quiet == 0] * 16
    assert spaces.mean() == pytest.approx(4 / np.sqrt(2 * np.pi), abs=0.03)
    assert (noisy.min(), noisy.max()) == (0, 1)
    between = (quiet * 16 > 11) & (quiet * 16 < 13)  # level 12, far from both ends
    assert (noisy[between] * 16).std() == pytest.approx(3.6, abs=0.2)  # 4, less what is cut above level 16


def test_seeds() -> None:
    for draw in (morse, morse_difficult):
        (X, y), (X_again, y_again), (X_other, _) = (draw(3, seed=seed) for seed in (1, 1, 2))
        assert np.array_equal(X, X_again)
        assert np.array_equal(y, y_again)
        assert not np.array_equal(X, X_other)


@pytest.mark.slow
def test_named() -> None:
    for name, draw in (("morse", morse), ("morse-difficult", morse_difficult)):
        for found, expected in zip(load(name), draw(), strict=True):
            assert np.array_equal(found, expected)


def test_difficult() -> None:
    X, y = morse_difficult(2, seed=6)
    for found, expected in zip(
        (X, y), morse(2, noise=4.0, leading_spaces=True, dot=(1, 3), dash=(3, 9), space=(1, 3), seed=6), strict=True
    ):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples_per_class": 0}, "samples_per_class must be a whole number, at least 1, and is 0"),
        ({"samples_per_class": 10**10}, "samples_per_class must be at most 1,073,741,824, and is 10000000000"),
        ({"samples_per_class": 10**6}, "4,096,000,000 values would be drawn, and 1,073,741,824 are the most; "
         "draw fewer samples, or shorter ones"),
        ({"dilation": 0}, "dilation must be a whole number, at least 1, and is 0"),
        ({"frame": 64.5}, "frame must be a whole number, at least 1, and is 64.5"),
        ({"seed": -1}, "seed must be a whole number, 0 to 4294967295, and is -1"),
        ({"seed": 2**63}, "seed must be a whole number, 0 to 4294967295, and is 9223372036854775808"),
        ({"noise": "much"}, "noise must be a deviation in levels, 0 or more, and is 'much'"),
        ({"noise": -1}, "noise must be a deviation in levels, 0 or more, and is -1"),
        ({"noise": float("nan")}, "noise must be a deviation in levels, 0 or more, and is nan"),
        ({"dot": (0, 3)}, "dot must be a whole number, at least 1, and is 0"),
        ({"dot": (1, 2, 3)}, "dot must be the shortest and the longest length, from 1 on, and is (1, 2, 3)"),
        ({"space": (3, 2)}, "space must be the shortest and the longest length, from 1 on, and is (3, 2)"),
        ({"frame": 56},
         "every codeword must fit the frame, and '0' (-----) may need 57 of 56 values; use a longer frame, or "
         "shorter dots, dashes or spaces"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError) as error:
        morse(**options)
    assert str(error.value) == message


def test_the_longest_codewords_fill_their_frame() -> None:
    """57 values are enough for all, and needed: the last value of a frame is inked now and then."""
    X, _ = morse(100, frame=57, dash=(9, 9), space=(3, 3), dot=(3, 3))
    assert X[:, -1].any()
