"""Precision, recall and F1 by class. No torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def class_scores(matrix: np.ndarray) -> pd.DataFrame:
    """Precision, recall and F1 of each class (van Rijsbergen, "Information Retrieval", 1979, chapter 7).

    Args:
        matrix: counts (C, C), rows true, columns predicted.

    Returns:
        A row for each class: images (with this label), predicted (times), precision, recall, f1 (shares of 1). The
        precision of a class that is never predicted is NaN - there is nothing to be precise about, other than 0 for
        one that is predicted and always wrongly; its F1 = 2 TP / (2 TP + FP + FN) is 0. Without images and predictions
        all three are NaN.
    """
    hits, images, predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)

    def share(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.divide(above, below, out=np.full(len(hits), np.nan), where=below > 0)

    return pd.DataFrame(
        {
            "images": images,
            "predicted": predicted,
            "precision": share(hits, predicted),
            "recall": share(hits, images),
            "f1": share(2 * hits, images + predicted),
        }
    )


def mean_class_scores(matrices: Sequence[np.ndarray]) -> pd.DataFrame:
    """`class_scores` of several runs, their mean over seeds; the precision over those that predict the class at all."""
    return pd.concat([class_scores(matrix) for matrix in matrices]).groupby(level=0).mean()
