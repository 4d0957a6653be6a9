"""Precision, recall and F1, against scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from fmnist import metrics as fmnist_metrics
from fmnist.compare.class_scores import class_scores


def test_class_scores_are_scikit_learns():
    rng = np.random.default_rng(3)
    labels = rng.integers(10, size=2_000)
    predictions = np.where(rng.random(2_000) < 0.7, labels, rng.integers(10, size=2_000))
    predictions[predictions == 6] = 0
    scores = class_scores(fmnist_metrics.confusion_matrix(labels, predictions))
    oracle = metrics.precision_recall_fscore_support(labels, predictions, labels=range(10), zero_division=np.nan)
    for column, expected in zip(("precision", "recall", "f1", "images"), oracle, strict=True):
        assert scores[column].tolist() == pytest.approx(np.asarray(expected).tolist(), nan_ok=True)
    assert math.isnan(scores.loc[6, "precision"]) and scores.loc[6, "f1"] == 0 and scores.loc[6, "predicted"] == 0


def test_a_class_always_wrongly_predicted_has_a_precision_of_0():
    matrix = np.zeros((10, 10), int)
    matrix[0, 1] = 5
    scores = class_scores(matrix)
    assert scores.loc[1, "precision"] == 0 and math.isnan(scores.loc[1, "recall"])
    assert math.isnan(scores.loc[0, "precision"]) and scores.loc[0, "recall"] == 0
    assert scores.loc[2, ["precision", "recall", "f1"]].isna().all()
