"""What one would do next, said with what a page has found: plain sentences. No Streamlit, no torch.

What is said comes from the same figures as the page's pictures; nothing is worked out for it alone that takes long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fmnist import metrics
from fmnist.compare import confusion
from fmnist.compare.confusion import Answers, Item
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Group, Library
from fmnist.store.run import Run
from fmnist.words import listed


@dataclass(frozen=True)
class MixUp:
    """A row, a column or a cell of a confusion matrix that is worth a look."""

    sentence: str
    item: Item
    true: int | None = None
    predicted: int | None = None


# --- Compare ---


def to_look_into(library: Library, groups: Sequence[Group], labels: np.ndarray) -> MixUp | None:
    """A class that a model never answers, else the worst mix-up of the most accurate one that has any; None where no
    model makes a mistake.

    Of groups that hold out images no mix-up is named: it would be one of the test images.

    Args:
        labels: the test labels, int64 (N,).
    """
    tested = [group for group in groups if not group.recipe.validation]
    return never_answered(groups) or (_worst(library, tested, labels) if tested else None)


def never_answered(groups: Sequence[Group]) -> MixUp | None:
    """A class that a model does not answer for any image, with as many of its seeds as possible; dead runs aside."""
    found: list[tuple[float, MixUp]] = []
    for group in groups:
        runs = confusion.alive([group])
        for label, name in enumerate(group.recipe.info.classes):
            silent = [run for run in runs if label in run.finished_result.never_predicted]
            if silent:
                item = confusion.whole(group) if len(silent) == len(group.runs) else confusion.one_run(group, silent[0])
                sentence = f"{_seeds(group, silent)} never predicts {name}: see what it says instead."
                found.append((len(silent) / len(group.runs), MixUp(sentence, item, true=label)))
    return max(found, key=lambda one: one[0])[1] if found else None


def _seeds(group: Group, silent: Sequence[Run]) -> str:
    if len(silent) == len(group.runs):
        return group.title
    if len(silent) == 1:
        return f"With seed {silent[0].recipe.seed}, {group.title}"
    return f"In {len(silent)} of {len(group.runs)} runs, {group.title}"


def _worst(library: Library, groups: Sequence[Group], labels: np.ndarray) -> MixUp | None:
    def matrix(item: Item) -> np.ndarray:
        return metrics.confusion_of_all(labels, map(library.predictions, item.runs))

    for group in sorted(groups, key=confusion.mean_accuracy, reverse=True):
        item = confusion.whole(group)
        found = library.remember(("next", item.id), partial(matrix, item))
        if cell := metrics.worst_cell(found):
            name = group.title if len(item.runs) == len(group.runs) else item.title
            often = "often" if metrics.as_frequent(found, cell) else "most often"
            true, predicted = (item.info.classes[label] for label in cell)
            return MixUp(f"{name} {often} mistakes {true} for {predicted}: see which images.", item, *cell)
    return None


# --- Confusion, Predict, Data, Train ---


def about_image(of: Answers, cell: tuple[int, int], image: int) -> str:
    """What can be found out of an image that a cell shows."""
    true, predicted = (of.item.info.classes[label] for label in cell)
    if cell[0] == cell[1]:
        return f"Test image {image} is recognised as {true}: see why."
    return f"Test image {image}, labelled {true}, is mistaken for {predicted}: see why."


def after_answers(said: Sequence[tuple[Item, int]], truth: int | None) -> MixUp:
    """Of answers to one picture: an answer that is wrong, or unlike the others; else what else is taken for theirs.

    Args:
        said: of each model, which class it gives the picture; at least one.
        truth: its class, where it is known.
    """
    classes = said[0][0].info.classes
    labels = [label for _, label in said]
    expected = max(labels, key=labels.count) if truth is None else truth
    for item, label in said:
        if label == expected:
            continue
        if truth is None:
            others = "others say" if labels.count(expected) > 1 else "another says"
            sentence = f"says {classes[label]}, {others} {classes[expected]}: see what it mixes up."
        else:
            sentence = f"mistakes this {classes[truth]} for {classes[label]}: see which others."
        return MixUp(f"{item.group.title} {sentence}", item, expected, label)
    item = max((item for item, _ in said), key=lambda item: confusion.mean_accuracy(item.group))
    return MixUp(f"See what else {item.group.title} mistakes for {classes[expected]}.", item, predicted=expected)


def most_alike(means: np.ndarray, classes: Sequence[str]) -> str:
    """Which two average pictures are nearest to each other, and what that asks.

    Args:
        means: the mean image of each class, uint8 (C, 28, 28).
    """
    flat = means.reshape(len(means), -1).astype(np.float64)
    distances = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    first, second = divmod(int(distances.argmin()), len(means))
    return f"The average pictures of {classes[first]} and {classes[second]} are the most alike"


def after_training(runs: Sequence[Run], name: Callable[[Run], str]) -> str:
    """Which of the runs that were just trained is ahead.

    Args:
        runs: finished ones of one data set, at least one.
        name: tells one of them from the others.
    """
    best = max(runs, key=lambda run: run.finished_result.accuracy_to_choose_by)
    highest = best.finished_result.accuracy_to_choose_by
    ahead = [run for run in runs if run.finished_result.accuracy_to_choose_by == highest]
    if len(runs) == 1:
        return f"See how {name(best)} does, class by class, and what it costs."
    models = sorted({ARCHITECTURES[run.recipe.model].name for run in runs})
    what = f"these {len(runs):,} runs" if len(models) == 1 else listed(models)
    if len(ahead) == len(runs):
        return f"All of them are equally accurate: compare {what}."
    which = f"{name(best)} is"
    if len(ahead) > 1:
        which = f"{name(best)} and {len(ahead) - 1:,} other{'s' if len(ahead) > 2 else ''} are"
    return f"{which} ahead: compare {what}, and see how sure that is."
