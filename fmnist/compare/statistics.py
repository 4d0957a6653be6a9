"""How sure one can be of a figure, or of a difference between two models. No torch, no Streamlit.

A model is tested twice over: on 10,000 images out of many that might have been taken, and with one seed out of many.
`wilson` and `mcnemar` answer for the images, `mean_interval` and `difference` for the seeds. Here the seeds matter
more: accuracy moves by several points between them, and by less than one with the images.

Throughout: shares are of 1, logits float (N, C), labels and predictions integer (N,); an interval at level .95 is made
by a rule that covers the true value 95 times in 100. SciPy is imported when a p-value or Student's t is needed: of it
only `scipy.special`, which loads in a fraction of the time of `scipy.stats`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pandas as pd

LEVEL = 0.95
SIGNIFICANT = 0.05
MIN_SEEDS = 3
"""Of each of two groups, before a test is asked which is better: two seeds say next to nothing of a spread."""
EQUAL = 1e-12  # Accuracies that differ by less differ by rounding: one image of a million is 1e-6.


# --- One figure ---


def wilson(correct: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval for a share that was counted on `total` images, for one model as it is: its seed is not in question.

    Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22, 1927), recommended by Brown, Cai and DasGupta ("Interval estimation for a binomial proportion", Statistical
    Science 16, 2001): unlike p ± 1.96 √(p(1-p)/n) it stays inside [0, 1] and has a width at 0 and at 1.

    Returns:
        (low, high), shares; (0, 1) where nothing was counted.

    Raises:
        ValueError: the counts are impossible.
    """
    if not 0 <= correct <= total:
        raise ValueError(f"There can't be {correct} correct of {total}.")
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, shrink = correct / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # At the ends the formula gives exactly 0 and 1, but not in floating point.
    return (0.0 if correct == 0 else middle - half), (1.0 if correct == total else middle + half)


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval for the mean over seeds: mean ± t s/√n with n - 1 degrees of freedom.

    Student ("The probable error of a mean", Biometrika 6, 1908). It takes the seeds' values for normally distributed:
    a dead run among them makes it very wide, and rightly so.

    Returns:
        (low, high) in the unit of the values; None for fewer than two; without width where all are equal.
    """
    if len(values) < 2:
        return None
    mean, error = _mean_and_error(values)
    half = _t_quantile(len(values) - 1, LEVEL) * error
    return mean - half, mean + half


def accuracy_interval(accuracies: Sequence[float]) -> tuple[float, float] | None:
    """`mean_interval` of accuracies, without what no accuracy can be: after a dead run it may reach beyond 0 and 1."""
    interval = mean_interval(accuracies)
    return interval and (max(0.0, interval[0]), min(1.0, interval[1]))


def mean_curves(history: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The mean over seeds of the curves of each group, point by point, with the interval of `mean_interval`, as far as
    there can be such a loss or accuracy.

    Args:
        history: columns group, run, split, step, epoch, seconds, and the metric.
        metric: "loss" or "accuracy".

    Returns:
        A row for each group, split and step, in this order: epoch, seconds (mean over seeds), mean, low, high (NaN for
        one seed), seeds (their number).
    """
    points = history.groupby(["group", "split", "step"], as_index=False, observed=True).agg(
        epoch=("epoch", "first"),
        seconds=("seconds", "mean"),
        mean=(metric, "mean"),
        spread=(metric, "std"),
        seeds=(metric, "size"),
    )
    # One quantile for each number of seeds, not for each point.
    quantiles = {count: _t_quantile(count - 1, LEVEL) for count in points["seeds"].unique() if count > 1}
    half = points["seeds"].map(quantiles) * points["spread"] / np.sqrt(points["seeds"])
    ends = (points["mean"] + side for side in (-half, half))
    low, high = (end.clip(0, 1 if metric == "accuracy" else None) for end in ends)
    return points.assign(low=low, high=high).drop(columns="spread")


# --- Two models: over seeds ---


