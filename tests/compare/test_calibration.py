"""Calibration and selective accuracy, against scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn.calibration import calibration_curve

from fmnist import metrics as fmnist_metrics
from fmnist.compare import calibration, sentences


@pytest.fixture(scope="module")
def said() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = rng.integers(10, size=2_000)
    logits = rng.normal(0, 2, (2_000, 10))
    logits[np.arange(2_000), labels] += 3
    return logits.astype(np.float16), labels


def test_calibration_is_scikit_learns(said):
    logits, labels = said
    table = calibration.calibration(logits, fmnist_metrics.predict(logits), labels)
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
    assert calibration.expected_calibration_error(logits, fmnist_metrics.predict(logits), labels) == pytest.approx(gap)


def test_calibration_by_hand():
    logits = np.full((4, 10), -50.0)
    logits[:, 3] = 50  # Sure of class 3, and right three times of four.
    answers = logits, np.full(4, 3), np.array([3, 3, 3, 1])
    assert calibration.expected_calibration_error(*answers) == pytest.approx(0.25)
    assert calibration.calibration(*answers)["accuracy"].iloc[-1] == 0.75
    undecided = np.zeros((10, 10)), np.zeros(10), np.arange(10)
    assert calibration.expected_calibration_error(*undecided) == pytest.approx(0)


def test_selective_accuracy_is_counted(said):
    logits, labels = said
    predicted = fmnist_metrics.predict(logits)
    curve = calibration.selective_accuracy(logits, predicted, labels)
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
    predicted = fmnist_metrics.predict(logits)
    curve = calibration.selective_accuracy(logits, predicted, labels)
    assert curve.equals(calibration.selective_accuracy(logits[order], predicted[order], labels[order]))
    alike = calibration.selective_accuracy(np.zeros((4, 10)), np.zeros(4), np.array([0, 1, 2, 3]))
    assert alike[["images", "accuracy"]].values.tolist() == [[4, 0.25]]


def off_by(gap: float) -> calibration.Calibrated:
    return calibration.Calibrated(0.85 + gap, 0.85, abs(gap))


def test_seeds_that_are_off_in_both_directions_do_not_cancel_out():
    said = sentences.say_calibration("Model 2", [off_by(0.028), off_by(0.029), off_by(-0.037)])
    assert said == (
        "Model 2 is overconfident in 2 of 3 runs and underconfident in 1 of 3 runs: 85.7% confident on average, right "
        "85.0% of the time (expected calibration error 3.1 points, mean of 3 runs). "
        "Confidence minus accuracy, run by run: +2.8, +2.9, −3.7 points."
    )
    alone = sentences.say_calibration("Model 2", [off_by(0.01)])
    assert alone.startswith("Model 2 is about as confident as it is accurate") and "run" not in alone


def test_an_ensembles_answers_are_the_mean_of_the_probabilities(said):
    logits, labels = said
    other = np.random.default_rng(4).normal(0, 2, logits.shape)
    mean = (special.softmax(logits.astype(float), axis=1) + special.softmax(other, axis=1)) / 2
    ensemble = calibration.ensemble_logits([logits, other])
    assert special.softmax(ensemble, axis=1) == pytest.approx(mean)
    found = calibration.calibrated(ensemble, mean.argmax(axis=1), labels)
    assert found.accuracy == np.mean(mean.argmax(axis=1) == labels)
    assert found.confidence == pytest.approx(mean.max(axis=1).mean())
