"""Calibration and selective accuracy, against scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from fmnist import metrics as fmnist_metrics
from fmnist.compare import calibration


@pytest.fixture(scope="module")
def said() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = rng.integers(10, size=2_000)
    logits = rng.normal(0, 2, (2_000, 10))
    logits[np.arange(2_000), labels] += 3
    return logits.astype(np.float16), labels


def test_calibration_is_scikit_learns(said):
    logits, labels = said
    table = calibration.calibration(logits, labels)
    confidence, right = fmnist_metrics.softmax(logits).max(axis=1), fmnist_metrics.predict(logits) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=15)
    filled = table[table["images"] > 0]
    assert filled["accuracy"].tolist() == pytest.approx(accuracy.tolist())
    assert filled["confidence"].tolist() == pytest.approx(mean.tolist())
    assert table["images"].sum() == 2_000 and len(table) == 15
    gap = 0.0  # Guo's equation, image by image
    for low, high in zip(table["low"], table["high"], strict=True):
        inside = (confidence > low) & (confidence <= high)
        gap += abs(right[inside].sum() - confidence[inside].sum()) / 2_000
    assert calibration.expected_calibration_error(logits, labels) == pytest.approx(gap)


def test_calibration_by_hand():
    logits = np.full((4, 10), -50.0)
    logits[:, 3] = 50  # Sure of class 3, and right three times of four.
    assert calibration.expected_calibration_error(logits, np.array([3, 3, 3, 1])) == pytest.approx(0.25)
    assert calibration.calibration(logits, np.array([3, 3, 3, 1]))["accuracy"].iloc[-1] == 0.75
    assert calibration.expected_calibration_error(np.zeros((10, 10)), np.arange(10)) == pytest.approx(0)


def test_selective_accuracy_is_counted(said):
    logits, labels = said
    curve = calibration.selective_accuracy(logits, labels)
    confidence, right = fmnist_metrics.softmax(logits).max(axis=1), fmnist_metrics.predict(logits) == labels
    for row in curve.iloc[:: len(curve) // 20].itertuples():
        answered = confidence >= row.confidence
        assert (row.images, row.share) == (answered.sum(), answered.mean())
        assert row.accuracy == pytest.approx(right[answered].mean())
    assert curve["share"].iloc[-1] == 1 and curve["accuracy"].iloc[-1] == right.mean()
    assert curve["accuracy"].iloc[: len(curve) // 10].mean() > right.mean()


def test_selective_accuracy_does_not_depend_on_the_order_of_images(said):
    logits, labels = said
    logits = np.round(logits)  # Many ties.
    order = np.random.default_rng(0).permutation(len(labels))
    curve = calibration.selective_accuracy(logits, labels)
    assert curve.equals(calibration.selective_accuracy(logits[order], labels[order]))
    alike = calibration.selective_accuracy(np.zeros((4, 10)), np.array([0, 1, 2, 3]))
    assert alike[["images", "accuracy"]].values.tolist() == [[4, 0.25]]
