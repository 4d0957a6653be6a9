"""One row a group: means, spreads, times that can be compared; and what a library gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.making import finished_run
from helpers.making import summary_row as run

from fmnist.compare import summary
from fmnist.compare.sweep import Sweep
from fmnist.recipe import Recipe
from fmnist.store.library import GROUP, Library


def test_summarise_mean_and_spread():
    accuracies = [0.82, 0.78, 0.86, 0.8]
    (row,) = summary.summarise(pd.DataFrame([run("0", s, a) for s, a in enumerate(accuracies)])).to_dict("records")
    assert row["seeds"] == [0, 1, 2, 3]
    assert row["accuracy_mean"] == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert row["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-12)
    assert (row["accuracy_min"], row["accuracy_max"]) == (0.78, 0.86)
    assert (row["train_seconds"], row["eval_seconds"], row["dead"]) == (2.0, 0.5, 0)
    assert row["conditions"] == "CPU, 1 thread"


def test_summarise_one_seed_has_no_spread():
    (row,) = summary.summarise(pd.DataFrame([run("0", 0, 0.8)])).to_dict("records")
    assert np.isnan(row["accuracy_std"])


@pytest.mark.parametrize("order", [1, -1])
def test_summarise_counts_a_seed_once_with_its_newest_run(order):
    runs = [run("0", 1, 0.7, finished=5.0), run("0", 1, 0.9, finished=6.0), run("0", 0, 0.8, finished=1.0)]
    (row,) = summary.summarise(pd.DataFrame(runs[::order])).to_dict("records")
    assert row["seeds"] == [0, 1]
    assert row["accuracy_mean"] == pytest.approx(0.85)


def test_summarise_counts_dead_runs_and_keeps_them_in_the_mean():
    runs = [run("2", 0, 0.88), run("2", 1, 0.1), run("2", 2, 0.86)]
    (row,) = summary.summarise(pd.DataFrame(runs)).to_dict("records")
    assert row["dead"] == 1
    assert row["accuracy_mean"] == pytest.approx(1.84 / 3)
    assert row["accuracy_alive"] == pytest.approx(0.87)
    assert row["accuracy_min"] == 0.1


def test_summarise_takes_times_from_the_seeds_that_were_timed_under_the_same_conditions_as_most():
    slow = [run("2", seed, 0.8, train_seconds=5.0 + seed, conditions="2 at once") for seed in (0, 1)]
    (row,) = summary.summarise(pd.DataFrame([*slow, run("2", 2, 0.8, train_seconds=1.0)])).to_dict("records")
    assert (row["train_seconds"], row["conditions"], row["timed"]) == (5.5, "2 at once", [0, 1])
    assert row["seeds"] == [0, 1, 2]


def test_a_sweep_tells_the_same_time_as_the_summary(store, small_data):
    alike, apart = {"seconds": 8.0, "machine": "A processor"}, {"seconds": 2.0, "machine": "A faster one"}
    for seed in range(3):
        finished_run(store, Recipe("0", seed), small_data, **(alike if seed < 2 else apart))
    library = Library(store, None)
    [group] = library.groups("fashion-mnist")
    [row] = summary.comparison(library).to_dict("records")
    [swept] = Sweep(library, [group], []).table.to_dict("records")
    assert row["train_seconds"] == swept["train_seconds"] == summary.usual_seconds(group.runs) == 8.0


def test_times_are_comparable_where_conditions_are_those_of_most_groups():
    groups = pd.DataFrame({"conditions": ["alone", "beside", "beside"]})
    assert summary.comparable(groups).tolist() == [False, True, True]
    assert summary.comparable(groups[:2]).tolist() == [True, False]


def test_the_frontier_is_what_nobody_beats_on_both():
    costs, accuracies = pd.Series([1.0, 2.0, 3.0, 2.0, np.nan]), pd.Series([0.8, 0.7, 0.9, 0.85, 0.99])
    assert summary.frontier(costs, accuracies).tolist() == [True, False, True, True, False]
    assert summary.frontier(pd.Series([1.0, 1.0]), pd.Series([0.8, 0.8])).tolist() == [True, True]  # equals


def test_summarise_a_group_in_which_none_lives_stays():
    table = summary.summarise(pd.DataFrame([run("2", 0, 0.1), run("0", 0, 0.8)])).set_index("model")
    assert np.isnan(table.loc["2", "accuracy_alive"])
    assert table.loc["0", "accuracy_alive"] == 0.8


@pytest.mark.parametrize("column", GROUP)
def test_summarise_never_mixes_groups(column):
    runs = [run("0", 0, 0.8), run("0", 1, 0.9) | {column: "another"}]
    assert summary.summarise(pd.DataFrame(runs))["accuracy_mean"].tolist() in ([0.8, 0.9], [0.9, 0.8])


# Of a library


@pytest.fixture
def library(store) -> Library:
    return Library(store)


def test_an_empty_library_has_empty_tables(store):
    library = Library(store, None)
    assert summary.comparison(library).empty
    groups, runs = summary.as_tables([])
    assert groups.empty and runs.empty


def test_tables_for_charts(library, small_data):
    alive = finished_run(library.own, Recipe("1"), small_data, accuracy=0.7)
    dead = finished_run(library.own, Recipe("1", 1), small_data, never=tuple(range(9)))
    chosen = library.groups("fashion-mnist")[::-1]
    groups, runs = summary.as_tables(chosen)
    assert groups["id"].tolist() == [group.id for group in chosen]
    assert groups["name"].tolist() == [group.title for group in chosen]
    own = groups.set_index("source").loc["own"]
    mean = (alive.finished_result.test_accuracy + dead.finished_result.test_accuracy) / 2
    assert (own["seeds"], own["dead"], own["accuracy_mean"]) == ([0, 1], 1, pytest.approx(mean))
    assert runs.groupby("group").size().to_dict() == {group.id: len(group.runs) for group in chosen}


def test_comparison_has_names_for_people(library):
    row = summary.comparison(library, "reference").set_index("model").loc["0"]
    assert (row["name"], row["described"]) == ("Model 0", "SGD, lr 0.1, batch 32, 3 epochs")
    assert row["source"] == "reference" and row["device"] == "CPU"
