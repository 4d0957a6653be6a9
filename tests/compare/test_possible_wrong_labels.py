"""Which labels all runs surely contradict, on logits made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fmnist.compare.possible_wrong_labels import SURE, WRONG_LABELS, possible_wrong_labels


def sure_of(label: int, probability: float) -> list[float]:
    """Logits that give a class this probability, and the others equal ones."""
    logits = [0.0] * 10
    logits[label] = math.log(9 * probability / (1 - probability))
    return logits


def test_only_what_every_run_surely_calls_the_same_other_class_is_suspected():
    labels = np.array([0, 0, 0, 0, 0, 0])
    first = np.array(
        [sure_of(3, 0.95), sure_of(3, 0.99), sure_of(3, 0.99), sure_of(0, 0.99), sure_of(3, 0.85), sure_of(3, 0.95)]
    )
    second = np.array(
        [sure_of(3, 0.97), sure_of(3, 0.98), sure_of(4, 0.99), sure_of(0, 0.99), sure_of(3, 0.99), sure_of(3, 0.95)]
    )
    for order in ([first, second], [second, first]):
        table = possible_wrong_labels(order, labels)
        assert table["image"].tolist() == [1, 0, 5]
        assert table["label"].tolist() == [0, 0, 0]
        assert table["answer"].tolist() == [3, 3, 3]
        assert table["probability"].tolist() == pytest.approx([0.98, 0.95, 0.95])


@pytest.mark.parametrize(("nearly", "suspected"), [(SURE + 0.001, 1), (SURE - 0.001, 0)])
def test_sure_is_at_least_so_much(nearly, suspected):
    assert len(possible_wrong_labels([np.array([sure_of(3, nearly)])], np.array([0]))) == suspected


def test_without_runs_no_label_is_suspected():
    table = possible_wrong_labels([], np.array([0, 1]))
    assert table.empty and tuple(table.columns) == WRONG_LABELS
