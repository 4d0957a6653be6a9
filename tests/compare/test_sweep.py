"""What a sweep shows, held against counts by hand, and its picture."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from helpers.making import ended_run, finished_run

from fmnist.compare import effects, sweep, sweep_chart
from fmnist.compare.sweep import Sweep
from fmnist.grid import FACTORS, Grid
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.training.scheduler import Scheduler

DEAD = tuple(range(1, 10))


@pytest.fixture
def library(store) -> Library:
    return Library(store, None)


def swept(library: Library) -> Sweep:
    return Sweep(library, library.groups("fashion-mnist"), library.own.runs("failed"))


@pytest.fixture
def small(library, small_data) -> Sweep:
    """Two learning rates and two batch sizes, the accuracies of which are these; a seed of one is dead, one failed."""
    for rate, size, accuracies in (
        (0.1, 32, (0.80, 0.84)),
        (0.01, 32, (0.60, 0.62)),
        (0.1, 64, (0.70,)),
        (0.01, 64, (0.40, 0.99)),
    ):
        for seed, accuracy in enumerate(accuracies):
            recipe = Recipe("0", seed, batch_size=size, learning_rate=rate)
            finished_run(library.own, recipe, small_data, accuracy=accuracy, never=DEAD if accuracy == 0.99 else ())
    ended_run(library.own, Recipe("0", 1, batch_size=64), small_data, "failed", "Why.")
    ended_run(library.own, Recipe("0", 0, batch_size=128, learning_rate=5), small_data, "failed", "Why.")
    return swept(library)


def dead_accuracy(data) -> float:
    """Of a run that says class 0 for every image."""
    return float(np.mean(data.test_labels == 0))


def test_each_group_is_a_row_and_what_failed_is_not_hidden(small, small_data):
    table = small.table
    dead = dead_accuracy(small_data)
    assert list(zip(table["learning_rate"], table["batch_size"], strict=True)) == [
        (0.1, 32),
        (0.1, 64),
        (0.01, 32),
        (0.01, 64),
        (5.0, 128),
    ]
    assert table["accuracy_mean"].tolist()[:4] == pytest.approx([0.82, 0.70, 0.61, (0.40 + dead) / 2])
    assert math.isnan(table["accuracy_mean"][4]) and table["id"][4] == ""
    assert table["accuracy_std"].tolist()[:1] == pytest.approx([0.04 / math.sqrt(2)])
    assert table["seeds"].tolist() == [2, 1, 2, 2, 0]
    assert table["dead"].tolist() == [0, 0, 0, 1, 0] and table["failed"].tolist() == [0, 1, 0, 0, 1]


def test_a_seed_that_failed_once_and_went_well_another_time_has_not_failed(small, library, small_data):
    finished_run(library.own, Recipe("0", 1, batch_size=64), small_data)
    assert swept(library).table["failed"].sum() == 1


def test_effects_are_ranges_where_all_else_is_equal(small, small_data):
    worst = (0.40 + dead_accuracy(small_data)) / 2
    effects = small.effects.set_index("factor")
    assert list(effects.index) == ["learning_rate", "batch_size"]
    assert effects.loc["learning_rate", "points"] == pytest.approx((0.82 - 0.61 + 0.70 - worst) / 2)
    assert effects.loc["batch_size", "points"] == pytest.approx((0.82 - 0.70 + 0.61 - worst) / 2)
    assert effects["sets"].tolist() == [2, 2]
    assert effects["best"].tolist() == [(0.1,), (32,)]


def grid(*sizes: int) -> pd.DataFrame:
    """Every combination of so many learning rates, batch sizes ..."""
    return pd.DataFrame(list(product(*map(range, sizes))), columns=["learning_rate", "batch_size", "epochs"])


@pytest.mark.parametrize("seeds", [1, 3])
def test_of_equal_settings_hardly_ever_one_stands_out(seeds):
    """5 x 2 x 2 of them: by the distance of best and worst alone, the one with five values always would."""
    rng = np.random.default_rng(0)
    settings = grid(5, 2, 2)
    stood_out, largest = 0, set()
    for _ in range(60):
        found = effects.effects(settings, rng.normal(0.8, 0.02, (20, seeds)).tolist(), list(settings.columns))
        stood_out += found["seen"].any()
        largest.add(found.sort_values("points")["factor"].iloc[-1])
    assert stood_out <= 4 and largest == {"learning_rate"}


def test_what_matters_is_seen_and_what_does_not_is_not():
    rng = np.random.default_rng(0)
    settings = grid(5, 2, 2)
    accuracies = [[0.6 + 0.03 * rate + 0.05 * size + rng.normal(0, 0.01)] for rate, size, _ in settings.to_numpy()]
    found = effects.effects(settings, accuracies, list(settings.columns)).set_index("factor")
    assert list(found.index[found["seen"]]) == ["learning_rate", "batch_size"]
    assert found.loc["learning_rate", "points"] == pytest.approx(0.12, abs=0.02)
    assert found["best"].tolist()[:2] == [(4,), (1,)] and found["sets"].tolist() == [4, 10, 10]


def test_p_is_that_of_all_permutations():
    """One set of two values with four runs each: 70 ways to deal them out."""
    values = [[0.70, 0.72, 0.71, 0.75], [0.74, 0.76, 0.78, 0.73]]
    found = effects.effects(pd.DataFrame({"batch_size": [32, 64]}), values, ["batch_size"])
    everything = np.concatenate(values)
    gaps = [abs(everything[list(some)].sum() - everything.sum() / 2) for some in combinations(range(8), 4)]
    expected = np.mean(np.array(gaps) >= abs(sum(values[0]) - everything.sum() / 2) - 1e-12)
    assert found["p"].iloc[0] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("sizes", "blind"),
    # Ways to deal out the runs, of which some are as extreme as the one that is: 2 of 6, 2 of 20, 2 of 70, 6 of 90,
    # 1 of 4, and with two sets 2 of 6 * 6 or 20 * 20.
    [
        *(([[2, 2]], True), ([[3, 3]], True), ([[4, 4]], False), ([[2, 2, 2]], True), ([[1, 3]], True)),
        *(([[2, 2], [2, 2]], True), ([[3, 3], [3, 3]], False)),
    ],
)
def test_where_no_result_could_be_told_from_chance_this_is_known(sizes, blind):
    """However far apart the values lie."""
    settings = [(value, place) for place, groups in enumerate(sizes) for value in range(len(groups))]
    accuracies = [[value / 3 + run / 1000 for run in range(sizes[place][value])] for value, place in settings]
    table = pd.DataFrame(settings, columns=["learning_rate", "batch_size"])
    found = effects.effects(table, accuracies, ["learning_rate"])
    assert found["blind"].tolist() == [blind] and found["seen"].tolist() == [not blind]


def test_too_few_runs_are_no_sign_of_chance(library, small_data):
    for rate, seed in product((0.1, 0.01), range(3)):
        finished_run(library.own, Recipe("0", seed, learning_rate=rate), small_data, accuracy=0.8 - rate)
    assert swept(library).say_effects() == (
        "There are too few runs to tell whether the learning rate matters: train each setting more often."
    )


def test_what_matters_most_is_said_with_what_shows_nothing(library, small_data):
    for rate, size, seed in product((0.1, 0.01), (32, 64), range(4)):
        recipe = Recipe("0", seed, batch_size=size, learning_rate=rate)
        finished_run(library.own, recipe, small_data, accuracy=0.9 - 0.2 * (rate < 0.1) + 0.01 * seed)
    assert swept(library).say_effects() == (
        "The **learning rate** matters most: all else equal, its best and its worst value lie 20.0 points apart on "
        "average over 2 comparisons, and 0.1 is most often the best. "
        "No effect of the batch size can be told from chance."
    )


def test_values_that_are_equally_often_the_best_are_all_named(library, small_data):
    """The rate 0.1 is the best with batches of 32, 0.01 with those of 64, 0.001 never."""
    for rate, size, seed in product((0.1, 0.01, 0.001), (32, 64), range(5)):
        accuracy = 0.3 if rate == 0.001 else 0.9 - 0.02 * ((rate == 0.1) == (size == 64)) + 0.01 * (seed % 2)
        recipe = Recipe("0", seed, batch_size=size, learning_rate=rate)
        finished_run(library.own, recipe, small_data, accuracy=accuracy)
    assert "average over 2 comparisons, and 0.1 and 0.01 are equally often the best." in swept(library).say_effects()


def test_a_number_of_epochs_is_called_one(library, small_data):
    for epochs, seed in product((1, 2), range(5)):
        recipe = Recipe("0", seed, epochs=epochs)
        finished_run(library.own, recipe, small_data, accuracy=0.7 + 0.1 * epochs + 0.01 * seed)
    assert swept(library).say_effects().startswith("The **number of epochs** matters most: ")


def test_of_one_comparison_nothing_is_most_often_the_best(library, small_data):
    for rate, seed in product((0.1, 0.01), range(5)):
        recipe = Recipe("0", seed, learning_rate=rate)
        finished_run(library.own, recipe, small_data, accuracy=0.9 - 0.2 * (rate < 0.1) + 0.01 * seed)
    assert "lie 20.0 points apart in one comparison, and 0.1 is the best." in swept(library).say_effects()


def test_settings_that_are_as_accurate_as_the_best_are_counted(library, small_data):
    for rate, seeds in ((0.1, 3), (0.01, 2), (0.001, 3), (0.0001, 1)):
        for seed in range(seeds):
            recipe = Recipe("0", seed, learning_rate=rate)
            finished_run(library.own, recipe, small_data, accuracy=0.8 if rate > 0.001 else 0.7)
    assert swept(library).answer().endswith(" 1 other is as accurate.")
    [few] = [sentence for sentence in swept(library).caveats() if "fewer than" in sentence]
    assert few.startswith("2 of the settings have fewer than 3 runs, and repeated training")


def test_those_are_counted_that_the_test_cannot_tell_from_the_best(library, small_data):
    """The second lies below the interval of the best one's mean, and is not told from it all the same."""
    best, near, far = (0.90, 0.91, 0.92), (0.88, 0.87, 0.81), (0.40, 0.42, 0.41)
    for rate, by_seed in ((0.1, best), (0.01, near), (0.001, far), (0.0001, (0.5,))):
        for seed, accuracy in enumerate(by_seed):
            finished_run(library.own, Recipe("0", seed, learning_rate=rate), small_data, accuracy=accuracy)
    table = swept(library).table
    assert table["accuracy_mean"][1] < table["accuracy_low"][0]
    assert any("1 of the others can't be told apart from it" in sentence for sentence in swept(library).caveats())


