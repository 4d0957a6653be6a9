"""Finding runs among thousands: by words, model, data set and status."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass

from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.database import DamagedStore
from fmnist.store.label import NO_LABEL, Label
from fmnist.store.reading import StoreReader
from fmnist.store.run import Run, Status


@dataclass(frozen=True)
class Wanted:
    """What runs are looked for; empty parts leave all of them in."""

    words: str = ""  # of the name, the note, the model, the recipe, the data set or "run 12"
    models: Collection[str] = ()
    datasets: Collection[str] = ()
    statuses: Collection[Status] = ()


@dataclass(frozen=True)
class _Known:
    """What never changes of a run."""

    model: str
    dataset: str
    text: str


class RunSearch:
    """Finds runs of a store. Their recipes are read once, for they never change. Safe to share between threads."""

    def __init__(self, store: StoreReader) -> None:
        self._store = store
        self._mutex = threading.Lock()
        self._models = ARCHITECTURES.generation
        self._known: dict[int, _Known | None] = {}  # None for those that this program does not know, or can't read.

    def find(self, wanted: Wanted, left: Collection[int] = ()) -> list[int]:
        """The ids of the runs that are looked for, the newest first.

        Args:
            left: those that a dead scheduler has left behind: they are interrupted, though nobody may mark them.
        """
        standing = self._store.statuses()
        standing |= dict.fromkeys(standing.keys() & set(left), Status.INTERRUPTED)
        ids = [id for id in sorted(standing, reverse=True) if not wanted.statuses or standing[id] in wanted.statuses]
        if not (wanted.words.strip() or wanted.models or wanted.datasets):
            return ids
        known, labels = self._read(ids, standing.keys()), self._store.labels()
        texts = {
            id: _joined(run.text, labels.get(id, NO_LABEL))
            for id in ids
            if (run := known[id])
            if not wanted.models or run.model in wanted.models
            if not wanted.datasets or run.dataset in wanted.datasets
        }
        return matching(texts, wanted.words)

    def runs(self, ids: Sequence[int]) -> list[Run]:
        """These runs in this order, but those that can't be read or are not known."""
        try:
            found = self._store.by_ids(ids)
        except DamagedStore:
            found = self._store.runs()  # Leaves out what can't be read.
        by_id = {run.id: run for run in found}
        return [by_id[id] for id in ids if id in by_id]

    def _read(self, ids: Sequence[int], standing: Set[int]) -> Mapping[int, _Known | None]:
        """What is known of these runs; what is no longer in the store is forgotten."""
        with self._mutex:
            if self._models != ARCHITECTURES.generation:
                self._models = ARCHITECTURES.generation
                self._known.clear()
            for gone in self._known.keys() - standing:
                del self._known[gone]
            unread = [id for id in ids if id not in self._known]
            found = self._store.recipes(unread)
            self._known |= {id: _known(id, found[id]) if id in found else None for id in unread}
            return {id: self._known[id] for id in ids}


def _known(id: int, recipe: Recipe) -> _Known:
    return _Known(recipe.model, recipe.dataset, _said_of(str(id), recipe))


def text_of(run: Run, label: Label) -> str:
    """In what words are looked for, in lower case."""
    return _joined(_said_of(run.address, run.recipe), label)


def _said_of(address: str, recipe: Recipe) -> str:
    model = ARCHITECTURES[recipe.model].full_name
    return f"run {address}, {model}, seed {recipe.seed}, {recipe.info.title}, {recipe.describe()}"


def _joined(text: str, label: Label) -> str:
    return "\n".join([text, *label.texts]).lower()


def matching(texts: Mapping[int, str], words: str) -> list[int]:
    """The keys of the texts that contain what is looked for as it stands; where there are none, of those that contain
    each of its words.

    Args:
        texts: in lower case.
    """
    each = words.lower().split()
    phrase = " ".join(each)
    found = [id for id, text in texts.items() if phrase in text]
    return found or [id for id, text in texts.items() if all(word in text for word in each)]
