"""Whether the setting that a sweep has chosen holds: trained anew, with seeds that took no part in choosing.

Nothing is stored of which runs confirm which choice, for it follows from what is stored: seeds from `FIRST_SEED` on are
kept for confirming. No sweep chooses by them, so whatever is chosen, the runs with these seeds, by its recipe and
without held-out images, took no part in it. The published recipe is compared by the same seeds; runs of it that
confirmed another choice count again. No torch, no Streamlit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, median_high

from fmnist.compare import statistics
from fmnist.compare.choosing import BySeed
from fmnist.compare.sentences import say_difference, say_failed_to_learn, say_share
from fmnist.compare.statistics import Difference
from fmnist.recipe import Recipe
from fmnist.store.library import Group, Library
from fmnist.store.run import Run

FIRST_SEED = 10_000
USUAL_SEEDS = 5


def chosen_by(run: Run) -> bool:
    """Whether a sweep may choose by a run."""
    return run.recipe.seed < FIRST_SEED


def recipe_that_confirms(group: Group) -> Recipe:
    """What is trained to confirm a setting: the same on all training images, whatever the seed.

    Which epoch is the best can't be seen without held-out images: where it was kept, training ends after as many epochs
    as were the best in half of the runs.
    """
    epochs = group.recipe.epochs
    if group.recipe.keep == "best":
        epochs = median_high(run.kept_epoch for run in group.runs)
    return replace(group.recipe, validation=0, keep="last", epochs=epochs)


def to_train(library: Library, recipe: Recipe, seeds: int) -> list[Recipe]:
    """What confirms a recipe: it and the published one of its model, with so many new seeds each. Without what is
    trained already.

    Args:
        recipe: `recipe_that_confirms`.
    """
    return [
        replace(one, seed=seed)
        for one in dict.fromkeys((recipe, published(recipe)))
        for done in [_by_seed(library, one)]
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        if seed not in done
    ]


def published(recipe: Recipe) -> Recipe:
    """The published recipe of the same model on the same data."""
    return Recipe(recipe.model, dataset=recipe.dataset)


@dataclass(frozen=True)
class Confirmation:
    """What a recipe reaches on the test images with seeds that took no part in choosing it."""

    recipe: Recipe
    chosen: BySeed  # not empty
    published: BySeed  # of the published recipe, with the same seeds; the same where that was chosen
    dead: int = 0  # how many of the chosen one's runs failed to learn; they count

    @property
    def accuracy(self) -> float:
        """The figure: the mean over the new seeds."""
        return fmean(self.chosen.values())

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95% interval; None of a single run."""
        return statistics.accuracy_interval(list(self.chosen.values()))

    @cached_property
    def difference(self) -> Difference | None:
        """Chosen minus published; None where that is the same recipe, or there are not two runs of each."""
        return None if self.recipe.published else statistics.difference(self.chosen, self.published)

    @property
    def better(self) -> bool:
        """Whether the test says that it is better than the published recipe."""
        return self.difference is not None and self.difference.seen and self.difference.mean > 0

    def say(self) -> str:
        """The figure, and how it compares: Markdown."""
        count = len(self.chosen)
        runs = f"on average over {count} new seeds" if count > 1 else "with one new seed"
        interval = (
            f" (95% interval {say_share(self.interval[0])} to {say_share(self.interval[1])})" if self.interval else ""
        )
        return (
            f"**Confirmed figure: {say_share(self.accuracy)}** of the test images {runs}{interval}, trained on all "
            f"{self.recipe.info.train:,} images. {self._say_compared()}"
            f"{f' {say_failed_to_learn(self.dead, count)}' if self.dead else ''}"
        )

    def _say_compared(self) -> str:
        if self.recipe.published:
            return "It is the published recipe."
        if not self.published:
            return "The published recipe has not been trained with these seeds yet."
        compared = say_difference("this setting", "the published recipe", self.difference, None)
        return f"{compared[0].upper()}{compared[1:]}"


def confirmation(library: Library, recipe: Recipe) -> Confirmation | None:
    """Of own finished runs; None while there are none.

    Args:
        recipe: `recipe_that_confirms`.
    """
    chosen, compared = _by_seed(library, recipe), _by_seed(library, published(recipe))
    beside = {seed: value for seed, value in compared.items() if seed in chosen}
    dead = sum(run.finished_result.dead for run in _confirming(library, recipe).values())
    return Confirmation(recipe, chosen, beside, dead) if chosen else None


def _by_seed(library: Library, recipe: Recipe) -> BySeed:
    return {seed: run.finished_result.test_accuracy for seed, run in _confirming(library, recipe).items()}


def _confirming(library: Library, recipe: Recipe) -> dict[int, Run]:
    """By seed; of one that was trained on two kinds of device, one run."""
    groups = [group for group in library.groups(recipe.dataset, "own") if group.recipe == recipe]
    return {run.recipe.seed: run for group in groups for run in group.runs if not chosen_by(run)}
