"""All finished runs as one table: the user's own, and the reference runs that come with the project."""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from fmnist.data.catalog import DATASETS
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.database import StoreError
from fmnist.store.growing_curves import GrowingCurves
from fmnist.store.run import SIZES, TIMES, Run
from fmnist.store.search import RunSearch
from fmnist.store.store import REFERENCE, Store
from fmnist.words import exact

SOURCES = {"own": "Your runs", "reference": "Reference runs"}
MAX_REMEMBERED = 256

GROUP = ["source", "dataset", "model", "recipe", "device"]
"""What makes runs one group. `device` is where they really ran: "CPU", or the GPU's name."""

RUN_COLUMNS = (
    *(*GROUP, "seed", "run", "finished", "accuracy", "dead"),
    *(*TIMES, "conditions", *SIZES),
)
"""Of a table of finished runs."""

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """Finished runs with the same recipe but for the seed, from one store and one kind of device."""

    source: str
    recipe: Recipe  # `Recipe.group()` of each run
    where: str
    runs: tuple[Run, ...]  # one per seed, in order of the seed
    title: str  # for people: "Model 2", and what tells it from the published recipe and from the others beside it

    @property
    def id(self) -> str:
        """A name for widgets, tables and the command line: that of its first run."""
        return self.runs[0].address

    @property
    def key(self) -> str:
        """Its name in the address of a page, whichever of its seeds are trained, deleted or trained again: "model-2",
        "model-2-adam-0.001-64-10", "reference-model-0@A GPU". No other group on the same data has it."""
        recipe, store = self.recipe, "" if self.source == "own" else f"{self.source}-"
        settings = [recipe.optimizer, exact(recipe.learning_rate), str(recipe.batch_size), str(recipe.epochs)]
        settings += [f"{field}-{getattr(recipe, field)}".lower() for field in recipe.later()]
        name = f"{store}model-{recipe.model}" + ("" if recipe.published else f"-{'-'.join(settings)}")
        return name if self.where == "CPU" else f"{name}@{self.where}"

    @property
    def full_title(self) -> str:
        """The title for somebody who meets the model for the first time: "Model 2 · TinyVGG (CNN)"."""
        architecture = ARCHITECTURES[self.recipe.model]
        return architecture.full_name + self.title.removeprefix(architecture.name)

    def title_of(self, part: str) -> str:
        """The title of a part of it, which stands where a phone still shows it: "Model 2, seed 1 · SGD, lr 0.1"."""
        name = ARCHITECTURES[self.recipe.model].name
        return f"{name}, {part}{self.title.removeprefix(name)}"

    @cached_property  # Each page asks every group, and some have hundreds of runs.
    def rank(self) -> tuple[bool, bool, float]:
        return self.source == "own", self.recipe.published, max(run.finished or 0 for run in self.runs)


