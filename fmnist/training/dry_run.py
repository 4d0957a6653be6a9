"""Plan: what of a grid is to be trained, and how long that will take. No torch, no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from fmnist.data.files import Dataset
from fmnist.grid import Grid, Several, worth_showing
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.training.estimate import duration, estimate_seconds


@dataclass(frozen=True)
class Plan:
    """A grid, and what of it is trained already."""

    library: Library
    grid: Grid | Several
    data: Dataset
    slots: int  # how many runs are trained side by side
    again: bool = False  # train also what is trained already

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
    def seconds(self) -> float | None:
        """Roughly how long that will take; None if nobody can say."""
        return self._seconds(self.todo)

    def _seconds(self, recipes: Sequence[Recipe]) -> float | None:
        return estimate_seconds(self.library, recipes, len(self.data.train_images), self.slots)

    def say(self) -> str:
        """The plan in a few sentences."""
        count, whole = len(self.todo), self.grid.describe() if self.grid.is_sweep else ""
        time = "" if self.seconds is None else f", roughly {duration(self.seconds)}"
        if not count:
            kept = "Everything here is already trained with this recipe."
            return f"{whole}. {kept}" if whole else kept
        if whole and count == len(self.keyed):
            return f"{whole}{time}."
        said = [f"{whole}."] if whole else []
        if self.trained and not self.again:
            said.append(
                f"{len(self.trained):,} of {len(self.keyed):,} are already trained: their results are shown at once."
            )
        if time:
            said.append(f"{count:,} {'run' if count == 1 else 'runs'}{time}.")
        return " ".join(said)

    def table(self) -> pd.DataFrame:
        """A row for each recipe but for its seed, in the order in which they are queued.

        Returns:
            Columns model, optimizer, learning_rate, batch_size, epochs and what else is `worth_showing` (as people read
            them), seeds, trained (how many of them are trained already), seconds (expected for the others; NaN where
            nobody can say).
        """
        factors = worth_showing(recipe for recipe, _ in self.keyed)
        by_setting: dict[Recipe, list[tuple[Recipe, str]]] = {}
        for recipe, key in self.keyed:
            by_setting.setdefault(replace(recipe, seed=0), []).append((recipe, key))
        rows = []
        for setting, members in by_setting.items():
            trained = sum(key in self.trained for _, key in members)
            todo = [recipe for recipe, key in members if self.again or key not in self.trained]
            values = {factor.field: factor.say(getattr(setting, factor.field)) for factor in factors}
            rows.append(values | {"seeds": len(members), "trained": trained, "seconds": self._seconds(todo)})
        columns = [*(factor.field for factor in factors), "seeds", "trained", "seconds"]
        return pd.DataFrame(rows, columns=columns).astype({"seconds": float})
