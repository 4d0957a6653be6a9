"""What models take for what: the matrices that are compared, and the images behind them. No Streamlit, no torch.

One set of definitions holds for every figure here:

- What is compared is an `Item`: one run, or all seeds of a group; at the end of its training, or after an epoch.
- The matrix of a group is the sum over its seeds. A difference of two matrices is in images per run.
- A group's probability of a class is the mean over its seeds, and its answer the class of which that is highest, as on
  the page Predict. It is right if that is the true class. A run is a group of one.
- Probabilities are known at the end alone: of earlier epochs only the answers are kept. A group's answer is then what
  most of its seeds say; of as many votes the first class in the list.
- What a run says are its stored classes, those of its weights. Probabilities come from its logits as they are stored,
  rounded: so the answer of several seeds may be another than that of their weights where two classes are nearer than
  that. In the reference runs, it is for about one answer of ten thousand.

Throughout: `labels` are the true test labels, integer (N,); images are meant by their indices; S is a number of seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fmnist import metrics
from fmnist.data.catalog import DatasetInfo
from fmnist.metrics import CLASSES
from fmnist.models.registry import ARCHITECTURES
from fmnist.store.library import Group, Library
from fmnist.store.run import Run

MAX_WHOLE = 60
"""Seeds whose answers are read without being asked for: those of five hundred take seconds."""


@dataclass(frozen=True)
class Item:
    """Something that has a confusion matrix."""

    id: str  # for keys: the same for as long as the runs are
    part: str  # of the group: "all seeds", "seed 1, after epoch 2"
    group: Group
    runs: tuple[Run, ...]  # one, or all of the group
    epoch: int | None = None  # after which it is looked at; None: at its end

    @property
    def title(self) -> str:
        """For people: no two items share one."""
        return self.group.title_of(self.part)

    @property
    def former_title(self) -> str:
        """What earlier versions called it, and wrote into addresses."""
        return f"{self.group.title}, {self.part}"

    @property
    def key(self) -> str:
        """Its name in the address of a page: "12", "reference-3", or for all seeds that of the group."""
        name = self.group.key if len(self.runs) > 1 else self.runs[0].address
        return name if self.epoch is None else f"{name}@{self.epoch}"

    @property
    def epochs(self) -> int:
        return self.group.recipe.epochs

    @property
    def model(self) -> str:
        return self.group.recipe.model

    @property
    def info(self) -> DatasetInfo:
        """What is known of the data set."""
        return self.group.recipe.info

    def after(self, epoch: int | None) -> Item:
        """The same after an epoch; one that had been at its end by then is there still, and so is one that holds out
        images: it answers for the test images at its end alone."""
        if epoch is None or epoch >= self.epochs or self.group.recipe.validation:
            return self
        return replace(self, id=f"{self.id}@{epoch}", part=f"{self.part}, after epoch {epoch}", epoch=epoch)


def all_seeds(group: Group) -> Item:
    """A group as one item."""
    return Item(f"all-{group.id}", "all seeds", group, group.runs)


def one_run(group: Group, run: Run) -> Item:
    """One run of a group as an item."""
    return Item(run.address, f"seed {run.recipe.seed}", group, (run,))


def whole(group: Group) -> Item:
    """What stands for a group until somebody chooses: all its seeds; of more than `MAX_WHOLE`, or of one, the first."""
    return all_seeds(group) if 1 < len(group.runs) <= MAX_WHOLE else one_run(group, group.runs[0])


def mean_accuracy(group: Group) -> float:
    """At the end of training, over all seeds; without a look at the answers."""
    return float(np.mean([run.finished_result.test_accuracy for run in group.runs]))


def items(groups: Sequence[Group]) -> list[Item]:
    """All that can be compared: groups with several seeds first, then every run."""
    summed = [all_seeds(group) for group in groups if len(group.runs) > 1]
    single = [one_run(group, run) for group in groups for run in group.runs]
    return summed + single


def shortlist(found: Sequence[Item], groups: Sequence[Group], most: int) -> list[Item]:
    """Those of `items` that are offered in a list where there are thousands: groups, then as many seeds of each.

    Args:
        groups: the same as `items` had.
        most: how many, but for the first run of each group, which is always among them.
    """
    if len(found) <= most:
        return list(found)
    summed = [item for item in found if len(item.runs) > 1]
    seeds = max(1, (most - len(summed)) // len(groups))
    offered = {run.address for group in groups for run in group.runs[:seeds]}
    return [*summed, *(item for item in found if item.id in offered)]


def short_names(compared: Sequence[Item]) -> list[str]:
    """The shortest names that tell what is compared apart: of the model, with its seeds, or the whole titles."""
    models = [ARCHITECTURES[item.model].name for item in compared]
    seeds = ["all seeds" if len(item.runs) > 1 else f"seed {item.runs[0].recipe.seed}" for item in compared]
    epochs = [f"epoch {item.epoch or item.epochs}" for item in compared]
    for parts in ([models], [models, seeds], [models, epochs]):
        names = [", ".join(words) for words in zip(*parts, strict=True)]
        if len({*names}) == len(names):
            return names
    return [item.title for item in compared]


@dataclass(frozen=True, eq=False)
class Answers:
    """What an item says of the test images."""

    item: Item
    said: np.ndarray  # uint8 (S, N): the answers of each seed
    answer: np.ndarray  # uint8 (N,): their answer together
    matrix: np.ndarray  # int64 (10, 10), summed over seeds: rows are the true class, columns the predicted one

    @property
    def seeds(self) -> int:
        return len(self.said)

    @property
    def correct(self) -> int:
        return int(np.trace(self.matrix))

    @property
    def accuracy(self) -> float:
        """Correct / all; of a group the mean over its seeds, as they all answer the same images."""
        return self.correct / int(self.matrix.sum())

    def of_class(self, true: int) -> int:
        """How many answers are given to images of a class."""
        return int(self.matrix[true].sum())

    def seeds_saying(self, label: int | np.ndarray, images: np.ndarray) -> np.ndarray:
        """How many seeds say a class of some images, int (M,); the class may be another one for each."""
        return np.count_nonzero(self.said[:, images] == label, axis=0)

    def tally(self, image: int) -> list[tuple[int, int]]:
        """What the seeds say of an image: (class, how many), the most frequent first."""
        votes = np.bincount(self.said[:, image], minlength=CLASSES)
        order = np.argsort(-votes, kind="stable")
        return [(int(label), int(votes[label])) for label in order if votes[label]]


def as_table(shown: Sequence[Answers]) -> pd.DataFrame:
    """The matrices to download, a row a cell: what, seeds, true, predicted, images (summed over seeds)."""
    cells = [(true, said) for true in range(CLASSES) for said in range(CLASSES)]
    return pd.DataFrame(
        [
            {
                "what": answers.item.title,
                "seeds": answers.seeds,
                "true": answers.item.info.classes[true],
                "predicted": answers.item.info.classes[said],
                "images": int(answers.matrix[true, said]),
            }
            for answers in shown
            for true, said in cells
        ]
    )


def answers(library: Library, item: Item, labels: np.ndarray) -> Answers | None:
    """What an item says; None where the answers after its epoch were not kept."""
    said = at_the_end(library, item.runs) if item.epoch is None else after_epoch(library, item.runs, item.epoch)
    if said is None:
        return None
    by_seed, together = said
    matrix = metrics.confusion_of_all(labels, by_seed)
    return Answers(item, by_seed, together, matrix)


def at_the_end(library: Library, runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray]:
    """What each of some runs says, uint8 (S, N), and all together, uint8 (N,)."""
    if len(runs) == 1:
        said = library.predictions(runs[0])
        return said[None], said
    together = metrics.softmax(library.logits(runs[0]))
    for run in runs[1:]:  # One by one: those of five hundred seeds would take 400 MB.
        together += metrics.softmax(library.logits(run))
    return np.stack([library.predictions(run) for run in runs]), together.argmax(axis=1).astype(np.uint8)


def after_epoch(library: Library, runs: Sequence[Run], epoch: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The same after an epoch; None where it was not kept."""
    by_seed = []
    for run in runs:
        store = library.stores[run.source]
        if store.artifact(run.id, f"predictions/{epoch}") is None:
            return None
        by_seed.append(store.predictions(run.id, epoch))
    stacked = np.stack(by_seed)
    return stacked, votes(stacked).argmax(axis=1).astype(np.uint8)


