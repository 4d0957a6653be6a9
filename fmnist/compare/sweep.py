"""What a sweep shows: groups that differ in their hyperparameters, the best of them, and what matters. No Streamlit.

Where images are held out, everything here is counted over these. What the chosen setting reaches on the test images is
for `confirmation` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from fmnist.compare import choosing, confirmation, sweep_chart
from fmnist.compare import effects as effects_module
from fmnist.compare.comparison import Picture
from fmnist.compare.confirmation import Confirmation, recipe_that_confirms
from fmnist.compare.pairs import accuracies
from fmnist.compare.sentences import say_failed_to_learn, say_interval, say_points, say_share
from fmnist.compare.statistics import EQUAL, MIN_SEEDS
from fmnist.compare.summary import ACCURACY, as_tables
from fmnist.compare.thinning import spread
from fmnist.grid import FACTORS, SETTINGS, Factor, differing
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import LATER, Recipe
from fmnist.store.library import Group, Library, identity
from fmnist.store.run import Run, Status
from fmnist.words import listed

COUNTED = {"epochs": "number of epochs", "validation": "number of held-out images"}
"""How factors are called in a sentence of which the title would be none of its words."""
MAX_NAMED = 10
MAX_LINES = 400
COLUMNS = (
    "id",
    "name",
    *(factor.field for factor in FACTORS),
    "source",
    "device",
    "seeds",
    *ACCURACY,
    "dead",
    "failed",
    "train_seconds",
)


def is_sweep(groups: Sequence[Group]) -> bool:
    """Whether groups differ in more than their models."""
    return bool(differing((group.recipe for group in groups), SETTINGS))


def find_sweep(library: Library, dataset: str, *sources: str) -> Sweep | None:
    """The sweep on a data set: of all settings with held-out images, or where they are no sweep of all others."""

    def compute() -> list[Group]:
        for groups in (library.trials(dataset, *sources), library.groups(dataset, *sources)):
            found = [(group, tuple(filter(confirmation.chosen_by, group.runs))) for group in groups]
            chosen_by = [replace(group, runs=runs) for group, runs in found if runs]
            if is_sweep(chosen_by):
                return chosen_by
        return []

    groups = library.remember(("groups of the sweep", dataset, sources), compute)
    failed = library.own.runs(Status.FAILED) if groups and "own" in sources else ()
    return Sweep(library, groups, failed) if groups else None


class Sweep:
    """All groups of some scope on one data set, and the runs of the same scope that failed.

    Args:
        groups: at least one; all with held-out images, or all without.
        failed: own runs that ended with an error.
    """

    def __init__(self, library: Library, groups: Sequence[Group], failed: Sequence[Run] = ()) -> None:
        self.groups = list(groups)
        self.held_out = groups[0].recipe.validation > 0
        self._library = library
        self._failed = [run for run in failed if self._belongs(run)]
        self._identity = identity(groups), tuple(run.id for run in self._failed)

    def _belongs(self, run: Run) -> bool:
        recipe, of = run.recipe, self.groups[0].recipe
        alike = (recipe.dataset, recipe.evaluated_on) == (of.dataset, of.evaluated_on)
        return alike and confirmation.chosen_by(run)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each group, the most accurate first; and for each setting of which every run has failed.

        Returns:
            The columns of `COLUMNS`: id (of the group; "" where all have failed), name, the recipe's fields, source,
            device, seeds (how many are finished), shares of 1 as `summary.summarise` has them with the 95% interval
            of the mean, dead and failed (numbers of runs), train_seconds (of those timed alike).
        """
        return self._library.remember(("sweep", self._identity), self._table)

    def _table(self) -> pd.DataFrame:
        failed: dict[Recipe, set[int]] = {}
        done = {(group.recipe, run.recipe.seed) for group in self.groups for run in group.runs}
        for run in self._failed:
            recipe = run.recipe.group()
            if (recipe, run.recipe.seed) not in done:  # Else it went well another time.
                failed.setdefault(recipe, set()).add(run.recipe.seed)
        rows = [
            _row(group, row, len(failed.get(group.recipe, ())) if group.source == "own" else 0)
            for group, (_, row) in zip(self.groups, as_tables(self.groups)[0].iterrows(), strict=True)
        ]
        known = {group.recipe for group in self.groups if group.source == "own"}
        rows += [_failed_row(recipe, len(seeds)) for recipe, seeds in failed.items() if recipe not in known]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        return table.sort_values("accuracy_mean", ascending=False, na_position="last", ignore_index=True, kind="stable")

    @cached_property
    def factors(self) -> list[Factor]:
        """In what the groups differ."""
        return [factor for factor in FACTORS if self.table[factor.field].nunique() > 1]

    @property
    def effects(self) -> pd.DataFrame:
        """How much each factor matters, beside what chance gives: `effects.effects`. Failed runs can't count."""

        def compute() -> pd.DataFrame:
            settings = pd.DataFrame([_values(group.recipe) for group in self.groups])
            by_group = [list(accuracies(group).values()) for group in self.groups]
            return effects_module.effects(settings, by_group, [factor.field for factor in self.factors])

        return self._library.remember(("effects", self._identity), compute)

    @cached_property
    def chosen(self) -> Group:
        """The best setting."""
        return self.groups[choosing.best(self._by_setting)]

    @property
    def not_told_apart(self) -> int:
        """How many of the others can't be told from it: `choosing.not_told_apart`."""
        by_setting = self._by_setting
        return self._library.remember(
            ("not told apart", self._identity),
            lambda: choosing.not_told_apart(by_setting, choosing.best(by_setting)),
        )

    @property
    def _by_setting(self) -> list[choosing.BySeed]:
        return [accuracies(group) for group in self.groups]

    # --- Confirmation ---

    @property
    def recipe_that_confirms(self) -> Recipe:
        """What is trained with new seeds to confirm the best setting."""
        return recipe_that_confirms(self.chosen)

    @property
    def confirmation(self) -> Confirmation | None:
        """What it reached with these; None while it is not confirmed."""
        return confirmation.confirmation(self._library, self.recipe_that_confirms)

    # --- In words ---

    @property
    def images(self) -> str:
        """The images on which is chosen: "held-out" or "test"."""
        return "held-out" if self.held_out else "test"

    def _describe(self, row: pd.Series) -> str:
        """ "Model 2, Adam, lr 0.001, batch 64, 3 epochs"; how many images are held out only where that differs."""
        usual = LATER | {"validation": self.groups[0].recipe.validation}
        said = [factor for factor in FACTORS if factor in self.factors or row[factor.field] != usual.get(factor.field)]
        return ", ".join(factor.name(row[factor.field]) for factor in said)

    def answer(self) -> str:
        """The best setting: Markdown."""
        best = self.table.iloc[0]
        over = f" on average over {best['seeds']} runs" if best["seeds"] > 1 else " in its single run"
        of = "of the held-out images" if self.held_out else ""
        figure = f"**{say_share(best['accuracy_mean'])}** {of}".strip()
        interval = say_interval(best) if best["seeds"] >= MIN_SEEDS else ""
        said = f"Best of {len(self.table):,}: **{self._describe(best)}** with {figure}{over}{interval}."
        equal = int((best["accuracy_mean"] - self.table["accuracy_mean"] < EQUAL).sum()) - 1
        if equal:
            said += f" {equal:,} other{' is' if equal == 1 else 's are'} as accurate."
        return said

    def standing(self) -> str:
        """Whether the best setting is confirmed, and what it reaches then: Markdown."""
        if found := self.confirmation:
            return found.say()
        lucky = "even on held-out images, because its seeds were lucky"
        if not self.held_out:
            lucky = "by the luck of choosing: the same test images chose it"
        return (
            f"**Chosen, not yet confirmed.** The best of {len(self.table):,} probably looks better than it is, "
            f"{lucky}. Confirm it with new seeds, trained on all {self.chosen.recipe.info.train:,} images."
        )

    def say_effects(self) -> str:
        """What matters most, beyond chance: sentences, or nothing where no two groups differ in one factor alone."""
        if self.effects.empty:
            return ""
        titles = {factor.field: factor for factor in FACTORS}
        words = {field: COUNTED.get(field, factor.title.lower()) for field, factor in titles.items()}
        seen, rest = (self.effects[self.effects["seen"] == which] for which in (True, False))
        names = [words[field] for field in rest["factor"]]
        if seen.empty and rest["blind"].all():
            which = listed(names, "or")
            return f"There are too few runs to tell whether the {which} matters: train each setting more often."
        if seen.empty:
            return (
                f"Nothing stands out: how far the values of {listed(names)} lie apart may be chance. "
                "Training each setting more often would show more."
            )
        first = seen.iloc[0]
        factor = titles[first["factor"]]
        best, several = listed(map(factor.say, first["best"])), len(first["best"]) > 1
        over = f"on average over {first['sets']:,} comparisons"
        which = f"{best} are equally often the best" if several else f"{best} is most often the best"
        if first["sets"] == 1:
            over, which = "in one comparison", f"{best} {'are equally good' if several else 'is the best'}"
        said = [
            f"The **{words[factor.field]}** matters most: all else equal, its best and its worst value lie "
            f"{say_points(first['points'])} points apart {over}, and {which}."
        ]
        then = [f"{words[row['factor']]} {say_points(row['points'])}" for _, row in seen[1:].iterrows()]
        if then:
            said.append(f"Then: {', '.join(then)}.")
        if names:
            said.append(f"No effect of the {listed(names, 'or')} can be told from chance.")
        return " ".join(said)

    def caveats(self) -> list[str]:
        """What not to conclude: sentences."""
        table = self.table
        best = table.iloc[0]
        said = []
        if best["seeds"] >= MIN_SEEDS and (unsure := self.not_told_apart):
            said.append(
                f"{unsure:,} of the others can't be told apart from it: chance may have decided which of them is best."
            )
        said += _say_few(table.loc[table["seeds"] > 0, "seeds"])
        dead, failed, finished = (int(table[column].sum()) for column in ("dead", "failed", "seeds"))
        if dead:
            said.append(say_failed_to_learn(dead, finished))
        if failed:
            runs = "run" if failed == 1 else "runs"
            said.append(f"{failed:,} {runs} ended with an error and are not in any mean: the table says which.")
        return said

    # --- To look at ---

    def picture(self) -> Picture:
        """Parallel coordinates: a line for each row of the table, or for `MAX_LINES` of them."""
        drawn = self.table.iloc[spread(-self.table["accuracy_mean"].to_numpy(), MAX_LINES)]
        figure = self._library.remember(
            ("parallel", self._identity), lambda: sweep_chart.coordinates(drawn, self.factors, self.images)
        )
        best = [
            f"{self._describe(row)} {say_share(row['accuracy_mean'])}"
            for _, row in self.table.head(MAX_NAMED).iterrows()
            if row["seeds"]
        ]
        factors = ", ".join(factor.title.lower() for factor in self.factors)
        return Picture(
            figure,
            f"Parallel coordinates of {len(self.table):,} groups: {factors}, and mean {self.images} accuracy. The best "
            f"ones: {'; '.join(best)}. All of them are in the table below.",
        )

    @property
    def left_out(self) -> str:
        """Which rows have no line: a sentence, or nothing."""
        if len(self.table) <= MAX_LINES:
            return ""
        return (
            f"Only {MAX_LINES} of {len(self.table):,} are drawn, taken evenly from the most to the least accurate; "
            f"all of them are in the table below."
        )

    def best(self, count: int) -> list[str]:
        """The ids of the most accurate groups."""
        return [id for id in self.table["id"].head(count) if id]