class Library:
    """The user's store and the reference store side by side. Safe to share between threads.

    Args:
        own: the user's.
        reference: the file of the other, which is left out if it can't be read; None to do without.

    Attributes:
        fault: why there are no reference runs, in a sentence; empty if there are, or none were asked for.
    """

    def __init__(self, own: Store, reference: Path | None = REFERENCE) -> None:
        self.own = own
        self.stores = {"own": own}
        self.fault = ""
        if reference:
            try:
                store = Store(reference, read_only=True, source="reference")
                store.finished()  # In a damaged file that may be what can't be read.
                self.stores["reference"] = store
            except StoreError:
                self.fault = f"{reference} can't be read, so there are no reference runs: install the project again."
        self.growing = GrowingCurves(own)
        self.search = RunSearch(own)
        self._mutex = threading.RLock()
        self._changes: Hashable = None
        self._finished_ids = ""
        self._models = ARCHITECTURES.generation
        self._remembered: OrderedDict[Hashable, Future[Any]] = OrderedDict()

    def remember(self, name: Hashable, compute: Callable[[], T]) -> T:
        """What follows from the finished runs, worked out once for all viewers.

        It is forgotten when a run is finished, deleted or brought back, or the custom models change.

        Args:
            name: of what is worked out, with everything besides the runs that it depends on.
            compute: works it out. Nobody may change what it returns.
        """
        with self._mutex:
            self._forget_what_changed()
            found = self._remembered.get(name)
            if found is None:
                mine = self._remembered[name] = Future()
                if len(self._remembered) > MAX_REMEMBERED:
                    self._remembered.popitem(last=False)
            else:
                self._remembered.move_to_end(name)
        if found is not None:
            return found.result()  # Somebody else may still be working it out.
        try:
            mine.set_result(compute())
        except BaseException as error:
            mine.set_exception(error)
            with self._mutex:
                if self._remembered.get(name) is mine:
                    del self._remembered[name]
        return mine.result()

    def _forget_what_changed(self) -> None:
        if ARCHITECTURES.generation != self._models:
            self._models = ARCHITECTURES.generation
            self._remembered.clear()
        changes = self.own.change_counter(), *(tuple(store.damaged()) for store in self.stores.values())
        if changes != self._changes:
            self._changes, ids = changes, " ".join(store.finished_ids() for store in self.stores.values())
            if ids != self._finished_ids:
                self._finished_ids = ids
                self._remembered.clear()

    def damaged(self) -> list[tuple[str, int, str]]:
        """The runs in which something was found so far that can't be read: source, id, and what."""
        return [(source, id, what) for source, store in self.stores.items() for id, what in store.damaged().items()]

    def finished(self, *sources: str) -> pd.DataFrame:
        """Finished runs, a row each, with the columns `RUN_COLUMNS`; `run` is the `Run` itself.

        A seed that was trained again stands there with its newest run only.
        """
        sources = sources or tuple(self.stores)
        return self.remember(("finished", sources), lambda: self._finished(sources))

    def _finished(self, sources: Sequence[str]) -> pd.DataFrame:
        if set(sources) != set(self.stores):
            every = self.finished()
            return every[every["source"].isin(sources)]
        runs = [run for store in self.stores.values() for run in store.finished()]
        return pd.DataFrame([as_row(run) for run in runs], columns=list(RUN_COLUMNS))

    def sources(self) -> dict[str, list[str]]:
        """Of which data sets there are finished runs, and whose: both in the order of `DATASETS` and `SOURCES`."""

        def compute() -> dict[str, list[str]]:
            table = self.finished()
            found = set(zip(table["dataset"], table["source"], strict=True))
            known = {name: [source for source in SOURCES if (name, source) in found] for name in DATASETS}
            return {name: sources for name, sources in known.items() if sources}

        return self.remember("sources", compute)

    def groups(self, dataset: str, *sources: str) -> list[Group]:
        """The groups of finished runs on a data set, by model, the published recipe and own runs first: of runs that
        are measured on the test images. Those that hold out images are `trials`."""
        return self._measured(dataset, sources, on="test")

    def trials(self, dataset: str, *sources: str) -> list[Group]:
        """The groups of runs that hold out images to choose by. What they answer to the test images says how good a
        choice is, so it is not looked at before the choice is confirmed."""
        return self._measured(dataset, sources, on="validation")

    def _measured(self, dataset: str, sources: Sequence[str], on: str) -> list[Group]:
        every = self.remember(("groups", dataset, sources), lambda: self._groups(dataset, sources))
        if all(group.recipe.evaluated_on == on for group in every):
            return every
        return [group for group in every if group.recipe.evaluated_on == on]

    def _groups(self, dataset: str, sources: Sequence[str]) -> list[Group]:
        table = self.finished(*sources)
        runs = newest_per_seed(table[table["dataset"] == dataset])
        mixed = runs["source"].nunique() > 1
        members: dict[tuple[str, ...], list[Run]] = {}
        for *kind, run in zip(*(runs[column] for column in GROUP), runs["run"], strict=True):
            members.setdefault(tuple(kind), []).append(run)
        places = Counter((source, recipe) for source, _, _, recipe, _ in members)
        groups = []
        for (source, _, _, text, where), found in members.items():
            recipe = found[0].recipe.group()
            title = [ARCHITECTURES[recipe.model].name]
            title += [] if recipe.published else [recipe.describe()]
            title += ["reference"] if mixed and source == "reference" else []
            title += [where] if places[source, text] > 1 else []
            groups.append(Group(source, recipe, where, tuple(found), " · ".join(title)))
        return sorted(
            told_apart(groups),
            key=lambda group: (
                ARCHITECTURES.place(group.recipe.model),
                not group.recipe.published,
                group.source,
                group.id,
            ),
        )

    def logits(self, run: Run) -> np.ndarray:
        """Test logits of a finished run, float16 (N, 10): for probabilities; what is predicted, `predictions` tells."""
        return self.stores[run.source].logits(run.id)

    def predictions(self, run: Run) -> np.ndarray:
        """Predicted test labels of a finished run, uint8 (N,)."""
        return self.stores[run.source].predicted_classes(run)

    def weights(self, run: Run) -> bytes:
        """Weights of a finished run, a safetensors file."""
        return self.stores[run.source].weights(run.id)

    def history(self, runs: Sequence[Run], split: str | None = None) -> pd.DataFrame:
        """The curves of runs of any store, with the column `run` holding addresses; all, or only one of `SPLITS`."""
        parts = []
        for source, store in self.stores.items():
            addresses = {run.id: run.address for run in runs if run.source == source}
            if addresses:
                part = store.history(list(addresses), split)
                parts.append(part.assign(run=part["run"].map(addresses)))
        return pd.concat(parts, ignore_index=True) if parts else self.own.history([])


