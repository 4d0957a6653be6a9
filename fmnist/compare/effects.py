"""How much each setting of a sweep matters, and whether that is more than chance gives. No torch, no Streamlit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmnist.compare.statistics import EQUAL, SIGNIFICANT

PERMUTATIONS = 999
MIN_PERMUTATIONS = 199
MAX_VALUES = 500_000
"""Accuracies that are dealt out anew for one factor: with many runs there are fewer permutations."""


def effects(settings: pd.DataFrame, accuracies: Sequence[Sequence[float]], factors: Sequence[str]) -> pd.DataFrame:
    """How far the best and the worst value of each factor lie apart, all else equal, and whether that may be chance.

    Groups that differ in this factor alone form a set. The more values a factor has, the further apart its best and
    its worst lie by chance alone, so the distance itself shows nothing. Therefore a permutation test (Fisher, "The
    Design of Experiments", 1935), within the sets, so that what else matters is left out of it: the accuracies of the
    runs of each set are dealt out anew, at random, among its settings. The statistic is the sum of squares between the
    values: of each the mean distance from the mean of its set. p is the share of permutations in which it is at least
    as large (Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and
    Molecular Biology 9, 2010), multiplied by the number of factors (Bonferroni).

    Args:
        settings: a row for each group, with a column for each field in which groups may differ.
        accuracies: of the runs of each group, shares of 1; dead ones too.
        factors: the columns to look at.

    Returns:
        Columns factor, points (the mean over the sets of highest minus lowest mean accuracy, a share of 1), sets (their
        number), best (the values that are the best in most sets, a tuple), p, seen (bool: p < .05), and blind (bool:
        there are so few ways to deal out the runs that p could not be smaller, however far apart the values lie). What
        is seen comes first, then the largest points. A factor in which alone no two groups differ is left out.
    """
    # The same setting may stand there twice: own and reference, or on two kinds of device. Their runs count together.
    runs = settings.loc[settings.index.repeat([len(group) for group in accuracies])].reset_index(drop=True)
    runs = runs.assign(accuracy=[accuracy for group in accuracies for accuracy in group])
    fields = list(settings.columns)
    rows = []
    for factor in factors:
        others = [field for field in fields if field != factor]
        within = runs.groupby(others, sort=False)[factor] if others else runs.groupby(np.zeros(len(runs)))[factor]
        sets = runs[within.transform("nunique") > 1]
        if len(sets):
            rows.append((factor, *_effect(sets, factor, others)))
    table = pd.DataFrame(rows, columns=["factor", "points", "sets", "best", "p", "least"])
    table["p"] = table[["p", "least"]].max(axis=1)  # That of a sample of the permutations may be a little smaller.
    for column in ("p", "least"):
        table[column] = (table[column] * len(table)).clip(upper=1)
    table["seen"] = table["p"] < SIGNIFICANT
    table["blind"] = table.pop("least") >= SIGNIFICANT
    return table.sort_values(["seen", "points"], ascending=False, ignore_index=True, kind="stable")


def _effect(
    runs: pd.DataFrame, factor: str, others: Sequence[str]
) -> tuple[float, int, tuple[object, ...], float, float]:
    """points, sets, best and p of one factor, and a bound below which its p can't be.

    Args:
        runs: of all its sets: the fields and accuracy.
        others: the fields that are equal within a set.
    """
    group_of = runs.groupby([*others, factor], sort=False).ngroup().to_numpy()
    set_of = runs.groupby(others, sort=False).ngroup().to_numpy() if others else np.zeros(len(runs), int)
    order = np.lexsort((group_of, set_of))  # Set by set, and within a set group by group.
    group_of, set_of, values = group_of[order], set_of[order], runs["accuracy"].to_numpy(np.float64)[order]
    groups = np.flatnonzero(np.diff(group_of, prepend=-1))  # Where each group begins; and of the groups, each set.
    sets = np.flatnonzero(np.diff(set_of[groups], prepend=-1))
    value_of, names = pd.factorize(runs[factor].to_numpy()[order][groups])
    sizes = np.diff(groups, append=len(values))
    members = np.diff(sets, append=len(groups))

    def means(accuracies: np.ndarray) -> np.ndarray:
        return np.add.reduceat(accuracies, groups, axis=-1) / sizes

    belongs = np.eye(len(names))[value_of]  # (groups, values)
    counts = belongs.sum(axis=0)

    def between(of: np.ndarray) -> np.ndarray:
        """The sum of squares between the values, of means (..., groups)."""
        centres = np.add.reduceat(of, sets, axis=-1) / members
        return (((of - np.repeat(centres, members, axis=-1)) @ belongs) ** 2 / counts).sum(axis=-1)

    seen = means(values)
    high, low = (ufunc.reduceat(seen, sets) for ufunc in (np.maximum, np.minimum))
    winners = np.flatnonzero(np.repeat(high, members) - seen < EQUAL)  # Of a set several, if they are equal.
    won = np.bincount(value_of[winners], minlength=len(names))
    chance = np.concatenate([between(means(dealt)) for dealt in _dealt(values, set_of)])
    # Sums that are equal may differ by rounding.
    p = (1 + int((chance >= between(seen) * (1 - 1e-9) - 1e-15).sum())) / (1 + len(chance))
    return (
        float((high - low).mean()),
        len(sets),
        tuple(names[won == won.max()]),
        p,
        _least_p(sizes, sets, members, len(names)),
    )


def _least_p(sizes: np.ndarray, sets: np.ndarray, members: np.ndarray, values: int) -> float:
    """A bound below which no p can be: one of all ways to deal out the runs.

    Where all groups have as many runs and every set has every value, to exchange two values in all sets gives the same
    sum of squares: as many ways are as extreme as there are orders of the values.

    Args:
        sizes: runs of each group, set by set.
        sets: the first group of each set.
        members: how many groups each set has.
        values: how many values the factor has.
    """
    runs = np.add.reduceat(sizes, sets)
    ways = sum(math.lgamma(count + 1) for count in runs) - sum(math.lgamma(size + 1) for size in sizes)
    alike = bool((sizes == sizes[0]).all() and (members == values).all())
    return math.exp(min(0.0, (math.lgamma(values + 1) if alike else 0.0) - ways))


def _dealt(values: np.ndarray, set_of: np.ndarray) -> list[np.ndarray]:
    """Accuracies dealt out anew within their sets, float (permutations, runs) in parts; the same ones each time."""
    rng = np.random.default_rng(0)
    total = max(MIN_PERMUTATIONS, min(PERMUTATIONS, MAX_VALUES // len(values)))
    part = max(1, MAX_VALUES // len(values))
    # Sorted by set and a random number: within its set each run gets a place at random.
    return [
        values[np.argsort(set_of + rng.random((min(part, total - done), len(values))), axis=1)]
        for done in range(0, total, part)
    ]
