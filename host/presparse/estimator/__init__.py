"""Presparse as scikit-learn's users know it."""

from presparse.estimator.classifier import SparseClassifier

__all__ = ["SparseClassifier"]
