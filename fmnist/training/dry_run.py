"""Plan: what of a grid is to be trained, and how long that will take. No torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError

import pandas as pd

from fmnist.data.files import Dataset
from fmnist.grid import FACTORS, Grid, Several, worth_showing
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.training import hardware
from fmnist.training.estimate import duration, estimate_seconds
from fmnist.words import listed


def _is_alike(run: Run) -> bool:
    """Whether this machine computes as the one did that has trained a run."""
    if run.device != "cpu" or run.machine != hardware.machine():
        return False
    with suppress(PackageNotFoundError):
        return run.versions == hardware.versions(run.compiled)
    return False


@dataclass(frozen=True)
class Plan:
    """A grid, and what of it is trained already."""

    library: Library
    grid: Grid | Several
    data: Dataset
    slots: int  # how many runs are trained side by side
    again: bool = False  # train also what is trained already
    cluster: str | None = None  # the address of the one that trains; None: this machine

    @cached_property
    def keyed(self) -> list[tuple[Recipe, str]]:
        """Each recipe with its key, as `Store.enqueue` takes them.

        Raises:
            RecipeError: the grid has a value that can't be used, or too many runs.
        """
        return [(recipe, recipe.key(self.data.fingerprint)) for recipe in self.grid.recipes()]

    @cached_property
    def trained(self) -> set[str]:
        """The keys of what is trained already."""
        return self.library.own.done_keys(self.keyed)

    @cached_property
    def todo(self) -> list[Recipe]:
        """What will be trained."""
        return [recipe for recipe, key in self.keyed if self.again or key not in self.trained]

    @cached_property
    def earlier(self) -> dict[str, Run]:
        """By key, of what will be trained the finished run of fewer epochs from which it goes on: one that was trained
        on a CPU like this one by the same versions, so that the weights come out as they would from the start."""
        fingerprint = self.data.fingerprint
        wanted = [recipe for recipe in self.todo if recipe.needs_weights_alone and recipe.epochs > 1]
        if self.again or self.cluster or not wanted:
            return {}
        done = self.library.remember("more-epochs", self._by_all_but_epochs)
        found = {}
        for recipe in wanted:
            for run in done.get((replace(recipe.group(), epochs=1), recipe.seed), ()):
                shorter = replace(recipe, epochs=run.recipe.epochs)
                same = run.recipe == shorter and run.key == shorter.key(fingerprint)
                if shorter.epochs < recipe.epochs and same and _is_alike(run):
                    found[recipe.key(fingerprint)] = run
                    break
        return found

    def _by_all_but_epochs(self) -> dict[tuple[Recipe, int], list[Run]]:
        """The own finished runs from which others can go on, by recipe but for the epochs and by seed; those of most
        epochs first."""
        found: dict[tuple[Recipe, int], list[Run]] = {}
        for run in self.library.finished("own")["run"]:
            if run.recipe.needs_weights_alone:
                found.setdefault((replace(run.recipe.group(), epochs=1), run.recipe.seed), []).append(run)
        return {kind: sorted(runs, key=lambda run: -run.recipe.epochs) for kind, runs in found.items()}

    @cached_property
    def seconds(self) -> float | None:
        """Roughly how long that will take; None if nobody can say."""
        fingerprint = self.data.fingerprint
        left = [
            replace(recipe, epochs=recipe.epochs - run.recipe.epochs) if run else recipe
            for recipe in self.todo
            for run in [self.earlier.get(recipe.key(fingerprint))]
        ]
        return self._seconds(left)

    def _seconds(self, recipes: Sequence[Recipe]) -> float | None:
        return estimate_seconds(self.library, recipes, len(self.data.train_images), self.slots)

    def say(self) -> str:
        """The plan in a few sentences."""
        count, whole = len(self.todo), self.grid.describe() if self.grid.is_sweep else ""
        time = "" if self.seconds is None else f", roughly {duration(self.seconds)}"
        if not count:
            kept = "Everything here is already trained"
            return f"{whole}. {kept}." if whole else f"{kept} with this recipe."
        if whole and count == len(self.keyed):
            return " ".join([f"{whole}{time}.", *self._say_earlier()])
        said = [f"{whole}."] if whole else []
        if self.trained and not self.again:
            known = len(self.trained)
            are = "is already trained: its result is" if known == 1 else "are already trained: their results are"
            said.append(f"{known:,} of {len(self.keyed):,} {are} shown at once.")
        if time:
            said.append(f"{count:,} {'run' if count == 1 else 'runs'}{time}.")
        return " ".join([*said, *self._say_earlier()])

    def _say_earlier(self) -> list[str]:
        """From where runs go on: a sentence, or none."""
        epochs = sorted({run.recipe.epochs for run in self.earlier.values()})
        if not epochs:
            return []
        count = len(self.earlier)
        which = "It goes" if len(self.todo) == 1 else f"{count:,} of them {'goes' if count == 1 else 'go'}"
        after = f"{listed(map(str, epochs), 'or')} epoch{'' if epochs == [1] else 's'}"
        return [f"{which} on after the {after} that {'was' if epochs == [1] else 'were'} trained before."]

    def table(self) -> pd.DataFrame:
        """A row for each recipe but for its seed, in the order in which they are queued.

        Returns:
            Columns model, optimizer, learning_rate, batch_size, epochs and what else is `worth_showing`, seeds, trained
            (how many of them are trained already), seconds (expected for the others; NaN where nobody can say).
        """
        factors = worth_showing(recipe for recipe, _ in self.keyed)
        by_setting: dict[Recipe, list[tuple[Recipe, str]]] = {}
        for recipe, key in self.keyed:
            by_setting.setdefault(replace(recipe, seed=0), []).append((recipe, key))
        rows = []
        for setting, members in by_setting.items():
            trained = sum(key in self.trained for _, key in members)
            todo = [recipe for recipe, key in members if self.again or key not in self.trained]
            values = {factor.field: getattr(setting, factor.field) for factor in factors}
            rows.append(values | {"seeds": len(members), "trained": trained, "seconds": self._seconds(todo)})
        columns = [*(factor.field for factor in factors), "seeds", "trained", "seconds"]
        return pd.DataFrame(rows, columns=columns).astype({"seconds": float})


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """A `Plan.table` with settings as people read them."""
    shown = [factor for factor in FACTORS if factor.field in table]
    return table.assign(**{factor.field: table[factor.field].map(factor.say) for factor in shown})
