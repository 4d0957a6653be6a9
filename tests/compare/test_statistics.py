"""Intervals and tests, against SciPy's and statsmodels', and against published examples."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as oracle_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bench.campaigns import statistics as campaign
from fmnist import metrics as fmnist_metrics
from fmnist.compare import sentences, statistics
from fmnist.compare.statistics import Flips
from fmnist.store.store import REFERENCE, Store


@pytest.fixture(scope="module")
def reference() -> Store:
    return Store(REFERENCE, read_only=True)


def by_seed(store: Store, model: str) -> dict[int, float]:
    return {run.recipe.seed: run.result.test_accuracy for run in store.runs() if run.recipe.model == model}


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


def test_no_interval_of_accuracies_holds_what_no_accuracy_can_be():
    """Of seeds of which one has failed to learn, Student's interval ends above 1."""
    values = [0.88, 0.89, 0.87, 0.88, 0.1]
    low, high = statistics.mean_interval(values)
    assert high > 1 and statistics.accuracy_interval(values) == (low, 1)
    assert statistics.accuracy_interval([0.1, 0.1, 0.5])[0] == 0 and statistics.accuracy_interval([0.8]) is None
    points = [{"group": "a", "split": "test", "step": 1, "epoch": 1, "seconds": 1.0} for _ in values]
    history = pd.DataFrame(points).assign(run=range(5), accuracy=values, loss=[0.3, 0.3, 0.3, 0.3, 4.0])
    [curve] = statistics.mean_curves(history, "accuracy").to_dict("records")
    assert (curve["low"], curve["high"]) == pytest.approx((low, 1))
    assert statistics.mean_curves(history, "loss")["low"].tolist() == [0]
    found = statistics.difference({0: 0.9, 1: 0.9, 2: 0.1}, {0: 0.1, 1: 0.1, 2: 0.9}, comparisons=20)
    assert (found.low, found.high) == (-1, 1)


# Over seeds

# Student 1908 (Cushny and Peebles' hours of sleep gained, in tens), R's data set `sleep`: t.test(..., paired = TRUE).
SLEEP = (
    dict(enumerate(value / 10 for value in (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4))),
    dict(enumerate(value / 10 for value in (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0))),
)


def test_paired_difference_is_students():
    found = statistics.difference(*SLEEP)
    assert found.paired and found.seeds == 10
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.mean, found.low, found.high) == pytest.approx((0.158, 0.07001142, 0.24598858), abs=5e-8)


def test_unpaired_difference_is_welchs():
    first, second = SLEEP[0], {seed + 100: value for seed, value in SLEEP[1].items()}
    found = statistics.difference(first, second)
    assert not found.paired and (found.seeds, found.seeds_second) == (10, 10)
    # R: t.test(extra ~ group, data = sleep)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-0.02054832, 0.33654832), abs=5e-8)


@pytest.mark.parametrize("spread, wider", [(1.0, True), (0.05, False)])
def test_the_wider_of_welchs_and_students_intervals_counts(spread, wider):
    """Three seeds that lie close together or far apart, against ten."""
    first = {seed: 5 + spread * value for seed, value in enumerate((-1.0, 0.1, 1.2))}
    second = dict(enumerate(SLEEP[0].values(), start=100))
    found = statistics.unpaired_difference(first, second)
    values = list(first.values()), list(second.values())
    welch, student = (stats.ttest_ind(*values, equal_var=equal) for equal in (False, True))
    intervals = [test.confidence_interval() for test in (welch, student)]
    widest = max(range(2), key=lambda index: intervals[index].high - intervals[index].low)
    assert (found.low, found.high) == pytest.approx(tuple(intervals[widest]))
    assert found.p == pytest.approx([welch, student][widest].pvalue)
    assert found.mean == pytest.approx(np.mean(values[0]) - np.mean(values[1]))


