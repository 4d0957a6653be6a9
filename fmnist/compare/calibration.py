"""What a model says of its own certainty, and how often it is right then. No torch, no Streamlit.

Throughout: shares are of 1, logits float (N, C), labels integer (N,).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fmnist import metrics


def calibration(logits: np.ndarray, labels: np.ndarray, bins: int = 15) -> pd.DataFrame:
    """How often a model is right when it is that confident: the table behind a reliability diagram.

    Guo, Pleiss, Sun and Weinberger ("On calibration of modern neural networks", ICML 2017, section 2): `bins` intervals
    of equal width, (low, high]; confidence is the largest softmax probability.

    Returns:
        A row for each interval: low, high, images (their number), confidence, accuracy (means, shares of 1; NaN
        where there is no image).
    """
    confidence, right = confidences(logits, labels)
    edges = np.linspace(0, 1, bins + 1)
    bin = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    images = np.bincount(bin, minlength=bins)
    sums = [np.bincount(bin, weights, minlength=bins) for weights in (confidence, right)]
    means = [np.divide(sum, images, out=np.full(bins, np.nan), where=images > 0) for sum in sums]
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "images": images, "confidence": means[0], "accuracy": means[1]}
    )


def expected_calibration_error(logits: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """The mean over images of |accuracy - confidence| of their interval (Guo et al. 2017, equation 3), a share of 1."""
    table = calibration(logits, labels, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs().fillna(0)
    return float((gaps * table["images"]).sum() / table["images"].sum())


def selective_accuracy(logits: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Accuracy against the share of images that are answered, when the least sure are left out.

    The accuracy-coverage curve (El-Yaniv and Wiener, "On the foundations of noise-free selective classification",
    JMLR 11, 2010). Images of equal confidence are answered together, so the order of the images changes nothing.

    Returns:
        A row for each confidence that occurs, the surest first: confidence (what an answer must reach), images (that
        reach it), share (of all), accuracy (on them). The last row answers everything.
    """
    confidence, right = confidences(logits, labels)
    levels, level = np.unique(-confidence, return_inverse=True)
    images = np.cumsum(np.bincount(level, minlength=len(levels)))
    correct = np.cumsum(np.bincount(level, right, minlength=len(levels)))
    return pd.DataFrame(
        {"confidence": -levels, "images": images, "share": images / len(labels), "accuracy": correct / images}
    )


def confidences(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the largest probability, and whether the answer is right (1.0 or 0.0)."""
    return metrics.softmax(logits).max(axis=1), (metrics.predict(logits) == labels).astype(np.float64)
