"""Every figure that is shown, against scikit-learn's, and the sentences that are drawn from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from fmnist import metrics as fmnist_metrics


@pytest.fixture(params=[0, 1, 2])
def answers(request) -> tuple[np.ndarray, np.ndarray]:
    """Logits as they are stored, half right, and the labels."""
    rng = np.random.default_rng(request.param)
    labels = rng.integers(10, size=3_000)
    logits = rng.normal(0, 4, (3_000, 10))
    logits[np.arange(1_500), labels[:1_500]] += 8
    return logits.astype(np.float16), labels


# Single figures


def test_accuracy_is_scikit_learns(answers):
    logits, labels = answers
    predictions = fmnist_metrics.predict(logits)
    assert fmnist_metrics.accuracy(predictions, labels) == metrics.accuracy_score(labels, predictions)
    assert 0.3 < fmnist_metrics.accuracy(predictions, labels) < 0.9


def test_confusion_matrix_is_scikit_learns(answers):
    logits, labels = answers
    predictions = fmnist_metrics.predict(logits)
    matrix = fmnist_metrics.confusion_matrix(labels, predictions)
    assert np.array_equal(matrix, metrics.confusion_matrix(labels, predictions, labels=range(10)))
    assert matrix.sum() == len(labels)


def test_the_diagonal_of_the_row_shares_is_scikit_learns_recall(answers):
    logits, labels = answers
    predictions = fmnist_metrics.predict(logits)
    recall = metrics.recall_score(labels, predictions, average=None, labels=range(10))
    assert np.array_equal(
        np.diagonal(fmnist_metrics.row_shares(fmnist_metrics.confusion_matrix(labels, predictions))), recall
    )


def test_cross_entropy_is_scikit_learns(answers):
    logits, labels = answers
    probabilities = fmnist_metrics.softmax(logits)
    expected = metrics.log_loss(labels, probabilities, labels=range(10))
    assert fmnist_metrics.cross_entropy(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_softmax_sums_to_one_however_large_the_logits():
    logits = np.array([[60_000, -60_000, 0, *[0] * 7], [0] * 10, [-5] * 9 + [5]], np.float16)
    probabilities = fmnist_metrics.softmax(logits)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert probabilities[0, 0] == 1
    assert probabilities[1] == pytest.approx(0.1, abs=1e-15)
    assert np.isfinite(fmnist_metrics.cross_entropy(logits, np.array([1, 0, 9])))


def test_of_equal_logits_the_first_class_is_predicted():
    logits = np.zeros((3, 10), np.float16)
    logits[1, [4, 7]] = 1
    logits[2, :3] = -1
    assert fmnist_metrics.predict(logits).tolist() == [0, 4, 3]
    assert fmnist_metrics.predict(logits).dtype == np.uint8


def test_a_class_without_images_stays_zero():
    matrix = fmnist_metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 1]))
    assert fmnist_metrics.row_shares(matrix)[0].tolist() == [0.5, 0, 0.5, *[0] * 7]
    assert np.diagonal(fmnist_metrics.row_shares(matrix)).tolist() == [0.5, 1, *[0] * 8]


def test_rows_of_the_confusion_matrix_are_true_classes():
    matrix = fmnist_metrics.confusion_matrix(np.array([6, 6, 0]), np.array([0, 0, 0], np.uint8))
    assert matrix[6, 0] == 2 and matrix[0, 6] == 0 and matrix[0, 0] == 1


def test_most_confused_are_the_largest_errors_first():
    matrix = np.zeros((10, 10), np.int64)
    matrix[3, 3], matrix[6, 0], matrix[0, 6], matrix[4, 2] = 100, 7, 9, 7
    assert fmnist_metrics.most_confused(matrix, 2) == [(0, 6, 9), (4, 2, 7)]
    assert fmnist_metrics.most_confused(matrix, 20) == [(0, 6, 9), (4, 2, 7), (6, 0, 7)]
    assert matrix[3, 3] == 100


@pytest.mark.parametrize(
    "predictions, never, dead",
    [
        ([3] * 50, [0, 1, 2, 4, 5, 6, 7, 8, 9], True),
        ([9] * 49 + [0], [1, 2, 3, 4, 5, 6, 7, 8], False),
        ([0, 1, 2, 3, 5, 6, 7, 8, 9], [4], False),
        (list(range(10)), [], False),
    ],
)
def test_classes_that_are_never_predicted(predictions, never, dead):
    predictions = np.array(predictions, np.uint8)
    assert fmnist_metrics.never_predicted(predictions) == never
    assert fmnist_metrics.is_dead(predictions) is dead


# Over seeds


def run(model: str, seed: int, accuracy: float, **changes) -> dict:
    """A row as `Library.finished` gives it."""
    row = {
        "source": "own",
        "dataset": "fashion-mnist",
        "model": model,
        "recipe": "{}",
        "device": "CPU",
        "seed": seed,
        "run": f"{model}/{seed}",
        "finished": float(seed),
        "accuracy": accuracy,
        "dead": accuracy == 0.1,
        "train_seconds": 2.0,
        "eval_seconds": 0.5,
        "image_seconds": 1e-6,
        "single_seconds": 1e-4,
        "conditions": "CPU, 1 thread",
        "parameters": 7_850,
        "multiply_adds": 7_840,
    }
    return row | changes


def test_summarise_mean_and_spread():
    accuracies = [0.82, 0.78, 0.86, 0.8]
    (row,) = fmnist_metrics.summarise(pd.DataFrame([run("0", s, a) for s, a in enumerate(accuracies)])).to_dict(
        "records"
    )
    assert row["seeds"] == [0, 1, 2, 3]
    assert row["accuracy_mean"] == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert row["accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-12)
    assert (row["accuracy_min"], row["accuracy_max"]) == (0.78, 0.86)
    assert (row["train_seconds"], row["eval_seconds"], row["dead"]) == (2.0, 0.5, 0)
    assert row["conditions"] == "CPU, 1 thread"


def test_summarise_one_seed_has_no_spread():
    (row,) = fmnist_metrics.summarise(pd.DataFrame([run("0", 0, 0.8)])).to_dict("records")
    assert np.isnan(row["accuracy_std"])


@pytest.mark.parametrize("order", [1, -1])
def test_summarise_counts_a_seed_once_with_its_newest_run(order):
    runs = [run("0", 1, 0.7, finished=5.0), run("0", 1, 0.9, finished=6.0), run("0", 0, 0.8, finished=1.0)]
    (row,) = fmnist_metrics.summarise(pd.DataFrame(runs[::order])).to_dict("records")
    assert row["seeds"] == [0, 1]
    assert row["accuracy_mean"] == pytest.approx(0.85)


def test_summarise_counts_dead_runs_and_keeps_them_in_the_mean():
    runs = [run("2", 0, 0.88), run("2", 1, 0.1), run("2", 2, 0.86)]
    (row,) = fmnist_metrics.summarise(pd.DataFrame(runs)).to_dict("records")
    assert row["dead"] == 1
    assert row["accuracy_mean"] == pytest.approx(1.84 / 3)
    assert row["accuracy_alive"] == pytest.approx(0.87)
    assert row["accuracy_min"] == 0.1


def test_summarise_takes_times_from_the_seeds_that_were_timed_under_the_same_conditions_as_most():
    slow = [run("2", seed, 0.8, train_seconds=5.0 + seed, conditions="2 at once") for seed in (0, 1)]
    (row,) = fmnist_metrics.summarise(pd.DataFrame([*slow, run("2", 2, 0.8, train_seconds=1.0)])).to_dict("records")
    assert (row["train_seconds"], row["conditions"], row["timed"]) == (5.5, "2 at once", [0, 1])
    assert row["seeds"] == [0, 1, 2]


def test_times_are_comparable_where_conditions_are_those_of_most_groups():
    groups = pd.DataFrame({"conditions": ["alone", "beside", "beside"]})
    assert fmnist_metrics.comparable(groups).tolist() == [False, True, True]
    assert fmnist_metrics.comparable(groups[:2]).tolist() == [True, False]


def test_the_frontier_is_what_nobody_beats_on_both():
    costs, accuracies = pd.Series([1.0, 2.0, 3.0, 2.0, np.nan]), pd.Series([0.8, 0.7, 0.9, 0.85, 0.99])
    assert fmnist_metrics.frontier(costs, accuracies).tolist() == [True, False, True, True, False]
    assert fmnist_metrics.frontier(pd.Series([1.0, 1.0]), pd.Series([0.8, 0.8])).tolist() == [True, True]  # equals


def test_summarise_a_group_in_which_none_lives_stays():
    table = fmnist_metrics.summarise(pd.DataFrame([run("2", 0, 0.1), run("0", 0, 0.8)])).set_index("model")
    assert np.isnan(table.loc["2", "accuracy_alive"])
    assert table.loc["0", "accuracy_alive"] == 0.8


@pytest.mark.parametrize("column", fmnist_metrics.GROUP)
def test_summarise_never_mixes_groups(column):
    runs = [run("0", 0, 0.8), run("0", 1, 0.9) | {column: "another"}]
    assert fmnist_metrics.summarise(pd.DataFrame(runs))["accuracy_mean"].tolist() in ([0.8, 0.9], [0.9, 0.8])


# The conclusion


def conclude(*runs: dict) -> str:
    """The sentences about some runs; models are called as on the pages."""
    table = pd.DataFrame(runs).assign(group=lambda table: table["model"])
    groups = fmnist_metrics.summarise(table).assign(
        id=lambda groups: groups["model"], name=lambda groups: "Model " + groups["model"]
    )
    return fmnist_metrics.conclusion(groups, table)


def test_conclusion_of_one_group():
    assert conclude(run("0", 0, 0.8251)) == "**Model 0** recognises **82.5%** of the test images."
    several = conclude(run("0", 0, 0.80), run("0", 1, 0.90))
    assert several == "**Model 0** recognises **85.0%** of the test images on average over 2 seeds."


def test_conclusion_of_one_dead_group_says_so():
    assert "1 of the runs is dead" in conclude(run("2", 0, 0.1))


def test_conclusion_names_the_most_accurate_and_its_lead():
    sentence = conclude(run("0", 0, 0.80), run("2", 0, 0.885))
    assert "**Model 2** is the most accurate: **88.5%**" in sentence
    assert "8.5 points more than Model 0" in sentence


def test_conclusion_says_that_one_seed_proves_little():
    sentence = conclude(run("0", 0, 0.80), run("2", 0, 0.885))
    assert "With one seed each this proves little" in sentence
    assert "worst" not in sentence


def test_conclusion_of_seeds_that_do_not_overlap():
    sentence = conclude(run("0", 0, 0.80), run("0", 1, 0.84), run("2", 0, 0.88), run("2", 1, 0.86))
    assert "on average over 2 seeds" in sentence
    assert "Its worst seed is better than the best seed of any other." in sentence


def test_conclusion_of_seeds_that_overlap():
    sentence = conclude(run("0", 0, 0.80), run("0", 1, 0.87), run("2", 0, 0.88), run("2", 1, 0.86))
    assert "seeds overlap" in sentence
    assert "better than the best seed of any other" not in sentence


def test_conclusion_counts_the_dead():
    runs = [run("0", 0, 0.80), run("0", 1, 0.84), run("2", 0, 0.1), run("2", 1, 0.88)]
    assert "1 of the runs is dead" in conclude(*runs)
    assert "2 of the runs are dead" in conclude(*runs[:3], run("2", 1, 0.1))
    assert "without them Model 2 reaches 88.0%" in conclude(*runs[:3], run("2", 1, 0.1), run("2", 2, 0.88))
    assert "dead" not in conclude(*runs[:2], run("2", 0, 0.87), run("2", 1, 0.88))


@pytest.mark.parametrize("seconds, times", [(3.0, "1.5 times"), (60.0, "30 times")])
def test_conclusion_compares_times_that_were_measured_under_the_same_conditions(seconds, times):
    slow = run("2", 0, 0.88, train_seconds=seconds)
    assert f"It takes {times} as long to train as Model 0" in conclude(run("0", 0, 0.80), slow)
    assert "times as long" not in conclude(run("0", 0, 0.80), slow | {"conditions": "2 at once"})


def test_conclusion_does_not_compare_a_model_that_is_also_the_quickest():
    assert "times as long" not in conclude(run("0", 0, 0.9), run("2", 0, 0.8, train_seconds=30.0))


# --- Two runs, image by image ---


@pytest.fixture
def two_runs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and two runs' predictions of 500 images in 3 classes, right for half of them."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, 500)
    return labels, *(np.where(rng.random(500) < 0.5, labels, rng.integers(0, 3, 500)) for _ in range(2))


def test_a_difference_of_matrices_has_rows_that_sum_to_0_and_a_diagonal_that_is_the_gap(two_runs):
    labels, first, second = two_runs
    change = fmnist_metrics.confusion_matrix(labels, second) - fmnist_metrics.confusion_matrix(labels, first)
    assert (change.sum(axis=1) == 0).all()
    assert np.trace(change) == np.sum(second == labels) - np.sum(first == labels)


def test_every_image_that_changed_is_behind_its_cell(two_runs):
    labels, first, second = two_runs
    change = fmnist_metrics.confusion_matrix(labels, second) - fmnist_metrics.confusion_matrix(labels, first)
    for true in range(3):
        for said in range(3):
            parts = fmnist_metrics.flips(labels, first, second, (true, said))
            by_hand = {"fixed": [], "broken": [], "alike": [], "moved": []}
            for index, (label, a, b) in enumerate(zip(labels, first, second, strict=True)):
                if label != true:
                    continue
                if (true == said and a == true == b) or (true != said and a == said == b):
                    by_hand["alike"].append(index)
                elif true == said:
                    if b == true:
                        by_hand["fixed"].append(index)
                    elif a == true:
                        by_hand["broken"].append(index)
                elif a == said:
                    by_hand["fixed" if b == true else "moved"].append(index)
                elif b == said:
                    by_hand["broken" if a == true else "moved"].append(index)
            assert {name: part.tolist() for name, part in parts.items()} == by_hand
            if true == said:
                assert change[true, said] == len(parts["fixed"]) - len(parts["broken"])


def test_a_run_against_itself_has_no_flips(two_runs):
    labels, first, _ = two_runs
    parts = fmnist_metrics.flips(labels, first, first, (0, 1))
    assert not len(parts["fixed"]) and not len(parts["broken"]) and not len(parts["moved"])