def votes(said: np.ndarray) -> np.ndarray:
    """How many seeds say each class of each image, int (N, 10).

    Args:
        said: uint8 (S, N).
    """
    return np.stack([np.count_nonzero(said == label, axis=0) for label in range(CLASSES)], axis=1)


def probabilities(library: Library, item: Item, images: np.ndarray) -> np.ndarray | None:
    """Each seed's probabilities for some images, float64 (S, M, 10); None after an earlier epoch than the last."""
    if item.epoch is not None:
        return None
    return np.stack([metrics.softmax(library.logits(run)[images]) for run in item.runs])


def mean_probabilities(library: Library, item: Item, images: np.ndarray) -> np.ndarray | None:
    """The means of `probabilities` over the seeds, float64 (M, 10)."""
    known = probabilities(library, item, images)
    return None if known is None else known.mean(axis=0)


def mean_and_spread(seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Of one image the mean over seeds, float (10,), and the lowest and highest, float (2, 10); None for one seed.

    Args:
        seeds: probabilities, float (S, 10).
    """
    spread = np.array([seeds.min(axis=0), seeds.max(axis=0)]) if len(seeds) > 1 else None
    return seeds.mean(axis=0), spread


# --- Matrices ---


def most_accurate(compared: Sequence[Answers]) -> Answers:
    """The one with the highest accuracy; the first of several."""
    return max(compared, key=lambda answers: answers.accuracy)


def difference(before: Answers, after: Answers) -> np.ndarray:
    """What the second does more often than the first, in images per run: float64 (10, 10).

    Each row sums to 0, the diagonal to the gap in accuracy times N. Worked out in whole numbers but for one
    division, so that equal matrices give exactly 0.
    """
    return (after.matrix * before.seeds - before.matrix * after.seeds) / (before.seeds * after.seeds)


def images_gained(before: Answers, after: Answers) -> float:
    """How many more images the second recognises, per run: the diagonal's sum of `difference`."""
    return (after.correct * before.seeds - before.correct * after.seeds) / (before.seeds * after.seeds)


def most_changed(change: np.ndarray, count: int) -> list[tuple[int, int, float]]:
    """The `count` largest cells of a difference that are not 0: (true class, predicted class, images)."""
    order = np.argsort(-np.abs(change), axis=None, kind="stable")[:count]
    cells = (divmod(int(cell), CLASSES) for cell in order)
    return [(true, said, float(change[true, said])) for true, said in cells if change[true, said]]


# --- The images of a cell ---


def cell_images(library: Library, of: Answers, labels: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    """The images of a true class to which any seed gives the predicted class: the surest first.

    In order of the mean probability that the seeds give to the predicted class, ties by their number; after an
    earlier epoch in order of their number.

    Args:
        cell: (true, predicted).
    """
    true, predicted = cell
    found = np.flatnonzero((labels == true) & (of.said == predicted).any(axis=0))
    known = mean_probabilities(library, of.item, found)
    return found if known is None else _descending(found, known[:, predicted])


def flips(
    library: Library, before: Answers, after: Answers, labels: np.ndarray, cell: tuple[int, int]
) -> dict[str, np.ndarray]:
    """The parts of `metrics.flips`, each with the surest first.

    The judge of an image is the one that gives it the cell's predicted class; where both do, the surer one. After an
    earlier epoch, images stand in order of their number.
    """
    parts = metrics.flips(labels, before.answer, after.answer, cell)
    return {name: _by_judge(library, (before, after), part, cell[1]) for name, part in parts.items()}


def _by_judge(library: Library, judges: Sequence[Answers], images: np.ndarray, label: int) -> np.ndarray:
    sureness = []
    for judge in judges:
        known = mean_probabilities(library, judge.item, images)
        if known is None:
            return images
        sureness.append(np.where(judge.answer[images] == label, known[:, label], 0))
    return _descending(images, np.max(sureness, axis=0))


def _descending(images: np.ndarray, values: np.ndarray) -> np.ndarray:
    return images[np.argsort(-values, kind="stable")]


# --- Who is right where ---


def only_right(compared: Sequence[Answers], labels: np.ndarray, which: int) -> np.ndarray:
    """The images that one of those compared recognises, and no other."""
    right = np.stack([answers.answer == labels for answers in compared])
    return np.flatnonzero(right[which] & (right.sum(axis=0) == 1))


def all_wrong(compared: Sequence[Answers], labels: np.ndarray, *, alike: bool = False) -> np.ndarray:
    """The images that none of those compared recognises.

    Args:
        alike: only those of which all say the same.
    """
    answer = np.stack([answers.answer for answers in compared])
    wrong = (answer != labels).all(axis=0)
    return np.flatnonzero(wrong & (answer == answer[0]).all(axis=0) if alike else wrong)


def surest_answers_first(library: Library, compared: Sequence[Answers], images: np.ndarray) -> np.ndarray:
    """Images by how sure those compared are: the mean of the probabilities that they give to their own answers.

    Ties by their number; after an earlier epoch, all in order of their number.
    """
    total = np.zeros(len(images))
    for answers in compared:
        known = mean_probabilities(library, answers.item, images)
        if known is None:
            return images
        total += known[np.arange(len(images)), answers.answer[images]]
    return _descending(images, total)


def seeds_disagree(of: Answers) -> np.ndarray:
    """The images of which the seeds do not all say the same: the most divided first, ties by their number."""
    images = np.flatnonzero((of.said != of.said[0]).any(axis=0))
    return _descending(images, -votes(of.said[:, images]).max(axis=1))


def alive(groups: Sequence[Group]) -> list[Run]:
    """The runs of some groups that have not died: a dead one says the same of every image."""
    return [run for group in groups for run in group.runs if run.result and not run.result.dead]
