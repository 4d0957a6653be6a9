"""Intervals, tests and scores, against SciPy's, statsmodels' and scikit-learn's, and against published examples."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from fmnist import metrics as fmnist_metrics
from fmnist.compare import statistics
from fmnist.compare.statistics import Flips
from fmnist.store.store import REFERENCE, Store


@pytest.fixture(scope="module")
def reference() -> Store:
    return Store(REFERENCE, read_only=True)


def by_seed(store: Store, model: str) -> dict[int, float]:
    return {run.recipe.seed: run.result.test_accuracy for run in store.runs() if run.recipe.model == model}


def numbers(sentence: str) -> list[float]:
    return [float(n.replace(",", "").replace("−", "-")) for n in re.findall(r"−?\d[\d,]*(?:\.\d+)?", sentence)]


# One figure


@pytest.mark.parametrize(
    "correct, total, low, high",  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_newcombes(correct, total, low, high):
    assert statistics.wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("correct, total", [(0, 7), (7, 7), (8298, 10_000), (1, 2), (1, 1_000_000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_statsmodels(correct, total, level):
    expected = proportion_confint(correct, total, 1 - level, method="wilson")
    assert statistics.wilson(correct, total, level) == pytest.approx(expected, abs=1e-9)


def test_wilson_at_its_ends():
    assert statistics.wilson(0, 10)[0] == 0 and statistics.wilson(10, 10)[1] == 1
    assert statistics.wilson(0, 0) == (0, 1)
    for counts in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError):
            statistics.wilson(*counts)


def test_mean_interval_is_scipys():
    values = [0.8298, 0.8236, 0.8251, 0.8145, 0.836]
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert statistics.mean_interval(values) == pytest.approx(expected, abs=1e-10)
    assert statistics.mean_interval([0.8]) is None and statistics.mean_interval([]) is None
    assert statistics.mean_interval([0.1, 0.1, 0.1]) == (0.1, 0.1)


# Over seeds

# Student 1908 (Cushny and Peebles' hours of sleep gained), R's data set `sleep`: t.test(..., paired = TRUE).
SLEEP = (
    dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])),
    dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])),
)


def test_paired_difference_is_students():
    found = statistics.difference(*SLEEP)
    assert found.paired and found.seeds == 10
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.mean, found.low, found.high) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=5e-7)


def test_unpaired_difference_is_welchs():
    first, second = SLEEP[0], {seed + 100: value for seed, value in SLEEP[1].items()}
    found = statistics.difference(first, second)
    assert not found.paired and (found.seeds, found.seeds_second) == (10, 10)
    # R: t.test(extra ~ group, data = sleep)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-0.2054832, 3.3654832), abs=5e-7)
    expected = stats.ttest_ind(list(first.values())[:4], list(second.values()), equal_var=False)
    assert statistics.unpaired_difference(dict(list(first.items())[:4]), second).p == pytest.approx(expected.pvalue)


def test_only_common_seeds_are_paired():
    first, second = {0: 0.8, 1: 0.82, 2: 0.85, 9: 0.1}, {0: 0.7, 1: 0.75, 2: 0.73, 8: 0.9}
    found = statistics.paired_difference(first, second)
    assert found.seeds == 3 and found.p == pytest.approx(stats.ttest_rel([0.8, 0.82, 0.85], [0.7, 0.75, 0.73]).pvalue)
    assert statistics.difference(first, second) == found
    few = {0: 0.7, 1: 0.75, 10: 0.73, 11: 0.72, 12: 0.7, 13: 0.7}
    assert not statistics.difference({**first, 3: 0.8, 4: 0.8}, few).paired


def test_one_seed_gives_no_difference():
    assert statistics.difference({0: 0.8}, {0: 0.9}) is None
    assert statistics.difference({0: 0.8}, {0: 0.9, 1: 0.8}) is None
    assert statistics.paired_difference({0: 0.8, 1: 0.8}, {2: 0.8, 3: 0.7}) is None


@pytest.mark.parametrize("model", "012")
def test_a_model_against_itself(reference, model):
    group = by_seed(reference, model)
    found = statistics.difference(group, group)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert statistics.say_difference("A", "A", found, None).startswith("No difference")
    predictions = fmnist_metrics.predict(reference.logits(1))
    flips = statistics.mcnemar(np.zeros(10_000, int), predictions, predictions)
    assert (flips.only_first, flips.only_second, flips.p) == (0, 0, 1)


def test_a_difference_without_spread_takes_its_p_from_the_signs_alone():
    second = dict.fromkeys(range(8), 0.7)
    for count in range(2, 8):
        first = dict.fromkeys(range(count), 0.71)
        found = statistics.paired_difference(first, second)
        assert found.low == found.mean == found.high == pytest.approx(0.01)
        assert found.p == 2 / 2**count
        assert statistics.say_difference("A", "B", found, None).startswith(
            "A beats B" if count > 5 else "No difference"
        )
    assert statistics.unpaired_difference({0: 0.5, 1: 0.5}, {2: 0.6, 3: 0.6}).p == pytest.approx(1 / 3)


def test_equal_models_are_rarely_called_different():
    """1,000 pairs of models that are equally good, each with five seeds and a test of 200 images."""
    rng = np.random.default_rng(0)
    shares = np.clip(rng.normal(0.8, 0.02, (1000, 2, 5)), 0, 1)
    accuracies = rng.binomial(200, shares) / 200
    labels = np.zeros(200, int)
    different = flipped = 0
    for first, second in accuracies:
        found = statistics.difference(dict(enumerate(first)), dict(enumerate(second)))
        different += "beats" in statistics.say_difference("A", "B", found, None)
        one, other = (rng.random((2, 200)) > 0.8).astype(int)
        flipped += statistics.mcnemar(labels, one, other).p < 0.05
    assert 10 < different <= 60
    assert flipped <= 60


# On the same images


def answers(only_first: int, only_second: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = [only_first, only_second, both, neither]
    return np.zeros(sum(counts), int), np.repeat([0, 1, 0, 1], counts), np.repeat([1, 0, 0, 1], counts)


def test_mcnemar_of_agrestis_approval_ratings():
    """Agresti, Categorical Data Analysis, table 10.1: 794, 150, 86, 570; McNemar's chi-square is 17.36, p = .00003."""
    flips = statistics.mcnemar(*answers(150, 86, 794, 570))
    assert flips == Flips(150, 86, 794, 570, flips.p) and flips.images == 1600
    assert flips.p == pytest.approx(stats.binomtest(86, 236).pvalue, rel=1e-9)
    assert flips.p == pytest.approx(0.00003, abs=1e-5)


