"""The runs that are exported, and what every format asks of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from fmnist import metrics
from fmnist.data.catalog import DATASETS
from fmnist.data.files import DataError, Dataset
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Run


@dataclass(frozen=True)
class Chosen:
    """Finished runs of a library, each once.

    Args:
        load: gives the data set with a name, or raises DataError. Nothing but what looks at test images needs it.
    """

    library: Library
    runs: tuple[Run, ...]
    load: Callable[[str], Dataset]

    @cached_property
    def groups(self) -> list[list[Run]]:
        """The runs, those together that differ in nothing but the seed, in order of the seed."""
        groups: dict[tuple[str, Recipe, str], list[Run]] = {}
        for run in self.runs:
            groups.setdefault((run.source, run.recipe.group(), run.where), []).append(run)
        return [sorted(runs, key=lambda run: run.recipe.seed) for runs in groups.values()]

    @cached_property
    def _datasets(self) -> dict[str, Dataset | None]:
        return {}

    def data(self, run: Run) -> Dataset | None:
        """The data on which a run was trained and tested; None where they are not at hand, or are others."""
        name = run.recipe.dataset
        if name not in self._datasets:
            try:
                self._datasets[name] = self.load(name)
            except DataError:
                self._datasets[name] = None
        found = self._datasets[name]
        return found if found and len(found.test_labels) == len(self.library.logits(run)) else None

    def recalls(self, run: Run) -> dict[str, float]:
        """The recall of each class, a share of 1, by the class's name; empty without the data."""
        data = self.data(run)
        if data is None:
            return {}
        matrix = metrics.confusion_matrix(data.test_labels, self.library.predictions(run))
        shares = metrics.row_shares(matrix).diagonal()
        return dict(zip(classes(run), map(float, shares), strict=True))


def widen(library: Library, runs: list[Run]) -> list[Run]:
    """The runs with all others that have the same recipe but for the seed, on the same kind of device; each once."""
    found: dict[str, Run] = {}
    for run in runs:
        alike = library.trials if run.recipe.validation else library.groups
        for group in alike(run.recipe.dataset, run.source):
            if (group.recipe, group.where) == (run.recipe.group(), run.where):
                found |= {other.address: other for other in group.runs}
        found[run.address] = run  # A seed that was trained again stands in its group with its newest run only.
    return list(found.values())


def file_name(run: Run) -> str:
    """A name for a run's files, without an ending: "model-2-seed-0-run-reference-11"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"model-{run.recipe.model}-seed-{run.recipe.seed}-run-{run.address}")


# What other modules of this package know of a data set: its classes, its title and its licence.


def classes(run: Run) -> tuple[str, ...]:
    """The names of the classes, in order of the labels."""
    return DATASETS[run.recipe.dataset].classes


def dataset_title(run: Run) -> str:
    return DATASETS[run.recipe.dataset].title


LICENCES = {"fashion-mnist": "mit", "sample": "mit"}
"""Of the data sets, as Hugging Face calls them; one that is not here is left for the card's reader to find out."""
