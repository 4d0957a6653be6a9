"""What is said of results: its numbers, against other code than ours; and that it never says more than they do."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers.making import summary_row as run
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from fmnist.compare import sentences, summary
from fmnist.compare.statistics import Difference, Flips, difference
from fmnist.store.store import REFERENCE, Store


def conclude(*runs: dict) -> str:
    """The sentences about some runs; models are called as on the pages."""
    table = pd.DataFrame(runs).assign(group=lambda table: table["model"])
    groups = summary.summarise(table).assign(
        id=lambda groups: groups["model"], name=lambda groups: "Model " + groups["model"]
    )
    return " ".join(sentences.conclusion(groups, table))


def test_conclusion_of_one_group():
    assert conclude(run("0", 0, 0.8251)) == "**Model 0** recognises **82.5%** of the test images."
    several = conclude(run("0", 0, 0.80), run("0", 1, 0.90))
    assert several == "**Model 0** recognises **85.0%** of the test images on average over 2 runs."


def test_conclusion_of_one_dead_group_says_so():
    assert "It failed to learn (dead: it answers the same class for every image)." in conclude(run("2", 0, 0.1))


def test_conclusion_names_the_one_that_is_ahead_and_its_lead():
    sentence = conclude(run("0", 0, 0.80), run("2", 0, 0.885))
    assert "**Model 2** is ahead: **88.5%**" in sentence and "most accurate" not in sentence
    assert "8.5 points more than Model 0" in sentence


@pytest.mark.parametrize("accuracies", [(0.1, 0.1), (0.9001, 0.9004)])
def test_nobody_is_ahead_by_no_points(accuracies):
    said = conclude(*(run(model, 0, accuracy) for model, accuracy in zip("02", accuracies, strict=True)))
    assert "are equally accurate: **" in said and "ahead" not in said and "lead" not in said


def test_all_that_are_level_are_named_and_what_is_shown_to_differ_is_not_called_level():
    said = conclude(*(run(model, 0, 0.1) for model in "012"))
    assert said.startswith("**Model 0**, Model 1 and Model 2 are equally accurate: **10.0%**")
    said = conclude(run("0", 0, 0.8254), run("2", 0, 0.8256))  # Shown as 82.5% and 82.6%.
    assert "**Model 2** is ahead: **82.6%**, 0.02 points more than Model 0" in said


def test_conclusion_says_that_one_seed_proves_little():
    sentence = conclude(run("0", 0, 0.80), run("2", 0, 0.885))
    assert "Each model was trained only once, so the lead may be luck" in sentence
    assert "worst" not in sentence


WORST = "Even its worst training run beats the best run of the other models."


def several(model: str, *accuracies: float, first: int = 0) -> list[dict]:
    return [run(model, seed, accuracy) for seed, accuracy in enumerate(accuracies, start=first)]


def test_conclusion_names_the_models_that_were_trained_too_seldom():
    often = several("0", 0.80, 0.82, 0.81)
    assert "Model 2 was trained fewer than 3 times" in conclude(*often, run("2", 0, 0.885))
    assert "Model 2 and Model 1 were trained fewer than 3 times" in conclude(
        *often, run("1", 0, 0.7), run("2", 0, 0.885)
    )


def test_conclusion_of_seeds_that_do_not_overlap():
    sentence = conclude(*several("0", 0.80, 0.82, 0.81), *several("2", 0.88, 0.87, 0.88))
    assert "**Model 2** is the most accurate: **87.7%** on average over 3 runs" in sentence
    assert WORST in sentence


def test_conclusion_of_seeds_that_overlap():
    sentence = conclude(*several("0", 0.80, 0.81, 0.87, 0.82), *several("2", 0.87, 0.88, 0.93, 0.86))
    assert "**Model 2** is the most accurate" in sentence and "runs overlap" in sentence
    assert WORST not in sentence


def test_conclusion_says_that_the_worst_is_better_only_where_the_test_sees_it_too():
    """Two seeds of each are apart one time in three by chance; three by such a hair and with such a spread as well."""
    few = conclude(*several("0", 0.80, 0.81), *several("2", 0.82, 0.83))
    assert WORST not in few and "Each model was trained fewer than 3 times" in few
    wide = conclude(*several("0", 0.70, 0.75, 0.80), *several("2", 0.85, 0.81, 0.82, first=5))
    assert WORST not in wide and "**Model 2** is ahead" in wide
    assert "that may be chance: there is no clear difference from Model 0" in wide


def test_conclusion_and_pair_follow_one_rule_where_seeds_differ():
    """All seeds favour A, the common ones B."""
    a, b = several("0", 0.90, 0.91, 0.92, 0.70, 0.71), several("2", 0.76, 0.77, 0.78, 0.75, first=3)
    assert "**Model 0** is ahead: **82.8%** on average over 5 runs, 6.3 points more than Model 2." in conclude(*a, *b)
    found = difference(*({row["seed"]: row["accuracy"] for row in rows} for rows in (a, b)))
    assert "Model 0 is 6.3 points ahead on average" in sentences.say_difference("Model 0", "Model 2", found, None)


def test_conclusion_names_no_winner_where_the_test_sees_none_among_several():
    """Alone the second is told from the best; with a third the intervals are wider, as those of the pairs are."""
    best, second = several("2", 0.860, 0.871, 0.885, 0.892), several("0", 0.853, 0.868, 0.870, 0.883)
    alone = conclude(*best, *second)
    both = conclude(*best, *second, *several("1", 0.60, 0.61, 0.62, 0.61))
    assert "is the most accurate" in alone and "is ahead" in both
    assert "no clear difference from Model 0" in both


def test_conclusion_counts_the_dead():
    runs = [run("0", 0, 0.80), run("0", 1, 0.84), run("2", 0, 0.1), run("2", 1, 0.88)]
    assert "1 of 4 runs failed to learn (dead: it answers the same class for every image)" in conclude(*runs)
    assert "is included in the means. Without it, Model 2 reaches 88.0%." in conclude(*runs)
    assert "2 of 4 runs failed to learn" in conclude(*runs[:3], run("2", 1, 0.1))
    assert "Without them, Model 2 reaches 88.0%." in conclude(*runs[:3], run("2", 1, 0.1), run("2", 2, 0.88))
    assert "failed" not in conclude(*runs[:2], run("2", 0, 0.87), run("2", 1, 0.88))


@pytest.mark.parametrize("seconds, times", [(3.0, "1.5 times"), (60.0, "30 times")])
def test_conclusion_compares_times_that_were_measured_under_the_same_conditions(seconds, times):
    slow = run("2", 0, 0.88, train_seconds=seconds)
    assert f"It takes {times} as long to train as Model 0" in conclude(run("0", 0, 0.80), slow)
    assert "times as long" not in conclude(run("0", 0, 0.80), slow | {"conditions": "2 at once"})


def test_conclusion_does_not_compare_a_model_that_is_also_the_quickest():
    assert "times as long" not in conclude(run("0", 0, 0.9), run("2", 0, 0.8, train_seconds=30.0))


@pytest.mark.parametrize("long, short", [(116.797, 4.4103), (21.75, 10.615), (76.312, 10.5377), (891.298, 15.2452)])
def test_the_printed_times_give_the_printed_ratio(long, short):
    """Where the ratio of the measured times is printed otherwise."""
    said = conclude(run("0", 0, 0.8, train_seconds=short), run("2", 0, 0.9, train_seconds=long))
    ratio, first, second = numbers(re.search(r"It takes .*? s\)", said)[0].replace("Model 0", ""))
    digits = 1 if ratio < 10 else 0
    assert f"{first / second:.{digits}f}" == f"{ratio:.{digits}f}"
    assert (first, second) == pytest.approx((long, short), rel=0.005)


def test_what_is_not_all_is_not_called_100_percent():
    assert conclude(run("0", 0, 0.9996)) == "**Model 0** recognises **99.96%** of the test images."
    said = conclude(run("0", 0, 1.0), run("2", 0, 0.9997))
    assert said.startswith("**Model 0** is ahead: **100.0%**, 0.03 points more than Model 2.")
    assert sentences.say_share(1 - 1e-16) == "100.0%" and sentences.say_share(0.9996, 0) == "99.96%"
    assert sentences.say_share(0.126, 0) == "13%" and sentences.say_share(0.0) == "0.0%"
    assert "99.97% of their images" in sentences.say_hardest(np.full(2, 0.9997), ("A", "B"), 1)


def test_a_time_of_nothing_gives_no_ratio():
    """A run of somebody else's may say that it took no time at all."""
    said = conclude(run("0", 0, 0.7, train_seconds=0.0), run("2", 0, 0.9, train_seconds=2.0))
    assert "**Model 2** is ahead" in said and "times as long" not in said


