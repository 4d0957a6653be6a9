"""Which training images are held out: kept apart from training, to choose by them. No torch, no Streamlit."""

from __future__ import annotations

import numpy as np


def held_out(labels: np.ndarray, count: int) -> np.ndarray:
    """The places of the held-out images among the training images, in ascending order, int64 (count,).

    Of each class the last ones in the data's own order, as many as its share of all images: the same for everybody who
    holds out so many, whatever the seed and the model. Where the shares are no whole numbers, the largest fractions
    are rounded up (the method of largest remainders), of equal ones the first class.

    Args:
        labels: of the training images, int64 (N,).
        count: 0 to N.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    shares = count * sizes / max(1, len(labels))
    quotas = np.floor(shares).astype(np.int64)
    quotas[np.argsort(quotas - shares, kind="stable")[: count - quotas.sum()]] += 1
    chosen = [np.flatnonzero(labels == label)[-quota:] for label, quota in zip(classes, quotas, strict=True) if quota]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def trained_on(labels: np.ndarray, count: int) -> np.ndarray:
    """The places of all other training images, in ascending order, int64 (N - count,)."""
    return np.setdiff1d(np.arange(len(labels)), held_out(labels, count), assume_unique=True)