@dataclass(frozen=True)
class Difference:
    """How far apart two groups of runs are in mean accuracy, first minus second; shares of 1.

    Interval and p follow one rule: p is below .05 exactly where the interval leaves 0 out. Both allow for the number of
    comparisons. They are NaN where a group has fewer than `MIN_SEEDS`: there is a difference then, and no verdict.
    """

    mean: float
    low: float
    high: float
    seeds: int  # of the first; if paired, those that both have
    p: float  # two-sided, adjusted: how often equal models would come out at least as far apart
    paired: bool = True
    seeds_second: int | None = None  # of the second; None if paired
    comparisons: int = 1  # that are made at once, this one among them

    @property
    def constant(self) -> bool:
        """Whether the runs show no spread at all, so that no t can be computed: the interval has no width then."""
        return self.low == self.high

    @property
    def tested(self) -> bool:
        """Whether there are seeds enough for a verdict."""
        return not math.isnan(self.p)

    @property
    def seen(self) -> bool:
        """Whether the test says that the two differ."""
        return self.p < SIGNIFICANT


def difference(first: Mapping[int, float], second: Mapping[int, float], comparisons: int = 1) -> Difference | None:
    """The difference of the means of two groups, from their accuracies by seed. Every run of both counts.

    One rule for the figure: the mean over all runs of the first, minus that of the second, as it is printed wherever
    the two means stand. How sure it is: by Student's paired t where both have the same seeds, which see the images in
    the same order, so that pairing takes out what that order does; otherwise, even if some seeds are common, by
    `unpaired_difference`. The choice looks at the seeds alone, never at the result.

    Args:
        comparisons: how many are made at once: `simultaneous`.

    Returns:
        None where a group has fewer than two runs.
    """
    if min(len(first), len(second)) < 2:
        return None
    paired = first.keys() == second.keys()
    found = (paired_difference if paired else unpaired_difference)(first, second, comparisons)
    if found and min(len(first), len(second)) < MIN_SEEDS:
        return replace(found, low=math.nan, high=math.nan, p=math.nan)
    # Accuracies are at most 1 apart.
    return found and replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def simultaneous(groups: Sequence[Mapping[int, float]]) -> dict[tuple[int, int], Difference | None]:
    """The `difference` of every two groups, such that all intervals together cover the true values 95 times in 100.

    Bonferroni's inequality (O. J. Dunn, "Multiple comparisons among means", JASA 56, 1961): of m comparisons each has
    an interval at the level 1 - .05 / m and a p that is multiplied by m. Holm's adjusted p-values would find a little
    more, but have no intervals that go with them.

    Returns:
        By the places of both in `groups`, the first before the second.
    """
    pairs = list(combinations(range(len(groups)), 2))
    count = sum(min(len(groups[i]), len(groups[j])) >= MIN_SEEDS for i, j in pairs)
    return {(i, j): difference(groups[i], groups[j], max(count, 1)) for i, j in pairs}


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], comparisons: int = 1
) -> Difference | None:
    """The mean over common seeds of (first - second), by Student's paired t (1908) with n - 1 degrees of freedom.

    Where the difference is the same for each seed there is no spread to measure it by. The interval then has no width,
    and p is 1 if the difference is 0 (a model against itself), else 2 / 2^n: the smallest that n signs alone can give
    (the exact sign-flip test; Fisher, "The Design of Experiments", 1935, § 21). t itself would be infinite and p 0,
    which a few seeds that agree by chance do not deserve.

    Args:
        first, second: accuracy by seed.
        comparisons: how many are made at once.

    Returns:
        None if fewer than two seeds are common.
    """
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 2:
        return None
    mean, error = _mean_and_error([first[seed] - second[seed] for seed in seeds])
    shell = Difference(0, 0, 0, len(seeds), 1, comparisons=comparisons)
    return _student(mean, [(error, len(seeds) - 1)], 2.0 ** (1 - len(seeds)), shell)


