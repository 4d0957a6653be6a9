"""Test images whose label may be wrong, by what all runs say of them. No Streamlit, no torch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fmnist import metrics

SURE = 0.9
"""A run that gives its answer at least this probability is sure."""
WRONG_LABELS = ("image", "label", "answer", "probability")


def possible_wrong_labels(logits: Iterable[np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """Test images whose label may be wrong: every run surely says the same other class.

    Looking where a model surely contradicts a label is how label errors are found in test sets (Northcutt, Athalye and
    Mueller, "Pervasive label errors in test sets destabilize machine learning benchmarks", NeurIPS 2021). Here all runs
    must agree, each with a probability of at least `SURE`: rounded logits leave no doubt then which class it is. It is
    a hint: somebody has to look at the image.

    Args:
        logits: float (N, 10) of each run.

    Returns:
        A row for each image, the surest first: image (its index), label, answer (classes), probability (the lowest that
        a run gives to the answer).
    """
    images, answer, lowest = np.arange(len(labels)), None, np.ones(len(labels))
    for part in logits:
        sure = metrics.softmax(part[images])
        said = sure.argmax(axis=1)
        lowest = np.minimum(lowest, sure.max(axis=1))
        kept = (said == (said if answer is None else answer)) & (said != labels[images]) & (lowest >= SURE)
        images, answer, lowest = images[kept], said[kept], lowest[kept]
    if answer is None:
        images = answer = np.zeros(0, int)
        lowest = np.zeros(0)
    table = pd.DataFrame(dict(zip(WRONG_LABELS, (images, labels[images], answer, lowest), strict=True)))
    return table.sort_values(["probability", "image"], ascending=[False, True], ignore_index=True)