def test_the_answer_and_what_not_to_conclude(small):
    assert small.answer() == (
        "Best of 5: **Model 0, SGD, lr 0.1, batch 32, 3 epochs** with **82.0%** on average over 2 runs."
    )
    assert small.say_effects().startswith(
        "There are too few runs to tell whether the learning rate or batch size matters"
    )
    said = " ".join(small.caveats())
    assert "**Chosen, not yet confirmed.**" in small.standing() and "the same test images chose it" in small.standing()
    assert "Every setting has fewer than 3 runs" in said
    assert "1 of 7 runs failed to learn (dead: " in said and "2 runs ended with an error" in said
    assert small.best(2) == [small.table["id"][0], small.table["id"][1]] and len(small.best(99)) == 4


def test_single_seeds_and_no_pair_that_differs_in_one_factor_alone(library, small_data):
    finished_run(library.own, Recipe("0"), small_data)
    finished_run(library.own, Recipe("2", epochs=1), small_data, accuracy=0.9)
    lonely = swept(library)
    assert "in its single run" in lonely.answer() and lonely.say_effects() == ""
    assert any("Every setting has a single run" in sentence for sentence in lonely.caveats())


def test_models_alone_are_no_sweep(library, small_data):
    finished_run(library.own, Recipe("0"), small_data)
    finished_run(library.own, Recipe("2", 3), small_data)
    assert not sweep.is_sweep(library.groups("fashion-mnist"))
    finished_run(library.own, Recipe("2", optimizer="adam"), small_data)
    assert sweep.is_sweep(library.groups("fashion-mnist"))