def test_conclusion_uses_no_time_that_the_picture_calls_incomparable():
    """The best and the quickest were timed alike, but apart from most."""
    runs = [run(model, 0, 0.8, train_seconds=5.0) for model in "01"]
    apart = {"conditions": "2 at once"}
    best, quick = run("2", 0, 0.9, train_seconds=95.0, **apart), run("3", 0, 0.7, train_seconds=1.0, **apart)
    third = run("4", 0, 0.75, train_seconds=5.0)
    assert "times as long" not in conclude(*runs, best, quick, third)
    assert "95 times as long" in conclude(best, quick)


# Differences


@pytest.fixture(scope="module")
def reference() -> Store:
    return Store(REFERENCE, read_only=True)


def by_seed(store: Store, model: str) -> dict[int, float]:
    return {run.recipe.seed: run.result.test_accuracy for run in store.runs() if run.recipe.model == model}


def numbers(sentence: str) -> list[float]:
    return [float(n.replace(",", "").replace("−", "-")) for n in re.findall(r"−?\d[\d,]*(?:\.\d+)?", sentence)]


def test_sentences_of_the_reference_runs_hold_up(reference):
    for one, other in ("20", "21", "01", "02"):
        first, second = by_seed(reference, one), by_seed(reference, other)
        said = sentences.say_difference(f"M{one}", f"M{other}", difference(first, second), None)
        a, b = (np.array([group[seed] for seed in range(5)]) for group in (first, second))
        if a.mean() < b.mean():
            a, b, one, other = b, a, other, one
        expected = stats.ttest_rel(a, b)
        interval = expected.confidence_interval()
        assert said.startswith(f"M{one} beats M{other}" if expected.pvalue < 0.05 else "No clear difference")
        shown = numbers(said.replace(f"M{one}", "").replace(f"M{other}", ""))
        assert shown == pytest.approx(
            [100 * (a - b).mean(), 95, 100 * interval.low, 100 * interval.high, 5], abs=0.0501
        )


