"""What is said of a training when it has ended."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from helpers.making import finished_run, result

from fmnist.compare.outcome import MAX_LINES, outcomes, say_outcome
from fmnist.recipe import Recipe
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.training.estimate import duration


@pytest.fixture
def run(store, small_data):
    """Makes a run with a given accuracy; or one that failed to learn, which answers Trouser alone."""
    made = finished_run(store, Recipe("0"), small_data)

    def make(seed: int, accuracy: float, *, failed: bool = False) -> Run:
        never = tuple(label for label in range(10) if label != 1) if failed else ()
        came = result(test_accuracy=accuracy, train_seconds=12.0, dead=failed, never_predicted=never)
        return Run(**vars(made) | {"id": seed + 1, "recipe": Recipe("0", seed), "result": came})

    return make


def said(runs: list[Run], reference: list[Run]) -> str:
    return say_outcome("Model 0", runs, reference, duration).replace("**", "")


@pytest.mark.parametrize(
    "accuracy, words",
    [
        (0.879, "Within the range of 3 reference runs (86.9% to 88.4%)."),
        (0.857, "1.2 points below the lowest of 3 reference runs (86.9% to 88.4%)."),
        (0.8861, "0.2 points above the highest of 3 reference runs (86.9% to 88.4%)."),
        (0.86896, "Within the range of"),  # Printed, it is the lowest.
    ],
)
def test_a_run_is_compared_with_the_reference_runs_of_its_recipe(run, accuracy, words):
    reference = [run(seed, accuracy) for seed, accuracy in enumerate((0.884, 0.869, 0.88))]
    sentence = said([run(0, accuracy)], reference)
    assert sentence.startswith(f"Model 0: {accuracy:.1%} right, trained in 12 s. ") and words in sentence


def test_of_several_runs_the_mean_is_compared_and_the_spread_told(run):
    reference = [run(0, 0.80), run(1, 0.82)]
    assert said([run(0, 0.83), run(1, 0.85)], reference) == (
        "Model 0: 84.0% right on average over 2 runs (83.0% to 85.0%), trained in 12 s each on average. "
        "On average 2.0 points above the highest of 2 reference runs (80.0% to 82.0%)."
    )


def test_the_time_that_is_told_is_of_runs_that_were_timed_alike(run):
    """Of three runs on two cores the last one has both for itself."""
    runs = [run(seed, 0.8) for seed in range(3)]
    results = [replace(runs[0].finished_result, train_seconds=8.0, at_once=2)] * 2 + [runs[2].finished_result]
    timed = [replace(run, result=result) for run, result in zip(runs, results, strict=True)]
    assert "trained in 8 s each on average (those timed alike)." in said(timed, [])


def test_without_reference_runs_nothing_is_compared(run):
    assert said([run(0, 0.8)], []) == "Model 0: 80.0% right, trained in 12 s."


def test_a_single_reference_run_is_no_range(run):
    assert said([run(0, 0.8)], [run(0, 0.81)]).endswith("1.0 points below the reference run (81.0%).")
    assert said([run(0, 0.8)], [run(0, 0.8)]).endswith("The same as the reference run (80.0%).")


def test_a_run_that_failed_to_learn_is_named_and_compared_with_nothing(run):
    reference = [run(0, 0.8), run(1, 0.82)]
    dead = run(3, 0.1, failed=True)
    assert said([dead], reference) == "Model 0 failed to learn: it answers Trouser for every image. Try another seed."
    sentence = said([run(0, 0.81), dead], reference)
    assert "45.5% right on average over 2 runs (10.0% to 81.0%)" in sentence
    assert (
        "1 of them failed to learn (seed 3), answering Trouser for every image; the average includes this." in sentence
    )
    assert sentence.endswith("The other one: within the range of 2 reference runs (80.0% to 82.0%).")
    sentence = said([run(0, 0.81), run(1, 0.83), dead], reference)
    assert sentence.endswith("The others: on average within the range of 2 reference runs (80.0% to 82.0%).")


def test_reference_runs_that_failed_to_learn_make_no_range(run):
    reference = [run(0, 0.8), run(1, 0.1, failed=True), run(2, 0.82)]
    assert said([run(0, 0.5)], reference).endswith("30.0 points below the lowest of 2 reference runs (80.0% to 82.0%).")


def test_each_model_has_a_line_and_is_compared_by_its_own_recipe(store, small_data):
    runs = [finished_run(store, Recipe(model), small_data, accuracy=0.8) for model in "02"]
    lines = outcomes(Library(store), runs, lambda run: f"Model {run.recipe.model}", duration)
    assert [line[:11] for line in lines] == ["**Model 0**", "**Model 2**"]
    assert all(re.search("of 5 reference runs|below the lowest|above the highest", line) for line in lines)


def test_another_recipe_than_that_of_the_reference_runs_is_compared_with_nothing(store, small_data):
    run = finished_run(store, Recipe("0", epochs=1), small_data)
    *_, last = outcomes(Library(store), [run], lambda run: "Model 0", duration)
    assert last.startswith("The reference runs were trained differently (SGD, lr 0.1, batch 32, 3 epochs)")
    sample = finished_run(store, Recipe("0", dataset="sample"), small_data)
    assert len(outcomes(Library(store), [sample], lambda run: "Model 0", duration)) == 1


def test_of_a_sweep_the_best_settings_have_a_line(store, small_data):
    runs = [
        finished_run(store, Recipe("0", epochs=epochs, dataset="sample"), small_data, accuracy=epochs / 10)
        for epochs in range(1, 9)
    ]
    *lines, last = outcomes(Library(store), runs, lambda run: f"{run.recipe.epochs} epochs", duration)
    assert [line[:12] for line in lines] == [f"**{epochs} epochs**" for epochs in range(3, 9)]
    assert last == f"These are the {MAX_LINES} most accurate of 8 settings."