def lines(figure: go.Figure) -> list[tuple[float, float, str]]:
    """Of each line of a picture where it begins and ends, and what is said of it. The best one is there twice."""
    found = []
    for trace in figure.data:
        if trace.hovertemplate:
            x, y = np.array(trace.x, float), np.array(trace.y, float)
            ends = np.flatnonzero(x == np.nanmax(x))
            starts = [0, *(ends[:-1] + 2)]  # Between two lines is a gap.
            found += [(y[start], y[end], trace.text[end]) for start, end in zip(starts, ends, strict=True)]
    return found


def test_each_row_is_a_line_that_ends_at_its_accuracy(small):
    picture = small.picture()
    drawn = lines(picture.figure)
    assert len(drawn) == 5 + 1
    ends = {text: end for _, end, text in drawn}
    order = sorted(ends, key=ends.get)
    assert "1 failed" in order[0] and ends[order[0]] == 0  # Below the scale.
    assert "<b>82.00%</b>, 2 runs" in order[-1] and "1 dead" in order[1]
    heights = [ends[text] for text in order[1:]]
    means = sorted(small.table["accuracy_mean"].dropna())
    scale = np.polyfit(means, heights, 1)
    assert heights == pytest.approx(np.polyval(scale, means))  # The axis is linear.
    texts = [annotation.text for annotation in picture.figure.layout.annotations]
    assert {"0.1", "0.01", "5", "32", "64", "128"} <= {*texts} and "Epochs" not in " ".join(texts)
    assert "lr 0.1, batch 32, 3 epochs 82.0%" in picture.alt


