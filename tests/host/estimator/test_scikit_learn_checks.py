"""scikit-learn's own checks of estimators."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import presparse as ps
from presparse.sparsity import selector

pytestmark = pytest.mark.slow

EXPECTED_TO_FAIL = {
    ps.SparseClassifier: {
        "check_class_weight_classifiers": "weighs one class ten million times as much as another; a board repeats "
        "samples, so class_weight is None or 'balanced'"
    },
}


@parametrize_with_checks(
    [ps.SparseClassifier(epochs=20), ps.sparsity.SparseFeatureSelector()],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL.get(type(estimator), {}),
)
def test_estimators(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selector, "_MORE_STEPS", 5)  # the checks are of manners, and train a hundred times
    check(estimator)
