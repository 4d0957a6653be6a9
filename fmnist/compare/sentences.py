"""What results say, in sentences: which model to pick, and how sure that is. No torch, no Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fmnist.compare.calibration import Calibrated
from fmnist.compare.statistics import EQUAL, MIN_SEEDS, SIGNIFICANT, Difference, Flips, simultaneous, wilson
from fmnist.compare.summary import comparable
from fmnist.words import as_number, digits, listed

WELL_CALIBRATED = 0.02  # Mean confidence and accuracy that are closer are called alike.

HELD_OUT = "These are held out of training, to choose by; the test images are looked at when a choice is confirmed."

# --- Which model to pick ---


def conclusion(groups: pd.DataFrame, runs: pd.DataFrame, images: str = "test") -> list[str]:
    """Which model to pick, in some sentences of Markdown: the verdict first, then what stands behind it.

    Args:
        groups: `summarise`'s columns, and id and name; not empty. Optional: full_name, what a group is called where it
            is named first.
        runs: columns group (an id), seed and accuracy.
        images: on which accuracy was measured: "test" or "held-out".
    """
    ranked = groups.sort_values("accuracy_mean", ascending=False)
    best = ranked.iloc[0]
    full_names = list(ranked.get("full_name", ranked["name"]))
    seeds = len(best["seeds"])
    over = f" on average over {seeds} runs" if seeds > 1 else ""
    of = "" if images == "test" else f" of the {images} images"
    remarks = [say_dead(ranked)] if ranked["dead"].any() else []
    remarks += [HELD_OUT] if images == "held-out" else []
    if len(ranked) == 1:
        sentence = (
            f"**{full_names[0]}** recognises **{say_share(best['accuracy_mean'])}** of the {images} images{over}."
        )
        return [sentence, *remarks]
    second = ranked.iloc[1]
    points = say_points(best["accuracy_mean"] - second["accuracy_mean"])
    found = differences_by_id(ranked, runs)
    unsure = [row["name"] for _, row in ranked[1:].iterrows() if not is_better(found, best["id"], row["id"])]
    shown = [say_share(accuracy) for accuracy in ranked["accuracy_mean"]]
    level = [name for name, accuracy in zip(full_names, shown, strict=True) if accuracy == shown[0]]
    if len(level) > 1 and second["name"] in unsure:  # Models of which all runs failed to learn are, for one.
        alike = len({len(group) for group in ranked["seeds"][: len(level)]}) == 1
        named = listed([f"**{level[0]}**", *level[1:]])
        return [f"{named} are equally accurate: **{shown[0]}**{of}{over if alike else ' on average'}.", *remarks]
    sentences = [
        f"**{full_names[0]}** {'is ahead' if unsure else 'is the most accurate'}: "
        f"**{say_share(best['accuracy_mean'])}**{of}{over}, {points} points more than {full_names[1]}."
    ]
    sentences += _say_slower(ranked)
    few = [group["name"] for _, group in ranked.iterrows() if len(group["seeds"]) < MIN_SEEDS]
    if few:
        once = all(len(seeds) == 1 for seeds in ranked["seeds"])
        which = "Each model was" if len(few) == len(ranked) else f"{listed(few)} {'was' if len(few) == 1 else 'were'}"
        often = "only once" if once else f"fewer than {MIN_SEEDS} times"
        sentences.append(
            f"{which} trained {often}, so the lead may be luck: repeated training changes accuracy by a few points."
        )
    elif unsure:
        sentences.append(f"But that may be chance: there is no clear difference from {listed(unsure, 'or')}.")
    elif best["accuracy_min"] > runs.loc[runs["group"] != best["id"], "accuracy"].max():
        sentences.append("Even its worst training run beats the best run of the other models.")
    else:
        sentences.append("But the runs overlap: its worst one does not beat the best one of the other models.")
    return [*sentences, *remarks]


def differences_by_id(groups: pd.DataFrame, runs: pd.DataFrame) -> dict[tuple[object, object], Difference | None]:
    """`statistics.simultaneous` of groups, by the ids of both.

    Args:
        groups: column id.
        runs: columns group (an id), seed and accuracy.
    """
    ids = groups["id"].tolist()
    by_group = {id: dict(zip(rows["seed"], rows["accuracy"], strict=True)) for id, rows in runs.groupby("group")}
    found = simultaneous([by_group[id] for id in ids])
    return {(ids[i], ids[j]): difference for (i, j), difference in found.items()}


def is_better(found: Mapping[tuple[object, object], Difference | None], first: object, second: object) -> bool:
    """Whether the test says that the first is more accurate than the second, of `differences_by_id`."""
    turned = (first, second) not in found
    difference = found[second, first] if turned else found[first, second]
    return difference is not None and difference.seen and (difference.mean < 0) == turned


def _say_slower(ranked: pd.DataFrame) -> list[str]:
    """How much longer the best takes to train than the quickest: of times that can be compared."""
    in_picture = comparable(ranked.sort_index())  # In its order.
    best, alike = ranked.iloc[0], ranked[in_picture.loc[ranked.index]]
    quickest = alike.loc[alike["train_seconds"].idxmin()]
    if best["id"] not in set(alike["id"]) or quickest["id"] == best["id"] or not quickest["train_seconds"]:
        return []
    long, short = (digits(row["train_seconds"]) for row in (best, quickest))
    ratio = as_number(long) / as_number(short)
    if f"{ratio:.1f}" == "1.0":
        return []
    return [
        f"It takes {ratio:,.{1 if ratio < 10 else 0}f} times as long to train as {quickest['name']} "
        f"({long} s instead of {short} s)."
    ]


def say_dead(groups: pd.DataFrame) -> str:
    """How many runs are dead, and what their groups reach without them: sentences.

    Args:
        groups: `summarise`'s columns, and name; at least one run is dead.
    """
    dead, runs = int(groups["dead"].sum()), sum(len(seeds) for seeds in groups["seeds"])
    said = [
        f"{row['name']} reaches {say_share(row['accuracy_alive'])}"
        for _, row in groups[(groups["dead"] > 0) & groups["accuracy_alive"].notna()].iterrows()
    ]
    without = f" Without {'it' if dead == 1 else 'them'}, {', '.join(said)}." if said else ""
    return f"{say_failed_to_learn(dead, runs)}{without}"


def say_failed_to_learn(dead: int, runs: int) -> str:
    """How many of some runs answer one class always, and that the means count them: a sentence."""
    if runs == 1:
        return "It failed to learn (dead: it answers the same class for every image)."
    one = dead == 1
    return (
        f"{dead:,} of {runs:,} runs failed to learn (dead: {'it answers' if one else 'they answer'} the same class for "
        f"every image) and {'is' if one else 'are'} included in the means."
    )


# --- Classes ---


def say_hardest(recall: np.ndarray, classes: Sequence[str], models: int) -> str:
    """The class that is recognised least, or those that are: Markdown.

    Args:
        recall: of each class, float (C,), the mean over what is compared.
        classes: their names.
        models: how many are compared.
    """
    lowest = recall.min()
    hardest = [f"**{name}**" for name, share in zip(classes, recall, strict=True) if share - lowest < EQUAL]
    over = ", on average over the models compared" if models > 1 else ""
    if len(hardest) == len(classes):
        return f"All classes are equally hard: {say_share(lowest, 0)} of their images are recognised{over}."
    one = len(hardest) == 1
    return (
        f"{listed(hardest)} {'is the hardest class' if one else 'are the hardest classes'}: {say_share(lowest, 0)} of "
        f"{'its' if one else 'their'} images are recognised{over}."
    )


# --- Differences ---


def say_accuracy(correct: int, total: int) -> str:
    """One run's accuracy with Wilson's interval: "Right on 8,298 of 10,000 images: 83.0% (95% confidence interval 82.2
    to 83.7)."."""
    if total == 0:
        return "No image has been answered yet."
    low, high = wilson(correct, total)
    return (
        f"Right on {correct:,} of {total:,} images: {say_percent(correct / total)}% "
        f"(95% confidence interval {say_percent(low)} to {say_percent(high)})."
    )


