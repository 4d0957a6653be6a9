"""Finished runs -> one row a group: means over seeds, their spread, times that can be compared. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmnist.compare.statistics import accuracy_interval
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe, measured_on
from fmnist.store.library import GROUP, RUN_COLUMNS, Group, Library, as_row, newest_per_seed
from fmnist.store.run import SIZES, TIMES, Run

SPREAD = ("accuracy_std", "accuracy_min", "accuracy_max")
ACCURACY = ("accuracy_mean", "accuracy_low", "accuracy_high", *SPREAD)
"""What every table of groups says of accuracy: the mean over seeds, its 95% interval (columns of `as_tables`), the
standard deviation, the lowest and the highest; shares of 1."""


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per group of finished runs.

    Returns:
        The columns of `GROUP`, and seeds (list), runs (list), accuracy_mean, accuracy_std (n - 1 in the denominator;
        NaN for one seed), accuracy_min, accuracy_max: shares of 1, over all seeds, dead ones
        included; dead (their number), accuracy_alive (mean without them; NaN if none lives); each of `TIMES`, means
        over the seeds that were timed under the conditions of most seeds, which can be compared only between groups
        with the same; conditions: those; timed: these seeds (list); `SIZES`.
    """
    runs = newest_per_seed(runs)
    common = runs.groupby(GROUP)["conditions"].transform(_usual)
    times = (
        runs[runs["conditions"] == common]
        .groupby(GROUP, as_index=False)
        .agg(**{name: (name, "mean") for name in TIMES}, conditions=("conditions", "first"), timed=("seed", list))
    )
    groups = runs.groupby(GROUP, sort=False, as_index=False)
    table = groups.agg(
        seeds=("seed", list),
        runs=("run", list),
        accuracy_mean=("accuracy", "mean"),
        accuracy_std=("accuracy", "std"),
        accuracy_min=("accuracy", "min"),
        accuracy_max=("accuracy", "max"),
        dead=("dead", "sum"),
        **{name: (name, "first") for name in SIZES},
    )
    alive = runs[~runs["dead"].astype(bool)].groupby(GROUP, as_index=False).agg(accuracy_alive=("accuracy", "mean"))
    return table.merge(alive, how="left", on=GROUP).merge(times, how="left", on=GROUP)


def _usual(conditions: pd.Series) -> str:
    """The conditions under which most were timed; of equally many, the first in the alphabet."""
    return str(conditions.mode().iloc[0])


def usual_seconds(runs: Sequence[Run]) -> float:
    """What one of some finished runs takes to train, in seconds: the mean of those that were timed under the same
    conditions as most, as in `summarise`. Of five runs on two cores, one has both for itself."""
    conditions = pd.Series([run.conditions for run in runs])
    seconds = pd.Series([run.finished_result.train_seconds for run in runs])
    return float(seconds[conditions == _usual(conditions)].mean())


def as_tables(groups: Sequence[Group]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Groups as the charts take them.

    Returns:
        One row a group: `summarise` with id, model, name, accuracy_low and accuracy_high (the 95%
        interval of the mean over seeds; NaN for one seed); and one row a run: group, seed, accuracy ...
    """
    runs = pd.DataFrame(
        [as_row(run) | {"group": group.id} for group in groups for run in group.runs], columns=[*RUN_COLUMNS, "group"]
    )
    titles = {group.id: group.title for group in groups}
    table = summarise(runs)
    table["id"] = [members[0].address for members in table["runs"]]
    table["name"] = table["id"].map(titles)
    accuracies = runs.groupby("group")["accuracy"].agg(list)
    intervals = [accuracy_interval(accuracies[id]) or (math.nan, math.nan) for id in table["id"]]
    table[["accuracy_low", "accuracy_high"]] = pd.DataFrame(intervals, index=table.index, columns=range(2))
    order = {id: index for index, id in enumerate(titles)}
    return table.sort_values("id", key=lambda ids: ids.map(order), ignore_index=True), runs


def comparison(library: Library, *sources: str) -> pd.DataFrame:
    """`summarise` over the library, with names for people."""
    table = summarise(library.finished(*sources))
    table["name"] = table["model"].map({id: model.name for id, model in ARCHITECTURES.items()})
    recipes = [Recipe.from_json(recipe) for recipe in table["recipe"]]
    table["described"] = [recipe.describe() for recipe in recipes]
    table["measured_on"] = [measured_on([recipe]) for recipe in recipes]
    return table


def comparable(groups: pd.DataFrame, among: pd.DataFrame | None = None) -> pd.Series:
    """Which groups' times stand in one picture, bool: those with the conditions of most; of equally many, of the first.

    Args:
        groups: `summarise`'s column conditions.
        among: those that are counted. Default: all.
    """
    return groups["conditions"] == (groups if among is None else among)["conditions"].value_counts().index[0]


def frontier(costs: pd.Series, accuracies: pd.Series) -> pd.Series:
    """Which models nobody beats on both, bool: none is at least as cheap and at least as accurate, and one of the two
    more so (the Pareto frontier)."""
    best = [
        not ((costs <= cost) & (accuracies >= accuracy) & ((costs < cost) | (accuracies > accuracy))).any()
        for cost, accuracy in zip(costs, accuracies, strict=True)
    ]
    return costs.notna() & np.array(best, dtype=bool)
