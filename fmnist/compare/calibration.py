"""What a model says of its own certainty, and how often it is right then. No torch, no Streamlit.

Throughout: shares are of 1, logits float (N, C), predicted classes and labels integer (N,). How sure a model is, is the
largest of its probabilities: where several classes have it, since stored logits are rounded, the predicted one is among
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmnist import metrics

SHARES = np.arange(1, 201) / 200
"""Of the images that are answered: under a hundredth there is only noise to see."""


def calibration(logits: np.ndarray, predicted: np.ndarray, labels: np.ndarray, bins: int = 15) -> pd.DataFrame:
    """How often a model is right when it is that confident: the table behind a reliability diagram.

    Guo, Pleiss, Sun and Weinberger ("On calibration of modern neural networks", ICML 2017, section 2): `bins` intervals
    of equal width, (low, high]; confidence is the largest softmax probability.

    Returns:
        A row for each interval: low, high, images (their number), confidence, accuracy (means, shares of 1; NaN
        where there is no image).
    """
    confidence, right = confidences(logits, predicted, labels)
    edges = np.linspace(0, 1, bins + 1)
    bin = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    images = np.bincount(bin, minlength=bins)
    sums = [np.bincount(bin, weights, minlength=bins) for weights in (confidence, right)]
    means = [np.divide(sum, images, out=np.full(bins, np.nan), where=images > 0) for sum in sums]
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "images": images, "confidence": means[0], "accuracy": means[1]}
    )


def expected_calibration_error(logits: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> float:
    """The mean over images of |accuracy - confidence| of their interval (Guo et al. 2017, equation 3), a share of 1."""
    table = calibration(logits, predicted, labels)
    gaps = (table["accuracy"] - table["confidence"]).abs().fillna(0)
    return float((gaps * table["images"]).sum() / table["images"].sum())


@dataclass(frozen=True)
class Calibrated:
    """How sure a run - or the mean of several - is on average, and how often it is right: shares of 1."""

    confidence: float
    accuracy: float
    error: float  # the expected calibration error

    @property
    def gap(self) -> float:
        """Confidence minus accuracy: above 0 it is too sure."""
        return self.confidence - self.accuracy


def calibrated(logits: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> Calibrated:
    """The figures of one run, or of an ensemble's `ensemble_logits`."""
    confidence, right = confidences(logits, predicted, labels)
    error = expected_calibration_error(logits, predicted, labels)
    return Calibrated(float(confidence.mean()), float(right.mean()), error)


def ensemble_logits(runs: Sequence[np.ndarray]) -> np.ndarray:
    """Logits whose softmax is the mean of the runs' probabilities: what an ensemble answers (Lakshminarayanan, Pritzel
    and Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 2017).

    Args:
        runs: logits of each for the same images.

    Returns:
        float64 (N, C).
    """
    mean = np.mean([metrics.softmax(logits) for logits in runs], axis=0)
    return np.log(np.maximum(mean, np.finfo(np.float64).tiny))


def mean_selective_accuracy(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean of several runs' `selective_accuracy`, each at the same shares of the images.

    Not that of all answers together: one seed may be surer of everything than another, and no better.

    Returns:
        A row for each of `SHARES`: share (of all images that are answered, the mean), accuracy and confidence (means).
    """
    at = [table.iloc[np.searchsorted(table["share"], SHARES - 1e-9).clip(max=len(table) - 1)] for table in tables]
    columns = ["share", "accuracy", "confidence"]
    mean = np.mean([rows[columns].to_numpy() for rows in at], axis=0)
    return pd.DataFrame(mean, columns=columns).drop_duplicates(ignore_index=True)


def selective_accuracy(logits: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Accuracy against the share of images that are answered, when the least sure are left out.

    The accuracy-coverage curve (El-Yaniv and Wiener, "On the foundations of noise-free selective classification",
    JMLR 11, 2010). Images of equal confidence are answered together, so the order of the images changes nothing.

    Returns:
        A row for each confidence that occurs, the surest first: confidence (what an answer must reach), images (that
        reach it), share (of all), accuracy (on them). The last row answers everything.
    """
    confidence, right = confidences(logits, predicted, labels)
    levels, level = np.unique(-confidence, return_inverse=True)
    images = np.cumsum(np.bincount(level, minlength=len(levels)))
    correct = np.cumsum(np.bincount(level, right, minlength=len(levels)))
    return pd.DataFrame(
        {"confidence": -levels, "images": images, "share": images / len(labels), "accuracy": correct / images}
    )


def confidences(logits: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the largest probability, and whether the answer is right (1.0 or 0.0)."""
    return metrics.softmax(logits).max(axis=1), (predicted == labels).astype(np.float64)
