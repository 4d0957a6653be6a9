"""Accuracy, loss and confusion, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from fmnist import metrics as fmnist_metrics


@pytest.fixture(params=[0, 1, 2])
def answers(request) -> tuple[np.ndarray, np.ndarray]:
    """Logits as they are stored, half right, and the labels."""
    rng = np.random.default_rng(request.param)
    labels = rng.integers(10, size=3_000)
    logits = rng.normal(0, 4, (3_000, 10))
    logits[np.arange(1_500), labels[:1_500]] += 8
    return logits.astype(np.float16), labels


# Single figures


def test_accuracy_is_scikit_learns(answers):
    logits, labels = answers
    predictions = fmnist_metrics.predict(logits)
    assert fmnist_metrics.accuracy(predictions, labels) == metrics.accuracy_score(labels, predictions)
    assert 0.3 < fmnist_metrics.accuracy(predictions, labels) < 0.9


def test_confusion_matrix_is_scikit_learns(answers):
    logits, labels = answers
    predictions = fmnist_metrics.predict(logits)
    matrix = fmnist_metrics.confusion_matrix(labels, predictions)
    assert np.array_equal(matrix, metrics.confusion_matrix(labels, predictions, labels=range(10)))
    assert matrix.sum() == len(labels)


def test_the_diagonal_of_the_row_shares_is_scikit_learns_recall(answers):
    logits, labels = answers
    predictions = fmnist_metrics.predict(logits)
    recall = metrics.recall_score(labels, predictions, average=None, labels=range(10))
    assert np.array_equal(
        np.diagonal(fmnist_metrics.row_shares(fmnist_metrics.confusion_matrix(labels, predictions))), recall
    )


def test_cross_entropy_is_scikit_learns(answers):
    logits, labels = answers
    probabilities = fmnist_metrics.softmax(logits)
    expected = metrics.log_loss(labels, probabilities, labels=range(10))
    assert fmnist_metrics.cross_entropy(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_softmax_sums_to_one_however_large_the_logits():
    logits = np.array([[60_000, -60_000, 0, *[0] * 7], [0] * 10, [-5] * 9 + [5]], np.float16)
    probabilities = fmnist_metrics.softmax(logits)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert probabilities[0, 0] == 1
    assert probabilities[1] == pytest.approx(0.1, abs=1e-15)
    assert np.isfinite(fmnist_metrics.cross_entropy(logits, np.array([1, 0, 9])))


def test_of_equal_logits_the_first_class_is_predicted():
    logits = np.zeros((3, 10), np.float16)
    logits[1, [4, 7]] = 1
    logits[2, :3] = -1
    assert fmnist_metrics.predict(logits).tolist() == [0, 4, 3]
    assert fmnist_metrics.predict(logits).dtype == np.uint8


def test_a_class_without_images_stays_zero():
    matrix = fmnist_metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 1]))
    assert fmnist_metrics.row_shares(matrix)[0].tolist() == [0.5, 0, 0.5, *[0] * 7]
    assert np.diagonal(fmnist_metrics.row_shares(matrix)).tolist() == [0.5, 1, *[0] * 8]


def test_rows_of_the_confusion_matrix_are_true_classes():
    matrix = fmnist_metrics.confusion_matrix(np.array([6, 6, 0]), np.array([0, 0, 0], np.uint8))
    assert matrix[6, 0] == 2 and matrix[0, 6] == 0 and matrix[0, 0] == 1


def test_most_confused_are_the_largest_errors_first():
    matrix = np.zeros((10, 10), np.int64)
    matrix[3, 3], matrix[6, 0], matrix[0, 6], matrix[4, 2] = 100, 7, 9, 7
    assert fmnist_metrics.most_confused(matrix, 2) == [(0, 6, 9), (4, 2, 7)]
    assert fmnist_metrics.most_confused(matrix, 20) == [(0, 6, 9), (4, 2, 7), (6, 0, 7)]
    assert matrix[3, 3] == 100


@pytest.mark.parametrize(
    "predictions, never, dead",
    [
        ([3] * 50, [0, 1, 2, 4, 5, 6, 7, 8, 9], True),
        ([9] * 49 + [0], [1, 2, 3, 4, 5, 6, 7, 8], False),
        ([0, 1, 2, 3, 5, 6, 7, 8, 9], [4], False),
        (list(range(10)), [], False),
    ],
)
def test_classes_that_are_never_predicted(predictions, never, dead):
    predictions = np.array(predictions, np.uint8)
    assert fmnist_metrics.never_predicted(predictions) == never
    assert fmnist_metrics.is_dead(predictions) is dead


# --- Two runs, image by image ---


@pytest.fixture
def two_runs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and two runs' predictions of 500 images in 3 classes, right for half of them."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, 500)
    return labels, *(np.where(rng.random(500) < 0.5, labels, rng.integers(0, 3, 500)) for _ in range(2))


def test_a_difference_of_matrices_has_rows_that_sum_to_0_and_a_diagonal_that_is_the_gap(two_runs):
    labels, first, second = two_runs
    change = fmnist_metrics.confusion_matrix(labels, second) - fmnist_metrics.confusion_matrix(labels, first)
    assert (change.sum(axis=1) == 0).all()
    assert np.trace(change) == np.sum(second == labels) - np.sum(first == labels)


def test_every_image_that_changed_is_behind_its_cell(two_runs):
    labels, first, second = two_runs
    change = fmnist_metrics.confusion_matrix(labels, second) - fmnist_metrics.confusion_matrix(labels, first)
    for true in range(3):
        for said in range(3):
            parts = fmnist_metrics.flips(labels, first, second, (true, said))
            by_hand = {"fixed": [], "broken": [], "alike": [], "moved": []}
            for index, (label, a, b) in enumerate(zip(labels, first, second, strict=True)):
                if label != true:
                    continue
                if (true == said and a == true == b) or (true != said and a == said == b):
                    by_hand["alike"].append(index)
                elif true == said:
                    if b == true:
                        by_hand["fixed"].append(index)
                    elif a == true:
                        by_hand["broken"].append(index)
                elif a == said:
                    by_hand["fixed" if b == true else "moved"].append(index)
                elif b == said:
                    by_hand["broken" if a == true else "moved"].append(index)
            assert {name: part.tolist() for name, part in parts.items()} == by_hand
            if true == said:
                assert change[true, said] == len(parts["fixed"]) - len(parts["broken"])


def test_a_run_against_itself_has_no_flips(two_runs):
    labels, first, _ = two_runs
    parts = fmnist_metrics.flips(labels, first, first, (0, 1))
    assert not len(parts["fixed"]) and not len(parts["broken"]) and not len(parts["moved"])