def test_lines_through_one_value_lie_side_by_side_the_better_above(small):
    starts = {text: start for start, _, text in lines(small.picture().figure)}
    at_32 = sorted((height, text) for text, height in starts.items() if "lr 0.1," in text)
    assert len(at_32) == len({height for height, _ in at_32}) == 2
    assert "batch 32" in at_32[1][1]


def test_a_thousand_lines_are_a_handful_of_traces():
    table = swept_table(1000)
    figure = sweep_chart.coordinates(table, [factor for factor in FACTORS if table[factor.field].nunique() > 1], "test")
    assert len(figure.data) <= sweep_chart.SHADES + 3
    assert len(lines(figure)) == 1001


def swept_table(count: int) -> pd.DataFrame:
    """A table as of so many groups, one of which has failed."""
    rates = [round(0.001 * 1.01**index, 6) for index in range(count)]
    rows = [sweep._failed_row(Recipe("0", learning_rate=rates[0]), 1)]
    for index, rate in enumerate(rates[1:], start=1):
        recipe = Recipe("02"[index % 2], learning_rate=rate)
        rows.append(sweep._failed_row(recipe, 0) | {"id": str(index), "seeds": 1, "accuracy_mean": index / count})
    return pd.DataFrame(rows[::-1], columns=list(sweep.COLUMNS))


def test_a_real_sweep_is_trained_and_shown(library, small_sample):
    grid = Grid("0", range(2), [1, 2], [32], [0.1, 0.01], ["sgd", "adam"], "sample", "cpu")
    keyed = [(recipe, recipe.key(small_sample.fingerprint)) for recipe in grid.recipes()]
    library.own.enqueue(keyed, library.own.path.parent)
    Scheduler(library.own).work(idle_seconds=0)
    assert {run.status for run in library.own.runs()} == {"done"}, [
        run.error for run in library.own.runs() if run.error
    ]
    groups = library.groups("sample")
    assert len(groups) == grid.count / 2 and all(len(group.runs) == 2 for group in groups)
    shown = Sweep(library, groups)
    means = {group.id: np.mean([run.result.test_accuracy for run in group.runs]) for group in groups}
    assert shown.table["accuracy_mean"].tolist() == pytest.approx(sorted(means.values(), reverse=True))
    assert {factor.field for factor in shown.factors} == {"optimizer", "learning_rate", "epochs"}
    assert shown.effects["sets"].tolist() == [4, 4, 4]
