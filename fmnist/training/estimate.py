"""How long training will still take: of runs at work, and of recipes that nobody has begun. No torch, no Streamlit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe

if TYPE_CHECKING:
    from fmnist.store.library import Library
    from fmnist.store.run import Run

FORWARD = 1 / 3
"""The arithmetic of an image that is evaluated, forward alone, as a share of that of one that is trained on. Measured
for Model 2 on two cores: 0.26 s for FashionMNIST's test images, a sixth as many as those of an epoch, to 4.6 s."""
CLOSING_SECONDS = 0.3
"""For the result after the last step: answers are timed twice, for a tenth of a second each."""

# --- A run at work ---


def image_passes(recipe: Recipe, step: int, steps: int) -> float:
    """What it takes to train a recipe up to a step, in images trained on.

    An image that is evaluated counts as `FORWARD`.

    Args:
        steps: of the whole run.
    """
    epoch = steps / recipe.epochs
    evaluation = FORWARD * _measured(recipe) / (recipe.info.train - recipe.validation)
    return recipe.batch_size * (step + evaluation * epoch * (step // epoch))


def _measured(recipe: Recipe) -> int:
    """How many images are measured after each epoch."""
    return recipe.validation or recipe.info.test


def seconds_left(run: Run) -> float | None:
    """How long a running run will still take at the mean speed so far; None before its first report."""
    if not (run.steps and run.images_per_second):
        return None
    left = image_passes(run.recipe, run.steps, run.steps) - image_passes(run.recipe, run.step, run.steps)
    return left / run.images_per_second + CLOSING_SECONDS


# --- Recipes, from what earlier runs took ---


@dataclass(frozen=True)
class Speed:
    """How quickly a model was trained: processor time, which is what there is to share out."""

    core_seconds_per_step: dict[tuple[str, int], float]  # by optimiser and batch size
    core_seconds_per_image: float  # that is evaluated

    def step(self, optimizer: str, batch_size: int) -> float:
        """Core-seconds of a step. Where no run had this optimiser, another one's; between batch sizes that were
        trained, a power law; beyond them the square root, for a step costs something however few its images are:
        four times the batch, twice the time. (Measured from 32 to 512: four times for Model 0, ten for Model 2.)"""
        known = {size: took for (used, size), took in self.core_seconds_per_step.items() if used == optimizer}
        known = known or {size: took for (_, size), took in self.core_seconds_per_step.items()}
        sizes = sorted(known)
        nearest = min(max(batch_size, sizes[0]), sizes[-1])
        within = np.interp(math.log(nearest), np.log(sizes), np.log([known[size] for size in sizes]))
        return math.exp(within) * math.sqrt(batch_size / nearest)


def speeds(library: Library) -> dict[str, Speed]:
    """By model, from the newest finished runs: those that were trained here where there are any, else the others, which
    were imported or come with the project."""

    def compute() -> dict[str, Speed]:
        table = library.finished().sort_values("finished")
        found = {}
        for model, runs in table.groupby("model"):
            every = list(runs["run"])
            here = [run for run in every if run.source == "own" and run.data_root]
            steps, evaluation = {}, 0.0
            for run in here or every:
                threads = run.threads or 1
                kind = run.recipe.optimizer, run.recipe.batch_size
                steps[kind] = threads * max(run.finished_result.train_seconds, 1e-9) / run.steps
                answered = (
                    run.recipe.epochs * _measured(run.recipe) + bool(run.recipe.validation) * run.recipe.info.test
                )
                evaluation = threads * run.finished_result.eval_seconds / answered
            found[model] = Speed(steps, evaluation)
        return found

    return library.remember("speeds", compute)


def estimate_seconds(library: Library, recipes: Iterable[Recipe], images: int, slots: int) -> float | None:
    """Roughly how long recipes will train, from what earlier runs of each model took.

    Args:
        images: the number of training images.
        slots: how many runs are trained side by side: those that differ by their seed alone.

    Returns:
        Seconds; None if a model has never been trained by anybody.
    """
    known = speeds(library)
    total = 0.0
    for recipe, seeds in Counter(replace(recipe, seed=0) for recipe in recipes).items():
        if recipe.model not in known:
            return None
        speed = known[recipe.model]
        steps = recipe.steps_per_epoch(images)
        epoch = steps * speed.step(recipe.optimizer, recipe.batch_size)
        epoch += _measured(recipe) * speed.core_seconds_per_image
        # As the scheduler hands them out: the odd ones first, with as many threads as there are cores for.
        odd = seeds % slots if seeds > slots else seeds
        for at_once, waves in ((odd, 1), (slots, (seeds - odd) // slots)):
            threads = min(ARCHITECTURES[recipe.model].parts, max(1, slots // at_once)) if at_once else 1
            total += waves * bool(at_once) * (recipe.epochs * epoch / threads + CLOSING_SECONDS)
    return total


def queue_seconds(
    library: Library, recipes: Iterable[Recipe], images: Callable[[str], int | None], slots: int
) -> float | None:
    """The same for recipes on several data sets.

    Args:
        images: gives the number of training images of a data set; None where it is not there.

    Returns:
        Seconds; None if a data set is not there, or a model has never been trained by anybody.
    """
    by_dataset: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        by_dataset.setdefault(recipe.dataset, []).append(recipe)
    total = 0.0
    for dataset, members in by_dataset.items():
        count = images(dataset)
        seconds = count and estimate_seconds(library, members, count, slots)
        if seconds is None:
            return None
        total += seconds
    return total


def duration(seconds: float) -> str:
    """A time as people say it: "12 s", "3 min", "1.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