@pytest.mark.parametrize("only_first, only_second", [(0, 0), (1, 0), (5, 0), (6, 0), (3, 3), (12, 25), (812, 301)])
def test_mcnemar_is_statsmodels(only_first, only_second):
    flips = statistics.mcnemar(*answers(only_first, only_second, 50, 7))
    expected = oracle_mcnemar([[50, only_first], [only_second, 7]], exact=True).pvalue
    assert flips.p == pytest.approx(min(1, expected) if only_first + only_second else 1, rel=1e-9)


def test_holm_is_statsmodels():
    # The textbook example: .01, .04, .03, .005 become .03, .06, .06, .02.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    rng = np.random.default_rng(1)
    for count in range(1, 9):
        p = (rng.random(count) ** 3).tolist()
        assert statistics.holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())
    assert statistics.holm([]) == [] and statistics.holm([0.9, 0.8]) == [1, 1]


# What a model says of itself


@pytest.fixture(scope="module")
def said() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = rng.integers(10, size=2_000)
    logits = rng.normal(0, 2, (2_000, 10))
    logits[np.arange(2_000), labels] += 3
    return logits.astype(np.float16), labels


def test_calibration_is_scikit_learns(said):
    logits, labels = said
    table = statistics.calibration(logits, labels)
    confidence, right = fmnist_metrics.softmax(logits).max(axis=1), fmnist_metrics.predict(logits) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=15)
    filled = table[table["images"] > 0]
    assert filled["accuracy"].tolist() == pytest.approx(accuracy.tolist())
    assert filled["confidence"].tolist() == pytest.approx(mean.tolist())
    assert table["images"].sum() == 2_000 and len(table) == 15
    gap = 0.0  # Guo's equation, image by image
    for low, high in zip(table["low"], table["high"], strict=True):
        inside = (confidence > low) & (confidence <= high)
        gap += abs(right[inside].sum() - confidence[inside].sum()) / 2_000
    assert statistics.expected_calibration_error(logits, labels) == pytest.approx(gap)