def test_of_equally_many_times_the_headline_takes_those_that_the_picture_compares():
    """Two and two were timed alike: the picture compares the first two, the best is one of the others."""
    apart = {"conditions": "2 at once"}
    first = run("0", 0, 0.7), run("1", 0, 0.8, train_seconds=5.0)
    last = run("2", 0, 0.75, **apart), run("3", 0, 0.9, train_seconds=95.0, **apart)
    assert "times as long" not in conclude(*first, *last)


def test_accuracy_sentence(reference):
    assert (
        sentences.say_accuracy(8298, 10_000)
        == "Right on 8,298 of 10,000 images: 83.0% (95% confidence interval 82.2 to 83.7)."
    )
    for one in reference.runs():
        correct = round(one.result.test_accuracy * 10_000)
        low, high = proportion_confint(correct, 10_000, method="wilson")
        shown = numbers(sentences.say_accuracy(correct, 10_000))
        assert shown == pytest.approx([correct, 10_000, correct / 100, 95, 100 * low, 100 * high], abs=0.0501)
    assert ": 99.99% (" in sentences.say_accuracy(9_999, 10_000)
    assert "100.0%" in sentences.say_accuracy(10, 10) and "No image" in sentences.say_accuracy(0, 0)


def test_sentence_of_a_difference():
    found = Difference(-0.051, -0.064, -0.039, 5, 0.001)
    flips = Flips(301, 812, 8000, 887, 1e-50)
    assert sentences.say_difference("Model 0", "Model 2", found, flips) == (
        "Model 2 beats Model 0 by 5.1 points (95% confidence interval 3.9 to 6.4, from 5 training runs each). On the "
        "same 10,000 images, 812 are right only for Model 2 and 301 only for Model 0 (one run of each)."
    )


