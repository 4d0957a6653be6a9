"""Pairs of groups: the figures and sentences of Compare, held against SciPy and statsmodels on the reference runs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fmnist.compare import pairs
from fmnist.compare.pairs import Pair
from fmnist.store.library import Group, Library, default_groups
from fmnist.store.run import Run


@pytest.fixture
def library(store) -> Library:
    return Library(store)


@pytest.fixture
def groups(library) -> list[Group]:
    return default_groups(library.groups("fashion-mnist", "reference"))


@pytest.fixture
def found(library, groups, real_data) -> list[Pair]:
    return pairs.compare(groups, library, real_data.test_labels)


def seeds_of(group: Group, library: Library, labels: np.ndarray) -> np.ndarray:
    """Accuracy of each seed, counted over the stored classes."""
    return np.array([np.mean(classes_of(run, library) == labels) for run in group.runs])


def classes_of(run: Run, library: Library) -> np.ndarray:
    return library.stores[run.source].predictions(run.id, run.recipe.epochs)


def test_differences_are_scipys(found, library, real_data):
    assert [(pair.first.title, pair.second.title) for pair in found] == [
        ("Model 2", "Model 0"),
        ("Model 2", "Model 1"),
        ("Model 0", "Model 1"),
    ]
    raw = []
    for pair in found:
        ours = [seeds_of(group, library, real_data.test_labels) for group in (pair.first, pair.second)]
        test = scipy.stats.ttest_rel(*ours)
        interval = test.confidence_interval(1 - 0.05 / 3)  # Bonferroni: so all three hold together.
        assert (pair.difference.low, pair.difference.high) == pytest.approx((interval.low, interval.high))
        assert pair.difference.mean == pytest.approx(np.mean(ours[0] - ours[1]))
        raw.append(test.pvalue)
        points = 100 * np.mean(ours[0] - ours[1])
        beats = f"{pair.first.title} beats {pair.second.title} by {points:.1f} points" in pair.sentence
        assert beats == (interval.low > 0) == pair.difference.seen
        assert f"interval {100 * interval.low:.1f} to {100 * interval.high:.1f}, ".replace("-", "−") in pair.sentence
        assert "allowing for 3 comparisons, from 5 training runs each" in pair.sentence
    assert [pair.difference.seen for pair in found] == [True, True, False]
    adjusted = multipletests(raw, method="bonferroni")[1].tolist()
    assert [pair.difference.p for pair in found] == pytest.approx(adjusted)


def test_flips_are_a_hand_count_and_their_p_that_of_statsmodels(found, library, real_data):
    for pair in found:
        assert pair.runs[0].recipe.seed == pair.runs[1].recipe.seed == 0
        one, other = (classes_of(run, library) == real_data.test_labels for run in pair.runs)
        table = [[np.sum(one & other), np.sum(one & ~other)], [np.sum(~one & other), np.sum(~one & ~other)]]
        assert (pair.flips.only_first, pair.flips.only_second) == (table[0][1], table[1][0])
        assert pair.flips.p == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert f"{table[0][1]:,} are right only for {pair.first.title} and {table[1][0]:,} only for" in pair.sentence


def test_a_model_against_itself_does_not_differ(library, groups, real_data):
    (pair,) = pairs.compare([groups[2], groups[2]], library, real_data.test_labels)
    assert (pair.difference.mean, pair.difference.low, pair.difference.high, pair.difference.p) == (0, 0, 0, 1)
    assert (pair.flips.only_first, pair.flips.only_second, pair.flips.p) == (0, 0, 1)
    assert "beats" not in pair.sentence