def test_calibration_by_hand():
    logits = np.full((4, 10), -50.0)
    logits[:, 3] = 50  # Sure of class 3, and right three times of four.
    assert statistics.expected_calibration_error(logits, np.array([3, 3, 3, 1])) == pytest.approx(0.25)
    assert statistics.calibration(logits, np.array([3, 3, 3, 1]))["accuracy"].iloc[-1] == 0.75
    assert statistics.expected_calibration_error(np.zeros((10, 10)), np.arange(10)) == pytest.approx(0)


def test_selective_accuracy_is_counted(said):
    logits, labels = said
    curve = statistics.selective_accuracy(logits, labels)
    confidence, right = fmnist_metrics.softmax(logits).max(axis=1), fmnist_metrics.predict(logits) == labels
    for row in curve.iloc[:: len(curve) // 20].itertuples():
        answered = confidence >= row.confidence
        assert (row.images, row.share) == (answered.sum(), answered.mean())
        assert row.accuracy == pytest.approx(right[answered].mean())
    assert curve["share"].iloc[-1] == 1 and curve["accuracy"].iloc[-1] == right.mean()
    assert curve["accuracy"].iloc[: len(curve) // 10].mean() > right.mean()


def test_selective_accuracy_does_not_depend_on_the_order_of_images(said):
    logits, labels = said
    logits = np.round(logits)  # Many ties.
    order = np.random.default_rng(0).permutation(len(labels))
    curve = statistics.selective_accuracy(logits, labels)
    assert curve.equals(statistics.selective_accuracy(logits[order], labels[order]))
    alike = statistics.selective_accuracy(np.zeros((4, 10)), np.array([0, 1, 2, 3]))
    assert alike[["images", "accuracy"]].values.tolist() == [[4, 0.25]]


def test_class_scores_are_scikit_learns(said):
    logits, labels = said
    predictions = fmnist_metrics.predict(logits).astype(int)
    predictions[predictions == 6] = 0
    scores = statistics.class_scores(fmnist_metrics.confusion_matrix(labels, predictions))
    oracle = metrics.precision_recall_fscore_support(labels, predictions, labels=range(10), zero_division=np.nan)
    for column, expected in zip(("precision", "recall", "f1", "images"), oracle, strict=True):
        assert scores[column].tolist() == pytest.approx(np.asarray(expected).tolist(), nan_ok=True)
    assert math.isnan(scores.loc[6, "precision"]) and scores.loc[6, "f1"] == 0 and scores.loc[6, "predicted"] == 0


def test_a_class_always_wrongly_predicted_has_a_precision_of_0():
    matrix = np.zeros((10, 10), int)
    matrix[0, 1] = 5
    scores = statistics.class_scores(matrix)
    assert scores.loc[1, "precision"] == 0 and math.isnan(scores.loc[1, "recall"])
    assert math.isnan(scores.loc[0, "precision"]) and scores.loc[0, "recall"] == 0
    assert scores.loc[2, ["precision", "recall", "f1"]].isna().all()


# In words


def test_sentences_of_the_reference_runs_hold_up(reference):
    for one, other in ("20", "21", "01", "02"):
        first, second = by_seed(reference, one), by_seed(reference, other)
        said = statistics.say_difference(f"M{one}", f"M{other}", statistics.difference(first, second), None)
        a, b = (np.array([group[seed] for seed in range(5)]) for group in (first, second))
        if a.mean() < b.mean():
            a, b, one, other = b, a, other, one
        expected = stats.ttest_rel(a, b)
        interval = expected.confidence_interval()
        assert said.startswith(f"M{one} beats M{other}" if expected.pvalue < 0.05 else "No difference")
        shown = numbers(said.replace(f"M{one}", "").replace(f"M{other}", ""))
        assert shown == pytest.approx(
            [100 * (a - b).mean(), 95, 100 * interval.low, 100 * interval.high, 5], abs=0.0501
        )


def test_accuracy_sentence(reference):
    assert statistics.say_accuracy(8298, 10_000) == "Right for 8,298 of 10,000 images: 83.0% (95%: 82.2 to 83.7)."
    for run in reference.runs():
        correct = round(run.result.test_accuracy * 10_000)
        low, high = proportion_confint(correct, 10_000, method="wilson")
        shown = numbers(statistics.say_accuracy(correct, 10_000))
        assert shown == pytest.approx([correct, 10_000, correct / 100, 95, 100 * low, 100 * high], abs=0.0501)
    assert ": 99.99% (" in statistics.say_accuracy(9_999, 10_000)
    assert "100.0%" in statistics.say_accuracy(10, 10) and "No image" in statistics.say_accuracy(0, 0)


def test_sentence_of_a_difference():
    found = statistics.Difference(-0.051, -0.064, -0.039, 5, 0.001)
    flips = Flips(301, 812, 8000, 887, 1e-50)
    assert statistics.say_difference("Model 0", "Model 2", found, flips) == (
        "Model 2 beats Model 0 by 5.1 points (95%: 3.9 to 6.4; 5 seeds). On the same 10,000 images one run of Model 2 "
        "is right where one of Model 0 is wrong 812 times, and wrong where it is right 301 times."
    )


def test_the_sentence_follows_the_adjusted_p():
    found = statistics.Difference(0.02, 0.001, 0.039, 5, 0.04)
    assert "beats" in statistics.say_difference("A", "B", found, None)
    said = statistics.say_difference("A", "B", found, None, p=0.08)
    assert said.startswith("No difference") and "p = 0.080 after allowing for several comparisons" in said
    none = statistics.Difference(0.0002, -0.00001, 0.0004, 5, 0.06)
    assert "A is 0.02 points ahead on average, which may be chance (95%: just under 0 to 0.04; 5 seeds)" in (
        statistics.say_difference("A", "B", none, None)
    )


def test_the_sentence_of_single_runs_says_what_they_cannot_show():
    for p, verdict in ((1e-9, "does better than"), (0.4, "no difference can be seen")):
        said = statistics.say_difference("A", "B", None, Flips(30, 1, 60, 9, 1e-9), p)
        assert verdict in said and "30 times, and wrong where it is right once" in said
        assert "Single runs can't show" in said and "Train at least two seeds" in said
    assert "right and wrong on the same 100" in statistics.say_difference("A", "B", None, Flips(0, 0, 90, 10, 1.0))
    assert statistics.say_difference("A", "B", None, None).startswith("Single runs can't show")


@pytest.mark.parametrize(
    "p, text", [(0, "p < 0.001"), (0.0499, "p = 0.0499"), (0.04996, "p = 0.04996"), (0.5, "p = 0.50")]
)
def test_p_never_changes_sides_by_rounding(p, text):
    assert statistics.say_p(p) == text


def test_the_slow_part_of_scipy_stays_out():
    code = (
        "import sys; from fmnist.compare import statistics, diagnosis; assert 'scipy' not in sys.modules; "
        "statistics.difference({0: .1, 1: .2}, {0: .3, 1: .5}); "
        "assert not {'scipy.stats', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