def _say_few(seeds: pd.Series) -> list[str]:
    """How many settings have too few runs for a verdict: a sentence, if there are any.

    Args:
        seeds: how many runs each has, at least one.
    """
    few = int((seeds < MIN_SEEDS).sum())
    if not few:
        return []
    which = f"{few:,} of the settings {'has' if few == 1 else 'have'}"
    if few == len(seeds):
        which = "Every setting has"
    runs = "a single run" if (seeds[seeds < MIN_SEEDS] == 1).all() else f"fewer than {MIN_SEEDS} runs"
    return [
        f"{which} {runs}, and repeated training changes accuracy by a few points: train the best ones with more seeds."
    ]


def _row(group: Group, summary: pd.Series, failed: int) -> dict[str, Any]:
    """A group's row.

    Args:
        summary: its row of `summary.as_tables`.
    """
    kept = {"seeds": len(group.runs), "failed": failed}
    return summary.to_dict() | _values(group.recipe) | kept


def _failed_row(recipe: Recipe, failed: int) -> dict[str, Any]:
    name = f"{ARCHITECTURES[recipe.model].name} · {recipe.describe()}"
    return _values(recipe) | {"id": "", "name": name, "source": "own", "seeds": 0, "dead": 0, "failed": failed}


def _values(recipe: Recipe) -> dict[str, Any]:
    return {factor.field: getattr(recipe, factor.field) for factor in FACTORS}
