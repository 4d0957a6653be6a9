"""Every two of the groups that are compared: how far apart they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fmnist.compare import sentences, statistics
from fmnist.compare.statistics import Difference, Flips
from fmnist.store.library import Group, Library
from fmnist.store.run import Run


@dataclass(frozen=True)
class Pair:
    """Two groups, the one with the higher mean accuracy first."""

    first: Group
    second: Group
    runs: tuple[Run, Run]  # the run of each whose answers are compared image by image: the same seed if there is one
    difference: Difference | None  # first minus second; None unless both have several seeds
    flips: Flips | None  # None where there are no labels
    p: float  # of the flips, adjusted for the number of pairs of single runs (Holm); 1 where they are not judged by it
    sentence: str

    @property
    def beside_reference(self) -> bool:
        """Whether these are own runs and the reference runs of one model."""
        one, other = self.first, self.second
        return one.recipe.model == other.recipe.model and one.source != other.source


def compare(groups: Sequence[Group], library: Library, labels: np.ndarray | None) -> list[Pair]:
    """All pairs, the most accurate groups first; before them own runs and the reference of the same model.

    Groups of several runs are judged by their means (`statistics.simultaneous`), all others by McNemar's test on the
    two runs. These are two families: what is said of means depends neither on the single runs beside them nor on
    labels.

    Args:
        labels: the test labels, integer (N,); without them single images are not looked at.
    """
    ranked = sorted(groups, key=mean_accuracy, reverse=True)
    differences = statistics.simultaneous([accuracies(group) for group in ranked])
    found = []
    for place in combinations(range(len(ranked)), 2):
        first, second = (ranked[index] for index in place)
        runs = same_seed(first, second)
        flips = None if labels is None else statistics.mcnemar(labels, *(library.predictions(run) for run in runs))
        found.append((first, second, runs, differences[place], flips))
    singles = iter(statistics.holm([flips.p for *_, difference, flips in found if flips and not difference]))
    adjusted = [next(singles) if flips and not difference else 1.0 for *_, difference, flips in found]
    every = [
        Pair(
            first,
            second,
            runs,
            difference,
            flips,
            p,
            sentences.say_difference(first.title, second.title, difference, flips, p),
        )
        for (first, second, runs, difference, flips), p in zip(found, adjusted, strict=True)
    ]
    return sorted(every, key=lambda pair: not pair.beside_reference)


def accuracies(group: Group) -> dict[int, float]:
    """Accuracy by seed, on the test images, or where images are held out on these."""
    return {run.recipe.seed: run.result.accuracy_to_choose_by for run in group.runs if run.result}


def mean_accuracy(group: Group) -> float:
    return float(np.mean(list(accuracies(group).values())))


def same_seed(first: Group, second: Group) -> tuple[Run, Run]:
    """A run of each: of the lowest seed that both have, else the first ones."""
    seeds = {run.recipe.seed: run for run in second.runs}
    for run in first.runs:
        if run.recipe.seed in seeds:
            return run, seeds[run.recipe.seed]
    return first.runs[0], second.runs[0]
