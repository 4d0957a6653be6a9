"""From logits and labels to the numbers of an evaluation: accuracy, loss, confusion. NumPy alone.

Throughout: `logits` are float (N, C), `labels` and `predictions` are integer (N,), C is the number of classes.
A store keeps predicted classes as the float32 logits give them, and with them the logits rounded to float16, among
which the predicted class is still one of the largest. What is counted - accuracy, confusion - comes from the classes;
loss and probabilities come from the rounded logits.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

CLASSES = 10


def predict(logits: np.ndarray) -> np.ndarray:
    """Predicted classes, uint8 (N,): the largest logit, the first one where several are equal."""
    return np.argmax(logits, axis=1).astype(np.uint8)


def decide(rounded: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Predicted classes of a model whose rounded logits are known, uint8 (N,).

    Args:
        rounded: float16 (N, C); where one is the largest, its class is predicted.
        logits: float32 (N, C), not rounded, perhaps of another processor; they decide where several are the largest.
    """
    return predict(np.where(rounded == rounded.max(axis=1, keepdims=True), logits, -np.inf))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, float64 (N, C); each row sums to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-probability of the true class, in nats (torch.nn.CrossEntropyLoss)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(labels)), labels]))


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy: correct / all, a share of 1."""
    return int(np.count_nonzero(predictions == labels)) / len(labels)


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Counts, int64 (C, C): rows are the true class, columns the predicted one."""
    cells = labels.astype(np.int64) * CLASSES + predictions
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def confusion_of_all(labels: np.ndarray, predictions: Iterable[np.ndarray]) -> np.ndarray:
    """The confusion matrices of several runs added up: int64 (10, 10)."""
    return np.sum([confusion_matrix(labels, said) for said in predictions], axis=0)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """A confusion matrix as shares of each true class, float64 (C, C); an empty row stays 0."""
    totals = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)


def column_shares(matrix: np.ndarray) -> np.ndarray:
    """A confusion matrix as shares of each predicted class, float64 (C, C); a class never predicted stays 0."""
    return row_shares(matrix.T).T


def most_confused(matrix: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """The `count` largest off-diagonal cells that are not empty: (true class, predicted class, images)."""
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    pairs = (divmod(int(cell), CLASSES) for cell in order)
    return [(true, predicted, int(errors[true, predicted])) for true, predicted in pairs if errors[true, predicted]]


def worst_cell(matrix: np.ndarray, true: int | None = None, predicted: int | None = None) -> tuple[int, int] | None:
    """The largest off-diagonal cell: of all, of a row or of a column; None where all of them are empty.

    Args:
        true, predicted: the class of the row, or of the column.
    """
    errors = np.zeros_like(matrix)
    place = (slice(None) if true is None else true, slice(None) if predicted is None else predicted)
    errors[place] = matrix[place]
    pairs = most_confused(errors, 1)
    return pairs[0][:2] if pairs else None


def as_frequent(matrix: np.ndarray, cell: tuple[int, int]) -> int:
    """How many other off-diagonal cells hold as many images as one."""
    errors = matrix[~np.eye(len(matrix), dtype=bool)]
    return int(np.count_nonzero(errors == matrix[cell])) - 1


def never_predicted(predictions: np.ndarray) -> list[int]:
    """Classes that no image was given."""
    return np.flatnonzero(np.bincount(predictions, minlength=CLASSES) == 0).tolist()


def is_dead(predictions: np.ndarray) -> bool:
    """Whether every image was given the same class: a model that no longer looks at its input."""
    return len(never_predicted(predictions)) == CLASSES - 1


def flips(labels: np.ndarray, first: np.ndarray, second: np.ndarray, cell: tuple[int, int]) -> dict[str, np.ndarray]:
    """The images behind a cell of the difference of two confusion matrices, second minus first.

    Args:
        labels, first, second: true labels and two runs' predictions, integer (N,).
        cell: (true, predicted).

    Returns:
        Indices, int: of a cell beside the diagonal "fixed" (the first predicted so, the second is right), "broken" (the
        other way round), "alike" (both predicted so), "moved" (one predicted so, the other another wrong class); of one
        on the diagonal the same, where "alike" are those that both recognise.
    """
    true, said = cell
    here, right = labels == true, (first == labels, second == labels)
    if true == said:
        parts = {
            "fixed": ~right[0] & right[1],
            "broken": right[0] & ~right[1],
            "alike": right[0] & right[1],
            "moved": np.zeros(len(labels), bool),
        }
    else:
        so = first == said, second == said
        parts = {
            "fixed": so[0] & right[1],
            "broken": so[1] & right[0],
            "alike": so[0] & so[1],
            "moved": (so[0] & ~so[1] & ~right[1]) | (so[1] & ~so[0] & ~right[0]),
        }
    return {name: np.flatnonzero(here & part) for name, part in parts.items()}