def test_the_verdict_is_that_of_the_printed_interval():
    found = Difference(0.02, 0.001, 0.039, 5, 0.04)
    assert "beats" in sentences.say_difference("A", "B", found, None)
    wider = Difference(0.02, -0.004, 0.044, 5, 0.12, comparisons=3)
    said = sentences.say_difference("A", "B", wider, None)
    assert (
        said.startswith("No clear difference")
        and "(95% confidence interval −0.4 to 4.4, allowing for 3 comparisons, from 5" in said
    )
    none = Difference(0.0002, -0.00001, 0.0004, 5, 0.06)
    assert "A is 0.02 points ahead on average, which may be chance (95% confidence interval just under 0 to 0.04" in (
        sentences.say_difference("A", "B", none, None)
    )


def test_the_sentence_of_single_runs_says_what_they_cannot_show():
    for p, verdict in ((1e-9, "does better on such images than"), (0.4, "no clear difference between")):
        said = sentences.say_difference("A", "B", None, Flips(30, 1, 60, 9, 1e-9), p)
        assert verdict in said and "30 are right only for A and 1 only for B (one run of each)" in said
        assert "Single runs can't show" in said and "Train each at least 3 times, preferably five times." in said
    assert "Of 100 images, these two runs are right on exactly the same ones." in sentences.say_difference(
        "A", "B", None, Flips(0, 0, 90, 10, 1.0)
    )
    assert sentences.say_difference("A", "B", None, None).startswith("Single runs can't show")


@pytest.mark.parametrize("b", [(0.79, 0.82, 0.79), (0.61, 0.99)])
def test_nobody_is_ahead_whose_mean_is_equal_but_for_rounding(b):
    """0.8 and the mean of 0.79, 0.82 and 0.79 differ by 1e-16 in floating point."""
    found = difference({5: 0.8, 6: 0.8, 7: 0.8}, dict(enumerate(b)))
    said = sentences.say_difference("A", "B", found, None)
    assert "ahead" not in said and "under 0.01" not in said and ("are equal" in said or "are level" in said)


def test_a_single_image_is_no_plural():
    said = sentences.say_difference("A", "B", None, Flips(2, 1, 90, 7, 1.0))
    assert "2 are right only for A and 1 only for B" in said
    assert "1 is right only for A" in sentences.say_difference("A", "B", None, Flips(1, 0, 92, 7, 1.0))


def test_all_classes_that_are_hardest_are_named_and_what_they_are_hardest_for():
    recall = np.array([0.9, 0.7, 0.8, 0.7 + 1e-16])
    said = sentences.say_hardest(recall, ("A", "B", "C", "D"), 2)
    assert said == (
        "**B** and **D** are the hardest classes: 70% of their images are recognised, on average over the models "
        "compared."
    )
    assert sentences.say_hardest(recall[:3], ("A", "B", "C"), 1) == (
        "**B** is the hardest class: 70% of its images are recognised."
    )
    equal = sentences.say_hardest(np.full(4, 0.5), ("A", "B", "C", "D"), 1)
    assert equal == "All classes are equally hard: 50% of their images are recognised."


@pytest.mark.parametrize(
    "p, text", [(0, "p < 0.001"), (0.0499, "p = 0.0499"), (0.04996, "p = 0.04996"), (0.5, "p = 0.50")]
)
def test_p_never_changes_sides_by_rounding(p, text):
    assert sentences.say_p(p) == text