def test_no_run_is_dropped_where_only_some_seeds_are_common():
    """All seeds favour A, the two that both have favour B: the figure is that of the means, whoever prints it."""
    a = {0: 0.90, 1: 0.91, 2: 0.92, 3: 0.70, 4: 0.71}
    b = {3: 0.76, 4: 0.77, 5: 0.78, 6: 0.75}
    found = statistics.difference(a, b)
    assert not found.paired and (found.seeds, found.seeds_second) == (5, 4)
    assert found.mean == pytest.approx(np.mean(list(a.values())) - np.mean(list(b.values())))
    assert statistics.difference(a, dict.fromkeys(a, 0.8)).paired


def test_fewer_than_three_seeds_of_one_give_a_difference_without_a_verdict():
    ten = {seed: 0.7 + seed / 1000 for seed in range(10)}
    for few in ({0: 0.9, 1: 0.9001}, {20: 0.9, 21: 0.9001}):
        for found in (statistics.difference(few, ten), statistics.difference(ten, few)):
            assert abs(found.mean) == pytest.approx(0.19555)
            assert np.isnan([found.low, found.high, found.p]).all() and not found.tested and not found.seen
            said = sentences.say_difference("A", "B", found, None)
            assert "19.6 points ahead" in said and "It takes at least 3 runs of each to show" in said
            assert not {"beats", "95%"} & {*said.replace(":", " ").split()}


def test_intervals_of_several_comparisons_are_bonferronis_and_agree_with_the_verdicts():
    rng = np.random.default_rng(5)
    groups = [{seed: 0.8 + shift + rng.normal(0, 0.01) for seed in range(5)} for shift in (0, 0.005, 0.012, 0.08)]
    groups.append({0: 0.5, 1: 0.6})  # Too few: not tested, and no burden on the others.
    found = statistics.simultaneous(groups)
    assert list(found) == [(i, j) for i in range(5) for j in range(i + 1, 5)]
    verdicts = set()
    for (i, j), difference in found.items():
        if j == 4:
            assert not difference.tested
            continue
        test = stats.ttest_rel(list(groups[i].values()), list(groups[j].values()))
        interval = test.confidence_interval(1 - 0.05 / 6)
        assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))
        assert difference.p == pytest.approx(min(1, 6 * test.pvalue)) and difference.comparisons == 6
        assert difference.seen == (not difference.low <= 0 <= difference.high)
        said = sentences.say_difference("A", "B", difference, None)
        assert (" beats " in said) == difference.seen and "allowing for 6 comparisons" in said
        verdicts.add(difference.seen)
    assert verdicts == {True, False}


def test_one_seed_gives_no_difference():
    assert statistics.difference({0: 0.8}, {0: 0.9}) is None
    assert statistics.difference({0: 0.8}, {0: 0.9, 1: 0.8}) is None
    assert statistics.paired_difference({0: 0.8, 1: 0.8}, {2: 0.8, 3: 0.7}) is None


@pytest.mark.parametrize("model", "012")
def test_a_model_against_itself(reference, model):
    group = by_seed(reference, model)
    found = statistics.difference(group, group)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert sentences.say_difference("A", "A", found, None).startswith("No clear difference")
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
        assert sentences.say_difference("A", "B", found, None).startswith(
            "A beats B" if count > 5 else "No clear difference"
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
        different += "beats" in sentences.say_difference("A", "B", found, None)
        one, other = (rng.random((2, 200)) > 0.8).astype(int)
        flipped += statistics.mcnemar(labels, one, other).p < 0.05
    assert 10 < different <= 60
    assert flipped <= 60


@pytest.mark.parametrize("sizes", campaign.SIZES)
@pytest.mark.parametrize("name", campaign.sources())
def test_groups_from_one_distribution_are_rarely_called_different(name, sizes):
    """5,000 pairs here; `bench.campaigns.statistics` draws 10,000."""
    rng = np.random.default_rng(0)
    assert campaign.called_different(campaign.sources()[name], sizes, 5_000, rng) <= 0.06


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


def test_the_slow_part_of_scipy_stays_out():
    code = (
        "import sys; from fmnist.compare import sentences, statistics, diagnosis; assert 'scipy' not in sys.modules; "
        "statistics.difference({0: .1, 1: .2}, {0: .3, 1: .5}); "
        "assert not {'scipy.stats', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