def say_interval(group: pd.Series) -> str:
    """The 95% interval of a group's mean, to be put behind it; nothing for one seed."""
    if np.isnan(group["accuracy_low"]):
        return ""
    return f" (95% interval {say_share(group['accuracy_low'])} to {say_share(group['accuracy_high'])})"


def say_calibration(name: str, seeds: Sequence[Calibrated]) -> str:
    """How sure a model is and how often it is right, with its expected calibration error: a sentence or two.

    Of several runs the means, and the gap of each: that one is overconfident and another underconfident does not cancel
    out.
    """
    verdicts = [_say_gap(seed.gap) for seed in seeds]
    kinds = Counter(verdicts)
    verdict = verdicts[0]
    if len(kinds) > 1:
        verdict = listed(f"{kind} in {count} of {len(seeds)} runs" for kind, count in kinds.most_common())
    confidence, accuracy, error = (
        float(np.mean([getattr(seed, field) for seed in seeds])) for field in ("confidence", "accuracy", "error")
    )
    over = f", mean of {len(seeds)} runs" if len(seeds) > 1 else ""
    sentence = (
        f"{name} is {verdict}: {say_percent(confidence)}% confident on average, right {say_percent(accuracy)}% "
        f"of the time (expected calibration error {say_points(error)} points{over})."
    )
    if len(seeds) == 1:
        return sentence
    gaps = ", ".join(("+" if seed.gap > 0 else "") + say_points(seed.gap) for seed in seeds)
    return f"{sentence} Confidence minus accuracy, run by run: {gaps} points."


