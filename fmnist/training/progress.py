"""What is being trained, as far as a page shows it: of a sweep of a thousand runs only some are read. No Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from fmnist import settings
from fmnist.data.catalog import DATASETS
from fmnist.grid import SETTINGS, Factor, differing, distinguish, spanning
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import ACTIVE, RESUMABLE, UNFINISHED, Run, Status
from fmnist.store.store import Store
from fmnist.training import estimate, launcher


def goes_on(store: Store, run: Run) -> str:
    """From where a run goes on that waits to be resumed: "resumes after epoch 2 of 3". Nothing for a new one.

    A run is taken up where its last epoch ended, after which it was measured.
    """
    if not run.step or run.status != Status.QUEUED:
        return ""
    epochs = store.history([run.id], run.recipe.evaluated_on)["epoch"]
    if not len(epochs):
        return "starts again"
    # One that has not begun itself goes on from another run: `store.more_epochs`.
    return f"{'resumes' if run.started else 'goes on'} after epoch {epochs.max()} of {run.recipe.epochs}"


class TrainingProgress:
    """The own runs that were asked for together with the newest one, and all that are active, as they stand now.

    Lists of runs are in training order.

    Args:
        asked: runs that somebody asked for at once: if one of them is among those, the others belong to them too, also
            what was trained long before.
    """

    def __init__(self, library: Library, asked: Sequence[int] = ()) -> None:
        self.library = library
        self._standings = library.own.newest_request()
        known = {standing.id for standing in self._standings}
        if not known.isdisjoint(asked):
            self._standings = library.own.newest_request(also=[*asked, *known])
        if settings.read_only() and (left := launcher.left_behind(library.own)):  # Nobody here may mark them.
            self._standings = [
                standing._replace(status=Status.INTERRUPTED) if standing.id in left else standing
                for standing in self._standings
            ]
        self._counts = Counter(standing.status for standing in self._standings)
        self._ids = [standing.id for standing in self._standings]
        self._held: dict[int, Run] = {}

    def count(self, *statuses: Status) -> int:
        """How many runs there are, or how many with one of these statuses."""
        return sum(self._counts[status] for status in statuses) if statuses else len(self._standings)

    def ids(self, *statuses: Status) -> list[int]:
        """The runs with one of these statuses."""
        return [standing.id for standing in self._standings if standing.status in statuses]

    @property
    def active(self) -> int:
        """How many are queued or running."""
        return self.count(*ACTIVE)

    @property
    def ended(self) -> int:
        """How many are over, however they ended."""
        return self.count() - self.active

    @property
    def ended_at(self) -> float | None:
        """When the last of those that are over ended, as `time.time` gives it; None while none is."""
        return max((standing.finished for standing in self._standings if standing.finished), default=None)

    @property
    def begun(self) -> bool:
        """Whether any has made a step."""
        return any(standing.step for standing in self._standings)

    # --- The runs that are shown ---

    def running(self, most: int | None = None) -> list[Run]:
        return self._runs(self.ids(Status.RUNNING)[:most])

    def queued(self, most: int) -> list[Run]:
        """The next ones."""
        return self._runs(self.ids(Status.QUEUED)[:most])

    def unfinished(self, most: int) -> list[Run]:
        """The ones that ended last without a result; failed ones before those that were stopped."""
        ids = self._last(Status.FAILED) + self._last(*RESUMABLE)
        return self._runs(ids[:most])

    def results(self, most: int, dataset: str | None = None) -> list[Run]:
        """The ones that were done last, on any data set or this one."""
        done = self._last(Status.DONE)
        return self._runs((done if dataset is None else self._of(dataset, done))[:most])

    def all_results(self, dataset: str) -> list[Run]:
        """All that were done on a data set; read once for all viewers."""
        ids = self._of(dataset, self.ids(Status.DONE))
        return self.library.remember(("results", tuple(ids)), lambda: self._runs(ids))

    def _of(self, dataset: str, ids: Sequence[int]) -> list[int]:
        return [id for id in ids if id in self.recipes and self.recipes[id].dataset == dataset]

    def with_curves(self, most: int) -> list[Run]:
        """The running ones, and those that ended last."""
        return self._runs((self.ids(Status.RUNNING) + self._last(Status.DONE, *UNFINISHED))[:most])

    def _last(self, *statuses: Status) -> list[int]:
        """Those with one of these statuses, the one that ended last before the others."""
        ended = [standing for standing in self._standings if standing.status in statuses]
        return [standing.id for standing in sorted(ended, key=lambda one: one.finished or 0, reverse=True)]

    def _runs(self, ids: list[int]) -> list[Run]:
        """These, each of which is read once."""
        if missing := [id for id in ids if id not in self._held]:
            runs = self.library.own.by_ids(missing)
            runs = launcher.as_they_stand(self.library.own, runs) if settings.read_only() else runs
            self._held |= {run.id: run for run in runs}
        wanted = set(ids)
        return [self._held[id] for id in self._ids if id in wanted and id in self._held]

    def first_ones(self, dataset: str, most: int) -> list[Run]:
        """Of each model, or each setting of a sweep, the run that comes first: the running ones, those that ended last,
        and the next ones."""

        def compute() -> frozenset[int]:
            found: dict[Recipe, int] = {}
            for id in self._of(dataset, list(self.recipes)):
                found.setdefault(self.recipes[id].group(), id)
            return frozenset(found.values())

        firsts = self.library.remember(("firsts", dataset, tuple(self.recipes)), compute)
        known = self.ids(Status.RUNNING) + self._last(Status.DONE, *UNFINISHED) + self.ids(Status.QUEUED)
        return self._runs([id for id in known if id in firsts][:most])

    # --- What is said of them ---

    @cached_property
    def recipes(self) -> dict[int, Recipe]:
        """The recipes of the whole request, by the runs' ids."""
        ids = tuple(standing.id for standing in self._standings)

        def compute() -> dict[int, Recipe]:
            known = self.library.own.recipes(ids)
            return {id: known[id] for id in ids if id in known}

        return self.library.remember(("recipes", ids), compute)  # They stay what they are.

    @cached_property
    def factors(self) -> list[Factor]:
        """In what the recipes of the whole request differ besides model and seed."""
        ids = tuple(self.recipes)
        return self.library.remember(("differing", ids), lambda: differing(self.recipes.values(), SETTINGS))

    def describe(self, dataset: str) -> str:
        """By which recipe a data set was trained on: "SGD, learning rate 0.1, batches of 32, 3 epochs"."""
        grid = spanning([recipe for recipe in self.recipes.values() if recipe.dataset == dataset], seeds=1)
        return f"{grid.in_words()} · the published recipe" if grid.is_published else grid.in_words()

    def name(self, run: Run) -> str:
        """ "Model 2, seed 0", and in a sweep what else tells the run from the others: "Model 2, lr 0.01, seed 0"."""
        return f"{self.shared_name(run)}, seed {run.recipe.seed}"

    def shared_name(self, run: Run, *, full: bool = False) -> str:
        """The same without the seed; full: for somebody who meets the model for the first time."""
        architecture = ARCHITECTURES[run.recipe.model]
        words = distinguish(run.recipe, self.factors)
        return ", ".join(filter(None, [architecture.full_name if full else architecture.name, words]))

    def seconds_left(self, slots: int) -> float | None:
        """Roughly how long all of it will still take; None where nobody can say: a model was never trained before.

        Args:
            slots: how many runs are trained side by side.
        """
        left = {run.id: estimate.seconds_left(run) for run in self._runs(self.ids(Status.RUNNING))}
        waiting = (*self.ids(Status.QUEUED), *(id for id, seconds in left.items() if seconds is None))

        def compute() -> float | None:
            recipes = [self.recipes[id] for id in waiting if id in self.recipes]
            return estimate.queue_seconds(self.library, recipes, lambda dataset: DATASETS[dataset].train, slots)

        seconds = self.library.remember(("seconds-left", waiting, slots), compute)
        return None if seconds is None else seconds + max(filter(None, left.values()), default=0.0)
