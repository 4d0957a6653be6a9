"""What is said of own runs beside the reference: whose mean is the highest, and whether they can be told apart."""

from __future__ import annotations

import pandas as pd
from helpers.making import summary_row as run

from fmnist.compare import beside_reference, summary


def conclude(*runs: dict) -> str:
    table = pd.DataFrame(runs)
    table["group"] = table["source"] + table["model"]
    groups = summary.summarise(table)
    groups = groups.assign(id=groups["source"] + groups["model"], name="Model " + groups["model"])
    assert beside_reference.beside_each_other(groups)
    return " ".join(beside_reference.conclusion(groups, table))


def several(source: str, model: str, *accuracies: float) -> list[dict]:
    return [run(model, seed, accuracy, source=source) for seed, accuracy in enumerate(accuracies)]


def test_one_model_is_ahead_in_both_and_runs_that_differ_are_named():
    said = conclude(
        *several("own", "0", 0.80, 0.81, 0.82),
        *several("reference", "0", 0.81, 0.80, 0.82),
        *several("own", "2", 0.900, 0.905, 0.907),
        *several("reference", "2", 0.850, 0.854, 0.858),
    )
    assert said.startswith(
        "**Model 2** is the most accurate on average: **90.4%** in your runs, 85.4% in the reference"
    )
    assert "Your runs of Model 2 beat the reference by 5.0 points." in said
    assert "For Model 0, there is no clear difference between your runs and the reference." in said


def test_the_reference_may_be_ahead_and_another_model_too():
    said = conclude(
        *several("own", "0", 0.80, 0.81, 0.82),
        *several("own", "2", 0.700, 0.705, 0.707),
        *several("reference", "2", 0.850, 0.854, 0.858),
    )
    assert said.startswith(
        "The most accurate on average: **Model 0** in your runs (**81.0%**), Model 2 in the reference"
    )
    assert "The reference of Model 2 beats your runs by 15.0 points." in said


def test_single_runs_are_not_told_apart():
    said = conclude(*several("own", "1", 0.9), *several("reference", "1", 0.7, 0.71, 0.72))
    assert said.startswith("**Model 1** reaches **90.0%** in your runs, 71.0% in the reference runs.")
    assert "For Model 1, there are too few runs to compare yours with the reference." in said and "beat" not in said


def test_a_lead_among_own_runs_that_may_be_chance_is_said_to_be():
    said = conclude(
        *several("own", "0", 0.80, 0.85, 0.90),
        *several("own", "2", 0.81, 0.86, 0.91),
        *several("reference", "2", 0.850, 0.854, 0.858),
    )
    assert "Among your runs that may be chance: there is no clear difference from Model 0." in said


def test_what_another_recipe_reaches_is_not_called_the_references():
    other = [row | {"recipe": "other"} for row in several("own", "2", 0.4, 0.4, 0.4)]
    said = conclude(*other, *several("reference", "2", 0.85))
    assert said.startswith("**Model 2** reaches **40.0%** in your runs, Model 2 85.0% in the reference runs.")
    said = conclude(
        *other, *several("reference", "2", 0.85), *several("own", "0", 0.2), *several("reference", "0", 0.2)
    )
    assert said.startswith("The most accurate on average: **Model 2** in your runs (**40.0%**), Model 2 in the")


def test_own_runs_that_are_level_are_all_named():
    said = conclude(
        *several("own", "0", 0.80, 0.81, 0.82),
        *several("own", "2", 0.80, 0.81, 0.82),
        *several("own", "1", 0.80, 0.79, 0.81),
        *several("reference", "2", 0.850, 0.854, 0.858),
    )
    assert said.startswith("The most accurate on average: **Model 0** and Model 2 in your runs (**81.0%**), Model 2 in")
    assert "there is no clear difference from Model 1." in said


def test_of_several_references_the_one_with_the_same_recipe_stands_beside():
    rows = [
        {"source": "reference", "model": "0", "recipe": "a"},
        {"source": "reference", "model": "0", "recipe": "b"},
        {"source": "own", "model": "0", "recipe": "b"},
        {"source": "own", "model": "9", "recipe": "b"},
    ]
    [(own, reference)] = beside_reference.beside_each_other(pd.DataFrame(rows))
    assert (own["model"], reference["recipe"]) == ("0", "b")