def _say_gap(gap: float) -> str:
    """What it means that confidence is that much above accuracy."""
    if abs(gap) < WELL_CALIBRATED:
        return "about as confident as it is accurate"
    return "overconfident" if gap > 0 else "underconfident"


def say_on_test_images(name: str, found: Calibrated) -> str:
    """What the answers of one run, or of an ensemble, are worth on the test images: a sentence."""
    return (
        f"{name}: {say_percent(found.accuracy)}% of the test images right, {say_percent(found.confidence)}% "
        f"confident on average (expected calibration error {say_points(found.error)} points)."
    )


ANSWERED = 0.8
"""Of the images, at least this share is answered where the least confident answers are left out."""


def say_selective(name: str, table: pd.DataFrame) -> str:
    """What leaving out the least confident answers gives: a sentence.

    Args:
        table: `calibration.mean_selective_accuracy`.
    """
    row = table.iloc[min(int(np.searchsorted(table["share"], ANSWERED)), len(table) - 1)]
    return (
        f"{name}: {say_percent(table['accuracy'].iloc[-1])}% right on all images, {say_percent(row['accuracy'])}% on "
        f"the {row['share']:.0%} it is most confident about."
    )


def say_difference(
    first: str, second: str, difference: Difference | None, flips: Flips | None, p: float | None = None
) -> str:
    """Which of two models is better, how sure that is, and on how many images they differ: in plain sentences.

    Args:
        first, second: names.
        difference: first minus second, over seeds; None if there are not two seeds of each.
        flips: of one run of each; None if there is nothing to say of single images.
        p: the p-value to judge the flips by where there is no difference, adjusted by `holm` where several pairs are
            compared. Default: their own.

    Returns:
        Sentences without Markdown. One is said to beat the other exactly if the printed interval leaves 0 out.
    """
    if difference is None:
        sentences = _single_runs(first, second, flips, p)
    else:
        if abs(difference.mean) < EQUAL:
            difference = replace(difference, mean=0.0)
        if difference.mean < 0:
            first, second, difference, flips = second, first, _turned(difference), flips and _swapped(flips)
        sentences = [_over_seeds(first, second, difference)]
        if flips and flips.only_first + flips.only_second:
            sentences.append(_on_images(first, second, flips))
    return " ".join(sentences)