def unpaired_difference(
    first: Mapping[int, float], second: Mapping[int, float], comparisons: int = 1
) -> Difference | None:
    """The difference of two means, by the more careful of Welch's t and Student's two-sample t.

    Welch ("The generalization of 'Student's' problem when several different population variances are involved",
    Biometrika 34, 1947), degrees of freedom by Welch and Satterthwaite, lets each group have a spread of its own. Of
    three seeds against ten it calls 6.5% of equal models different, and far more where the three happen to lie close
    together. Student's t (1908, with the pooled variance) holds its 5% there, but not where the spreads differ. So the
    wider of the two intervals counts, and the p that goes with it.

    Without any spread in both groups: as in `paired_difference`, with the smallest p of the exact permutation test,
    2 / (n+m choose n).

    Returns:
        None if a group has fewer than two runs.
    """
    counts = len(first), len(second)
    if min(counts) < 2:
        return None
    (mean, error), (other, other_error) = (_mean_and_error(list(group.values())) for group in (first, second))
    variance = error**2 + other_error**2
    spread = error**4 / (counts[0] - 1) + other_error**4 / (counts[1] - 1)
    welch = math.sqrt(variance), variance**2 / spread if spread else math.inf
    freedom = sum(counts) - 2
    squares = counts[0] * (counts[0] - 1) * error**2 + counts[1] * (counts[1] - 1) * other_error**2
    student = math.sqrt(squares / freedom * (1 / counts[0] + 1 / counts[1])), freedom
    smallest = min(1.0, 2 / math.comb(sum(counts), counts[0]))
    shell = Difference(0, 0, 0, counts[0], 1, paired=False, seeds_second=counts[1], comparisons=comparisons)
    return _student(mean - other, [welch, student], smallest, shell)


def _student(mean: float, ways: Sequence[tuple[float, float]], smallest: float, shell: Difference) -> Difference:
    """Interval and two-sided p of a mean difference, put into a `Difference`.

    Args:
        ways: standard errors with their degrees of freedom; the widest interval counts.
        smallest: p where there is no spread.
        shell: with the number of comparisons, which both allow for.
    """
    if ways[0][0] == 0:
        same = abs(mean) < EQUAL
        mean = 0.0 if same else mean
        return replace(shell, mean=mean, low=mean, high=mean, p=1.0 if same else min(1.0, shell.comparisons * smallest))
    from scipy.special import stdtr

    level = 1 - (1 - LEVEL) / shell.comparisons
    half, error, freedom = max((_t_quantile(freedom, level) * error, error, freedom) for error, freedom in ways)
    p = min(1.0, shell.comparisons * 2 * float(stdtr(freedom, -abs(mean) / error)))
    return replace(shell, mean=mean, low=mean - half, high=mean + half, p=p)


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error, s/√n; values that are equal but for rounding have none."""
    array = np.asarray(values, np.float64)
    if np.ptp(array) < EQUAL:
        return float(array[0]), 0.0
    return float(array.mean()), float(array.std(ddof=1) / math.sqrt(len(array)))


def _t_quantile(freedom: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))


# --- Two models: on the same images ---


@dataclass(frozen=True)
class Flips:
    """What two runs make of the same images: numbers of images."""

    only_first: int  # right in the first, wrong in the second
    only_second: int
    both_right: int
    both_wrong: int
    p: float  # exact McNemar, two-sided

    @property
    def images(self) -> int:
        return self.only_first + self.only_second + self.both_right + self.both_wrong


def mcnemar(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> Flips:
    """Count where two runs differ, and test whether one is right more often: on these images, with these two seeds.

    McNemar ("Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947) in its exact form: of the images that only one run gets right, each would be either's with
    probability 1/2. p is twice the smaller tail of that binomial, at most 1; 1 where there is no such image.

    Args:
        labels: the true classes.
        first, second: predictions for the same images.
    """
    right, other = first == labels, second == labels
    only_first, only_second = int(np.sum(right & ~other)), int(np.sum(~right & other))
    p = 1.0
    if only_first != only_second:
        from scipy.special import bdtr

        p = min(1.0, 2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)))
    return Flips(only_first, only_second, int(np.sum(right & other)), int(np.sum(~right & ~other)), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several: below .05 only as many as keep the risk of any false alarm at 5%.

    Holm ("A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979): the
    smallest of m is multiplied by m, the next by m - 1 ...; none may end below one that was smaller, or above 1.

    Returns:
        The adjusted values, in the order given.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
