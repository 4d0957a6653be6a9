"""Which of some settings is the best, and which of the others can't be told from it. No torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from fmnist.compare.statistics import MIN_SEEDS, difference

BySeed = Mapping[int, float]
"""The accuracies of a setting, shares of 1, on the images by which is chosen."""


def best(settings: Sequence[BySeed]) -> int:
    """The place of the setting with the highest mean; of equal ones the first."""
    means = [fmean(accuracies.values()) for accuracies in settings]
    return means.index(max(means))


def not_told_apart(settings: Sequence[BySeed], best: int) -> int:
    """How many others with seeds enough the test can't tell from the best one, allowing for all of them."""
    others = [setting for place, setting in enumerate(settings) if place != best and len(setting) >= MIN_SEEDS]
    found = [difference(settings[best], other, len(others)) for other in others]
    return sum(one is None or not one.seen for one in found)