def _over_seeds(first: str, second: str, difference: Difference) -> str:
    points, seeds, p = f"{say_points(difference.mean)} points", _runs(difference), difference.p
    several = f", allowing for {difference.comparisons} comparisons" if difference.comparisons > 1 else ""
    if not difference.tested:
        ahead = f"{first} is {points} ahead of {second}" if difference.mean else f"{first} and {second} are level"
        return f"{ahead} ({seeds}). {_too_few(first, second)}"
    interval = f"95% confidence interval {say_points(difference.low)} to {say_points(difference.high)}{several}"
    if difference.constant and difference.seen:
        return f"{first} beats {second} by {points} each time ({seeds}, {say_p(p)}{several})."
    if difference.seen:
        return f"{first} beats {second} by {points} ({interval}, {seeds})."
    none = f"No clear difference between {first} and {second}:"
    if difference.mean == 0:
        return f"{none} their {'' if difference.constant else 'mean '}accuracies are equal ({seeds})."
    if difference.constant:
        return (
            f"{none} {first} is {points} ahead each time, but so few runs may agree by chance "
            f"({seeds}, {say_p(p)}{several})."
        )
    return f"{none} {first} is {points} ahead on average, which may be chance ({interval}, {seeds})."


TRAIN_MORE = f"Train each at least {MIN_SEEDS} times, preferably five times."


def _too_few(first: str, second: str) -> str:
    return (
        f"It takes at least {MIN_SEEDS} runs of each to show whether {first} or {second} is the better model. "
        f"{TRAIN_MORE}"
    )


def _single_runs(first: str, second: str, flips: Flips | None, p: float | None) -> list[str]:
    shows = (
        f"Single runs can't show whether {first} or {second} is the better model: "
        f"repeated training changes accuracy too. {TRAIN_MORE}"
    )
    if flips is None:
        return [shows]
    if flips.only_first < flips.only_second:
        first, second, flips = second, first, _swapped(flips)
    if not flips.only_first:
        return [f"Of {flips.images:,} images, these two runs are right on exactly the same ones.", shows]
    p = flips.p if p is None else p
    verdict = (
        f"This run of {first} does better on such images than this run of {second} ({say_p(p)})."
        if p < SIGNIFICANT
        else f"There is no clear difference between these two runs ({say_p(p)})."
    )
    return [_on_images(first, second, flips), verdict, shows]


def _on_images(first: str, second: str, flips: Flips) -> str:
    return (
        f"On the same {flips.images:,} images, {flips.only_first:,} {'is' if flips.only_first == 1 else 'are'} right "
        f"only for {first} and "
        f"{flips.only_second:,} only for {second} (one run of each)."
    )


def say_p(p: float) -> str:
    """A p-value as it is printed: never on the other side of .05 by rounding, and never 0."""
    if p < 0.001:
        return "p < 0.001"
    digits = 2 if p >= 0.1 else 3
    while f"{p:.{digits}f}" == f"{SIGNIFICANT:.{digits}f}" and p != SIGNIFICANT:
        digits += 1
    return f"p = {p:.{digits}f}"


def _runs(difference: Difference) -> str:
    if difference.paired:
        return f"from {difference.seeds} training runs each"
    return f"from {difference.seeds} and {difference.seeds_second} training runs, with different seeds"


def say_points(share: float) -> str:
    """A difference of shares in percentage points: one decimal, two where one would show 0.0."""
    value = 100 * share
    digits = 1 if share == 0 or round(abs(value), 1) else 2
    text = f"{abs(value):.{digits}f}"
    if share and not float(text):
        return "under 0.01" if value > 0 else "just under 0"
    return f"{'−' if value < 0 else ''}{text}"


def say_share(share: float, digits: int = 1) -> str:
    """ "84.1%": `say_percent` with its sign."""
    return f"{say_percent(share, digits)}%"


def say_percent(share: float, digits: int = 1) -> str:
    """A share in per cent: so many decimals, more where fewer would show 0 or 100 for what is neither."""
    while EQUAL < share < 1 - EQUAL and digits < 4 and float(f"{100 * share:.{digits}f}") in (0, 100):
        digits += 1
    return f"{100 * share:.{digits}f}"


def _turned(difference: Difference) -> Difference:
    turned = replace(difference, mean=-difference.mean, low=-difference.high, high=-difference.low)
    if difference.seeds_second is None:  # Paired: the seeds are those of both.
        return turned
    return replace(turned, seeds=difference.seeds_second, seeds_second=difference.seeds)


def _swapped(flips: Flips) -> Flips:
    return replace(flips, only_first=flips.only_second, only_second=flips.only_first)
