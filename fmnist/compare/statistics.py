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
from statistics import NormalDist

import numpy as np
import pandas as pd

from fmnist import metrics

LEVEL = 0.95
SIGNIFICANT = 0.05
WELL_CALIBRATED = 0.02  # Mean confidence and accuracy that are closer are called alike.
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


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """The interval for the mean over seeds: mean ± t s/√n with n - 1 degrees of freedom.

    Student ("The probable error of a mean", Biometrika 6, 1908). It takes the seeds' values for normally distributed:
    a dead run among them makes it very wide, and rightly so.

    Returns:
        (low, high) in the unit of the values; None for fewer than two; without width where all are equal.
    """
    if len(values) < 2:
        return None
    mean, error = _mean_and_error(values)
    half = _t_quantile(len(values) - 1, level) * error
    return mean - half, mean + half


def mean_curves(history: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The mean over seeds of the curves of each group, point by point, with the interval of `mean_interval`.

    Args:
        history: columns group, run, split, step, epoch, seconds, and the metric.
        metric: "loss" or "accuracy".

    Returns:
        A row for each group, split and step, in this order: epoch, seconds (mean over seeds), mean, low, high (NaN for
        one seed), seeds (their number).
    """
    points = history.groupby(["group", "split", "step"], as_index=False).agg(
        epoch=("epoch", "first"),
        seconds=("seconds", "mean"),
        mean=(metric, "mean"),
        spread=(metric, "std"),
        seeds=(metric, "size"),
    )
    # One quantile for each number of seeds, not for each point.
    quantiles = {count: _t_quantile(count - 1, LEVEL) for count in points["seeds"].unique() if count > 1}
    half = points["seeds"].map(quantiles) * points["spread"] / np.sqrt(points["seeds"])
    return points.assign(low=points["mean"] - half, high=points["mean"] + half).drop(columns="spread")


# --- Two models: over seeds ---


@dataclass(frozen=True)
class Difference:
    """How far apart two groups of runs are in mean accuracy, first minus second; shares of 1."""

    mean: float
    low: float
    high: float
    seeds: int  # of the first; if paired, those that both have
    p: float  # two-sided: how often equal models would come out at least as far apart
    paired: bool = True
    seeds_second: int | None = None  # of the second; None if paired

    @property
    def constant(self) -> bool:
        """Whether the runs show no spread at all, so that no t can be computed."""
        return self.low == self.high


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The difference between two groups, from their accuracies by seed; its `paired` says how it was found.

    Paired where two seeds or more are common, and at least half of those of the smaller group: equal seeds see the
    images in the same order, so pairing takes out what that order does. Otherwise all seeds of both, unpaired. The
    choice looks at the seeds alone, never at the result.

    Returns:
        None where neither can be had: a group of fewer than two runs.
    """
    common = len(first.keys() & second.keys())
    if common >= 2 and 2 * common >= min(len(first), len(second)):
        return paired_difference(first, second)
    return unpaired_difference(first, second)


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The mean over common seeds of (first - second), by Student's paired t (1908) with n - 1 degrees of freedom.

    Where the difference is the same for each seed there is no spread to measure it by. The interval then has no width,
    and p is 1 if the difference is 0 (a model against itself), else 2 / 2^n: the smallest that n signs alone can give
    (the exact sign-flip test; Fisher, "The Design of Experiments", 1935, § 21). t itself would be infinite and p 0,
    which two seeds that agree by chance do not deserve.

    Args:
        first, second: accuracy by seed.

    Returns:
        None if fewer than two seeds are common.
    """
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 2:
        return None
    differences = [first[seed] - second[seed] for seed in seeds]
    mean, error = _mean_and_error(differences)
    return _student(mean, error, len(seeds) - 1, 2.0 ** (1 - len(seeds)), Difference(0, 0, 0, len(seeds), 1))


def unpaired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """The difference of two means, by Welch's t: for groups that (hardly) share seeds, with spreads of their own.

    Welch ("The generalization of 'Student's' problem when several different population variances are involved",
    Biometrika 34, 1947), degrees of freedom by Welch and Satterthwaite. Without any spread in both groups: as in
    `paired_difference`, with the smallest p of the exact permutation test, 2 / (n+m choose n).

    Returns:
        None if a group has fewer than two runs.
    """
    counts = len(first), len(second)
    if min(counts) < 2:
        return None
    (mean, error), (other, other_error) = (_mean_and_error(list(group.values())) for group in (first, second))
    variance = error**2 + other_error**2
    spread = error**4 / (counts[0] - 1) + other_error**4 / (counts[1] - 1)
    freedom = variance**2 / spread if spread else math.inf
    smallest = min(1.0, 2 / math.comb(sum(counts), counts[0]))
    shell = Difference(0, 0, 0, counts[0], 1, paired=False, seeds_second=counts[1])
    return _student(mean - other, math.sqrt(variance), freedom, smallest, shell)


def _student(mean: float, error: float, freedom: float, smallest: float, shell: Difference) -> Difference:
    """Interval and two-sided p of a mean difference with this standard error, put into a `Difference`."""
    if error == 0:
        same = abs(mean) < EQUAL
        mean = 0.0 if same else mean
        return replace(shell, mean=mean, low=mean, high=mean, p=1.0 if same else smallest)
    from scipy.special import stdtr

    half = _t_quantile(freedom, LEVEL) * error
    p = min(1.0, 2 * float(stdtr(freedom, -abs(mean) / error)))
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


# --- What a model says of its own certainty ---


def calibration(logits: np.ndarray, labels: np.ndarray, bins: int = 15) -> pd.DataFrame:
    """How often a model is right when it is that confident: the table behind a reliability diagram.

    Guo, Pleiss, Sun and Weinberger ("On calibration of modern neural networks", ICML 2017, section 2): `bins` intervals
    of equal width, (low, high]; confidence is the largest softmax probability.

    Returns:
        A row for each interval: low, high, images (their number), confidence, accuracy (means, shares of 1; NaN
        where there is no image).
    """
    confidence, right = _confidence(logits, labels)
    edges = np.linspace(0, 1, bins + 1)
    bin = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    images = np.bincount(bin, minlength=bins)
    sums = [np.bincount(bin, weights, minlength=bins) for weights in (confidence, right)]
    means = [np.divide(sum, images, out=np.full(bins, np.nan), where=images > 0) for sum in sums]
    return pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "images": images, "confidence": means[0], "accuracy": means[1]}
    )


def expected_calibration_error(logits: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """The mean over images of |accuracy - confidence| of their interval (Guo et al. 2017, equation 3), a share of 1."""
    table = calibration(logits, labels, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs().fillna(0)
    return float((gaps * table["images"]).sum() / table["images"].sum())


def selective_accuracy(logits: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Accuracy against the share of images that are answered, when the least sure are left out.

    The accuracy-coverage curve (El-Yaniv and Wiener, "On the foundations of noise-free selective classification",
    JMLR 11, 2010). Images of equal confidence are answered together, so the order of the images changes nothing.

    Returns:
        A row for each confidence that occurs, the surest first: confidence (what an answer must reach), images (that
        reach it), share (of all), accuracy (on them). The last row answers everything.
    """
    confidence, right = _confidence(logits, labels)
    levels, level = np.unique(-confidence, return_inverse=True)
    images = np.cumsum(np.bincount(level, minlength=len(levels)))
    correct = np.cumsum(np.bincount(level, right, minlength=len(levels)))
    return pd.DataFrame(
        {"confidence": -levels, "images": images, "share": images / len(labels), "accuracy": correct / images}
    )


def _confidence(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the largest probability, and whether the answer is right (1.0 or 0.0)."""
    return metrics.softmax(logits).max(axis=1), (metrics.predict(logits) == labels).astype(np.float64)


def class_scores(matrix: np.ndarray) -> pd.DataFrame:
    """Precision, recall and F1 of each class (van Rijsbergen, "Information Retrieval", 1979, chapter 7).

    Args:
        matrix: counts (C, C), rows true, columns predicted.

    Returns:
        A row for each class: images (with this label), predicted (times), precision, recall, f1 (shares of 1). The
        precision of a class that is never predicted is NaN - there is nothing to be precise about, other than 0 for
        one that is predicted and always wrongly; its F1 = 2 TP / (2 TP + FP + FN) is 0. Without images and predictions
        all three are NaN.
    """
    hits, images, predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)

    def share(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.divide(above, below, out=np.full(len(hits), np.nan), where=below > 0)

    return pd.DataFrame(
        {
            "images": images,
            "predicted": predicted,
            "precision": share(hits, predicted),
            "recall": share(hits, images),
            "f1": share(2 * hits, images + predicted),
        }
    )


def mean_class_scores(matrices: Sequence[np.ndarray]) -> pd.DataFrame:
    """`class_scores` of several runs, their mean over seeds; the precision over those that predict the class at all."""
    return pd.concat([class_scores(matrix) for matrix in matrices]).groupby(level=0).mean()


# --- In words ---


def say_accuracy(correct: int, total: int) -> str:
    """One run's accuracy with Wilson's interval: "Right for 8,298 of 10,000 images: 83.0% (95%: 82.2 to 83.7)."."""
    if total == 0:
        return "No image has been answered yet."
    low, high = wilson(correct, total)
    return (
        f"Right for {correct:,} of {total:,} images: {_number(correct / total)}% "
        f"(95%: {_number(low)} to {_number(high)})."
    )


def say_calibration(name: str, logits: np.ndarray, labels: np.ndarray) -> str:
    """How sure a model is and how often it is right, with its expected calibration error (15 intervals): a sentence."""
    confidence, right = _confidence(logits, labels)
    error = expected_calibration_error(logits, labels)
    gap = confidence.mean() - right.mean()
    verdict = "about as sure as it should be"
    if abs(gap) >= WELL_CALIBRATED:
        verdict = "too sure of itself" if gap > 0 else "less sure than it could be"
    return (
        f"{name} is {verdict}: {_number(confidence.mean())}% sure on average, right for {_number(right.mean())}% "
        f"(expected calibration error {_points(error)} points)."
    )


def say_selective(name: str, table: pd.DataFrame, share: float = 0.8) -> str:
    """What leaving out the least sure answers gives: a sentence.

    Args:
        table: `selective_accuracy`.
        share: of the images, at least so many are answered.
    """
    row = table.iloc[min(int(np.searchsorted(table["share"], share)), len(table) - 1)]
    return (
        f"{name} is right for {_number(table['accuracy'].iloc[-1])}% of all images, and for "
        f"{_number(row['accuracy'])}% of the {row['share']:.0%} of which it is surest."
    )


def say_difference(
    first: str, second: str, difference: Difference | None, flips: Flips | None, p: float | None = None
) -> str:
    """Which of two models is better, how sure that is, and on how many images they differ: in plain sentences.

    Args:
        first, second: names.
        difference: first minus second, over seeds; None if there are not two seeds of each.
        flips: of one run of each; None if there is nothing to say of single images.
        p: the p-value to judge by, adjusted by `holm` where several pairs are compared: of the difference, or of the
            flips where there is no difference. Default: its own.

    Returns:
        Sentences without Markdown. One is said to beat the other exactly if p < .05.
    """
    if difference is None:
        sentences = _single_runs(first, second, flips, p)
    else:
        if difference.mean < 0:
            first, second, difference, flips = second, first, _turned(difference), flips and _swapped(flips)
        sentences = [_over_seeds(first, second, difference, difference.p if p is None else p)]
        if flips and flips.only_first + flips.only_second:
            sentences.append(_on_images(first, second, flips))
    return " ".join(sentences)


def _over_seeds(first: str, second: str, difference: Difference, p: float) -> str:
    points, seeds = f"{_points(difference.mean)} points", _seeds(difference)
    interval = f"95%: {_points(difference.low)} to {_points(difference.high)}"
    if p < SIGNIFICANT and difference.constant:
        return f"{first} beats {second} by {points} with every seed ({seeds}, {say_p(p)})."
    if p < SIGNIFICANT:
        return f"{first} beats {second} by {points} ({interval}; {seeds})."
    none = f"No difference between {first} and {second} can be seen:"
    if difference.constant and difference.mean == 0:
        return f"{none} their accuracies are equal ({seeds})."
    if difference.constant:
        return (
            f"{none} {first} is {points} ahead each time, but so few seeds may agree by chance ({seeds}, {say_p(p)})."
        )
    lead = f"{none} {first} is {points} ahead on average, which may be chance ({interval}; {seeds}"
    if difference.p < SIGNIFICANT:
        return f"{lead}; {say_p(p)} after allowing for several comparisons)."
    return f"{lead})."


def _single_runs(first: str, second: str, flips: Flips | None, p: float | None) -> list[str]:
    shows = (
        f"Single runs can't show whether {first} or {second} is the better model: "
        "accuracy also moves from seed to seed. Train at least two seeds of each, better five."
    )
    if flips is None:
        return [shows]
    if flips.only_first < flips.only_second:
        first, second, flips = second, first, _swapped(flips)
    if not flips.only_first:
        return [f"These two runs are right and wrong on the same {flips.images:,} images.", shows]
    p = flips.p if p is None else p
    verdict = (
        f"This run of {first} does better than this run of {second} on such images ({say_p(p)})."
        if p < SIGNIFICANT
        else f"Between these two runs no difference can be seen ({say_p(p)})."
    )
    return [_on_images(first, second, flips), verdict, shows]


def _on_images(first: str, second: str, flips: Flips) -> str:
    return (
        f"On the same {flips.images:,} images one run of {first} is right where one of {second} is wrong "
        f"{_times(flips.only_first)}, and wrong where it is right {_times(flips.only_second)}."
    )


def say_p(p: float) -> str:
    """A p-value as it is printed: never on the other side of .05 by rounding, and never 0."""
    if p < 0.001:
        return "p < 0.001"
    digits = 2 if p >= 0.1 else 3
    while f"{p:.{digits}f}" == f"{SIGNIFICANT:.{digits}f}" and p != SIGNIFICANT:
        digits += 1
    return f"p = {p:.{digits}f}"


def _seeds(difference: Difference) -> str:
    if difference.paired:
        return f"{difference.seeds} seeds"
    return f"{difference.seeds} and {difference.seeds_second} seeds, not the same ones"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _points(share: float) -> str:
    """A difference of shares in percentage points: one decimal, two where one would show 0.0."""
    value = 100 * share
    digits = 1 if share == 0 or round(abs(value), 1) else 2
    text = f"{abs(value):.{digits}f}"
    if share and not float(text):
        return "under 0.01" if value > 0 else "just under 0"
    return f"{'−' if value < 0 else ''}{text}"


def _number(share: float) -> str:
    """A share in per cent: one decimal, two or more where fewer would show 0.0 or 100.0 for what is neither."""
    digits = 1
    while share not in (0, 1) and digits < 4 and float(f"{100 * share:.{digits}f}") in (0, 100):
        digits += 1
    return f"{100 * share:.{digits}f}"


def _turned(difference: Difference) -> Difference:
    turned = replace(difference, mean=-difference.mean, low=-difference.high, high=-difference.low)
    if difference.seeds_second is None:  # Paired: the seeds are those of both.
        return turned
    return replace(turned, seeds=difference.seeds_second, seeds_second=difference.seeds)


def _swapped(flips: Flips) -> Flips:
    return replace(flips, only_first=flips.only_second, only_second=flips.only_first)
