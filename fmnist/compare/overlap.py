"""Which classes the reference runs mix up because they look alike. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmnist import metrics
from fmnist.compare import confusion
from fmnist.store.library import Group, Library


@dataclass(frozen=True)
class MixedUp:
    """A cell of a confusion matrix, off the diagonal."""

    true: int
    predicted: int
    share: float  # of the images of the true class, the mean over the runs
    images: np.ndarray  # indices of test images, those first that most runs mix up


@dataclass(frozen=True)
class Overlap:
    """How much of a model's errors are mix-ups among some classes."""

    group: Group
    share: float  # of all errors of its runs
    mix_ups: list[MixedUp]  # the most frequent ones first


def among(library: Library, dataset: str, labels: np.ndarray, classes: Sequence[int], most: int) -> Overlap | None:
    """What the most accurate model of the reference runs mixes up among some classes; None where it makes no error.

    Args:
        labels: the test labels, integer (N,).
        classes: their labels.
        most: how many mix-ups are named.
    """
    groups = library.groups(dataset, "reference")
    if not groups:
        return None
    group = max(groups, key=confusion.mean_accuracy)
    return library.remember(
        ("overlap", group.id, dataset, *classes, most), lambda: _among(library, group, labels, classes, most)
    )


def _among(library: Library, group: Group, labels: np.ndarray, classes: Sequence[int], most: int) -> Overlap | None:
    predictions = np.stack([library.predictions(run) for run in group.runs])
    matrix = metrics.confusion_of_all(labels, predictions)
    errors = matrix - np.diag(np.diagonal(matrix))
    inside = np.zeros_like(errors)
    inside[np.ix_(classes, classes)] = errors[np.ix_(classes, classes)]
    if not inside.any():
        return None
    mix_ups = []
    for true, predicted, count in metrics.most_confused(inside, most):
        runs = np.where(labels == true, (predictions == predicted).sum(axis=0), 0)
        images = np.argsort(-runs, kind="stable")[: np.count_nonzero(runs)]
        mix_ups.append(MixedUp(true, predicted, count / matrix[true].sum(), images))
    return Overlap(group, float(inside.sum() / errors.sum()), mix_ups)
