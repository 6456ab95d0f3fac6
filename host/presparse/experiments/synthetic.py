"""Data sets that are drawn, of kinds that strangers have: counts of words, features with long tails."""

from __future__ import annotations

import numpy as np

from presparse.data import Data

WORDS, TOPICS, TEXTS, SUBJECTS = 2000, 50, 4000, 8
"""Of `word_counts`: features, what texts are mixed of, samples, classes."""


def word_counts(seed: int = 0) -> Data:
    """How often each of 2,000 words stands in 4,000 texts of 8 subjects, 97 % of all counts 0; classes are unequal.

    A topic model (latent Dirichlet allocation): a subject prefers some of 50 topics, a text mixes topics as its subject
    prefers them, and draws its words (60 or so, few to 900) of its topics. Words are as frequent as in languages: the
    n-th 1/n as often as the first.
    """
    rng = np.random.default_rng(seed)
    topics = np.exp(rng.normal(0, 1.5, (TOPICS, WORDS))) / np.arange(1, WORDS + 1)
    topics /= topics.sum(axis=1, keepdims=True)
    preferred = rng.dirichlet(np.full(TOPICS, 0.1), SUBJECTS)
    shares = 1 / np.arange(1, SUBJECTS + 1)
    y = rng.choice(SUBJECTS, TEXTS, p=shares / shares.sum())
    lengths = np.minimum(rng.lognormal(4, 0.8, TEXTS), 900).astype(int) + 5
    mixed = [rng.dirichlet(8 * preferred[subject] + 0.02) @ topics for subject in y]
    X = np.stack([rng.multinomial(length, words) for length, words in zip(lengths, mixed, strict=True)])
    return X.astype(np.float64), y


def long_tails(seed: int = 0) -> Data:
    """4,000 samples of 40 log-normal features: few are large, and these very; 5 classes by their logarithms."""
    rng = np.random.default_rng(seed)
    logarithms = rng.normal(size=(4000, 40))
    return np.exp(2 * logarithms), (logarithms @ rng.normal(size=(40, 5))).argmax(axis=1)
