"""How good the answers of a group of runs are that answer together, by the mean of their probabilities. No torch.

The mean of several runs is right more often than they are, and less sure: their figures are not its.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fmnist.compare.calibration import Calibrated, calibrated, ensemble_logits
from fmnist.compare.confusion import at_the_end
from fmnist.compare.sentences import say_on_test_images
from fmnist.store.library import Group, Library
from fmnist.store.run import Run


def on_test_images(library: Library, runs: Sequence[Run], labels: np.ndarray) -> Calibrated:
    """How often what answers - a run, or the mean of several - is right, and how sure it is.

    Args:
        labels: the test labels of its data set, integer (N,).
    """

    def compute() -> Calibrated:
        _, answer = at_the_end(library, runs)
        return calibrated(ensemble_logits([library.logits(run) for run in runs]), answer, labels)

    return library.remember(("on test images", tuple(run.address for run in runs)), compute)


def say(library: Library, group: Group, labels: np.ndarray) -> str:
    """The same as a sentence, with the group's title and what of it answers."""
    runs = group.runs
    who = f"mean of {len(runs)} runs" if len(runs) > 1 else f"seed {runs[0].recipe.seed}"
    return say_on_test_images(f"{group.title}, {who}", on_test_images(library, runs, labels))
