"""Charts of what models cost: where their names stand."""

from __future__ import annotations

import pandas as pd
import pytest

from fmnist.compare import charts, cost_charts
from fmnist.compare.charts import MAX_NAME

COST = cost_charts.COSTS["train_seconds"]


def drawn(names: list[str], accuracies: list[float], seconds: list[float]) -> list[tuple[str, str, str]]:
    """Of each model in the chart its label, where that stands, and the name under the pointer."""
    groups = pd.DataFrame(
        {
            "id": range(len(names)),
            "model": [name[6] for name in names],
            "name": names,
            "seeds": [[0]] * len(names),
            "accuracy_mean": accuracies,
            "conditions": "this machine",
            "comparable": True,
            "train_seconds": seconds,
        }
    )
    runs = groups.assign(group=groups["id"], seed=0, accuracy=groups["accuracy_mean"])
    figure = cost_charts.accuracy_against(groups, runs, COST)
    means = figure.select_traces({"mode": "markers+text"})
    return [(mean.text[0], mean.textposition, mean.name) for mean in means]


def test_long_names_are_in_short_lines_and_point_into_the_chart():
    rest = "Adam, lr 0.003, batch 32, 1 epoch, weight decay 0.01, cosine, mirrored"
    names = [f"Model {model} · {rest}" for model in "012"]
    left, middle, right = drawn(names, [0.5, 0.7, 0.9], [0.1, 1.0, 10.0])
    for (label, _, hovered), name in zip((left, middle, right), names, strict=True):
        lines = label.split("<br>")
        assert len(lines) == 2 and max(map(len, lines)) <= MAX_NAME and label.endswith(" …")
        assert hovered == name
    assert [place for _, place, _ in (left, middle, right)] == ["top right", "top center", "top left"]


def test_a_long_name_leaves_that_of_a_mark_just_above_alone():
    names = [f"Model {model} · SGD, lr 0.1, batch 32, 1 epoch" for model in "021"]
    places = [place for _, place, _ in drawn(names, [0.88, 0.9, 0.6], [0.1, 10.0, 10.0])]
    assert places == ["bottom right", "top left", "top left"]


def test_short_names_stand_above_their_marks():
    assert drawn(["Model 0", "Model 2"], [0.88, 0.9], [0.1, 10.0]) == [
        ("Model 0", "top center", "Model 0"),
        ("Model 2", "top center", "Model 2"),
    ]


@pytest.mark.parametrize("name", ["Model 0", "M" * 60])
def test_a_name_is_shortened_to_lines(name):
    assert all(len(line) <= MAX_NAME for line in charts.in_short_lines(name).split("<br>"))