def told_apart(groups: Sequence[Group]) -> list[Group]:
    """Groups of which no two have the same title: models and GPUs may have the same names as others."""
    titles = Counter(group.title for group in groups)
    return [
        group if titles[group.title] == 1 else replace(group, title=f"{group.title} · run {group.id}")
        for group in groups
    ]


def as_row(run: Run) -> dict[str, Any]:
    """A finished run under the names of `RUN_COLUMNS`."""
    result = run.finished_result
    return {
        "source": run.source,
        "dataset": run.recipe.dataset,
        "model": run.recipe.model,
        "recipe": _as_text(run.recipe.group()),
        "device": run.where,
        "seed": run.recipe.seed,
        "run": run,
        "finished": run.finished,
        "accuracy": result.accuracy_to_choose_by,
        "dead": result.dead,
        **{name: _number(getattr(result, name)) for name in TIMES},
        "conditions": run.conditions,
        **{name: _number(getattr(run, name)) for name in SIZES},
    }


@lru_cache(maxsize=4096)
def _as_text(recipe: Recipe) -> str:
    return recipe.to_json()


def _number(value: float | None) -> float:
    """NaN where a run does not know it: it was not measured, or can't be counted."""
    return math.nan if value is None else value


def newest_per_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """One finished run per group and seed: a recipe that was trained again counts once, with its newest result.

    Args:
        runs: the columns of `GROUP`, and seed, finished, accuracy, dead, train_seconds, eval_seconds, parameters ...
    """
    return runs.sort_values("finished").drop_duplicates([*GROUP, "seed"], keep="last").sort_values([*GROUP, "seed"])


def default_groups(groups: list[Group]) -> list[Group]:
    """One group for each model: own runs before reference, the published recipe before others, newer before older."""
    chosen: dict[str, Group] = {}
    for group in groups:
        rival = chosen.get(group.recipe.model)
        if rival is None or group.rank > rival.rank:
            chosen[group.recipe.model] = group
    return list(chosen.values())


def with_reference(groups: list[Group]) -> list[Group]:
    """The same of groups of both sources: of each model the own group, and beside it the one of the reference runs."""
    chosen = {
        group.id for source in SOURCES for group in default_groups([one for one in groups if one.source == source])
    }
    return side_by_side([group for group in groups if group.id in chosen])


def side_by_side(groups: Sequence[Group]) -> list[Group]:
    """Groups with those of the same model beside each other, own ones first; models in the order in which they come."""
    models = list(dict.fromkeys(group.recipe.model for group in groups))
    return sorted(groups, key=lambda group: (models.index(group.recipe.model), group.source != "own"))


def identity(groups: Sequence[Group]) -> tuple[tuple[str, str], ...]:
    """What tells groups from others, to `Library.remember` what is made of them."""
    return tuple((group.id, group.title) for group in groups)
